"""`datapackage.json`: the release described in the Frictionless Data Package form, as plain JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from metrics.predictor import Entry
from outputs.about import SCHEMA_VERSION, SYNTHETIC_NOTICE, ReleaseMeta
from outputs.dictionary import COLUMNS, Written, field_schema, type_name
from outputs.long import LONG, LONG_DESCRIPTIONS
from outputs.suppress import DESCRIPTIONS, SCHEMA
from outputs.tables import SideTable
from outputs.write import NA
from schemas.estimate import KEY


def _plain_fields(types: Mapping[str, type[pl.DataType]], titles: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": c, "type": type_name(t), "title": titles[c].rstrip(".")} for c, t in types.items()]


def _resource(
    name: str, path: str, title: str, schema: dict[str, Any], sums: Mapping[str, tuple[int, str]]
) -> dict[str, Any]:
    form = "parquet" if path.endswith(".parquet") else "csv"
    size, sha256 = sums[path]
    resource: dict[str, Any] = {
        "name": name,
        "path": path,
        "title": title,
        # Validators read missing cells of Parquet as NaN, which no constraint allows: its files are held to their hash.
        "type": "table" if form == "csv" else "file",
        "profile": "tabular-data-resource" if form == "csv" else "data-resource",
        "format": form,
        "mediatype": {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}[form],
        "bytes": size,
        "hash": f"sha256:{sha256}",
        "schema": schema,
    }
    if form == "csv":
        resource |= {"encoding": "utf-8", "dialect": {"delimiter": ",", "lineTerminator": "\n"}}
        if path.endswith(".gz"):
            resource["compression"] = "gz"
    return resource


def datapackage(
    name: str,
    written: Sequence[Written],
    paths: Mapping[str, tuple[str, str]],
    sums: Mapping[str, tuple[int, str]],
    *,
    entries: Mapping[str, Entry],
    meta: ReleaseMeta,
    tables: Sequence[SideTable] = (),
) -> str:
    """The descriptor as JSON text.

    `paths` maps a wide file's dictionary name to its CSV and Parquet paths within the release, `sums` each path to its
    bytes and sha256.
    """
    resources = []
    for wide in written:
        keys = [c.name for c in wide.columns if c.role == "key"]
        schema = {
            "fields": [field_schema(c, entries) for c in wide.columns],
            "primaryKey": keys,
            "missingValues": [NA],
        }
        for path in paths[wide.name]:
            form = path.rsplit(".", 1)[1]
            slug = wide.name.lower().replace("/", "-").replace("_", "-")
            resources.append(_resource(f"{slug}-{form}", path, wide.file.title, schema, sums))
    listed: list[tuple[str, str, str, Mapping[str, type[pl.DataType]], Mapping[str, str], list[str]]] = [
        ("estimates-parquet", "estimates.parquet", "All estimates", LONG, LONG_DESCRIPTIONS, list(KEY)),
        ("estimates-csv", "estimates.csv.gz", "All estimates", LONG, LONG_DESCRIPTIONS, list(KEY)),
        ("data-dictionary", "data_dictionary.csv", "Data dictionary", dict.fromkeys(COLUMNS, pl.String), COLUMNS, []),
        ("suppressions", "suppressions.csv", "Figures withheld after review", SCHEMA, DESCRIPTIONS, []),
    ]
    for side in tables:
        for path in side.paths:
            slug = f"{side.name.replace('_', '-')}-{path.split('.')[1]}"
            listed.append((slug, path, side.title, side.types, side.descriptions, list(side.key)))
    for slug, path, title, types, titles, key in listed:
        shape: dict[str, Any] = {"fields": _plain_fields(types, titles), "missingValues": [NA]}
        resources.append(_resource(slug, path, title, shape | ({"primaryKey": key} if key else {}), sums))
    used = dict.fromkeys(key for entry in entries.values() for key in entry.predictor.sources)
    notes = meta.notes_for(used)
    package: dict[str, Any] = {
        "profile": "data-package",
        "name": name.lower(),
        "title": f"Mobility metrics, release {name}",
        "description": (f"{SYNTHETIC_NOTICE} " if meta.synthetic else "")
        + "Predictors of upward mobility for US counties and large cities; computed from public sources.",
        "version": SCHEMA_VERSION,
        "synthetic": meta.synthetic,
        "states": list(meta.states) if meta.states is not None else None,
        "licenses": [{"name": "see-sources", "title": t} for t in dict.fromkeys(n.licence for n in notes if n.licence)],
        "sources": [
            {k: v for k, v in {"title": n.title, "path": n.landing_page, "citation": n.citation}.items() if v}
            for n in notes
        ],
        "resources": resources,
    }
    return json.dumps(package, indent=1, ensure_ascii=False) + "\n"
