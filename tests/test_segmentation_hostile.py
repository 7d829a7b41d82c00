"""Does every kind answer any frame of the right columns with a label and a reason, or a clear refusal, and never a traceback?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation import models
from segmentation.comparison import Kind
from segmentation.label import KINDS, segmentation, settings_model
from tests.segmentation_frames import Played, cdnow

AS_OF = date(2025, 6, 30)
LATER = AS_OF + timedelta(days=7)
ATTRIBUTES = {
    "city": Kind(),
    "income": Kind("ordered", ("low", "high")),
    "kids": Kind("number"),
    "vip": Kind("bool"),
    "since": Kind("date"),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "clusters": {"attributes": list(ATTRIBUTES)},
    "response": {"attributes": list(ATTRIBUTES), "within_days": 30, "categories": ["Wine"], "kinds": ["visit"]},
    "offers": {"categories": ["Wine", "Käse", "123"]},
}
SORTS = [
    *[(kind, {}) for kind in KINDS if kind not in ("rules", "offers")],  # rules read facts: tests/test_rules_segments.py
    *OPTIONS.items(),
    ("clusters", {"k": 5}),
    ("response", {"absent": True}),
    ("offers", {"categories": ["Wine"], "goal": "discover"}),
]
NAMES = [f"{kind}-{place}" for place, (kind, _) in enumerate(SORTS)]


def chosen(place: int) -> Any:
    kind, options = SORTS[place]
    return segmentation(kind, options, "EUR", 2, attributes=ATTRIBUTES)


@cache
def template(place: int) -> pd.DataFrame:
    """A frame of the columns that a kind reads, with their types, and no row."""
    return Played(cdnow(), chosen(place), date(1997, 9, 30)).now().head(0)


DAYS = st.none() | st.dates(date(1990, 1, 1), AS_OF)
FUTURE = DAYS | st.dates(AS_OF, date(2030, 1, 1))
WHOLE = st.integers(-5, 5) | st.integers(-(2**53), 2**53)
FLOATS = st.none() | st.floats(allow_nan=True, allow_infinity=True) | st.floats(0, 100)
TEXTS = st.none() | st.sampled_from(["Oslo", "low", "high", ""]) | st.text(max_size=4)
BASKETS = st.none() | st.sampled_from(["Wine\x1f3", "Wine\x1f3\x1fKäse\x1f1", "123\x1f12"])
BROKEN = BASKETS | st.sampled_from(["Wine\x1fx", "Wine", "\x1f\x1f", ""])
GIVEN: dict[str, Any] = {"attribute.kids": FLOATS, "attribute.vip": st.none() | st.booleans(), "attribute.since": FUTURE}


def cells(name: str, dtype: Any, wrong: bool) -> Any:
    if name in GIVEN:
        return GIVEN[name]
    if name == "baskets":
        return BROKEN if wrong else BASKETS
    if str(dtype).startswith("datetime"):
        return FUTURE if wrong else DAYS
    return WHOLE if dtype.kind == "i" else FLOATS if dtype.kind == "f" else TEXTS


@st.composite
def frames(draw: Any, place: int, times: Sequence[int] = (1, 40)) -> pd.DataFrame:
    """A few rows, or the same ones many times over: constant columns, all null, one row, none."""
    wrong = draw(st.integers(0, 5)) == 0
    types = {str(name): dtype for name, dtype in template(place).dtypes.items() if name != "record"}
    columns = {name: cells(name, dtype, wrong) for name, dtype in types.items()}
    rows = draw(st.lists(st.tuples(*columns.values()), max_size=8))
    rows = rows * draw(st.sampled_from(times))
    table = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    found: dict[str, Any] = {"record": pd.Series(range(len(rows)), dtype="int64")}
    for (name, dtype), values in zip(types.items(), table, strict=True):
        found[name] = pd.Series(list(values), dtype="int64" if dtype.kind == "i" else "float64" if dtype.kind == "f" else "object")
    return pd.DataFrame(found)


class Anything:
    """A past that holds the same frame on each day, and outcomes by chance."""

    model = None
    first = date(1980, 1, 1)

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame

    def features(self, day: date) -> pd.DataFrame:
        return self.frame

    def outcomes(self, day: date, days: int, kinds: Any = (), campaigns: Any = ()) -> pd.DataFrame:
        drawn = np.random.default_rng(day.toordinal()).integers(0, 2, (4, len(self.frame)))
        names = ("orders", "purchase_days", "net_revenue", *(f"count_{kind}" for kind in kinds))
        return pd.DataFrame({"record": self.frame["record"], **{name: drawn[place % 4] for place, name in enumerate(names)}})

    def until(self, day: date) -> Anything:
        return self

    def campaigns(self) -> pd.DataFrame:
        return pd.DataFrame({"campaign": ["a"], "day": [AS_OF], "sent": [1], "responded": [0]})


@pytest.mark.parametrize("place", range(len(SORTS)), ids=NAMES)
@settings(max_examples=20)
@given(st.data())
def test_any_frame_gets_labels_with_reasons_or_a_clear_refusal(place: int, data: Any) -> None:
    kind = chosen(place)
    keys = {segment.key for segment in kind.segments}
    first, second = data.draw(frames(place)), data.draw(frames(place))
    past = data.draw(st.sampled_from([None, Anything(first)]))
    try:
        model = models.from_json(models.to_json(kind.fit(first, AS_OF, past)))
        before = kind.label(first, model, None, None, AS_OF)
        after = kind.label(second, model, before, AS_OF, LATER)
    except ValueError as error:
        words = ("is after as_of", "is null in row", "baskets of the features frame are broken", "expected whole numbers")
        assert any(word in str(error) for word in words), error
        return
    for labels, frame in ((before, first), (after, second)):
        assert len(labels) == len(frame) and set(labels["segment"]) <= keys
        assert labels["reason"].str.len().between(1, 255).all()
        assert labels["score"].dropna().between(0, 1).all()


@pytest.mark.parametrize("place", range(len(SORTS)), ids=NAMES)
def test_a_quiet_frame_is_labelled_whatever_its_size(place: int) -> None:
    kind = chosen(place)
    for count in (0, 1, 7, 300):
        columns = {name: _quiet(dtype, count) for name, dtype in template(place).dtypes.items()}
        frame = pd.DataFrame({**columns, "record": range(count)}).astype({"record": "int64"})
        model = kind.fit(frame, AS_OF, Anything(frame))
        labels = kind.label(frame, models.from_json(models.to_json(model)), None, None, AS_OF)
        assert len(labels) == count and labels["segment"].nunique() == min(count, 1)
        assert labels["reason"].str.len().between(1, 255).all()


def _quiet(dtype: Any, count: int) -> pd.Series:
    return pd.Series([0 if dtype.kind == "i" else None] * count, dtype="int64" if dtype.kind == "i" else "object")


@pytest.mark.parametrize("place", range(len(SORTS)), ids=NAMES)
def test_options_know_the_keys_of_the_segments(place: int) -> None:
    kind, options = SORTS[place]
    assert settings_model(kind).model_validate(options).keys() == [segment.key for segment in chosen(place).segments]
