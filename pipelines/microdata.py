"""What the predictors of a run use of the microdata tables, so that no more is ordered, and nothing is missed."""

from collections.abc import Collection

from pipelines.horizon import catalog
from schemas.microdata import RecordUse


def microdata_uses(predictors: Collection[str] | None, year: int) -> dict[str, dict[str, RecordUse]]:
    """Table -> predictor -> use, for the series that these predictors (None: all that are built) have in `year`."""
    uses: dict[str, dict[str, RecordUse]] = {}
    for key, entry in catalog().items():
        if not entry.built or (predictors is not None and key not in predictors):
            continue
        tables = {name for series in entry.predictor.series if year in series.years for name in series.tables}
        for name, use in entry.microdata.items():
            if name in tables:
                uses.setdefault(name, {})[key] = use
    return uses
