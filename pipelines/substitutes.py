"""Which sources stand in for a predictor's own: by the setting `substitute`, else as its estimates were last made."""

from typing import Final

from metrics.predictor import Entry, Substitute
from metrics.substitute import declared, names, switched
from pipelines.horizon import catalog
from pipelines.workspace import Account, Workspace
from schemas.errors import MobilityError

NONE: Final = "none"
NOTE: Final = "substitute"
"""Under this name the account of estimates notes the substitute they were made from."""


def chosen(text: str | None) -> frozenset[str] | None:
    """The substitutes a setting names, separated by commas; `none` and an unset setting differ: None is "as before"."""
    if not text or not text.strip():
        return None
    given = {name.strip() for name in text.split(",") if name.strip()} - {NONE}
    known = names(catalog())
    if unknown := sorted(given - set(known)):
        offered = "; ".join(f"{name} (for {', '.join(keys)})" for name, keys in known.items())
        raise MobilityError(f"no substitute {', '.join(unknown)}; there are: {offered}; or {NONE}.")
    return frozenset(given)


def stands_in(ws: Workspace, key: str, year: int) -> Substitute | None:
    """The substitute that the predictor's estimates of this year are to be made from, if any."""
    substitute = catalog()[key].substitute
    if substitute is None or year not in substitute.series.years:
        return None
    asked = chosen(ws.settings.substitute)
    if asked is not None:
        return substitute if substitute.name in asked else None
    return substitute if made_from(ws.account("estimates", key, year)) == substitute.name else None


def made_from(account: Account | None) -> str | None:
    """The substitute that estimates were made from, by their account; None if it is the predictor's own source."""
    return None if account is None else account.notes.get(NOTE)


def entry_of(ws: Workspace, key: str, year: int) -> Entry:
    """The predictor as it is to be computed in this year."""
    entry = catalog()[key]
    return entry if stands_in(ws, key, year) is None else switched(entry, year)


def entry_as_made(ws: Workspace, key: str, year: int) -> Entry:
    """The predictor as it was computed in this year."""
    entry = catalog()[key]
    return entry if made_from(ws.account("estimates", key, year)) is None else switched(entry, year)


def entries_as_made(ws: Workspace) -> dict[str, Entry]:
    """The catalog as the estimates that lie in the data root were made; for publishing."""
    found = {}
    for key, entry in catalog().items():
        years = entry.substitute.series.years if entry.substitute is not None else ()
        used = [y for y in years if made_from(ws.account("estimates", key, y)) is not None]
        found[key] = declared(entry, used)
    return found


def entries_to_make(ws: Workspace) -> dict[str, Entry]:
    """The catalog as it would be computed now; for the asset graph."""
    found = {}
    for key, entry in catalog().items():
        years = entry.substitute.series.years if entry.substitute is not None else ()
        found[key] = declared(entry, [y for y in years if stands_in(ws, key, y) is not None])
    return found
