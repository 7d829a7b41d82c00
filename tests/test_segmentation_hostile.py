"""Does every kind answer any frame of the right columns with a label and a reason, or a clear refusal, and
never a traceback?

Warnings are errors here, and nothing that comes out is infinite or no number. Frames by hypothesis may
contradict themselves; the businesses of ``tests/hostile_shops.py`` come through the features, with a past to
learn from.
"""

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

from segmentation import model_file
from segmentation.evaluation import attribution, metrics, migration, scorecard, uplift
from segmentation.evaluation.backtest import run_backtest
from segmentation.kinds import KINDS, kind_named
from segmentation.kinds.base import Kind as AnyKind
from segmentation.models import segment_forecast
from segmentation.rules.comparison import AttributeType
from tests.hostile_shops import DAY, finite, opened
from tests.segmentation_frames import Played, cdnow, segmentation

pytestmark = [
    pytest.mark.filterwarnings(f"error::{warning}")
    for warning in ("RuntimeWarning", "UserWarning", "FutureWarning")
]

AS_OF = date(2025, 6, 30)
LATER = AS_OF + timedelta(days=7)
ATTRIBUTES = {
    "city": AttributeType(),
    "income": AttributeType("ordered", ("low", "high")),
    "kids": AttributeType("number"),
    "vip": AttributeType("bool"),
    "since": AttributeType("date"),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "clusters": {"attributes": list(ATTRIBUTES)},
    "response": {
        "attributes": list(ATTRIBUTES),
        "within_days": 30,
        "categories": ["Wine"],
        "activity_types": ["visit"],
    },
    "offers": {"categories": ["Wine", "Käse", "123"]},
}
SORTS = [
    # rules read facts: tests/test_rules_segments.py
    *[(kind, {}) for kind in KINDS if kind not in ("rules", "offers")],
    *OPTIONS.items(),
    ("clusters", {"k": 5}),
    ("response", {"churn": True}),
    ("offers", {"categories": ["Wine"], "goal": "discover"}),
]
NAMES = [f"{kind}-{index}" for index, (kind, _) in enumerate(SORTS)]


def chosen(index: int) -> Any:
    kind, options = SORTS[index]
    return segmentation(kind, options, "EUR", 2, attributes=ATTRIBUTES)


@cache
def template(index: int) -> pd.DataFrame:
    """A frame of the columns that a kind reads, with their types, and no row."""
    return Played(cdnow(), chosen(index), date(1997, 9, 30)).now().head(0)


DAYS = st.none() | st.dates(date(1990, 1, 1), AS_OF) | st.dates(date(1900, 1, 1), date(1900, 2, 1))
FUTURE = DAYS | st.dates(AS_OF, date(2200, 1, 1))
WHOLE = st.integers(-5, 5) | st.integers(-(2**53), 2**53) | st.sampled_from([10**17, -(10**17), 0])
FLOATS = st.none() | st.floats(allow_nan=True, allow_infinity=True) | st.floats(0, 100)
TEXTS = st.none() | st.sampled_from(["Oslo", "low", "high", "", "x" * 1_000_000]) | st.text(max_size=4)
BASKETS = st.none() | st.sampled_from(["Wine\x1f3", "Wine\x1f3\x1fKäse\x1f1", "123\x1f12"])
BROKEN = BASKETS | st.sampled_from(["Wine\x1fx", "Wine", "\x1f\x1f", ""])
GIVEN: dict[str, Any] = {
    "attribute.kids": FLOATS,
    "attribute.vip": st.none() | st.booleans(),
    "attribute.since": FUTURE,
}


def cells(name: str, dtype: Any, wrong: bool) -> Any:
    if name in GIVEN:
        return GIVEN[name]
    if name == "baskets":
        return BROKEN if wrong else BASKETS
    if str(dtype).startswith("datetime"):
        return FUTURE if wrong else DAYS
    return WHOLE if dtype.kind == "i" else FLOATS if dtype.kind == "f" else TEXTS


@st.composite
def frames(draw: Any, index: int, times: Sequence[int] = (1, 40)) -> pd.DataFrame:
    """A few rows, or the same ones many times over: constant columns, all null, one row, none."""
    wrong = draw(st.integers(0, 5)) == 0
    types = {str(name): dtype for name, dtype in template(index).dtypes.items() if name != "record"}
    columns = {name: cells(name, dtype, wrong) for name, dtype in types.items()}
    rows = draw(st.lists(st.tuples(*columns.values()), max_size=8))
    rows = rows * draw(st.sampled_from(times))
    table = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    series_by_name: dict[str, Any] = {"record": pd.Series(range(len(rows)), dtype="int64")}
    for (name, dtype), values in zip(types.items(), table, strict=True):
        series_by_name[name] = pd.Series(
            list(values), dtype="int64" if dtype.kind == "i" else "float64" if dtype.kind == "f" else "object"
        )
    return pd.DataFrame(series_by_name)


class Anything:
    """A past that holds the same frame on each day, and outcomes by chance."""

    first = date(1900, 1, 1)

    def __init__(self, frame: pd.DataFrame, model: Any = None) -> None:
        self.frame, self.model = frame, model

    def features(self, day: date) -> pd.DataFrame:
        return self.frame

    def outcomes(self, day: date, days: int, kinds: Any = (), campaigns: Any = ()) -> pd.DataFrame:
        drawn = np.random.default_rng(day.toordinal()).integers(0, 2, (4, len(self.frame)))
        names = ("orders", "purchase_days", "net_revenue", *(f"count_{kind}" for kind in kinds))
        return pd.DataFrame(
            {"record": self.frame["record"], **{name: drawn[index % 4] for index, name in enumerate(names)}}
        )

    def until(self, day: date) -> Anything:
        return self

    def few(self, most: int) -> Anything:
        return self

    def undated(self, day: date) -> tuple[int, int]:
        return 0, len(self.frame)

    def campaigns(self) -> pd.DataFrame:
        return pd.DataFrame({"campaign": ["a"], "day": [AS_OF], "sent": [1], "responded": [0]})


@pytest.mark.parametrize("index", range(len(SORTS)), ids=NAMES)
@settings(max_examples=8)
@given(st.data())
def test_any_frame_gets_labels_with_reasons_or_a_clear_refusal(index: int, data: Any) -> None:
    kind = chosen(index)
    keys = {segment.key for segment in kind.segments}
    first, second = data.draw(frames(index)), data.draw(frames(index))
    past = data.draw(st.sampled_from([None, Anything(first)]))
    try:
        model = model_file.from_json(model_file.to_json(kind.fit(first, AS_OF, past)))
        before = kind.label(first, model, None, None, AS_OF)
        after = kind.label(second, model, before, AS_OF, LATER)
        again = model_file.from_json(model_file.to_json(kind.fit(second, LATER, Anything(second, model))))
        last = kind.label(second, again, before, AS_OF, LATER)
    except ValueError as error:
        words = (
            "is after as_of",
            "is null in row",
            "baskets of the features frame are broken",
            "expected whole numbers",
        )
        assert any(word in str(error) for word in words), error
        return
    for labels, frame in ((before, first), (after, second), (last, second)):
        assert len(labels) == len(frame)
        sound(labels, keys)
    for fitted in (model, again):
        finite(fitted)
        assert {segment.key for segment in kind.named(fitted)} <= keys


def sound(labels: pd.DataFrame, keys: set[str]) -> None:
    """Everybody has a segment that there is, a score that is none or a share, and a reason that says
    something.
    """
    assert set(labels["segment"]) <= keys
    assert labels["reason"].str.len().between(1, 255).all()
    assert not labels["reason"].str.contains(r"\b(?:nan|inf|NaT|None)\b").any()
    assert labels["score"].dropna().between(0, 1).all()


@pytest.mark.parametrize("index", range(len(SORTS)), ids=NAMES)
def test_a_quiet_frame_is_labelled_whatever_its_size(index: int) -> None:
    kind = chosen(index)
    for count in (0, 1, 7, 300):
        columns = {name: _quiet(dtype, count) for name, dtype in template(index).dtypes.items()}
        frame = pd.DataFrame({**columns, "record": range(count)}).astype({"record": "int64"})
        model = kind.fit(frame, AS_OF, Anything(frame))
        labels = kind.label(frame, model_file.from_json(model_file.to_json(model)), None, None, AS_OF)
        assert len(labels) == count and labels["segment"].nunique() == min(count, 1)
        assert labels["reason"].str.len().between(1, 255).all()


def _quiet(dtype: Any, count: int) -> pd.Series:
    return pd.Series(
        [0 if dtype.kind == "i" else None] * count, dtype="int64" if dtype.kind == "i" else "object"
    )


@pytest.mark.parametrize("index", range(len(SORTS)), ids=NAMES)
def test_options_know_the_keys_of_the_segments(index: int) -> None:
    kind, options = SORTS[index]
    assert kind_named(kind).model_validate(options).keys() == [
        segment.key for segment in chosen(index).segments
    ]


# -- businesses
# ---------------------------------------------------------------------------------------------------

BY = {"categories": ["Wine", "Beer"], "goal": "discover", "segment_by": "stage"}
CAMPAIGN = {"target": "campaign_response", "campaign_pattern": "Spring *", "cost": 1, "value": 4}
BOUGHT = ("nobody", "negative", "refunded", "huge", "both ends")
RUNS: list[tuple[str, str, dict[str, Any]]] = [
    *[(shop, "rfm", {}) for shop in BOUGHT],
    *[(shop, "abc", {"window_days": 7}) for shop in ("zero", "huge")],
    *[(shop, "lifecycle", {}) for shop in ("one customer", "future", "same day", "ten thousand purchases")],
    ("one row", "potential", {}),
    ("nobody", "clusters", {"attributes": ["city", "kids", "since", "each"], "activity_types": ["visit"]}),
    ("clockwork", "clusters", {"k": 20, "max_clusters": 20}),
    ("visits only", "response", {"within_days": 30, "attributes": ["city", "kids", "since", "each"]}),
    *[(shop, "response", CAMPAIGN) for shop in ("nobody", "campaigns")],
    *[(shop, "offers", BY) for shop in ("one row", "every category", "long text")],
]
EARLIER, NEXT = DAY - timedelta(days=60), DAY + timedelta(days=7)


@pytest.mark.parametrize(("shop", "kind", "options"), RUNS, ids=[f"{shop}-{kind}" for shop, kind, _ in RUNS])
def test_a_business_out_of_joint_is_labelled_judged_and_foretold_or_refused_with_a_reason(
    shop: str, kind: str, options: dict[str, Any]
) -> None:
    types = {
        "city": AttributeType(),
        "kids": AttributeType("number"),
        "since": AttributeType("date"),
        "each": AttributeType(),
    }
    con, chosen = opened(shop), segmentation(kind, options, "EUR", 2, attributes=types)
    keys, past = {segment.key for segment in chosen.segments}, Played(con, chosen, DAY)
    model = model_file.from_json(model_file.to_json(chosen.fit(past.now(), DAY, past)))
    before = chosen.label(past.now(), model, None, None, DAY)
    later = Played(con, chosen, NEXT, model)
    frame = later.now()
    again = model_file.from_json(model_file.to_json(chosen.fit(frame, NEXT, later)))
    after, anew = (chosen.label(frame, fitted, before, DAY, NEXT) for fitted in (model, again))
    for labels in (before, after, anew):
        sound(labels, keys)
    _judged(chosen, past, (model, again), (before, after, anew), con)
    if kind == "potential":
        outlook = segment_forecast.outlook(frame, again, after.set_index("record")["segment"], NEXT, 3660, 2)
        finite(outlook.select_dtypes("number").to_dict("list"))
        assert not segment_forecast.error_in_words(again, 90).startswith(" ")
        assert (outlook["money_low"] <= outlook["money"] + 1e-3).all() and (
            outlook["money"] <= outlook["money_high"] + 1e-3
        ).all()
    if kind == "rfm":
        _travelled(con, after)


class _Ranked:
    """A kind whose segments are all ordered."""

    def __init__(self, kind: AnyKind) -> None:
        self.judgement, self.own_lines, self.ranked = kind.judgement, kind.own_lines, tuple(kind.keys())


def _judged(
    chosen: Any, past: Played, fitted: tuple[Any, Any], labelled: Sequence[pd.DataFrame], con: Any
) -> None:
    """The card, the proposal, the composition and the migration say only what is finite."""
    before, after, anew = labelled
    seen = run_backtest(chosen, past, EARLIER, 60) if len(past.features(EARLIER)) else None
    lines = scorecard.card(_Ranked(chosen.kind), seen, scorecard.Today(after, {}, ["a"], before), fitted[1])
    people = con.con.execute(
        'SELECT record, "attribute.city" AS city, "attribute.kids" AS kids FROM records'
    ).df()
    revenue = past.now().set_index("record").get("net_revenue")
    moves = migration.migration(before, after, [], revenue)
    finite(
        [
            scorecard.as_dicts(lines),
            scorecard.proposal(*fitted, before, anew),
            scorecard.composition(after, people),
        ]
    )
    finite([moves.moved, moves.probabilities.tolist(), moves.stationary, moves.stay, moves.flows()])
    finite(migration.returns([labels.set_index("record")["segment"] for labels in labelled]))
    assert all(abs(flow["revenue"]) < 2**63 for flow in moves.flows())


def _travelled(con: Any, labels: pd.DataFrame) -> None:
    import ibis

    con.create_table("labels", labels[["record", "segment"]], overwrite=True)
    ways = attribution.journey(
        lambda query: con.con.execute(ibis.to_sql(query, dialect="duckdb")).df(),
        con.table("activity"),
        con.table("labels"),
        DAY,
    )
    for way in ways.values():
        finite(
            [
                way["steps"],
                way["removal"],
                way["sessions"],
                way["first"].median,
                way["second"].after(30),
                way["first"].waiting.tolist(),
            ]
        )


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1), st.booleans()), min_size=1, max_size=8),
    st.sampled_from([1, 60]),
)
def test_an_effect_is_finite_or_a_note_says_why_there_is_none(
    rows: list[tuple[float, int, bool]], times: int
) -> None:
    score, outcome, treated = (np.array(column * times) for column in zip(*rows, strict=True))
    figures = uplift.effect(score, outcome.astype(float), treated)
    finite(figures)
    assert ("uplift" in figures) == (min(treated.sum(), (~treated).sum()) >= uplift.FEWEST) and (
        "uplift" in figures or figures["note"]
    )
    finite(
        [
            metrics.gini(score, outcome),
            metrics.capture(score, outcome),
            metrics.qini(score, outcome, treated),
        ]
    )


# -- care with people
# ---------------------------------------------------------------------------------------------

PERSONAL = (
    "gender",
    "age",
    "health",
    "ethnicity",
    "Birth Date",
    "sexualOrientation",
    "religion",
    "Geschlecht",
)


@pytest.mark.parametrize("index", range(len(SORTS)), ids=NAMES)
def test_no_kind_even_reads_a_sensitive_attribute_that_is_not_switched_on_by_name(index: int) -> None:
    kind, options = SORTS[index]
    facts = Played(cdnow(), chosen(index), date(1997, 9, 30))._table(date(1997, 9, 30), chosen(index).needs)
    facts = facts.mutate(**{f"attribute.{name}": facts.record.cast("string") for name in PERSONAL})
    assert not {f"attribute.{name}" for name in PERSONAL} & set(chosen(index).reads(facts).columns)
    if kind in ("clusters", "response"):
        types = {**ATTRIBUTES, **dict.fromkeys(PERSONAL, AttributeType())}
        for name in PERSONAL:
            with pytest.raises(ValueError, match="is sensitive"):
                segmentation(kind, {**options, "attributes": [name]}, "EUR", 2, attributes=types)
            asked = segmentation(kind, {**options, "sensitive": [name]}, "EUR", 2, attributes=types)
            assert f"attribute.{name}" in asked.reads(facts).columns
