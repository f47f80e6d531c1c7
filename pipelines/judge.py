"""Asking tables and estimates their rules, and keeping what was found beside them."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

import polars as pl

from metrics.predictor import Predictor
from outputs.area_matches import county_matches
from outputs.estimate_rules import broken_by, estimate_rules, known_counties
from pipelines.code_version import code_version
from pipelines.workspace import Account, Kind, Workspace
from schemas.data_rules import DataRule, Finding, ask
from schemas.errors import GateError
from schemas.table_rules import COMMON, table_rules, to_be_asked

MATCHES: Final = "counties of the input tables"
"""Note of an account of estimates: how many counties of each input table the year's list knows, and the reverse."""


@cache
def rules_version(kind: Kind) -> str:
    """Changes when the rules of tables or of estimates change."""
    return code_version("schemas.table_rules" if kind == "tables" else "outputs.estimate_rules")


def is_judged(ws: Workspace, kind: Kind, name: str, year: int) -> bool:
    """Whether what lies there has been asked the rules as they are now; true if nothing lies there."""
    account = ws.account(kind, name, year)
    return account is None or not account.present or account.rules == rules_version(kind)


def findings_of(account: Account) -> list[Finding]:
    """What the rules said of a table or of estimates, from its account."""
    return [Finding.from_told(told) for told in account.checks]


def table_judge(account: Account) -> Callable[[pl.LazyFrame], None]:
    """Asks a table its rules when called with it; the account keeps the findings. Raises `GateError` if one blocks."""

    def judge(table: pl.LazyFrame) -> None:
        rules = table_rules(account.name, account.year)
        special = ask(rules, to_be_asked(account.name, table)) if rules else []
        rows = account.rows or special[0].checked if special else account.rows
        common = [Finding(r.id, r.group, r.severity, r.title, rows, 0, (), f"held by {r.held_by}") for r in COMMON]
        _keep(account, "tables", [*common, *special], f"table {account.name} {account.year}")

    return judge


def judge_estimates(
    account: Account,
    predictor: Predictor,
    frame: pl.DataFrame,
    universe: pl.DataFrame,
    inputs: Mapping[str, pl.LazyFrame | None],
) -> None:
    """Ask estimates their rules; the account keeps the findings, and how the counties of the `inputs` fit the list.

    Raises `GateError` if a rule blocks.
    """
    matches = county_matches(inputs, universe, known_counties())
    account.notes[MATCHES] = matches.to_dicts()
    rules = estimate_rules(predictor, account.year, universe, matches)
    _keep(account, "estimates", ask(rules, frame), f"estimates of {account.name} {account.year}")


def diagnose(
    error: GateError, predictor: Predictor, frame: pl.DataFrame, universe: pl.DataFrame, year: int
) -> GateError:
    """The refusal of the gate with what each rule says of the refused estimates, as far as they can be asked."""
    found: list[Finding] = []
    for rule in broken_by(frame, predictor, year, universe):
        found += _asked_alone(rule, frame)
    said = GateError(error.table, error.cases, tuple(found))
    said.args = error.args
    return said


def _asked_alone(rule: DataRule, frame: pl.DataFrame) -> list[Finding]:
    """A frame that is refused may lack what a rule looks at; then that rule is left out."""
    try:
        return ask([rule], frame)
    except pl.exceptions.PolarsError:
        return []


def _keep(account: Account, kind: Kind, found: list[Finding], what: str) -> None:
    broken = [f for f in found if f.blocks]
    if broken:
        said = [f"{f.id} ({f.title}): {f.failing} rows, such as {dict(f.rows[0]) if f.rows else {}}" for f in broken]
        raise GateError(what, said, tuple(found))
    account.checks = [_plain(f.told()) for f in found]
    account.rules = rules_version(kind)


def _plain(told: dict[str, Any]) -> dict[str, Any]:
    cells = [
        {k: v if v is None or isinstance(v, int | float | str) else str(v) for k, v in r.items()} for r in told["rows"]
    ]
    return told | {"rows": cells}
