"""`docs/mistakes.md`: each documented mistake of the reference's yearly refresh, and the rules that would catch it.

`python -m outputs.rules.mistakes docs/mistakes.md` writes the page (`make docs`).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from metrics.catalog import catalog
from outputs.estimate_rules import estimate_rules
from outputs.rules.register import RULES, rule
from outputs.rules.report import SEVERITY_WORDS
from outputs.rules.rule import WHERE, Rule
from schemas import table_rules

_YEARS: Final = range(2014, 2024)


@dataclass(frozen=True)
class Mistake:
    """Something that went wrong upstream: what, where it is documented, and the ids of the rules that would catch it.

    `published` is true if wrong figures certainly reached published files.
    """

    what: str
    evidence: str
    rules: tuple[str, ...]
    published: bool = False


MISTAKES: Final = (
    Mistake(
        "A file of recent years carried 2018 income and employment instead of 2021",
        "news of 2024-02-13; a539534 27a314b", ("T8", "T7", "S5"), published=True,
    ),
    Mistake(
        "City income included top and missing codes as dollars",
        "news of 2024-02-13; #251 #260 #262 #263", ("V8", "A9", "V6.soft", "T4"), published=True,
    ),
    Mistake(
        "The source note of preschool, high-school degree and employment named the wrong survey file",
        "correction notice of 2023-06-30", ("T7", "S6"), published=True,
    ),
    Mistake("2014 housing used another year's income limits", "#61 #310", ("X2", "S5.stale", "T3", "V6.soft")),
    Mistake("City housing counted every owned home as unaffordable", "#358", ("A7", "X7.other", "T3")),
    Mistake("A join on the wrong county code left figures missing", "7984fd5", ("G9", "G1", "S4", "V9")),
    Mistake("Wrong weight for rent burden; wrong adjustment for bedrooms", "1f8556a 1778f11", ("A7", "A5", "X7.other")),
    Mistake("2018 low-weight births overwritten with those of 2020", "9bc5e57", ("T2", "T4", "S5")),
    Mistake("Suppressed values written as 0", "ca02c48 d6268db 003c765 4325be3", ("V7", "Q9", "Q12")),
    Mistake(
        "Quality flags where the value is missing, or none where there is a value",
        "#179 #188 #370 #205 #201; 6c39ebc 5aa5eaf f3334d4", ("V1", "V4"), published=True,
    ),
    Mistake("Bounds kept after the rate was set to missing, and rates without bounds", "#317 18e3c32", ("V1", "V2")),
    Mistake("Wrong coefficient of variation; margin of error of zero estimates", "#140 #143 7e8f1a9", ("V11", "V10")),
    Mistake("A wrong year attached after merging a crosswalk", "9ab8949 deae232 #332", ("G8", "X2", "T7", "T3")),
    Mistake(
        "The wrong crosswalk for cities (income areas, learning, school poverty, homelessness)",
        "099f86c 65bed16 b8eb55e 36cd490", ("X7", "X7.other", "X2", "T3"),
    ),
    Mistake(
        "Duplicate rows: digital access, just policing, industries, 2014 poverty exposure",
        "ed1d0a6 1242ffc 39d261b da63020", ("G2",),
    ),
    Mistake("A county of Alaska too many in arrests; 3,146 counties instead of 3,143", "#33 #26", ("G1", "G1.counts")),
    Mistake(
        "Shannon and Oglala Lakota, Wade Hampton and Kusilvak under codes of other years, so that they drop out",
        "#284; measured in the published files", ("G4", "G1"), published=True,
    ),
    Mistake("`All` of county transport computed otherwise than in its group file", "#489 #490", ("T1", "T1.samples")),
    Mistake(
        "Extra years of digital access published, then withdrawn", "9897d49 #392", ("V9", "S6", "T2"), published=True
    ),
    Mistake("The definition of digital access did not fit its label", "#220", ("Q15",), published=True),
    Mistake("Columns that belong to no metric (`_FREQ_`, `subgroup`, `population`)", "4935580 #26", ("S1", "S6")),
    Mistake(
        "Implausible values blanked by lists typed into programs, twice because one list was missed",
        "#487 1837cd7 7f26307 8567e40 fb3d6c4", ("V13", "V13.expiry", "V6.soft", "Q3"),
    ),
    Mistake("Living wage of 2014 and 2018 corrected afterwards", "#168", ("A8", "T2"), published=True),
    Mistake("Industry wages averaged without weights", "#536", ("Q1", "T3"), published=True),
    Mistake(
        "Undisclosed wages treated as 0: two zeros graded Strong (19003 in 2018, 32011 in 2023)",
        "ed44ee6 #536", ("Q1", "V7"), published=True,
    ),
    Mistake("One county name mangled in every county file of 2014", "#612", ("G7", "T9"), published=True),
    Mistake("All other county names of 2014 begin with a blank", "measured in the universe file", ("G7",)),
    Mistake(
        "Misspelt subgroup types make figures vanish when files are joined",
        "#475 #474 #342 5608ca2", ("S2", "S3", "S4", "T5"), published=True,
    ),
    Mistake(
        "Rows lost and silent nulls after joins", "#26 #284 #350 #358 #413 #455 #519", ("G1", "G2", "G9", "S4"),
        published=True,
    ),
    Mistake("Five-year files with two vintages of survey areas", "#563 #594 #606", ("X4", "X5", "X3"), published=True),
    Mistake(
        "Membership associations of cities doubled: two crosswalk vintages stacked",
        "measured: 17 of 17 cities that are their own county", ("X2", "X7.other", "T2"), published=True,
    ),
    Mistake(
        "An old race-exposure file of cities combined instead of the final one", "measured: 401 of 1,931 figures",
        ("S5", "S5.stale", "X7"), published=True,
    ),
    Mistake("No list of what changed between releases", "one news entry in two years", ("T2", "Q4"), published=True),
    Mistake("The data dictionary names columns that no longer exist", "measured", ("S6", "S7"), published=True),
    Mistake("Codes that lost their leading zeros", "f597202 d04977e; 2023 debt file", ("G3", "S4")),
    Mistake("Crude and age-adjusted death rates in one series", "#467", ("Q5", "Q11", "T2"), published=True),
    Mistake("A top code typed wrong (1,065 for 1,095)", "#457", ("V8", "V6")),
    Mistake("Intervals without width", "measured in the published files", ("V3.width",), published=True),
    Mistake("126 rows without a year", "measured in the connectedness file", ("G8",)),
    Mistake("Homelessness shares above one half, 45 of 58 graded Strong", "measured", ("Q7",), published=True),
    Mistake("Crime rates of departments that stopped reporting", "#487 #293 #463", ("Q3", "V12", "V6.soft"), True),
    Mistake("Medians shown although most people live in weak or missing areas", "#352 #428", ("T6",)),
)  # fmt: skip

_INTRODUCTION = """# Documented mistakes and the checks that would have caught them

Made from the register in `outputs/rules` by `make docs`; do not edit by hand.

The first table lists what went wrong in the reference's yearly refresh and the rules that would have stopped or shown
it. The second lists every rule: what must hold, what breaks if it does not, and where it is kept. A rule that
**blocks** keeps a release from being published; one that **warns** lists its rows in the release's `gate_report`.
Rules that do not apply to a release (because it is synthetic, covers some states, or lacks a predictor) say so there.
Numbers with `#` are issues of the reference's repository, the others commits there.
"""


def _row(*cells: str) -> str:
    return "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |"


def kept_at_home() -> dict[str, list[str]]:
    """Entry of the list -> where it is asked before there is a release: of tables and estimates as they are made."""
    told: dict[str, list[str]] = {}
    for name, rules in table_rules.RULES.items():
        for family in sorted({r.id.partition(".")[0] for year in _YEARS for r in rules(year)}):
            told.setdefault(family, []).append(f"`{name}`")
    found = {family: [f"asset checks of {', '.join(names)}"] for family, names in told.items()}
    nowhere = pl.DataFrame(schema={"level": pl.String, "state": pl.String, "geo": pl.String})
    asked: dict[str, set[str]] = {}
    predictors = [entry.predictor for entry in catalog().values()]
    for predictor in predictors:
        for rule_asked in estimate_rules(predictor, predictor.years[-1], nowhere):
            asked.setdefault(rule_asked.id.partition(".")[0], set()).add(predictor.key)
    for family, keys in asked.items():
        few = ", ".join(f"`{key}`" for key in sorted(keys)) if len(keys) <= 4 else f"{len(keys)} predictors"
        whose = "every predictor" if len(keys) == len(predictors) else few
        found.setdefault(family, []).append(f"asset checks of the estimates of {whose}")
    return found


def _where(found: Rule, before: dict[str, list[str]]) -> str:
    place = f"{WHERE[found.where]}: {found.place}" if found.place else WHERE[found.where]
    return "; ".join([place, *before.get(found.family, [])])


def page() -> str:
    """The whole page as Markdown."""
    lines = [
        _INTRODUCTION,
        "## Mistakes\n",
        "| what went wrong | published? | evidence | caught by |\n|---|---|---|---|",
    ]
    for mistake in MISTAKES:
        caught = "<br>".join(f"**{i}** {rule(i).title}" for i in mistake.rules)
        lines.append(_row(mistake.what, "yes" if mistake.published else "", mistake.evidence, caught))
    asked = sum(r.check is not None for r in RULES)
    lines.append(f"\n## Rules\n\n{len(RULES)} rules, {asked} of them asked of every release.\n")
    lines.append(
        "| rule | what must hold | severity | guards against | evidence | kept by |\n|---|---|---|---|---|---|"
    )
    before = kept_at_home()
    for r in RULES:
        lines.append(_row(f"**{r.id}**", r.title, SEVERITY_WORDS[r.severity], r.catches, r.evidence, _where(r, before)))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
