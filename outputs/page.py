"""The account of one figure as one page of HTML to hand over: no script, no network, fit for a screen and for paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, StrictUndefined, Template

from outputs.explain import (
    DEVIATION_PARTS,
    agreement_text,
    by_edition,
    checks_said,
    interval_word,
    number,
    obtained,
    particulars,
    result_of,
    rounded,
    who,
)

MOST_ROWS: Final = 3000
"""Input rows on the page; the JSON account always has all of them."""

_LEFT, _RIGHT = 20.0, 380.0


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["number"] = number
    environment.filters["rounded"] = rounded
    environment.filters["cell"] = _cell
    return environment.from_string((resources.files("outputs") / "account.html").read_text(encoding="utf-8"))


def as_html(told: Mapping[str, Any]) -> str:
    """The account (`outputs.explain.account`) as a whole HTML page. It says what the text and the JSON say."""
    figure, checks = told["figure"], told["checks"]
    shown = told["inputs"][:MOST_ROWS]
    sections = [
        ("working", "How it is worked out", True),
        ("inputs", "Input rows", told["inputs"]),
        ("steps", "Kept and left out", told["steps"]),
        ("decisions", "Thresholds", told["decisions"]),
        ("notes", "Good to know", told["notes"] or told["predictor"]["notes"] or told["breaks"]),
        ("deviations", "Differences from the reference", told["deviations"]),
        ("sources", "Source files", True),
        ("checks", "Checks", checks),
    ]
    return _template().render(
        told,
        who=who(told["key"]),
        headline=headline(figure["value"], told["metric"]["unit"]),
        interval_word=interval_word(told).capitalize(),
        range_picture=_range(told),
        particulars=particulars(told),
        agreement_text=agreement_text(told["agreement"]).capitalize(),
        editions=by_edition(told),
        result_of=result_of,
        contents=[(key, title) for key, title, there in sections if there],
        shown=shown,
        obtained=obtained,
        deviation_parts=DEVIATION_PARTS,
        columns=_columns(shown),
        failed=any(not c["passed"] and c.get("severity") != "warn" for c in checks),
        warned=any(not c["passed"] for c in checks),
        checks_said=checks_said(checks),
    )


def headline(value: float | None, unit: str) -> str:
    """The figure as a person would say it; the exact one stands beside it."""
    if value is None:
        return "missing"
    if unit == "share":
        return f"{value:.1%}"
    if unit == "dollars":
        return f"${value:,.0f}"
    if unit == "count":
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.3g}"


def _range(told: Mapping[str, Any]) -> dict[str, Any] | None:
    """Where value and bounds stand on the line of the picture; None without two bounds."""
    figure, unit = told["figure"], told["metric"]["unit"]
    value, low, high = figure["value"], figure["lb"], figure["ub"]
    if value is None or low is None or high is None or not low < high:
        return None
    at = _LEFT + (value - low) / (high - low) * (_RIGHT - _LEFT)
    return {
        "x1": _LEFT,
        "x2": _RIGHT,
        "x": round(min(max(at, _LEFT), _RIGHT), 1),
        "low": headline(low, unit),
        "high": headline(high, unit),
    }


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Name and kind (numbers stand to the right) of each column."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    found = []
    for name in names:
        values = [v for row in rows if (v := row.get(name)) is not None]
        numeric = bool(values) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
        found.append({"name": name, "numeric": numeric})
    return found


def _cell(value: Any) -> str:
    return "" if value is None else rounded(value)
