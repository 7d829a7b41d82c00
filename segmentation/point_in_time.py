"""What may a fit ask of the past? A kind that learns what follows from what looks back to earlier days, and
at what came after.

Features of an earlier day hold only what had happened *and* was recorded by then; outcomes are what is known
of the days after it today. So nothing that was learned later leaks into what a model learns from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pandas as pd

SENT = "campaign_sent"
RESPONSE = "campaign_response"


class Past(Protocol):
    """The days before an ``as_of``, as one segmentation sees them."""

    @property
    def model(self) -> Mapping[str, Any] | None:
        """The model that a fit replaces; None: there is none."""

    @property
    def first(self) -> date | None:
        """Day of the earliest activity; None: there is none."""

    def features(self, day: date) -> pd.DataFrame:
        """What the segmentation's ``reads`` gives of the facts as of ``day``, ordered by record.

        Only of records that existed by then; of many, a draw by a hash of the record, the same on each day.
        Attributes are those of today.
        """

    def outcomes(
        self, day: date, days: int, kinds: Sequence[str] = (), campaigns: Sequence[str] = ()
    ) -> pd.DataFrame:
        """What the records of ``features(day)`` did in the days (day, day + days], in the same order.

        Columns: record, orders, purchase_days, net_revenue (minor units) and count_KIND of ``kinds``.
        ``campaigns`` limits the counts of kinds to the activity of these. ValueError where that span does not
        end by as_of.
        """

    def until(self, day: date) -> Past:
        """The past as it was on an earlier day."""

    def few(self, most: int) -> Past:
        """The same of about so many records at most, drawn alike: for what many days are looked at."""

    def campaigns(self) -> pd.DataFrame:
        """Campaigns whose sending is known: campaign, day (of the first ``campaign_sent``), sent and
        responded (records); by day.
        """
