"""`croissant.json`: the release in the Croissant form (MLCommons, JSON-LD): files with checksums, and record sets.

Each table is one record set, read from its Parquet file, or from its CSV where there is no Parquet form.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

import polars as pl

from metrics.predictor import Entry
from outputs.about import SCHEMA_VERSION, SYNTHETIC_NOTICE, ReleaseMeta
from outputs.dictionary import Written, field_schema
from outputs.tables import SideTable

CONFORMS_TO: Final = "http://mlcommons.org/croissant/1.0"
_CONTEXT: Final[dict[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
FORMATS: Final = {
    ".csv": "text/csv",
    ".parquet": "application/x-parquet",
    ".gz": "application/gzip",
    ".json": "application/json",
    ".html": "text/html",
    ".md": "text/markdown",
    ".duckdb": "application/octet-stream",
}


def _kind(dtype: type[pl.DataType]) -> str:
    if dtype.is_integer():
        return "sc:Integer"
    return "sc:Float" if dtype.is_float() else "sc:Text"


def _record_set(
    name: str, title: str, path: str, fields: Sequence[tuple[str, str, type[pl.DataType]]], key: Sequence[str]
) -> dict[str, Any]:
    made: dict[str, Any] = {"@type": "cr:RecordSet", "@id": name, "name": name, "description": title}
    if key:
        made["key"] = [{"@id": f"{name}/{column}"} for column in key]
    made["field"] = [
        {
            "@type": "cr:Field",
            "@id": f"{name}/{column}",
            "name": column,
            "description": about,
            "dataType": _kind(dtype),
            "source": {"fileObject": {"@id": path}, "extract": {"column": column}},
        }
        for column, about, dtype in fields
    ]
    return made


def croissant(
    name: str,
    written: Sequence[Written],
    paths: Mapping[str, tuple[str, str]],
    tables: Sequence[SideTable],
    sums: Mapping[str, tuple[int, str]],
    *,
    entries: Mapping[str, Entry],
    meta: ReleaseMeta,
) -> str:
    """The description as JSON text. Arguments as for `outputs.datapackage.datapackage`."""
    record_sets = []
    for wide in written:
        fields = [(c.name, field_schema(c, entries)["title"], c.dtype) for c in wide.columns]
        keys = [c.name for c in wide.columns if c.role == "key"]
        record_sets.append(_record_set(wide.name, wide.file.title, paths[wide.name][1], fields, keys))
    for table in tables:
        fields = [(c, table.descriptions[c].rstrip("."), t) for c, t in table.types.items()]
        path = next((p for p in table.paths if p.endswith(".parquet")), table.paths[0])
        record_sets.append(_record_set(table.name, table.title, path, fields, table.key))
    used = dict.fromkeys(key for entry in entries.values() for key in entry.predictor.sources)
    notes = meta.notes_for(used)
    description = "Predictors of upward mobility for US counties and large cities; computed from public sources."
    told: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": f"mobility-metrics-{name}",
        "description": f"{SYNTHETIC_NOTICE} {description}" if meta.synthetic else description,
        "version": f"{SCHEMA_VERSION}.0",
        "license": list(dict.fromkeys(n.licence for n in notes if n.licence)) or ["see sources.csv"],
        "isBasedOn": list(dict.fromkeys(n.landing_page for n in notes if n.landing_page)),
        "citeAs": f"Mobility Metrics, release {name}. Sources are cited in sources.csv.",
        "isLiveDataset": False,
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": path,
                "name": path,
                "contentUrl": path,
                "contentSize": f"{size} B",
                "encodingFormat": FORMATS.get(PurePosixPath(path).suffix, "application/octet-stream"),
                "sha256": sha256,
            }
            for path, (size, sha256) in sorted(sums.items())
        ],
        "recordSet": record_sets,
    }
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"
