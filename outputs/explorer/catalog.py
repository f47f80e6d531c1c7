"""What the site knows besides figures: metrics, years, groups, wording, sources, breaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from metrics.predictor import PILLARS, Entry, Metric
from outputs.about import ReleaseMeta
from outputs.explorer import peers
from outputs.explorer.breaks import breaks_of
from outputs.explorer.layout import Block
from schemas.labels import QUALITY_MEANING, QUALITY_WORDS, REASONS, SAMPLES

KINDS: Final[dict[str, str]] = {
    "all": "Everyone",
    "race-ethnicity": "Race and ethnicity",
    "race-share": "Type of neighborhood",
    "income": "Income",
    "age": "Age",
    "gender": "Gender",
    "tenure": "Renters and owners",
    "disability": "Disability",
    "industry": "Industry",
    "mothers-education": "Mother's education",
}
MEDIANS: Final = (
    "Medians are weighted by population: half of the people live in places with a figure at or below it. A median is "
    "hidden if places whose figure is missing or Weak hold more than 15 percent of the people."
)
PERCENTILE: Final = "pctl_"
"""Metrics so named are percentiles, whose interval is not symmetric: a change is judged by the intervals alone."""


def _metric(metric: Metric, entry: Entry, listed: list[Block]) -> dict[str, Any]:
    tables: dict[str, dict[str, Any]] = {}
    for block in listed:
        if block.metric == metric.column:
            tables.setdefault(block.level, {})[block.kind] = {
                "years": block.years,
                "samples": block.samples,
                "periods": block.periods,
                "groups": block.groups,
            }
    return {
        "title": metric.title,
        "unit": metric.unit,
        "minimum": metric.minimum,
        "maximum": metric.maximum,
        "interval": metric.interval,
        "pair": metric.text_format is not None,
        "percentile": metric.column.startswith(PERCENTILE),
        "sentence": metric.sentence,
        "predictor": entry.predictor.key,
        "breaks": [b.as_json() for b in breaks_of(entry, metric.column)],
        "tables": tables,
    }


def site_catalog(
    here: Mapping[str, Entry],
    listed: list[Block],
    meta: ReleaseMeta,
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """The catalog of the site. `here` are the predictors of the release, `facts` its name, notice and states."""
    shown = {block.metric for block in listed}
    predictors, metrics = [], {}
    for key, entry in here.items():
        predictor = entry.predictor
        columns = [m for m in predictor.metrics if m.column in shown]
        if not columns:
            continue
        for metric in columns:
            metrics[metric.column] = _metric(metric, entry, listed)
        predictors.append(
            {
                "key": key,
                "title": predictor.title,
                "pillar": predictor.pillar,
                "definition": predictor.definition or predictor.title,
                "notes": predictor.notes,
                "sources": [
                    {
                        "title": note.title,
                        "citation": note.citation,
                        "licence": note.licence,
                        "url": note.landing_page,
                    }
                    for note in meta.notes_for(predictor.sources)
                ],
                "metrics": [m.column for m in columns],
            }
        )
    return {
        **facts,
        "pillars": PILLARS,
        "predictors": predictors,
        "metrics": metrics,
        "kinds": KINDS,
        "samples": SAMPLES,
        "reasons": list(REASONS.values()),
        "quality": {str(code): [word, QUALITY_MEANING[code]] for code, word in QUALITY_WORDS.items()},
        "rules": {"peers": peers.RULE, "medians": MEDIANS},
    }
