"""What a segmentation sees of the days before ``as_of``, from the mirror: see ``segmentation.point_in_time``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from sync.account.session import Session
from sync.consent.consent import consent_of
from sync.label.activity import prepare_deeds, unbound
from sync.label.chunks import drawn
from sync.label.feature_frame import facts, shape_of
from sync.label.spellings import needs_of
from sync.store.mirror import literal

if TYPE_CHECKING:
    import pandas as pd

    from segmentation.feature_request import Needs
    from segmentation.protocol import Segmentation
    from sync.config.settings import SegmentationSettings

DRAWN = 200_000  # records of an earlier day: more teach a model nothing that it would show


class AccountPast:
    """The past of one account's segmentation. Frames of one day are computed once."""

    def __init__(
        self,
        session: Session,
        settings: SegmentationSettings,
        segmentation: Segmentation,
        as_of: date | None = None,
        most: int = DRAWN,
    ) -> None:
        self._session, self._settings, self._segmentation = session, settings, segmentation
        self._as_of, self._most = as_of or session.as_of, most
        self.features = cache(self._features)
        self._draw = cache(self._drawn)

    @property
    def model(self) -> Mapping[str, Any] | None:
        """The model that a fit replaces, whatever its settings were."""
        from segmentation import model_file

        if self._as_of < self._session.as_of:
            return None
        stored = self._session.journal.models.latest(self._session.account, self._settings.name)
        try:
            return model_file.from_json(stored.content) if stored else None
        except ValueError:
            return None

    def until(self, day: date) -> AccountPast:
        """Without what happened or was recorded after ``day``, and without a model."""
        earlier = AccountPast(self._session, self._settings, self._segmentation, day, self._most)
        earlier._draw = self._draw
        return earlier

    def few(self, most: int) -> AccountPast:
        """The same of about so many records at most."""
        return AccountPast(
            self._session, self._settings, self._segmentation, self._as_of, min(most, self._most)
        )

    @property
    def first(self) -> date | None:
        """Day of the earliest activity."""
        self._prepare(None)
        first_day: date | None = self._session.mirror().value("SELECT min(day) FROM deeds")
        return first_day

    def _features(self, day: date) -> pd.DataFrame:
        import ibis

        self._compute(day, needs_of(self._session, self._settings), recorded_by=day)
        records = facts(self._session, self._settings, "past_features")
        existed = (records.created_at.cast("date") <= ibis.literal(day, "date")).fill_null(
            True
        ) | records.first_purchase.notnull()
        sql = ibis.to_sql(self._segmentation.reads(records.filter(existed)), dialect="duckdb")
        return self._session.mirror().run(f"SELECT * FROM ({sql}) ORDER BY record").df()

    def outcomes(
        self, day: date, days: int, kinds: Sequence[str] = (), campaigns: Sequence[str] = ()
    ) -> pd.DataFrame:
        """What became of the records of ``features(day)``."""
        from segmentation.feature_request import Needs

        end = day + timedelta(days=days)
        if end > self._as_of:
            raise ValueError(f"what happens until {end} is not known on {self._as_of}")
        asked = self.features(day)["record"]
        self._compute(end, Needs(windows=(days,), kinds=tuple(kinds)), self._recorded_by, campaigns)
        names = ("orders", "purchase_days", "net_revenue", *(f"count_{kind}" for kind in kinds))
        columns = ", ".join(f'"{name}_{days}" AS "{name}"' for name in names)
        frame = self._session.mirror().run(f"SELECT record, {columns} FROM past_features").df()
        return frame.set_index("record").reindex(asked).fillna(0).astype("int64").reset_index()

    def campaigns(self) -> pd.DataFrame:
        """Campaigns that were sent, by their first day."""
        self._prepare(self._recorded_by, answers=True)
        return (
            self._session.mirror()
            .run(
                f"""SELECT campaign, min(day) FILTER (kind = 'campaign_sent') AS day,
                       count(DISTINCT record) FILTER (kind = 'campaign_sent') AS sent,
                       count(DISTINCT record) FILTER (kind = 'campaign_response') AS responded
                FROM deeds WHERE kind IN ('campaign_sent', 'campaign_response') AND campaign IS NOT NULL
                       AND day <= {literal(self._as_of.isoformat())}::DATE
                GROUP BY campaign HAVING sent > 0 ORDER BY day, campaign"""
            )
            .df()
        )

    @property
    def _recorded_by(self) -> date | None:
        """Today everything counts that is known; of an earlier day what was recorded by then."""
        return self._as_of if self._as_of < self._session.as_of else None

    def _prepare(self, recorded_by: date | None, answers: bool = False) -> None:
        self._draw()
        prepare_deeds(self._session, answers, recorded_by)

    def _drawn(self) -> None:
        """The table ``drawn_MOST``: the records whose past is looked at.

        A fit asks for many days, and they are the same on each.
        """
        import ibis

        consent_of(self._session)  # makes the view ``people``
        mirror = self._session.mirror()
        people = unbound(mirror, "people")
        some = drawn(people, int(mirror.value("SELECT count(*) FROM people")), self._most).select("record")
        mirror.run(
            f"CREATE OR REPLACE TEMP TABLE drawn_{self._most} AS {ibis.to_sql(some, dialect='duckdb')}"
        )

    def _compute(
        self, day: date, needs: Needs, recorded_by: date | None = None, campaigns: Sequence[str] = ()
    ) -> None:
        """The table ``past_features`` of the drawn records."""
        import ibis

        from segmentation.features import features

        mirror = self._session.mirror()
        self._prepare(recorded_by, answers=bool(needs.answers or campaigns))
        people = unbound(mirror, f"drawn_{self._most}")
        deeds = unbound(mirror, "deeds").semi_join(people, "record")
        if campaigns:
            deeds = deeds.filter(
                deeds.campaign.isin(list(campaigns)) | deeds.kind.isin(("purchase", "refund"))
            )
        sql = ibis.to_sql(features(people, deeds, day, needs, shape_of(self._session)), dialect="duckdb")
        mirror.run(f"CREATE OR REPLACE TEMP TABLE past_features AS {sql}")
