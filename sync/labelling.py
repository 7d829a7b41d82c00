"""Label: features as of a day, then every segmentation's segment for every record of its population.

For each segmentation the mirror holds ``labels_NAME`` (the state as of that day) and ``before_NAME`` (the state before
that day, from which labelling always starts, so that repeating a day changes nothing). The journal keeps what each day
changed; both tables can be rebuilt from it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sync import consent
from sync.identity import same_people
from sync.mirror import AccountMirror, literal, quoted
from sync.segments import built
from sync.session import Session

if TYPE_CHECKING:
    import ibis
    import pandas as pd

    from segmentation.label import Segmentation
    from segmentation.needs import Needs, Shape
    from sync.settings import SegmentationSettings

# What labels hold beside ``record``; memory.* columns of the kind come on top.
STATE = {"segment": "VARCHAR", "since": "DATE", "previous": "VARCHAR", "score": "DOUBLE", "reason": "VARCHAR"}


@dataclass
class Labelled:
    """Sizes of segments as of a day, and what was fitted on the way."""

    as_of: date
    sizes: dict[str, dict[str, int]] = field(default_factory=dict)  # segmentation → segment → records
    fitted: dict[str, int] = field(default_factory=dict)  # segmentation → version of the model fitted now

    def as_dict(self) -> dict[str, Any]:
        """For printing."""
        return asdict(self)


def label(session: Session) -> Labelled:
    """Label as of ``session.as_of`` whatever is not labelled so already."""
    labelled = Labelled(session.as_of)
    for settings in session.config.in_order(session.account):
        name = settings.name
        if not _up_to_date(session, settings):
            _label_one(session, settings, labelled)
        rows = session.mirror().rows(f"SELECT segment, count(*) FROM {quoted('labels_' + name)} GROUP BY segment ORDER BY segment")
        labelled.sizes[name] = dict(rows)
    return labelled


def train(session: Session, names: Sequence[str] = ()) -> dict[str, int]:
    """Fit every segmentation anew as of ``session.as_of``, or those of ``names``; returns the new versions."""
    versions = {}
    for settings in session.config.in_order(session.account):
        if names and settings.name not in names:
            continue
        session.progress(f"fitting {settings.label or settings.name}", 0, 0)
        segmentation = built(session.config, settings, session.account)
        versions[settings.name] = _fit(session, settings, segmentation, population_frame(session, settings, segmentation))
    return versions


def _key(session: Session, settings: SegmentationSettings) -> str | None:
    """All that decides the labels, as text; None where there is no fitting model yet."""
    model = session.journal.model(session.account, settings.name)
    digest = session.config.digest(settings)
    if model is None or model["digest"] != digest:
        return None
    revisions = [session.mirror(name).revision() for name in session.sources()]
    used = [_key(session, one) for one in session.config.uses(settings)]
    return json.dumps([session.as_of.isoformat(), revisions, digest, model["version"], settings.frozen, *used])


def _up_to_date(session: Session, settings: SegmentationSettings) -> bool:
    stamp = session.mirror().stamp("labels:" + settings.name)
    return stamp is not None and json.loads(stamp)["key"] == _key(session, settings)


def _label_one(session: Session, settings: SegmentationSettings, labelled: Labelled) -> None:
    mirror, name, as_of = session.mirror(), settings.name, session.as_of
    session.progress(f"labelling {settings.label or name}", 0, 0)
    segmentation = built(session.config, settings, session.account)
    frame = population_frame(session, settings, segmentation)
    model = session.journal.model(session.account, name)
    if model is None or model["digest"] != session.config.digest(settings):
        labelled.fitted[name] = _fit(session, settings, segmentation, frame)
        model = session.journal.model(session.account, name)
        assert model is not None
    from segmentation import models

    fitted = models.from_json(model["content"])
    with mirror.transaction():
        kept = _kept(session, name, frame) if settings.frozen else None
        previous_as_of = _prepare_before(session, name)
        previous = mirror.run(f"SELECT * FROM {quoted('before_' + name)}").df() if previous_as_of else None
        labels = segmentation.label(frame, fitted, previous, previous_as_of, as_of) if kept is None else kept
        _store(mirror, name, labels)
        session.journal.save_labels(session.account, name, as_of.isoformat(), _changed(mirror, name))
        mirror.set_stamp("labels:" + name, json.dumps({"as_of": as_of.isoformat(), "key": _key(session, settings)}))


def _kept(session: Session, name: str, frame: pd.DataFrame) -> pd.DataFrame | None:
    """The latest labels up to the day, of the records that are still in the population; None where there are none."""
    mirror, table = session.mirror(), "kept_" + name
    rebuild_state(session, name, (session.as_of + timedelta(days=1)).isoformat(), table)
    kept = mirror.run(f"SELECT * FROM {quoted(table)}").df()
    mirror.run(f"DROP TABLE {quoted(table)}")
    return kept[kept["record"].isin(frame["record"])].reset_index(drop=True) if len(kept) else None


def _fit(session: Session, settings: SegmentationSettings, segmentation: Segmentation, frame: pd.DataFrame) -> int:
    from segmentation import models
    from sync.past import AccountPast

    content = models.to_json(segmentation.fit(frame, session.as_of, AccountPast(session, settings, segmentation)))
    return session.journal.save_model(session.account, settings.name, session.as_of.isoformat(), session.config.digest(settings), content)


# -- state -------------------------------------------------------------------------------------------------


def _prepare_before(session: Session, name: str) -> date | None:
    """Make ``before_NAME`` the state before ``session.as_of``; returns the day that state is of."""
    mirror, as_of = session.mirror(), session.as_of.isoformat()
    latest = session.journal.value(
        "SELECT max(as_of) FROM labels WHERE account = ? AND segmentation = ? AND as_of < ?", session.account, name, as_of
    )
    before = json.loads(mirror.stamp("before:" + name) or "{}")
    now = json.loads(mirror.stamp("labels:" + name) or "{}")
    if now.get("as_of") == latest and latest is not None:
        mirror.run(f"DROP TABLE IF EXISTS {quoted('before_' + name)}")
        mirror.run(f"ALTER TABLE {quoted('labels_' + name)} RENAME TO {quoted('before_' + name)}")
    elif before.get("as_of") != (latest or "") or not mirror.has_table("before_" + name):
        rebuild_state(session, name, as_of, "before_" + name)
    mirror.set_stamp("before:" + name, json.dumps({"as_of": latest or ""}))
    return date.fromisoformat(latest) if latest else None


def rebuild_state(session: Session, name: str, before: str | None, table: str) -> None:
    """A state table from what the journal keeps of each day up to (without) ``before``."""
    mirror = session.mirror()
    columns = ", ".join(f"NULL::{kind} AS {column}" for column, kind in STATE.items())
    mirror.run(f"CREATE OR REPLACE TABLE {quoted(table)} AS SELECT NULL::BIGINT AS record, {columns} LIMIT 0")
    days = [t.append_column("as_of", pa.repeat(day, t.num_rows)) for day, t in session.journal.labels(session.account, name, before)]
    if not days:
        return
    frame = pa.concat_tables(days, promote_options="permissive")
    mirror.register(frame)
    mirror.run(
        f"""CREATE OR REPLACE TABLE {quoted(table)} AS SELECT record, frame.* EXCLUDE (record_type, id, as_of) FROM frame JOIN ids USING
            (record_type, id)
            QUALIFY row_number() OVER (PARTITION BY record ORDER BY as_of DESC) = 1""",
        frame=frame,
    )
    mirror.run(f"DELETE FROM {quoted(table)} WHERE segment IS NULL")


def _store(mirror: AccountMirror, name: str, labels: pd.DataFrame) -> None:
    frame = pa.Table.from_pandas(labels, preserve_index=False)
    kinds = ", ".join(f"{column}::{kind} AS {column}" for column, kind in STATE.items())
    memory = "".join(", " + quoted(c) for c in frame.column_names if c.startswith("memory."))
    mirror.run(
        f"CREATE OR REPLACE TABLE {quoted('labels_' + name)} AS SELECT record::BIGINT AS record, {kinds}{memory} FROM frame", frame=frame
    )


def _changed(mirror: AccountMirror, name: str) -> pa.Table:
    """Rows of the state that this day changed; a record that left the population has a null segment."""
    labels, before = quoted("labels_" + name), quoted("before_" + name)
    mine = {
        c
        for (c,) in mirror.rows(
            "SELECT column_name FROM duckdb_columns() WHERE schema_name = ? AND table_name = ?", [mirror.name, "labels_" + name]
        )
    }
    theirs = {
        c
        for (c,) in mirror.rows(
            "SELECT column_name FROM duckdb_columns() WHERE schema_name = ? AND table_name = ?", [mirror.name, "before_" + name]
        )
    }
    compared = sorted((mine & theirs) - {"record", "score"})
    differs = " OR ".join([f"l.{quoted(c)} IS DISTINCT FROM b.{quoted(c)}" for c in compared] + (["true"] if mine - theirs else []))
    # Two queries: as one UNION, DuckDB 1.5 waits for itself for ever at a million records.
    changed = mirror.table(
        f"""SELECT ids.record_type, ids.id, l.* EXCLUDE (record) FROM {labels} AS l JOIN ids USING (record) LEFT JOIN {before} AS b USING
            (record)
            WHERE b.record IS NULL OR {differs}"""
    )
    left = mirror.table(
        f"""SELECT ids.record_type, ids.id, NULL::VARCHAR AS segment FROM {before} AS b JOIN ids USING (record) ANTI JOIN {labels} AS l
                USING (record)"""
    )
    return pa.concat_tables([changed, left], promote_options="default")


# -- frames ------------------------------------------------------------------------------------------------


def population_frame(session: Session, settings: SegmentationSettings, segmentation: Segmentation) -> pd.DataFrame:
    """What a segmentation reads of the records that it is about, ordered by record, so that equal facts give equal models."""
    import ibis

    prepare_features(session)
    sql = ibis.to_sql(segmentation.reads(facts(session, settings)), dialect="duckdb")
    return session.mirror().run(f"SELECT * FROM ({sql}) ORDER BY record").df()


def facts(session: Session, settings: SegmentationSettings, features: str = "features") -> ibis.Table:
    """All that is known of the records of a population: attributes, features, and segments of the segmentations it uses.

    A lazy table over the mirror's view ``facts``; it holds until the next call. ``features``: the table that holds them.
    """
    mirror, config = session.mirror(), session.config
    local = f"people.* REPLACE (timezone({literal(session.settings.time_zone)}, created_at) AS created_at)"
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


def unbound(mirror: AccountMirror, table: str) -> Any:
    """A table of the mirror as an Ibis table that knows only its columns."""
    import ibis

    schema = mirror.run(f"SELECT * FROM {table} LIMIT 0").to_arrow_table().schema
    return ibis.table(ibis.Schema.from_pyarrow(schema), name=table)


def prepare_features(session: Session) -> None:
    """The table ``features`` as of the day, with what the account's segmentations need; kept while nothing changes."""
    from segmentation.needs import Needs

    mirror = session.mirror()
    needs = Needs()
    for settings in session.segmentations:
        needs = needs | needs_of(session, settings)
    revisions = [session.mirror(name).revision() for name in session.sources()]
    types = _types(session)
    key = json.dumps([session.as_of.isoformat(), revisions, asdict(needs), types, session.settings.match])
    consent.prepare(session)
    if mirror.stamp("features") == key and mirror.has_table("features"):
        return
    session.progress("computing features", 0, 0)
    prepare_deeds(session, bool(needs.answers))
    import ibis

    from segmentation.features import features

    deeds, shape = unbound(mirror, "deeds"), shape_of(session)
    sql = ibis.to_sql(features(unbound(mirror, "people"), deeds, session.as_of, needs, shape), dialect="duckdb")
    with mirror.transaction():
        mirror.run(f"CREATE OR REPLACE TABLE features AS {sql}")
        mirror.set_stamp("features", key)


def needs_of(session: Session, settings: SegmentationSettings) -> Needs:
    """The features that a segmentation and its population look at."""
    population = session.config.population(settings, session.account)
    needs = built(session.config, settings, session.account).needs
    return needs | population.needs() if population else needs


def shape_of(session: Session) -> Shape:
    """What is known of the account's activity."""
    from segmentation.needs import Shape

    mirrors = [session.mirror(name) for name in session.sources()]
    return Shape(
        order_lines=any(m.stamp("order_lines") != "no" for m in mirrors) or "company" in _types(session),
        refunds=any(m.stamp("refunds") != "no" for m in mirrors),
    )


def prepare_deeds(session: Session, answers: bool, recorded_by: date | None = None) -> None:
    """The view ``deeds``: all activity of the account's records, of an earlier day only what was recorded by the end of it."""
    activity = _activity(session, "company" in _types(session), answers, recorded_by)
    session.mirror().run(f"CREATE OR REPLACE TEMP VIEW deeds AS {activity}")


def _types(session: Session) -> list[str]:
    return sorted({t for s in session.segmentations for t in session.config.record_types(s)})


_DEED = ("kind", "day", "amount", "category")  # what features are made of, beside record and order
_ANSWER = ("occurred_at", "campaign", "answer", "channel")  # and where answers or touches are asked for


def _deed(mirror: AccountMirror, answers: bool, record: str = "record", order: str = '"order"') -> str:
    """Select list of an account's deeds; a column that its activity never had is null."""
    held = mirror.columns("activity")
    told = [name if name in held else f"NULL::VARCHAR AS {name}" for name in (_DEED + _ANSWER if answers else _DEED)]
    deal = "CASE WHEN named THEN key END AS deal"  # what several records did together has one id
    return ", ".join([record, order, *told, deal])


def _activity(session: Session, companies: bool, answers: bool, recorded_by: date | None) -> str:
    """SQL of all activity that belongs to this account's records; a company's is that of its contacts too.

    A deal counts once for a company: its shares among the company's contacts add up; where each contact has the whole of it, one
    of them stands for all; where the company has a row of its own, that stands for them.
    """
    parts = [f"SELECT {_deed(session.mirror(), answers)} FROM ({_live(session, session.account, recorded_by)})"]
    parts += [_joined(session, name, answers, recorded_by) for name in session.settings.activity_from]
    everything = " UNION ALL ".join(parts)
    if not companies:
        return f"SELECT * EXCLUDE (deal) FROM ({everything})"
    once = "QUALIFY deal IS NULL OR row_number() OVER (PARTITION BY employer.company, deal ORDER BY contact) = 1"
    return f"""WITH own AS ({everything}), employer AS (
                   SELECT people.record AS contact, c.record AS company FROM people JOIN {session.mirror().schema}.ids AS c
                   ON c.record_type = 'company' AND c.id = people.company_id WHERE people.record_type = 'contact')
               SELECT * EXCLUDE (deal) FROM own UNION ALL
               SELECT employer.company, own.* EXCLUDE (record, deal) FROM own JOIN employer ON own.record = employer.contact
               ANTI JOIN (SELECT own.record AS company, own.deal FROM own SEMI JOIN employer ON own.record = employer.company) AS whole
               ON whole.company = employer.company AND whole.deal = own.deal
               {once if session.settings.deal_share == "full" else ""}"""


def _live(session: Session, account: str, recorded_by: date | None) -> str:
    """SQL of the activity rows that count; with a day, of those that were recorded by the end of it, as far as that is known."""
    mirror, known = session.mirror(account), ""
    if recorded_by is not None and "recorded_at" in mirror.columns("activity"):
        end, zone = literal((recorded_by + timedelta(days=1)).isoformat()), literal(session.settings.time_zone)
        known = f"AND coalesce(recorded_at < timezone('UTC', timezone({zone}, {end}::TIMESTAMP)), true)"
    return f"""SELECT * FROM {mirror.schema}.activity WHERE NOT shadowed
               AND part IN (SELECT part FROM {mirror.schema}.parts WHERE live) {known}"""


def _joined(session: Session, name: str, answers: bool, recorded_by: date | None) -> str:
    """SQL of another account's activity under this account's records; orders of two accounts never mix."""
    theirs = session.mirror(name)
    order = f"""CASE WHEN "order" IS NOT NULL THEN (hash({literal(theirs.name)}, "order") >> 1)::BIGINT END AS "order\""""
    return f"""SELECT {_deed(theirs, answers, "same.ours AS record", order)} FROM ({_live(session, name, recorded_by)}) AS deed
               JOIN ({same_people(session.mirror(), theirs, session.settings.match)}) AS same ON deed.record = same.theirs"""
