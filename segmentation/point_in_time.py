"""What may a fit ask of the past? A kind that learns what follows from what looks back to earlier days, and
at what came after.

Features of an earlier day hold only what had happened *and* was recorded by then; outcomes are what is known
of the days after it today. A record that was not known then is not among them: one that was made later, or of
which, where nobody says when it was made, nothing was known yet. So nothing that was learned later leaks into
what a model learns from.
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

    def features(self, day: date, campaigns: Sequence[str] = ()) -> pd.DataFrame:
        """What the segmentation's ``reads`` gives of the facts as of ``day``, ordered by record.

        Only of records that were known by then: made by that day, or, where it is not known when, with activity
        by then, or seen by a pull. For ``campaigns``, which are sent on the next day, of those known by that.
        Of many, a draw by a hash of the record, the same on each day. Attributes are those of today.
        """

    def undated(self, day: date) -> tuple[int, int]:
        """Of how many records of today's population does nobody know whether they were there on an earlier
        day, and how many are there in all? They have no activity, no day on which they were made, and were
        first seen later; so they are not among ``features(day)``.
        """

    def outcomes(
        self, day: date, days: int, kinds: Sequence[str] = (), campaigns: Sequence[str] = ()
    ) -> pd.DataFrame:
        """What the records of ``features(day, campaigns)`` did in the days (day, day + days], in the same order.

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
