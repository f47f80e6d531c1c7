"""Ordering IPUMS extracts: what to ask for, asking only once, waiting, and fetching the files."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from schemas.errors import InputError, MobilityError, OwedError
from sources.acs.asked import Uses, ordered
from sources.acs.sample import Sample

if TYPE_CHECKING:
    import requests
    from ipumspy import IpumsApiClient, MicrodataExtract

log = logging.getLogger(__name__)

SOURCE: Final = "acs_pums_ipums"
COLLECTION: Final = "usa"
API: Final = "https://api.ipums.org"

# IPUMS puts these into every extract of its own accord; they need not be asked for.
_GIVEN: Final = frozenset({"YEAR", "SAMPLE", "SERIAL", "HHWT", "PERWT"})
# These may appear in the service's account of an extract without having been asked for.
_PRESELECTED: Final = _GIVEN | {"MULTYEAR", "CBSERIAL", "CLUSTER", "STRATA", "GQ", "PERNUM", "RECTYPE"}
_INTERNET: Final = frozenset({"CILAPTOP", "CITABLET", "CIHISPEED", "CINETHH"})
_ORDER: Final = "IPUMS USA extract "
_HISTORY: Final = 200
_DOWNLOADS: Final = 3


def variables(sample: Sample, uses: Uses | None = None) -> tuple[str, ...]:
    """The variables of the extract that serves these predictors (all by default), as they are named in an order.

    Replicate weights are ordered as a group (REPWT, REPWTP). Left out: what IPUMS adds by itself, and what the sample
    does not have.
    """
    wanted = set(ordered(sample, uses or {})) - _GIVEN
    if sample.span == 1:
        wanted.discard("MULTYEAR")
    if not sample.asks_internet:
        wanted -= _INTERNET
    return tuple(sorted({_group(v) for v in wanted}))


def _group(variable: str) -> str:
    bare = variable.rstrip("0123456789")
    return bare if bare in ("REPWT", "REPWTP") else variable


def definition(
    sample: Sample, wanted: Collection[str], cases: Mapping[str, Collection[int]] | None = None
) -> MicrodataExtract:
    """An extract of one sample with the variables `wanted` (IPUMS names, replicate weights numbered or as a group).

    Hierarchical, because only then vacant units come along, and household weights once. `cases` keeps the persons whose
    variable has one of the codes, and drops households without any; a table of households needs an extract without it.
    """
    from ipumspy import MicrodataExtract  # brings pandas with it

    extract = MicrodataExtract(
        COLLECTION,
        samples=[sample.ipums_vintage],
        variables=sorted({_group(v.upper()) for v in wanted} - _GIVEN),
        description=f"Mobility Metrics {sample.ipums_vintage}",
        data_format="fixed_width",
        data_structure={"hierarchical": {}},
    )
    for variable, codes in sorted((cases or {}).items()):
        extract.select_cases(variable.upper(), [str(code) for code in sorted(codes)])
    return extract


def digest(request: Mapping[str, Any]) -> str:
    """16 hexadecimal digits of what decides the files delivered for a request (`extract.build()`, or the service's)."""
    chosen = {
        name: spec.get("caseSelections") or {}
        for name, spec in request["variables"].items()
        if name not in _PRESELECTED or spec.get("caseSelections")
    }
    parts = {
        "format": request["dataFormat"],
        "structure": request["dataStructure"],
        "samples": sorted(request["samples"]),
        "variables": chosen,
        "who": request.get("caseSelectWho") or "individuals",
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def order_name(number: int) -> str:
    """How an extract is named in the store's provenance."""
    return f"{_ORDER}{number}"


def order_number(name: str | None) -> int | None:
    """The number of an extract that this program ordered, from its name in the provenance; None for other files."""
    digits = (name or "").removeprefix(_ORDER)
    return int(digits) if name and name.startswith(_ORDER) and digits.isdigit() else None


@dataclass
class Orders:
    """Extracts ordered with one key.

    `memory` is a small JSON file that keeps the numbers of extracts, so that a run that was interrupted, or comes
    again, finds its extract instead of ordering another one; the account's history is searched, too. `patience` is how
    many seconds a run waits for IPUMS. The key is part of no message.
    """

    key: str = field(repr=False)
    memory: Path
    patience: float = 3 * 3600.0
    first_pause: float = 5.0
    base_url: str = field(default_factory=lambda: API)
    session: requests.Session | None = field(default=None, repr=False)
    _client: IpumsApiClient | None = field(default=None, init=False, repr=False)

    def fetch(self, extract: MicrodataExtract, folder: Path) -> tuple[int, list[Path]]:
        """The number of the extract, and its data file and codebook, in `folder`.

        Raises `OwedError` if IPUMS needs longer than `patience` (a later run goes on waiting for the same extract) or
        cannot be reached, and `InputError` if it refuses the key or the request.
        """
        folder.mkdir(parents=True, exist_ok=True)
        sample = next(iter(extract.build()["samples"]))
        try:
            number = self._find(extract)
            if number is None:
                number = int(self.client.submit_extract(extract).extract_id)
                log.info("IPUMS extract %s (%s) ordered", number, sample)
            self._remember(extract, number)
            self.client.wait_for_extract(
                number, COLLECTION, inital_wait_time=self.first_pause, max_wait_time=300, timeout=self.patience
            )
            return number, self._download(number, folder)
        except Exception as error:
            # Whatever the service or its client says may quote the key, so the cause is not chained either.
            raise self._explained(error, extract, sample) from None

    @property
    def client(self) -> IpumsApiClient:
        """The client of the extract service."""
        if self._client is None:
            from ipumspy import IpumsApiClient

            self._client = IpumsApiClient(str(self.key), base_url=self.base_url, session=self.session)
        return self._client

    def _find(self, extract: MicrodataExtract) -> int | None:
        """The number of an extract with this request whose files are there or are being made."""
        from ipumspy.api.exceptions import IpumsNotFound

        wanted = digest(extract.build())
        remembered = self._memory().get(wanted)
        if remembered is not None:
            try:
                if _usable(self.client.get_extract_info(remembered, COLLECTION)):
                    return remembered
            except IpumsNotFound:
                log.info("IPUMS extract %s is gone", remembered)
        past = self.client.get_previous_extracts(COLLECTION, _HISTORY).get("data", [])
        for info in past:
            if _usable(info) and _same(info, wanted):
                log.info("IPUMS extract %s of an earlier order is used", info["number"])
                return int(info["number"])
        return None

    def _download(self, number: int, folder: Path) -> list[Path]:
        for attempt in range(1, _DOWNLOADS + 1):
            with tempfile.TemporaryDirectory(dir=folder) as under_way:
                try:
                    self.client.download_extract(number, COLLECTION, download_dir=under_way)
                except (OSError, ValueError) as error:
                    if attempt == _DOWNLOADS:
                        raise
                    log.info("download of IPUMS extract %s broke (%s); again", number, type(error).__name__)
                    continue
                return [Path(shutil.move(path, folder / path.name)) for path in sorted(Path(under_way).iterdir())]
        raise AssertionError("unreachable")

    def _memory(self) -> dict[str, int]:
        if not self.memory.exists():
            return {}
        try:
            kept = json.loads(self.memory.read_text(encoding="utf-8"))
            return {str(k): int(v) for k, v in kept.items()}
        except (ValueError, AttributeError, TypeError):
            log.warning("%s cannot be read; the account's history is searched instead", self.memory.name)
            return {}

    def _remember(self, extract: MicrodataExtract, number: int | None) -> None:
        kept: dict[str, int] = self._memory()
        kept.pop(digest(extract.build()), None)
        if number is not None:
            kept[digest(extract.build())] = number
        self.memory.parent.mkdir(parents=True, exist_ok=True)
        beside = self.memory.with_name(f".{self.memory.name}.tmp")
        beside.write_text(json.dumps(kept, indent=1), encoding="utf-8")
        beside.replace(self.memory)

    def _explained(self, error: Exception, extract: MicrodataExtract, sample: str) -> MobilityError:
        """The error in words for a person, without the key."""
        from ipumspy.api import exceptions as api

        words = str(error).replace(str(self.key), "***").strip() or type(error).__name__
        if isinstance(error, api.IpumsAPIAuthenticationError):
            return InputError(
                f"IPUMS refuses the key: {words}.", source=SOURCE, remedy="Check the setting IPUMS_API_KEY."
            )
        if isinstance(error, api.BadIpumsApiRequest):
            return InputError(f"IPUMS refuses the order of {sample}: {words}.", source=SOURCE)
        number = self._memory().get(digest(extract.build()))
        named = f"extract {number} of {sample}" if number is not None else f"an extract of {sample}"
        if isinstance(error, api.IpumsTimeoutException):
            recipe = f"IPUMS is still making {named}; run again later, it will be found."
        elif isinstance(error, api.IpumsExtractFailure):
            self._remember(extract, None)
            recipe = f"IPUMS could not make {named}; run again to order it anew."
        else:
            recipe = f"{named[0].upper()}{named[1:]} could not be had from IPUMS ({words}). Run again later."
        return OwedError(source=SOURCE, vintage=sample, files=("usa_*.xml", "usa_*.dat.gz"), recipe=recipe)


def _usable(info: Mapping[str, Any]) -> bool:
    """Whether an extract's files are there, or still being made; a finished one without files has expired."""
    status = str(info.get("status", "")).lower()
    links = info.get("downloadLinks") or {}
    return {"data", "ddiCodebook"} <= set(links) if status == "completed" else status not in ("failed", "canceled", "")


def _same(info: Mapping[str, Any], wanted: str) -> bool:
    """Whether the service's account of an extract is of the request `wanted`; an account of another kind is not."""
    try:
        return digest(info["extractDefinition"]) == wanted
    except (KeyError, TypeError, AttributeError):
        return False
