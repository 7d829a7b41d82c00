"""What have the records of an account done, in it and in the accounts that it draws activity from?

Relations of (record, order, kind, day, amount, category), with ``answers`` also (occurred_at, campaign,
answer, channel); ``deal`` tells what several records did together.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from connectors.values.spelling import as_compared, as_shown
from sync.store.joined import Joined, same_people
from sync.store.mirror import AccountMirror, literal
from sync.store.relation import Relation

_COLUMNS = ("kind", "day", "amount", "category")  # what features are made of, in addition to record and order
_ANSWER = ("occurred_at", "campaign", "answer", "channel")  # and where answers or touches are asked for
Spellings = Sequence[Sequence[str]]  # pairs: as it stands in activity, as it is meant


def counted(mirror: AccountMirror, recorded_by: str = "", time_zone: str = "UTC") -> Relation:
    """The rows of ``activity`` that count; with a day (in SQL), those that were recorded by the end of it, as
    far as that is known.
    """
    condition = ""
    if recorded_by and "recorded_at" in mirror.columns("activity"):
        end, zone = f"({recorded_by} + 1)::TIMESTAMP", literal(time_zone)
        condition = f"AND coalesce(recorded_at < timezone('UTC', timezone({zone}, {end})), true)"
    return Relation(
        f"""SELECT * FROM {mirror.schema}.activity WHERE NOT shadowed
            AND part IN (SELECT part FROM {mirror.schema}.parts WHERE live) {condition}"""
    )


def of_records(mirror: AccountMirror, rows: Relation, answers: bool) -> Relation:
    """Counted ``rows`` of an account as its own records did them."""
    return Relation(f"SELECT {_selected(mirror, answers)} FROM ({rows})")


def of_joined(ours: AccountMirror, joined: Joined, rows: Relation, answers: bool) -> Relation:
    """Counted ``rows`` of another account under our records; orders of two accounts never mix."""
    theirs = joined.mirror
    order = f"""CASE WHEN "order" IS NOT NULL THEN (hash({literal(theirs.name)}, "order") >> 1)::BIGINT END AS "order\""""
    return Relation(
        f"""SELECT {_selected(theirs, answers, "same.ours AS record", order)} FROM ({rows}) AS act
            JOIN ({same_people(ours, joined)}) AS same ON act.record = same.theirs"""
    )


def _selected(mirror: AccountMirror, answers: bool, record: str = "record", order: str = '"order"') -> str:
    """A column that the account's activity never had is null."""
    columns = mirror.columns("activity")
    selected = [
        name if name in columns else f"NULL::VARCHAR AS {name}"
        for name in (_COLUMNS + _ANSWER if answers else _COLUMNS)
    ]
    # what several records did together has one order, or where it has none, one id
    shared = order.removesuffix(' AS "order"')
    deal = f"coalesce(({shared})::HUGEINT, CASE WHEN named THEN -1 - key::HUGEINT END) AS deal"
    return ", ".join([record, order, *selected, deal])


def together(rows: Sequence[Relation]) -> Relation:
    """Activity of several accounts, without ``deal``."""
    return Relation(f"SELECT * EXCLUDE (deal) FROM ({_union(rows)})")


def together_with_companies(
    mirror: AccountMirror, rows: Sequence[Relation], people: Relation, shared_whole: bool
) -> Relation:
    """The same, with a company's activity: that of its contacts too.

    A deal counts once for a company: its shares among the company's contacts add up; where each contact has
    the whole of it (``shared_whole``), one of them stands for all; where a company has a row of its own, the
    deal is that company's, wherever the contacts are employed.
    """
    ids = f"{mirror.schema}.ids"
    once = "QUALIFY deal IS NULL OR contact = min(contact) OVER (PARTITION BY employer.company, deal)"
    return Relation(
        f"""WITH own AS ({_union(rows)}), employer AS (
                SELECT people.record AS contact, c.record AS company FROM ({people}) AS people JOIN {ids} AS c
                ON c.record_type = 'company' AND c.id = people.company_id WHERE people.record_type = 'contact')
            SELECT * EXCLUDE (deal) FROM own UNION ALL
            SELECT employer.company, own.* EXCLUDE (record, deal) FROM own JOIN employer ON own.record = employer.contact
            ANTI JOIN (SELECT own.deal FROM own JOIN {ids} AS c ON c.record = own.record
                       WHERE c.record_type = 'company') AS whole ON whole.deal = own.deal
            {once if shared_whole else ""}"""
    )


def _union(rows: Sequence[Relation]) -> str:
    return " UNION ALL ".join(map(str, rows))


# -- as the config spells it ---------------------------------------------------------------------------------


def respelled(
    rows: Relation, categories: Spellings, surveys: Spellings, answers: Relation | None = None
) -> Relation:
    """Activity with other spellings of categories and surveys; with the known ``answers`` each answer has the
    form that compares, too: ``compared``.
    """
    columns = [_replaced("category", categories, "true")] if categories else []
    if surveys:
        columns.append(_replaced("campaign", surveys, "kind = 'survey'"))
    if answers is None:
        return Relation(f"SELECT * REPLACE ({', '.join(columns)}) FROM ({rows})") if columns else rows
    columns.append("coalesce(forms.shown, act.answer) AS answer")
    return Relation(
        f"""SELECT act.* REPLACE ({", ".join(columns)}), forms.compared FROM ({rows}) AS act
            LEFT JOIN ({answers}) AS forms ON act.kind = 'survey' AND forms.given = act.answer"""
    )


def _replaced(column: str, spellings: Spellings, where: str) -> str:
    cases = " ".join(f"WHEN {literal(text)} THEN {literal(meant)}" for text, meant in spellings)
    return f"CASE WHEN {where} THEN CASE {column} {cases} ELSE {column} END ELSE {column} END AS {column}"


def other_categories(mirrors: Sequence[AccountMirror], names: Sequence[str]) -> list[str]:
    """The categories of activity but for these; none where none is asked for."""
    return _others(mirrors, "category", names, "true")


def other_surveys(mirrors: Sequence[AccountMirror], names: Sequence[str]) -> list[str]:
    """The surveys of activity but for these; none where none is asked for."""
    return _others(mirrors, "campaign", names, "kind = 'survey'")


def _others(mirrors: Sequence[AccountMirror], column: str, names: Sequence[str], where: str) -> list[str]:
    values: set[str] = set()
    for mirror in mirrors if names else ():
        if column in mirror.columns("activity"):
            others = f"{column} NOT IN ({', '.join(map(literal, names))})"
            rows = mirror.rows(f"SELECT DISTINCT {column} FROM activity WHERE {where} AND {others}")
            values.update(text for (text,) in rows)
    return sorted(values)


def survey_answers(mirrors: Sequence[AccountMirror]) -> Relation:
    """(given, compared, shown): each answer to a survey as it was given, as it compares, and as people read
    it. It holds until it is asked for again. ``mirrors``: the account's own first.
    """
    parts = []
    for mirror in mirrors:
        if "answer" in mirror.columns("activity"):
            sql = "SELECT DISTINCT answer FROM activity WHERE kind = 'survey' AND answer IS NOT NULL"
            parts.append(mirror.table(sql)["answer"].combine_chunks().cast(pa.string()))
    texts = pa.concat_arrays([*parts, pa.array([], pa.string())]).unique()
    mirrors[0].run(
        "CREATE OR REPLACE TEMP TABLE compared_answers AS SELECT * FROM frame",
        frame=pa.table({"given": texts, "compared": as_compared(texts), "shown": as_shown(texts)}),
    )
    return Relation("SELECT * FROM compared_answers")
