"""The two ways an input can fail: it is wrong (`InputError`), or it is not there (`OwedError`)."""

from __future__ import annotations

from typing import Any


class MobilityError(Exception):
    """Base of every error that is meant for a person; its text says what to do."""


class InputError(MobilityError):
    """A source file does not hold what it must. Names source, file, row and column, as far as they are known.

    `row` is the 1-based line of the file (headers counted), so that a person can open the file and look.
    """

    def __init__(
        self,
        problem: str,
        *,
        source: str,
        file: str | None = None,
        row: int | None = None,
        column: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.problem = problem
        self.source = source
        self.file = file
        self.row = row
        self.column = column
        self.remedy = remedy
        where = [f"source {source}"]
        if file is not None:
            where.append(f"file {file}")
        if row is not None:
            where.append(f"row {row}")
        if column is not None:
            where.append(f"column {column}")
        text = f"{', '.join(where)}: {problem}"
        super().__init__(f"{text} {remedy}" if remedy else text)


class OwedError(MobilityError):
    """A source file is neither in the store nor to be had by the program; a person must provide it.

    `recipe` says which file, from which page, with which choices, and where to put it.
    """

    def __init__(self, *, source: str, vintage: str, files: tuple[str, ...], recipe: str) -> None:
        self.source = source
        self.vintage = vintage
        self.files = files
        self.recipe = recipe
        super().__init__(f"input owed: {source} {vintage} ({', '.join(files)}). {recipe}")


class GateError(MobilityError):
    """A table or an estimate breaks its schema or a rule. `cases` holds up to 20 failing rows, as text.

    `findings` are what the rules said of it (`schemas.data_rules.Finding`), where they were asked.
    """

    def __init__(self, table: str, problems: list[str], findings: tuple[Any, ...] = ()) -> None:
        self.table = table
        self.findings = findings
        self.cases = problems[:20]
        more = f" (and {len(problems) - 20} more)" if len(problems) > 20 else ""
        super().__init__(f"{table} fails its gate: " + "; ".join(self.cases) + more)
