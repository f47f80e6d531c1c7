"""The catalog with the data years that new editions of the sources bring (`sources/editions.csv`)."""

from functools import cache

from metrics.catalog import catalog as declared
from metrics.growth import with_new_years
from metrics.predictor import Entry
from pipelines.derived import derived_tables
from sources.framework.editions import added_years
from sources.registry import all_tables


@cache
def catalog() -> dict[str, Entry]:
    """Predictor key -> entry, as `metrics.catalog`, with new years where all tables of a series have them."""
    years = {name: frozenset(t.years) for name, t in all_tables().items()}
    years |= {name: frozenset(t.years) for name, t in derived_tables().items()}
    return {key: with_new_years(entry, years, added_years()) for key, entry in declared().items()}
