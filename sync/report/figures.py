"""What are the figures of a report? Read from the mirror (what is) and the journal (what happened), added up
by DuckDB.

Nothing of one person leaves here: no id, no name, no address. Reasons stand with their amounts and counts
left out (bands such as 35-44 stay), and only where several records share them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from connectors.schemas import CHANNELS
from connectors.values.currency import exponent
from sync.account.session import Session
from sync.config.settings import SegmentationSettings
from sync.pull.reading import STAMP, in_journal
from sync.report import insight, sizes
from sync.report.events import Events, events
from sync.report.insight import USUAL, Insights, Wanted
from sync.report.sizes import Reason, SegmentFigures, Spot
from sync.report.transitions import Flow, Movement, flows, movement
from sync.store.identity_resolution import people
from sync.store.label_tables import LabelTables
from sync.store.mirror import AccountMirror, quoted


@dataclass(frozen=True)
class SegmentationFigures:
    """All that a report shows of one segmentation."""

    name: str
    title: str
    kind: str
    as_of: date | None
    before: date | None
    segments: list[SegmentFigures]
    flows: list[Flow]
    movement: Movement
    spots: list[Spot]
    reasons: list[Reason]

    @property
    def records(self) -> int:
        """Records that have a segment."""
        return sum(segment.records for segment in self.segments)

    @property
    def revenue(self) -> int | None:
        """Their revenue in minor units."""
        revenues = [segment.revenue for segment in self.segments if segment.revenue is not None]
        return sum(revenues) if revenues else None

    @property
    def titles(self) -> dict[str, str]:
        """Key → what people read, in the order of the config."""
        return {segment.key: segment.title for segment in self.segments}


@dataclass(frozen=True)
class Coverage:
    """Of how many records something is known."""

    attribute: str
    known: int


@dataclass(frozen=True)
class Overlap:
    """Who is in a segment of one and of another segmentation: (first, second) → records."""

    first: str
    second: str
    cells: dict[tuple[str, str], int]


@dataclass(frozen=True)
class AccountFigures:
    """All that a report shows of one account."""

    account: str
    crm: str
    currency: str
    exponent: int
    records: int
    segmentations: list[SegmentationFigures]
    coverage: list[Coverage]
    overlaps: list[Overlap]
    events: Events
    unlabelled: list[str] = field(default_factory=list)  # segmentations that no labelling has reached yet
    insights: Insights = field(default_factory=Insights)
    reading: dict[str, Any] | None = None  # the summary of what was read (``sync.pull.summary``)


def gather(session: Session, wanted: Wanted = USUAL) -> AccountFigures:
    """The figures of one account as of its last labelling.

    Reads only; an account that was never labelled has none.
    """
    mirror = session.mirror()
    session.progress("gathering figures", 0, 0)
    revenue = sizes.revenue_column(mirror)
    chosen = [entry for entry in session.segmentations if _labelled(session, entry.name)]
    segmentations = [_segmentation(session, entry, revenue) for entry in chosen]
    segmentations.sort(key=lambda entry: entry.kind != "lifecycle")
    names = [entry.name for entry in segmentations]
    types = sorted({t for entry in session.segmentations for t in session.config.record_types(entry)})
    mirror.run(
        f"CREATE OR REPLACE TEMP VIEW everyone AS SELECT * FROM ({people(mirror)}) WHERE NOT coalesce(objects_to_profiling, false)"
    )
    kinds = ", ".join(f"'{entry}'" for entry in types) or "NULL"
    records = mirror.value(f"SELECT count(*) FROM everyone WHERE record_type IN ({kinds})")
    labelled = max((entry.as_of for entry in segmentations if entry.as_of), default=None)
    session = session.about(day=session.context.day or labelled)
    return AccountFigures(
        account=session.account,
        crm=session.settings.crm,
        currency=session.settings.currency,
        exponent=exponent(session.settings.currency),
        records=records,
        segmentations=segmentations,
        coverage=_coverage(session, kinds),
        overlaps=[_overlap(mirror, a, b) for position, a in enumerate(names) for b in names[position + 1 :]],
        events=events(session.journal, session.account),
        unlabelled=[entry.name for entry in session.segmentations if entry.name not in names],
        insights=insight.gather(session, names, records, wanted),
        reading=_last_reading(session),
    )


def _last_reading(session: Session) -> dict[str, Any] | None:
    stamped = session.mirror().stamp(STAMP)
    return (
        json.loads(stamped)["reading"]
        if stamped
        else next(in_journal(session.journal, session.account), None)
    )


def _labelled(session: Session, name: str) -> bool:
    """Whether there are labels; a mirror that was thrown away gets them back from the journal."""
    tables = LabelTables(session.mirror(), name)
    if tables.exist:
        return True
    kept = session.journal.labels.latest_day(session.account, name)
    if kept:
        tables.restored(session.journal.labels)
    return bool(kept)


def _segmentation(
    session: Session, settings: SegmentationSettings, revenue: str | None
) -> SegmentationFigures:
    mirror, name = session.mirror(), settings.name
    as_of, before = (_day(mirror.stamp(f"{state}:{name}")) for state in ("labels", "before"))
    if as_of is None:
        as_of = _day(session.journal.labels.latest_day(session.account, name))
    return SegmentationFigures(
        name=name,
        title=settings.title or name,
        kind=settings.kind,
        as_of=as_of,
        before=before,
        segments=sizes.segments(session, settings, revenue),
        flows=flows(session, name) if before else [],
        movement=movement(session, name, as_of),
        spots=sizes.spots(mirror, name),
        reasons=sizes.reasons(mirror, name),
    )


def _day(stamp: str | None) -> date | None:
    """The day of a stamp (JSON with ``as_of``) or of a bare ISO date."""
    text = (json.loads(stamp).get("as_of") if stamp.startswith("{") else stamp) if stamp else None
    return date.fromisoformat(text) if text else None


def _coverage(session: Session, kinds: str) -> list[Coverage]:
    """Attributes of the config, and by which channels records may be reached where the CRM tells."""
    mirror = session.mirror()
    attributes = mirror.attributes()
    columns = {
        name: quoted("attribute." + name)
        for name in session.settings.attributes
        if "attribute." + name in attributes
    }
    columns |= {"e-mail address": "nullif(email, '')"}
    columns |= {
        f"may be reached by {channel}: yes or no": quoted(f"reachable.{channel}") for channel in CHANNELS
    }
    counted = ", ".join(f"count({column})" for column in columns.values())
    row = mirror.rows(f"SELECT {counted} FROM everyone WHERE record_type IN ({kinds})")[0]
    covered = [Coverage(name, number) for name, number in zip(columns, row, strict=True)]
    absent = [
        Coverage(name, 0) for name in session.settings.attributes if "attribute." + name not in attributes
    ]
    return [
        coverage
        for coverage in covered
        if coverage.known or coverage.attribute in session.settings.attributes
    ] + absent


def _overlap(mirror: AccountMirror, first: str, second: str) -> Overlap:
    rows = mirror.rows(
        f"""SELECT a.segment, b.segment, count(*)
            FROM {quoted("labels_" + first)} AS a JOIN {quoted("labels_" + second)} AS b USING (record)
            WHERE a.segment IS NOT NULL AND b.segment IS NOT NULL GROUP BY ALL"""
    )
    return Overlap(first, second, {(a, b): number for a, b, number in rows})


def summary(figures: AccountFigures) -> dict[str, Any]:
    """The figures by which labellings are compared, for ``--json``."""
    return {
        segmentation.name: {
            "as_of": segmentation.as_of,
            "records": segmentation.records,
            "labellings": len(segmentation.movement.motions),
            "moved_per_week": segmentation.movement.moved_per_week,
            "returned_within_12_weeks": segmentation.movement.returned_share,
        }
        for segmentation in figures.segmentations
    }
