"""What are the figures of a report? Read from the mirror (what is) and the journal (what happened), added up
by DuckDB.

Nothing of one person leaves here: no id, no name, no address. Reasons stand with their amounts and counts
left out (bands such as 35-44 stay), and only where several records share them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from connectors.schemas import CHANNELS, REACHABLE
from connectors.values.currency import exponent
from segmentation.kinds import kind_named
from sync.account.segment_catalog import named_segments
from sync.account.session import Session
from sync.config.config import Config
from sync.config.settings import SegmentationSettings
from sync.consent.consent import consent_of
from sync.pull.reading import STAMP, in_journal
from sync.report import insight, next_categories, sizes, this_month
from sync.report.events import Events, events
from sync.report.insight import USUAL, Insights, Wanted
from sync.report.next_categories import NextCategories
from sync.report.sizes import Reason, SegmentFigures, Spot
from sync.report.this_month import Leading, ThisMonth
from sync.report.transitions import Flow, Movement, Since, flows, movement, since_last_month
from sync.store import coverage
from sync.store.joined import with_attributes
from sync.store.journal import Journal
from sync.store.label_tables import LabelTables, labels_of
from sync.store.mirror import AccountMirror, quoted
from sync.store.relation import Relation
from sync.store.segment_figures import Typical, crossed, sizes_and_revenue, typical


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
    typical: Mapping[str, Typical] = field(default_factory=dict)  # by segment
    since: Since | None = None  # last month; None: this is the first labelling
    wanted: NextCategories | None = None  # what its members want next

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
    time_zone: str
    currency: str
    exponent: int
    records: int
    segmentations: list[SegmentationFigures]
    coverage: list[Coverage]
    overlaps: list[Overlap]
    events: Events
    unlabelled: list[str] = field(default_factory=list)  # segmentations that no labelling has reached yet
    insights: Insights = field(default_factory=Insights)
    this_month: ThisMonth | None = None
    reading: dict[str, Any] | None = None  # the summary of what was read (``sync.pull.summary``)


def gather(session: Session, wanted: Wanted = USUAL) -> AccountFigures:
    """The figures of one account as of its last labelling.

    Reads only; an account that was never labelled has none.
    """
    mirror, journal = session.mirror(), session.journal
    session.progress("gathering figures", 0, 0)
    revenue = sizes.revenue_column(mirror)
    consents = consent_of(mirror, session.joined()).consents
    chosen = [entry for entry in session.segmentations if _labelled(mirror, journal, entry.name)]
    segmentations = [
        _segmentation(mirror, journal, session.config, entry, revenue, consents, wanted.models)
        for entry in chosen
    ]
    segmentations.sort(key=lambda entry: _place(session.config, entry))
    offering = [entry for entry in chosen if entry.options.no_category is not None]
    titles = {entry.name: entry.titles for entry in segmentations}
    segmentations = [_with_wanted(mirror, entry, offering, titles) for entry in segmentations]
    names = [entry.name for entry in segmentations]
    types = sorted({t for entry in session.segmentations for t in session.config.record_types(entry)})
    people = coverage.everyone(mirror, types)
    records = coverage.count(mirror, people)
    labelled = max((entry.as_of for entry in segmentations if entry.as_of), default=None)
    session = session.about(day=session.context.day or labelled)
    last_reading = _last_reading(mirror, journal)
    return AccountFigures(
        account=session.account,
        crm=session.settings.crm,
        time_zone=session.settings.time_zone,
        currency=session.settings.currency,
        exponent=exponent(session.settings.currency),
        records=records,
        segmentations=segmentations,
        coverage=_coverage(
            mirror, with_attributes(mirror, people, session.joined()), session.settings.known_attributes
        ),
        overlaps=[
            _overlap(mirror, a, b)
            for position, a in enumerate(names if wanted.models else ())
            for b in names[position + 1 :]
        ],
        events=events(journal, session.account),
        unlabelled=[entry.name for entry in session.segmentations if entry.name not in names],
        insights=insight.gather(session, names, wanted),
        this_month=_page_one(session.config, session.all_mirrors(), journal, segmentations, last_reading),
        reading=last_reading,
    )


def _with_wanted(
    mirror: AccountMirror,
    figures: SegmentationFigures,
    offering: Sequence[SegmentationSettings],
    titles: Mapping[str, Mapping[str, str]],
) -> SegmentationFigures:
    wanted = next_categories.gather(mirror, figures.name, figures.segments, offering, titles)
    segments = [next_categories.with_playbook(segment, wanted) for segment in figures.segments]
    return replace(figures, wanted=wanted, segments=segments)


def _place(config: Config, segmentation: SegmentationFigures) -> tuple[bool, bool]:
    """The leading segmentation of the config first, then kinds that lead by themselves."""
    return segmentation.name != config.report.leading, not kind_named(segmentation.kind).leads


def _page_one(
    config: Config,
    mirrors: Sequence[AccountMirror],
    journal: Journal,
    segmentations: Sequence[SegmentationFigures],
    last_reading: Mapping[str, Any] | None,
) -> ThisMonth | None:
    first = next((entry for entry in segmentations if entry.as_of), None)
    if first is None or first.as_of is None:
        return None
    account = mirrors[0].name
    settings = next(entry for entry in config.segmentations_of(account) if entry.name == first.name)
    texts = named_segments(config, journal, settings, account)
    leading = Leading(first.name, first.title, first.as_of, first.typical, first.since)
    return this_month.gather(config, mirrors, texts, leading, last_reading)


def _last_reading(mirror: AccountMirror, journal: Journal) -> dict[str, Any] | None:
    stamped = mirror.stamp(STAMP)
    return json.loads(stamped)["reading"] if stamped else next(in_journal(journal, mirror.name), None)


def _labelled(mirror: AccountMirror, journal: Journal, name: str) -> bool:
    """Whether there are labels; a mirror that was thrown away gets them back from the journal."""
    tables = LabelTables(mirror, name)
    if tables.exist:
        return True
    kept = journal.labels.latest_day(mirror.name, name)
    if kept:
        tables.restored(journal.labels)
    return bool(kept)


def _segmentation(
    mirror: AccountMirror,
    journal: Journal,
    config: Config,
    settings: SegmentationSettings,
    revenue: str | None,
    consents: Relation,
    models: bool,
) -> SegmentationFigures:
    name = settings.name
    channels = [REACHABLE + channel for channel in CHANNELS]
    as_of, before = (_day(mirror.stamp(f"{state}:{name}")) for state in ("labels", "before"))
    if as_of is None:
        as_of = _day(journal.labels.latest_day(mirror.name, name))
    moves = movement(mirror, journal, name, as_of)
    days = [motion.as_of for motion in moves.motions]
    return SegmentationFigures(
        name=name,
        title=settings.title or name,
        kind=settings.kind,
        as_of=as_of,
        before=before,
        segments=sizes.segments(
            sizes_and_revenue(mirror, labels_of(name), revenue),
            settings,
            named_segments(config, journal, settings, mirror.name),
            revenue,
        ),
        flows=flows(mirror, name) if before else [],
        movement=moves,
        spots=sizes.spots(mirror, name) if models else [],
        reasons=sizes.reasons(mirror, name) if models else [],
        typical=typical(mirror, labels_of(name), consents, channels, as_of) if as_of else {},
        since=since_last_month(mirror, journal, name, as_of, days) if as_of else None,
    )


def _day(stamp: str | None) -> date | None:
    """The day of a stamp (JSON with ``as_of``) or of a bare ISO date."""
    text = (json.loads(stamp).get("as_of") if stamp.startswith("{") else stamp) if stamp else None
    return date.fromisoformat(text) if text else None


def _coverage(mirror: AccountMirror, people: Relation, wanted: Collection[str]) -> list[Coverage]:
    """The ``wanted`` attributes, and by which channels records may be reached where the CRM tells."""
    attributes = mirror.columns_of(people)
    columns = {name: quoted("attribute." + name) for name in wanted if "attribute." + name in attributes}
    columns |= {"e-mail address": "nullif(email, '')"}
    columns |= {
        f"may be reached by {channel}: yes or no": quoted(f"reachable.{channel}") for channel in CHANNELS
    }
    covered = [Coverage(*entry) for entry in coverage.counts_with(mirror, people, columns).items()]
    absent = [Coverage(name, 0) for name in wanted if "attribute." + name not in attributes]
    return [entry for entry in covered if entry.known or entry.attribute in wanted] + absent


def _overlap(mirror: AccountMirror, first: str, second: str) -> Overlap:
    return Overlap(first, second, crossed(mirror, labels_of(first), labels_of(second)))


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
