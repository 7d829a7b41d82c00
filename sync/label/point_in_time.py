"""What a segmentation sees of the days before ``as_of``, from the mirror: see ``segmentation.point_in_time``."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from sync.label.activity import AccountActivity
from sync.store import first_seen, lazy
from sync.store.bound_days import BoundDay, written
from sync.store.chunks import drawn
from sync.store.mirror import literal
from sync.store.relation import Relation
from sync.store.scratch import remembered

if TYPE_CHECKING:
    import ibis
    import pandas as pd

    from segmentation.feature_request import Needs
    from segmentation.protocol import Segmentation

DRAWN = 200_000  # records of an earlier day: more teach a model nothing that it would show
_DAY, _RECORDED_BY = BoundDay("past_day"), BoundDay("past_recorded_by")
_KNOWN_BY = BoundDay("past_known_by")


@dataclass(frozen=True)
class AccountPast:
    """The past of one account's segmentation. Frames of one day are computed once.

    Looked at are ``most`` records; a fit asks for many days, and they are the same on each.
    """

    segmentation: Segmentation
    activity: AccountActivity
    needs: Needs  # the features that the segmentation and its population look at
    frame: Callable[[Relation], ibis.Table]  # the population, with these features
    today: date
    as_of: date
    replaced: Callable[[], Mapping[str, Any] | None]  # the model that a fit replaces
    most: int = DRAWN
    draws: dict[int, Relation] = field(default_factory=dict, compare=False)  # by size, once they are drawn
    # SQL by what it asks, with the day left open: to compile it costs more than to run it
    compiled: dict[Hashable, Relation] = field(default_factory=dict, compare=False)
    _frames: dict[tuple[date, date], pd.DataFrame] = field(default_factory=dict, init=False, compare=False)

    @property
    def model(self) -> Mapping[str, Any] | None:
        """The model that a fit replaces, whatever its settings were."""
        return None if self.as_of < self.today else self.replaced()

    def until(self, day: date) -> AccountPast:
        """Without what happened or was recorded after ``day``, and without a model."""
        return replace(self, as_of=day)

    def few(self, most: int) -> AccountPast:
        """The same of about so many records at most."""
        return replace(self, most=min(most, self.most))

    @property
    def first(self) -> date | None:
        """Day of the earliest activity."""
        rows = self.activity.rows(answers=False)
        first_day: date | None = self.activity.mirror.value(f"SELECT min(day) FROM ({rows})")
        return first_day

    def features(self, day: date, campaigns: Sequence[str] = ()) -> pd.DataFrame:
        """What the segmentation reads of the records that were known on a day, ordered by record."""
        key = (day, day + timedelta(days=1) if campaigns else day)
        if key not in self._frames:
            self._frames[key] = self._read(*key)
        return self._frames[key]

    def _read(self, day: date, known_by: date) -> pd.DataFrame:
        features = self._features(day, self.needs, recorded_by=day)
        _KNOWN_BY.bind(self.activity.mirror, known_by)
        if "frame" not in self.compiled:
            self.compiled["frame"] = self._frame(features)
        return self.activity.mirror.run(f"SELECT * FROM ({self.compiled['frame']}) ORDER BY record").df()

    def _frame(self, features: Relation) -> Relation:
        """Of the records that were known by the bound day.

        Who bought was known, whenever the CRM made the record.
        """
        records = self.frame(features)
        heard_of = lazy.table(self.activity.mirror, self._heard_of(_KNOWN_BY.sql))
        made = (records.created_at.cast("date") <= _DAY.expression).fill_null(False)
        unknown = records.created_at.isnull() & records.record.isin(heard_of.record)
        known = made | unknown | records.first_purchase.notnull()
        return lazy.rows_of(self.segmentation.reads(records.filter(known)))

    def _heard_of(self, day: str) -> Relation:
        """(record) of those that had done anything by a day (in SQL), as recorded by it, or were seen by a pull."""
        rows = self.activity.rows(answers=False, recorded_by=day)
        seen = first_seen.by(self.activity.mirror, day)
        return Relation(f"SELECT record FROM ({rows}) WHERE day <= {day} UNION {seen}")

    def undated(self, day: date) -> tuple[int, int]:
        """Records that may have been there on a day or not, and all."""
        mirror = self.activity.mirror
        records = self.frame(self._features(self.as_of, self.needs, self._recorded_by))
        rows = self.activity.rows(answers=False)  # who is first heard of after as_of was not there on the day
        seen = first_seen.by(mirror, written(day))
        heard_of = lazy.table(mirror, Relation(f"SELECT record FROM ({rows}) UNION {seen}"))
        silent = records.created_at.isnull() & ~records.record.isin(heard_of.record)
        counts = lazy.rows_of(records.agg(undated=silent.sum(), records=records.count()))
        undated, count = mirror.rows(f"SELECT coalesce(undated, 0), records FROM ({counts})")[0]
        return int(undated), int(count)

    def outcomes(
        self, day: date, days: int, kinds: Sequence[str] = (), campaigns: Sequence[str] = ()
    ) -> pd.DataFrame:
        """What became of the records of ``features(day, campaigns)``."""
        from segmentation.feature_request import Needs

        end = day + timedelta(days=days)
        if end > self.as_of:
            raise ValueError(f"what happens until {end} is not known on {self.as_of}")
        asked = self.features(day, campaigns)["record"]
        needs = Needs(windows=(days,), kinds=tuple(kinds))
        outcome = self._features(end, needs, self._recorded_by, campaigns)
        names = ("orders", "purchase_days", "net_revenue", *(f"count_{kind}" for kind in kinds))
        columns = ", ".join(f'"{name}_{days}" AS "{name}"' for name in names)
        frame = self.activity.mirror.run(f"SELECT record, {columns} FROM ({outcome})").df()
        return frame.set_index("record").reindex(asked).fillna(0).astype("int64").reset_index()

    def campaigns(self) -> pd.DataFrame:
        """Campaigns that were sent, by their first day."""
        recorded_by = written(self._recorded_by) if self._recorded_by else ""
        rows = self.activity.rows(answers=True, recorded_by=recorded_by)
        return self.activity.mirror.run(
            f"""SELECT campaign, min(day) FILTER (kind = 'campaign_sent') AS day,
                       count(DISTINCT record) FILTER (kind = 'campaign_sent') AS sent,
                       count(DISTINCT record) FILTER (kind = 'campaign_response') AS responded
                FROM ({rows}) WHERE kind IN ('campaign_sent', 'campaign_response') AND campaign IS NOT NULL
                       AND day <= {literal(self.as_of.isoformat())}::DATE
                GROUP BY campaign HAVING sent > 0 ORDER BY day, campaign"""
        ).df()

    @property
    def _recorded_by(self) -> date | None:
        """Today everything counts that is known; of an earlier day what was recorded by then."""
        return self.as_of if self.as_of < self.today else None

    def _drawn(self) -> Relation:
        """(record) of those whose past is looked at."""
        if self.most not in self.draws:
            mirror, people = self.activity.mirror, self.activity.people
            count = int(mirror.value(f"SELECT count(*) FROM ({people})"))
            some = drawn(lazy.table(mirror, people), count, self.most).select("record")
            self.draws[self.most] = remembered(mirror, f"draw_of_{self.most}", lazy.rows_of(some))
        return self.draws[self.most]

    def _features(
        self, day: date, needs: Needs, recorded_by: date | None = None, campaigns: Sequence[str] = ()
    ) -> Relation:
        """Features of the drawn records as of a day; they hold until others are asked for."""
        mirror, key = self.activity.mirror, (needs, recorded_by is not None, tuple(campaigns), self.most)
        if key not in self.compiled:
            self.compiled[key] = self._features_of(needs, recorded_by is not None, campaigns)
        _DAY.bind(mirror, day)
        if recorded_by is not None:
            _RECORDED_BY.bind(mirror, recorded_by)
        return remembered(mirror, "past_features", self.compiled[key])

    def _features_of(self, needs: Needs, recorded: bool, campaigns: Sequence[str]) -> Relation:
        """The same as of the bound days."""
        from segmentation.features import features

        mirror = self.activity.mirror
        people = lazy.table(mirror, self._drawn())
        rows = self.activity.rows(bool(needs.answers or campaigns), _RECORDED_BY.sql if recorded else "")
        history = lazy.table(mirror, rows).semi_join(people, "record")
        if campaigns:
            history = history.filter(
                history.campaign.isin(list(campaigns)) | history.kind.isin(("purchase", "refund"))
            )
        return lazy.rows_of(features(people, history, _DAY.expression, needs, self.activity.shape))
