"""Where each file of the raw store came from: `provenance.json`, one per vintage folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal

from schemas.errors import InputError

PROVENANCE: Final = "provenance.json"
How = Literal["mirror", "download", "person", "synthetic"]
HOWS: Final[tuple[How, ...]] = ("mirror", "download", "person", "synthetic")


@dataclass(frozen=True)
class Record:
    """The provenance of one stored file.

    `name` is the declared name, `file` the name in the store (with .gz where the file came compressed), `original` the
    name under which a mirror or a person delivered it. `url` is an address or an extract id, never with a key in it.
    `retrieved_at` is UTC (ISO). `etag` and `last_modified` are how the server marked what was downloaded.
    """

    file: str
    name: str
    source: str
    sha256: str
    bytes: int
    how: How
    retrieved_at: str
    agency: str
    licence: str
    redistribute: bool
    url: str | None = None
    original: str | None = None
    etag: str | None = None
    last_modified: str | None = None


def dump(source: str, vintage: str, records: dict[str, Record]) -> str:
    """The text of a `provenance.json`."""
    files = {file: asdict(record) for file, record in sorted(records.items())}
    return json.dumps({"source": source, "vintage": vintage, "files": files}, indent=1, ensure_ascii=False) + "\n"


def load(text: str, *, source: str, vintage: str) -> dict[str, Record]:
    """Stored file name -> record. `InputError` if the text is no provenance of this vintage."""
    file = f"{source}/{vintage}/{PROVENANCE}"
    known = {f.name for f in fields(Record)}
    try:
        content: dict[str, Any] = json.loads(text)
        records = {
            name: Record(**{k: v for k, v in entry.items() if k in known}) for name, entry in content["files"].items()
        }
        place = (content["source"], content["vintage"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"the provenance cannot be read ({error}).", source=source, file=file) from error
    if place != (source, vintage):
        raise InputError(f"the provenance is of {place[0]} {place[1]}.", source=source, file=file)
    for name, record in records.items():
        if record.how not in HOWS or record.file != name or len(record.sha256) != 64:
            raise InputError(f"the provenance of {name} is damaged.", source=source, file=file)
    return records
