"""From a declared vintage to the files that are wanted: states filled in, names under which each may come."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sources.framework.declare import Source, SourceFile
from sources.framework.states import State, within


@dataclass(frozen=True)
class Wanted:
    """One declared file with the state filled in."""

    source: Source
    vintage: str
    declared: SourceFile
    name: str
    accept: tuple[str, ...]
    url: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """Every name under which the file may be delivered, the agency's first."""
        names: list[str] = []
        for name in (self.name, *self.accept):
            names += [name] if name.endswith(".gz") else [name, f"{name}.gz"]
        return tuple(dict.fromkeys(names))

    def stored_as(self, delivered: str) -> str:
        """The name in the store: the agency's, with .gz if delivered so; the delivered one if its type differs."""
        if "*" in self.name:
            return delivered
        packed = delivered.endswith(".gz")
        plain, wanted = delivered.removesuffix(".gz"), self.name.removesuffix(".gz")
        if Path(plain).suffix.lower() != Path(wanted).suffix.lower():
            return delivered
        return f"{wanted}.gz" if packed else wanted

    def declared_as(self, delivered: str) -> str:
        """The name a reader knows the file by: the declared one, or for a pattern the file's own."""
        return delivered if "*" in self.name else self.name

    @property
    def is_ambiguous(self) -> bool:
        """Whether another vintage accepts the same name, so that a file outside a vintage folder says too little."""
        others = (v for v in self.source.vintages if v.key != self.vintage)
        mine = {self.declared.name, *self.declared.accept}
        return any(mine & {f.name, *f.accept} for v in others for f in v.files)


def wanted_files(
    source: Source, vintage: str, names: tuple[str, ...] | None, states: tuple[str, ...] | None
) -> list[Wanted]:
    """The files of a vintage in declared order, those per state once for each of `states` (None: all).

    `names` limits them to some declared names, with the state in braces or filled in; a name that is not declared is a
    `ValueError`, a vintage that is not a `KeyError`.
    """
    wanted: list[Wanted] = []
    asked = set(names) if names is not None else None
    met: set[str] = set()
    for file in source.vintage(vintage).files:
        places: tuple[State | None, ...] = within(states) if file.per_state else (None,)
        for state in places:
            one = Wanted(
                source=source,
                vintage=vintage,
                declared=file,
                name=_fill(file.name, state),
                accept=tuple(_fill(name, state) for name in file.accept),
                url=_fill(file.url, state) if file.url else None,
            )
            met |= {file.name, one.name}
            if asked is None or asked & {file.name, one.name}:
                wanted.append(one)
    if asked is not None and asked - met:
        raise ValueError(f"source {source.key} {vintage} declares no file {sorted(asked - met)}")
    return wanted


def _fill(text: str, state: State | None) -> str:
    """A name or address with the state's codes in it."""
    if state is None:
        return text
    return text.replace("{st}", state.postal.lower()).replace("{ST}", state.postal).replace("{fips}", state.fips)
