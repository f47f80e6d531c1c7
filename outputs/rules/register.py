"""All rules in the order of the list of documented mistakes: asked of a release, or kept elsewhere."""

from __future__ import annotations

from typing import Final

from outputs.rules import across, geography, schema, sources, values
from outputs.rules.rule import Rule

_FAMILIES: Final = "GSVXAQT"


def _place(rule: Rule) -> tuple[int, int, str]:
    return _FAMILIES.index(rule.id[0]), int(rule.family[1:]), rule.id


RULES: Final[tuple[Rule, ...]] = tuple(
    sorted((*geography.RULES, *schema.RULES, *values.RULES, *sources.RULES, *across.RULES), key=_place)
)
"""Every rule, ids in order."""

RELEASE_RULES: Final[tuple[Rule, ...]] = tuple(r for r in RULES if r.check is not None)
"""The rules asked of every release."""


def rule(rule_id: str) -> Rule:
    """The rule of that id; `KeyError` if there is none."""
    for found in RULES:
        if found.id == rule_id:
            return found
    raise KeyError(rule_id)
