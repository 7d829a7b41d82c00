"""Is a record near a place?

Great-circle distance by the haversine formula on a sphere of 6,371.0088 km (IUGG mean radius).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import asin, cos, radians, sin, sqrt
from typing import TYPE_CHECKING, Any

from segmentation.feature_request import Needs
from segmentation.rules.comparison import ATTRIBUTE, Logic

if TYPE_CHECKING:
    import ibis
    from ibis.expr.types import BooleanValue, NumericValue, StringValue

EARTH_KM = 6371.0088


@dataclass(frozen=True)
class Near:
    """At most ``km`` kilometres from (``latitude``, ``longitude``) in degrees; unknown where a coordinate is
    missing or no such place.
    """

    km: float
    latitude: float
    longitude: float
    attributes_read: tuple[str, str] = ("latitude", "longitude")

    @property
    def attributes(self) -> frozenset[str]:
        """Names of the attributes that hold a record's coordinates."""
        return frozenset(self.attributes_read)

    @property
    def needs(self) -> Needs:
        """No feature."""
        return Needs()

    def expression(self, facts: ibis.Table) -> BooleanValue:
        """The comparison over a facts frame; null where it is unknown."""
        near: BooleanValue = self._distance(facts) <= self.km
        return near

    def words(self, facts: ibis.Table) -> StringValue:
        """How far the record is."""
        away: StringValue = self._distance(facts).round(1).cast("string").fill_null("unknown distance")
        return away + f" km from {self.latitude:g}, {self.longitude:g}"

    def evaluate(self, row: Mapping[str, Any]) -> Logic:
        """The comparison over one row of a facts frame."""
        latitude, longitude = (row.get(ATTRIBUTE + name) for name in self.attributes_read)
        if latitude is None or longitude is None or not (abs(latitude) <= 90 and abs(longitude) <= 180):
            return None
        return kilometres((latitude, longitude), (self.latitude, self.longitude)) <= self.km

    def _distance(self, facts: ibis.Table) -> NumericValue:
        import ibis

        latitude, longitude = (facts[ATTRIBUTE + name].cast("float64") for name in self.attributes_read)
        north, east = (
            ((latitude - self.latitude).radians() / 2).sin(),
            ((longitude - self.longitude).radians() / 2).sin(),
        )
        half = north * north + latitude.radians().cos() * cos(radians(self.latitude)) * east * east
        on_earth = (latitude.abs() <= 90) & (longitude.abs() <= 180)
        distance: NumericValue = ibis.ifelse(
            on_earth, 2 * EARTH_KM * ibis.least(half, 1.0).sqrt().asin(), None
        )
        return distance


def kilometres(here: tuple[float, float], there: tuple[float, float]) -> float:
    """Great-circle distance of two places (latitude, longitude in degrees)."""
    north, east = sin(radians(here[0] - there[0]) / 2), sin(radians(here[1] - there[1]) / 2)
    half = north * north + cos(radians(here[0])) * cos(radians(there[0])) * east * east
    return 2 * EARTH_KM * asin(sqrt(min(half, 1.0)))
