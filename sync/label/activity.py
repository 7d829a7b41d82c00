"""What has each record of an account done?

The view ``deeds``: activity of its own, of accounts that it draws from, of its contacts.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from sync.account import rates
from sync.account.session import Session
from sync.label.spellings import respelled
from sync.store.identity_resolution import same_people
from sync.store.mirror import AccountMirror, literal
from sync.store.relation import Relation


def prepare_deeds(session: Session, answers: bool, recorded_by: date | None = None) -> None:
    """The view ``deeds``: all activity of the account's records, of an earlier day only what was recorded by
    the end of it.
    """
    activity = _activity(
        session, "company" in session.config.labelled_types(session.account), answers, recorded_by
    )
    session.mirror().run(f"CREATE OR REPLACE TEMP VIEW deeds AS {respelled(session, activity, answers)}")


def unbound(mirror: AccountMirror, table: str) -> Any:
    """A table of the mirror as an Ibis table that knows only its columns."""
    import ibis

    schema = mirror.run(f"SELECT * FROM {table} LIMIT 0").to_arrow_table().schema
    return ibis.table(ibis.Schema.from_pyarrow(schema), name=table)


_DEED = ("kind", "day", "amount", "category")  # what features are made of, beside record and order
_ANSWER = ("occurred_at", "campaign", "answer", "channel")  # and where answers or touches are asked for


def _deed(mirror: AccountMirror, answers: bool, record: str = "record", order: str = '"order"') -> str:
    """Select list of an account's deeds; a column that its activity never had is null."""
    columns = mirror.columns("activity")
    selected = [
        name if name in columns else f"NULL::VARCHAR AS {name}"
        for name in (_DEED + _ANSWER if answers else _DEED)
    ]
    # what several records did together has one order, or where it has none, one id
    shared = order.removesuffix(' AS "order"')
    return ", ".join(
        [
            record,
            order,
            *selected,
            f"coalesce(({shared})::HUGEINT, CASE WHEN named THEN -1 - key::HUGEINT END) AS deal",
        ]
    )


def _activity(session: Session, companies: bool, answers: bool, recorded_by: date | None) -> str:
    """SQL of all activity that belongs to this account's records; a company's is that of its contacts too.

    A deal counts once for a company: its shares among the company's contacts add up; where each contact has
    the whole of it, one of them stands for all; where a company has a row of its own, the deal is that
    company's, wherever the contacts are employed.
    """
    parts = [
        f"SELECT {_deed(session.mirror(), answers)} FROM ({_live(session, session.account, recorded_by)})"
    ]
    parts += [_joined(session, name, answers, recorded_by) for name in session.settings.activity_from]
    everything = " UNION ALL ".join(parts)
    if not companies:
        return f"SELECT * EXCLUDE (deal) FROM ({everything})"
    once = "QUALIFY deal IS NULL OR contact = min(contact) OVER (PARTITION BY employer.company, deal)"
    return f"""WITH own AS ({everything}), employer AS (
                   SELECT people.record AS contact, c.record AS company FROM people JOIN {session.mirror().schema}.ids AS c
                   ON c.record_type = 'company' AND c.id = people.company_id WHERE people.record_type = 'contact')
               SELECT * EXCLUDE (deal) FROM own UNION ALL
               SELECT employer.company, own.* EXCLUDE (record, deal) FROM own JOIN employer ON own.record = employer.contact
               ANTI JOIN (SELECT own.deal FROM own JOIN {session.mirror().schema}.ids AS c ON c.record = own.record
                          WHERE c.record_type = 'company') AS whole ON whole.deal = own.deal
               {once if session.settings.deal_share == "full" else ""}"""


def _live(session: Session, account: str, recorded_by: date | None) -> str:
    """SQL of the activity rows that count; with a day, of those that were recorded by the end of it, as far
    as that is known.
    """
    mirror, condition = session.mirror(account), ""
    if recorded_by is not None and "recorded_at" in mirror.columns("activity"):
        end, zone = (
            literal((recorded_by + timedelta(days=1)).isoformat()),
            literal(session.settings.time_zone),
        )
        condition = f"AND coalesce(recorded_at < timezone('UTC', timezone({zone}, {end}::TIMESTAMP)), true)"
    return f"""SELECT * FROM {mirror.schema}.activity WHERE NOT shadowed
               AND part IN (SELECT part FROM {mirror.schema}.parts WHERE live) {condition}"""


def _joined(session: Session, name: str, answers: bool, recorded_by: date | None) -> str:
    """SQL of another account's activity under this account's records; orders of two accounts never mix."""
    theirs, live = session.mirror(name), Relation(_live(session, name, recorded_by))
    money = rates.converted(session.config, session.account, theirs, live)
    order = f"""CASE WHEN "order" IS NOT NULL THEN (hash({literal(theirs.name)}, "order") >> 1)::BIGINT END AS "order\""""
    return f"""SELECT {_deed(theirs, answers, "same.ours AS record", order)} FROM ({money}) AS deed
               JOIN ({same_people(session.mirror(), theirs, session.settings.match)}) AS same ON deed.record = same.theirs"""
