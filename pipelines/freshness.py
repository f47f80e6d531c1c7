"""How fresh each source is: its newest edition, the one expected next, when it was looked at last, what is owed."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from pipelines.workspace import Workspace
from sources.framework import Retrieval, Source, Status
from sources.framework.calendar import GRACE_DAYS, newest_year, rhythm_of
from sources.framework.declare import Vintage
from sources.framework.watch import News, last_look
from sources.registry import all_sources

State = Literal["fresh", "present", "stale", "owed", "to be fetched"]
MEANING: dict[State, str] = {
    "fresh": "the newest edition is here, and no newer one is due",
    "present": "the newest edition is here; the source has no regular release",
    "stale": "a newer edition is out, is overdue, or an old one was changed",
    "owed": "the newest edition must be fetched by a person, or needs a key",
    "to be fetched": "the next build downloads the newest edition",
}


@dataclass(frozen=True)
class Freshness:
    """The state of one source on a day. `newest` is the newest edition declared, `have` the newest one at hand."""

    source: str
    state: State
    newest: str
    have: str
    expected: str
    looked_at: str
    news: tuple[str, ...]

    def row(self) -> dict[str, str]:
        """As a row of a table."""
        return {
            "source": self.source,
            "state": self.state,
            "newest edition": self.newest,
            "at hand": self.have,
            "expected next": self.expected,
            "last looked at": self.looked_at,
            "news": "; ".join(self.news),
        }


def freshness(source: Source, retrieval: Retrieval, today: date) -> Freshness:
    """How fresh a source is today. No network is asked: news are those of the last look."""
    rhythm = rhythm_of(source.key)
    dated = sorted((v for v in source.vintages if v.data_years), key=lambda v: (max(v.data_years), v.key))
    status = {v.key: retrieval.status(source, v.key) if v.files else Status.PRESENT for v in dated}
    at_hand = [v for v in dated if status[v.key] is Status.PRESENT]
    last = last_look(retrieval, source.key)
    news = last.of(News.ARRIVED, News.UNDECLARED, News.REVISED) if last else ()
    # What has come since the look is no news any more.
    news = tuple(n for n in news if not (n.news is News.ARRIVED and status.get(n.vintage) is Status.PRESENT))
    due = rhythm.expected(newest_year(source))
    return Freshness(
        source=source.key,
        state=_state(dated, status, bool(news), due, today, regular=due is not None or rhythm.cadence == "fixed"),
        newest=dated[-1].key if dated else "",
        have=at_hand[-1].key if at_hand else "",
        expected=f"data year {due[0]}: {due[1]:%Y-%m}" if due else rhythm.note,
        looked_at=last.looked_at if last else "never",
        news=tuple(f"{n.vintage} {n.news}: {n.text}" for n in news),
    )


def _state(
    dated: list[Vintage],
    status: dict[str, Status],
    news: bool,
    due: tuple[int, date] | None,
    today: date,
    *,
    regular: bool,
) -> State:
    if not dated:
        return "present"
    newest = max(max(v.data_years) for v in dated)
    # Any form of the newest data year will do: the same figures may come as several.
    best = min((status[v.key] for v in dated if newest in v.data_years), key=list(Status).index)
    if best in (Status.OWED, Status.NEEDS_KEY):
        return "owed"
    if best is not Status.PRESENT:
        return "to be fetched"
    if news or (due is not None and today > due[1] + timedelta(days=GRACE_DAYS)):
        return "stale"
    return "fresh" if regular else "present"


def inventory(ws: Workspace, today: date) -> list[Freshness]:
    """All sources, the ones that need attention first."""
    retrieval = ws.retrieval()
    order: list[State] = ["owed", "stale", "to be fetched", "present", "fresh"]
    found = [freshness(source, retrieval, today) for source in all_sources().values()]
    return sorted(found, key=lambda f: (order.index(f.state), f.source))
