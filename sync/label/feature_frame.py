"""What is known of each record on a day?

Attributes, features of what it did, and segments that other segmentations gave it.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from sync.account import rates
from sync.account.session import Session
from sync.consent.consent import consent_of
from sync.label.activity import prepare_deeds, unbound
from sync.label.label_store import rebuild_state
from sync.label.spellings import account_needs
from sync.store import activity_owner
from sync.store.mirror import literal, quoted

if TYPE_CHECKING:
    import ibis

    from segmentation.feature_request import Shape
    from sync.config.settings import SegmentationSettings

FORM = 2  # moves whenever other features come out of the same activity


def facts(session: Session, settings: SegmentationSettings, features: str = "features") -> ibis.Table:
    """All that is known of the records of a population: attributes, features, and segments of the
    segmentations it uses.

    A lazy table over the mirror's view ``facts``; it holds until the next call. ``features``: the table that
    holds them.
    """
    mirror, config = session.mirror(), session.config
    local = f"timezone({literal(session.settings.time_zone)}, created_at) AS created_at, {activity_owner.address_of('email')} AS email"
    local = f"people.* REPLACE ({local})"
    columns, joins = [local, f"{features}.* EXCLUDE (record)"], f"JOIN {features} USING (record)"
    for used in config.uses(settings):
        table = "labels_" + used.name
        if not mirror.has_table(table):
            rebuild_state(session, used.name, None, table)
        columns.append(f"{quoted(table)}.segment AS {quoted('segment.' + used.name)}")
        joins += f" LEFT JOIN {mirror.schema}.{quoted(table)} AS {quoted(table)} ON {quoted(table)}.record = people.record"
    mirror.run(f"CREATE OR REPLACE TEMP VIEW facts AS SELECT {', '.join(columns)} FROM people {joins}")
    everyone = unbound(mirror, "facts")
    everyone = everyone.filter(everyone.record_type.isin(config.record_types(settings)))
    rule = config.population(settings, session.account)
    return everyone if rule is None else everyone.filter(rule.expression(everyone))


def prepare_features(session: Session) -> None:
    """The table ``features`` as of the day, with what the account's segmentations need; kept while nothing
    changes.
    """
    mirror, needs = session.mirror(), account_needs(session)
    revisions = [session.mirror(name).revision() for name in session.sources()]
    foreign = rates.foreign(session.config, session.account)
    money = [session.settings.currency, foreign, session.config.rates if foreign else {}]
    types = session.config.labelled_types(session.account)
    key = json.dumps(
        [session.as_of.isoformat(), revisions, asdict(needs), types, session.settings.match, money, FORM]
    )
    consent_of(session)  # makes the view ``people``
    if mirror.stamp("features") == key and mirror.has_table("features"):
        return
    session.progress("computing features", 0, 0)
    prepare_deeds(session, bool(needs.answers))
    import ibis

    from segmentation.features import features

    deeds, shape = unbound(mirror, "deeds"), shape_of(session)
    sql = ibis.to_sql(
        features(unbound(mirror, "people"), deeds, session.as_of, needs, shape), dialect="duckdb"
    )
    with mirror.transaction():
        mirror.run(f"CREATE OR REPLACE TABLE features AS {sql}")
        mirror.set_stamp("features", key)


def shape_of(session: Session) -> Shape:
    """What is known of the account's activity."""
    from segmentation.feature_request import Shape

    mirrors = [session.mirror(name) for name in session.sources()]
    return Shape(
        order_lines=any(m.stamp("order_lines") != "no" for m in mirrors)
        or "company" in session.config.labelled_types(session.account),
        refunds=any(m.stamp("refunds") != "no" for m in mirrors),
    )
