"""The account of one figure: what it is, how it is worked out, from which rows and files, and what was checked.

`account` gathers everything into one JSON-able dictionary; `as_text` renders that dictionary for a terminal. Further
renderings take the same dictionary, so that all of them say the same.
"""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import polars as pl

from metrics.explanation import Explanation
from metrics.predictor import PILLARS, Predictor
from outputs.glossary import INPUT_COLUMNS
from schemas.estimate import KEY
from schemas.labels import QUALITY_WORDS, REASONS, SAMPLES

_WIDTH: Final = 110
_INTERVALS: Final = {"none": "range", "sampling": "95 % interval", "suppression": "range left open by suppression"}
DEVIATION_PARTS: Final = {"reference": "The reference", "ours": "Here", "why": "Why", "effect": "Effect"}
_FIGURES: Final = ("value", "lb", "ub", "quality", "n", "n_effective", "se", "cv", "numerator", "denominator")
_ORIGIN: Final = ("allocation", "estimation_area", "n_areas", "reference_period", "reason")


def agreement(stored: float | None, recomputed: float | None) -> dict[str, Any]:
    """Whether a recomputed figure is the stored one, to the last digit. Two missing figures agree."""
    if stored is None or recomputed is None:
        agrees = stored is None and recomputed is None
        return {"agrees": agrees, "stored": stored, "recomputed": recomputed, "difference": None}
    return {
        "agrees": stored == recomputed,
        "stored": stored,
        "recomputed": recomputed,
        "difference": recomputed - stored,
    }


def account(
    row: Mapping[str, Any],
    explanation: Explanation,
    *,
    predictor: Predictor,
    name: str | None = None,
    provenance: Sequence[Mapping[str, Any]] = (),
    checks: Sequence[Mapping[str, Any]] = (),
    deviations: Sequence[Mapping[str, Any]] = (),
    release: str | None = None,
    synthetic: bool = False,
    code: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Everything about one figure, ready for JSON.

    `row` is a row of `Estimate` as a dictionary, `explanation` what its predictor says about it. `provenance` has one
    record per source file (source, vintage, file, sha256, url, retrieved_at, licence), `checks` one per check (name,
    passed, severity, of, detail), `deviations` those of the register that touch the figure (key, kind, summary). `name`
    is the geography's name. `code` tells which code made the figure (version, module, built_at, command).
    """
    metric = predictor.metric(str(row["metric"]))
    quality, reason = row.get("quality"), row.get("reason")
    told: dict[str, Any] = _plain(
        {
            "release": release,
            "synthetic": synthetic,
            "key": {k: row[k] for k in KEY},
            "geoid": f"{row['state']}{row['geo']}",
            "name": name,
            "predictor": {
                "key": predictor.key,
                "title": predictor.title,
                "pillar": PILLARS[predictor.pillar],
                "definition": predictor.definition,
                "method": predictor.method,
                "notes": list(predictor.notes),
            },
            "metric": {
                "column": metric.column,
                "title": metric.title,
                "unit": metric.unit,
                "interval": metric.interval,
                "published": metric.published,
            },
            "sample": SAMPLES[str(row["sample"])],
            "sentence": _sentence(metric.sentence, row, name),
            "breaks": [{"year": year, "text": text} for year, text in predictor.breaks],
            "glossary": _meanings(explanation.inputs),
            "code": None if code is None else dict(code),
            "figure": {c: row.get(c) for c in (*_FIGURES, *_ORIGIN)},
            "quality_label": None if quality is None else QUALITY_WORDS[int(quality)],
            "reason_text": None if reason is None else REASONS[str(reason)],
            "formula": explanation.formula,
            "agreement": agreement(row.get("value"), explanation.recomputed),
            "tables": list(explanation.tables),
            "inputs": explanation.inputs.to_dicts(),
            "steps": [
                {"name": s.name, "rows_in": s.rows_in, "rows_out": s.rows_out, "note": s.note}
                for s in explanation.steps
            ],
            "decisions": [
                {"name": d.name, "figure": d.figure, "rule": d.rule, "outcome": d.outcome}
                for d in explanation.decisions
            ],
            "notes": list(explanation.notes),
            "provenance": [dict(p) for p in provenance],
            "checks": [dict(c) for c in checks],
            "deviations": [dict(d) for d in deviations],
        }
    )
    return told


def _meanings(inputs: pl.DataFrame) -> dict[str, str]:
    return {} if inputs.is_empty() else {c: INPUT_COLUMNS[c] for c in inputs.columns if c in INPUT_COLUMNS}


def _sentence(template: str, row: Mapping[str, Any], name: str | None) -> str:
    """The metric's sentence filled in; empty if it lacks a figure it speaks of."""
    figures = {c: row.get(c) for c in ("value", "numerator", "denominator")}
    if not template or any(f"{{{c}" in template and v is None for c, v in figures.items()):
        return ""
    said = template.format(**figures, name=name or f"{row['state']}{row['geo']}", year=row["year"])
    return said if row["subgroup_type"] == "all" else f"{said.rstrip('.')} (of the group {row['subgroup']} alone)."


def _plain(value: Any) -> Any:
    """The value in JSON's own types; dates and the like as text, figures that are no numbers as null."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int | bool):
        return value
    return str(value)


def as_json(told: Mapping[str, Any]) -> str:
    """The account as JSON text."""
    return json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False)


def as_text(told: Mapping[str, Any], *, max_inputs: int = 40) -> str:
    """The account as plain text for a terminal; of the input rows the first `max_inputs` are shown."""
    sections: list[tuple[str, list[str]]] = [
        ("Figure", list(_figure(told))),
        ("How it is worked out", list(_working(told))),
        (f"Input rows ({len(told['inputs'])})", _table(told["inputs"], max_inputs)),
        ("What the columns mean", _wrapped([f"{c}: {meaning}" for c, meaning in told["glossary"].items()])),
        ("Kept and left out", [line for s in told["steps"] for line in _step(s)]),
        ("Thresholds and decisions", [line for d in told["decisions"] for line in _decision(d)]),
        ("Good to know about this figure", _wrapped(told["notes"])),
        ("Good to know about this predictor", _wrapped(told["predictor"]["notes"])),
        ("Breaks in the series", _wrapped([f"{b['year']}: {b['text']}" for b in told["breaks"]])),
        (f"Source files ({len(told['provenance'])})", list(_sources(told))),
        ("Checks", list(_checks(told["checks"]))),
        ("Made by", list(_made(told))),
        ("Where we differ from the reference", [_deviation(d) for d in told["deviations"]]),
    ]
    lines = list(_heading(told))
    for title, body in sections:
        if body:
            lines += ["", title, "-" * len(title), *body]
    return "\n".join(lines) + "\n"


def number(value: Any) -> str:
    """A number with all its digits; what is missing says so."""
    if value is None:
        return "missing"
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return str(value)


def rounded(value: Any) -> str:
    """A number of the way to a figure: twelve digits at most; the JSON account has all of them."""
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() else f"{value:.12g}"
    return number(value)


def _wrapped(texts: Sequence[str], *, first: str = "- ") -> list[str]:
    rest = " " * len(first)
    lines: list[str] = []
    for text in texts:
        lines += textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=rest) or [first]
    return lines


def who(key: Mapping[str, Any]) -> str:
    """Whom the figure is about."""
    return "everyone" if key["subgroup_type"] == "all" else f"{key['subgroup']} ({key['subgroup_type']})"


def _heading(told: Mapping[str, Any]) -> Iterator[str]:
    key = told["key"]
    title = told["metric"]["title"]
    if told["synthetic"]:
        yield "SYNTHETIC: generated figures, not about any real place."
    yield title
    yield "=" * len(title)
    where = f"{told['name']} ({key['level']} {told['geoid']})" if told["name"] else f"{key['level']} {told['geoid']}"
    yield f"{where}, {key['year']}, {who(key)}"
    yield f"{told['predictor']['pillar']} > {told['predictor']['title']} > {told['metric']['column']}"
    if told["release"]:
        yield f"release {told['release']}"


def interval_word(told: Mapping[str, Any]) -> str:
    """What the bounds of this metric mean."""
    return _INTERVALS[told["metric"]["interval"]]


_ROUNDED: Final = frozenset({"n_effective", "se", "cv", "allocation"})


def particulars(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What else the row of the estimate holds: (label, text), present columns only."""
    figure = told["figure"]
    pairs = [("reason", f"{figure['reason']}: {told['reason_text']}")] if figure["reason"] else []
    if not told["metric"]["published"]:
        pairs.append(("where", "in the long file only (estimates.parquet), in no county or city file"))
    pairs.append(("sample", f"{told['key']['sample']}: {told['sample']}"))
    labels = {
        "reference_period": "period",
        "numerator": "numerator",
        "denominator": "denominator",
        "n": "records behind it",
        "n_effective": "effective sample",
        "se": "standard error",
        "cv": "coefficient of variation",
        "allocation": "crosswalk fit, 0 to 1",
    }
    for column, label in labels.items():
        if (held := figure[column]) is not None:
            # What only describes the figure is rounded; all digits stand in the long file and in the account as JSON.
            pairs.append((label, f"{held:.6g}" if column in _ROUNDED else rounded(held)))
    if figure["estimation_area"]:
        shared = figure["n_areas"] or 1
        others = "of its own" if shared == 1 else f"shared with {shared - 1} other area{'s' if shared > 2 else ''}"
        pairs.append(("estimation area", f"{figure['estimation_area']}, {others}"))
    return pairs


def _figure(told: Mapping[str, Any]) -> Iterator[str]:
    figure = told["figure"]
    unit = "" if figure["value"] is None else f" ({told['metric']['unit']})"
    pairs: list[tuple[str, str]] = [("value", f"{number(figure['value'])}{unit}")]
    if figure["lb"] is not None or figure["ub"] is not None:
        pairs.append((interval_word(told), f"{number(figure['lb'])} to {number(figure['ub'])}"))
    if told["quality_label"]:
        pairs.append(("quality", f"{figure['quality']} ({told['quality_label']})"))
    pairs += particulars(told)
    if told["sentence"]:
        yield from _wrapped([told["sentence"]], first="")
    width = max(len(label) for label, _ in pairs)
    for label, text in pairs:
        yield from textwrap.wrap(
            text, _WIDTH, initial_indent=f"{label:<{width}}  ", subsequent_indent=" " * (width + 2)
        )


def agreement_text(found: Mapping[str, Any]) -> str:
    """Whether the figure worked out again is the stored one, in words."""
    again = f"worked out again: {number(found['recomputed'])}"
    if found["stored"] is None and found["recomputed"] is None:
        return "worked out again: no figure, as stored"
    if found["agrees"]:
        return f"{again}; agrees with the stored figure to the last digit"
    apart = "" if found["difference"] is None else f", apart by {number(found['difference'])}"
    return f"{again}; DIFFERS from the stored figure {number(found['stored'])}{apart}"


def _working(told: Mapping[str, Any]) -> Iterator[str]:
    yield from _wrapped([told["predictor"]["definition"]], first="")
    for line in told["formula"].splitlines():
        yield from textwrap.wrap(
            line, _WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
        ) or [""]
    yield agreement_text(told["agreement"])
    if told["predictor"]["method"]:
        yield f"method file: {told['predictor']['method']}"


def _table(rows: Sequence[Mapping[str, Any]], limit: int) -> list[str]:
    """Rows as aligned columns: numbers to the right, text to the left."""
    if not rows:
        return []
    shown = pl.DataFrame(list(rows[:limit]), infer_schema_length=None)
    columns = []
    for series in shown.get_columns():
        cells = ["" if v is None else (rounded(v) if series.dtype.is_numeric() else str(v)) for v in series.to_list()]
        width = max(len(series.name), *(len(c) for c in cells))
        align = ">" if series.dtype.is_numeric() else "<"
        columns.append([f"{cell:{align}{width}}" for cell in (series.name, *cells)])
    lines = ["  ".join(line).rstrip() for line in zip(*columns, strict=True)]
    if len(rows) > limit:
        lines.append(f"... and {len(rows) - limit} more (all of them with --json or --html)")
    return lines


def _step(step: Mapping[str, Any]) -> list[str]:
    note = f" ({step['note']})" if step["note"] else ""
    text = f"{step['name']}: {step['rows_in']:,} -> {step['rows_out']:,} rows{note}"
    return textwrap.wrap(text, _WIDTH, subsequent_indent="    ")


def _decision(decision: Mapping[str, Any]) -> list[str]:
    lines = textwrap.wrap(f"{decision['name']} = {rounded(decision['figure'])}", _WIDTH, subsequent_indent="  ")
    for label, text in (("rule", decision["rule"]), ("here", decision["outcome"])):
        lines += textwrap.wrap(f"{label}: {text}", _WIDTH, initial_indent="  ", subsequent_indent="        ")
    return lines


def by_edition(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The source files by source and edition: what they share said once, files of other states apart.

    One record per edition: source, vintage, about, licence, files (national ones and those of the figure's state) and
    elsewhere (those of other states, which are read together with them).
    """
    found: dict[tuple[Any, Any], dict[str, Any]] = {}
    for file in told["provenance"]:
        key = (file.get("source"), file.get("vintage"))
        about = ", ".join(str(file[k]) for k in ("agency", "dataset") if file.get(k))
        edition = found.setdefault(
            key,
            {"source": key[0], "vintage": key[1], "about": about, "licence": file.get("licence"), "files": [],
             "elsewhere": []},
        )  # fmt: skip
        mine = file.get("state") in (None, told["key"]["state"])
        edition["files" if mine else "elsewhere"].append(file)
    for edition in found.values():
        if not edition["files"]:
            edition["files"], edition["elsewhere"] = edition["elsewhere"], []
    return list(found.values())


def _sources(told: Mapping[str, Any]) -> Iterator[str]:
    if told["tables"]:
        yield f"read into the tables {', '.join(told['tables'])}"
    for edition in by_edition(told):
        about = f": {edition['about']}" if edition["about"] else ""
        yield from textwrap.wrap(
            f"- {edition['source']}, edition {edition['vintage']}{about}", _WIDTH, subsequent_indent="  "
        )
        if edition["licence"]:
            yield from textwrap.wrap(f"  licence: {edition['licence']}", _WIDTH, subsequent_indent="    ")
        for file in edition["files"]:
            yield f"  {file.get('file')}"
            shown = {"sha256": file.get("sha256"), "from": file.get("url"), "obtained": obtained(file)}
            for label, text in shown.items():
                if text:
                    yield from textwrap.wrap(
                        str(text), _WIDTH, initial_indent=f"    {label} ", subsequent_indent="      ",
                        break_long_words=False, break_on_hyphens=False,
                    )  # fmt: skip
        if others := edition["elsewhere"]:
            files = "file of another state" if len(others) == 1 else "files of other states"
            yield f"  and {len(others)} {files} read with them (checksums with --json or --html)"


def obtained(file: Mapping[str, Any]) -> str:
    """When and how a source file came here."""
    when, how = file.get("retrieved_at"), file.get("how")
    return f"{when} ({how})" if when and how else str(when or how or "")


def _checks(checks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The checks by what they were asked of, broken ones first."""
    if not checks:
        return
    yield f"{checks_said(checks)}; rules by number stand in docs/mistakes.md"
    of_each: dict[str, list[Mapping[str, Any]]] = {}
    for check in checks:
        of_each.setdefault(str(check.get("of") or ""), []).append(check)
    for of, mine in of_each.items():
        if of:
            rows = mine[0].get("rows")
            yield f"{of} ({rows:,} rows)" if rows is not None else of
        for check in mine:
            detail = f" ({check['detail']})" if check.get("detail") else ""
            text = f"{result_of(check):<7} {check.get('name')}{detail}"
            indent = "  " if of else ""
            yield from textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent + " " * 8)


def result_of(check: Mapping[str, Any]) -> str:
    """How a check went, in one word."""
    return "passed" if check.get("passed") else "warning" if check.get("severity") == "warn" else "FAILED"


def checks_said(checks: Sequence[Mapping[str, Any]]) -> str:
    """How the checks went, in a few words."""
    failed = sum(not c["passed"] and c.get("severity") != "warn" for c in checks)
    warned = sum(not c["passed"] and c.get("severity") == "warn" for c in checks)
    said = [f"{n} {word}" for n, word in ((failed, "failed"), (warned, "with a warning")) if n]
    return f"{len(checks)} checks: {', '.join(said)}" if said else f"{len(checks)} checks passed"


def _made(told: Mapping[str, Any]) -> Iterator[str]:
    code = told["code"]
    if code is not None:
        yield f"code version {code['version']} ({code['module']}), made {code['built_at']}"
        if code.get("command"):
            yield f"this account: {code['command']}"


def _deviation(entry: Mapping[str, Any]) -> str:
    said = f"{entry.get('key')} ({entry.get('kind')})"
    if "reference" not in entry:
        return "\n".join(_wrapped([f"{said}: {entry.get('summary')}"]))
    parts = [(label, entry[key]) for key, label in DEVIATION_PARTS.items() if entry.get(key)]
    lines = _wrapped([said])
    for label, text in parts:
        lines += [f"  {line}" for line in textwrap.wrap(f"{label}: {text}", _WIDTH - 2)]
    return "\n".join(lines)
