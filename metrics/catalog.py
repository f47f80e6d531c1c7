"""The catalog: all 24 predictors, found by their modules. Nothing about a predictor is written here."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

import metrics
from metrics.predictor import PILLARS, Entry, Predictor


@cache
def catalog() -> dict[str, Entry]:
    """Predictor key -> entry, in the order of the pillars and, within a pillar, of the module names.

    A predictor's module is `metrics/<pillar>/<key>.py`; it holds `PREDICTOR` and, once built, the functions `estimate`
    and `explain`, and perhaps `DEVIATIONS`, `SUBSTITUTE` and `REVIEWS`; where it is made from microdata also
    `MICRODATA`: what it uses of each table.
    """
    entries: dict[str, Entry] = {}
    for pillar in PILLARS:
        package = importlib.import_module(f"{metrics.__name__}.{pillar}")
        for found in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
            module = importlib.import_module(f"{package.__name__}.{found.name}")
            predictor = getattr(module, "PREDICTOR", None)
            if not isinstance(predictor, Predictor):
                continue
            if (predictor.key, predictor.pillar) != (found.name, pillar):
                raise ValueError(f"{module.__name__} declares {predictor.pillar}/{predictor.key}")
            entries[predictor.key] = Entry(
                predictor,
                estimate=getattr(module, "estimate", None),
                explain=getattr(module, "explain", None),
                deviations=getattr(module, "DEVIATIONS", ()),
                substitute=getattr(module, "SUBSTITUTE", None),
                reviews=getattr(module, "REVIEWS", ()),
                microdata=getattr(module, "MICRODATA", {}),
            )
    return entries
