"""How many records of a population does each rule take, and which rules stand in each other's way?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from segmentation.rules.comparison import ATTRIBUTE
from segmentation.rules.logic import Rule

if TYPE_CHECKING:
    import ibis


def counts(facts: ibis.Table, attributes: Iterable[str], rules: Sequence[Rule]) -> ibis.Table:
    """One row of counts: records, has.ATTRIBUTE, holds.I, fires.I, both.I.J (J before I) and, of rules, none."""
    import ibis

    holds = [rule.expression(facts).fill_null(False) for rule in rules]
    columns: dict[str, Any] = {"records": facts.count()}
    for name in attributes:
        columns[f"has.{name}"] = (
            facts[ATTRIBUTE + name].count() if ATTRIBUTE + name in facts.columns else ibis.literal(0)
        )
    for position, condition in enumerate(holds):
        columns[f"holds.{position}"] = condition.sum()
        columns[f"fires.{position}"] = (condition & ~reduce(or_, holds[:position], ibis.literal(False))).sum()
        for earlier in range(position):
            columns[f"both.{position}.{earlier}"] = (condition & holds[earlier]).sum()
    if holds:
        columns["none"] = (~reduce(or_, holds)).sum()
    return facts.aggregate(**columns)


def findings(row: Mapping[str, int | None], attributes: Sequence[str], keys: Sequence[str]) -> dict[str, Any]:
    """What the counts say: see ``sync.views.rule_coverage``."""
    number = {name: int(count or 0) for name, count in row.items()}
    records = number["records"]
    rules = []
    for position, key in enumerate(keys):
        holds = number[f"holds.{position}"]
        hidden = [
            keys[earlier]
            for earlier in range(position)
            if holds and number[f"both.{position}.{earlier}"] == holds
        ]
        rules.append(
            {
                "key": key,
                "holds": holds,
                "fires": number[f"fires.{position}"],
                "overlaps": hidden[0] if hidden else None,
            }
        )
    coverage = {name: number[f"has.{name}"] / records if records else 0.0 for name in attributes}
    return {
        "records": records,
        "coverage": coverage,
        "rules": rules,
        "no_rule": number["none"] if keys else 0,
    }
