"""Do the figures about moves and returns say what a slow reading, record by record and day by day, says?"""

from __future__ import annotations

import tempfile
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.account.session import Session, locked
from sync.context import Context
from sync.report.transitions import RETURN_DAYS, Motion, Movement, movement
from tests.world import World

FIRST = date(2024, 1, 7)
State = dict[str, str | None]
SCHEMA = pa.schema([(name, pa.string()) for name in ("record_type", "id", "segment")])


def told(days: list[date], states: list[State], until: date | None = None) -> Movement:
    """What the report says of a journal with these states."""
    with tempfile.TemporaryDirectory() as folder:
        config = World(Path(folder)).config()
        with locked(config) as journal:
            session = Session.begin(Context(config, "portal"), journal)
            before: State = {}
            for day, state in zip(days, states, strict=True):
                changed = [
                    {"record_type": "contact", "id": id, "segment": s}
                    for id, s in state.items()
                    if before.get(id) != s
                ]
                journal.labels.save(
                    "portal", "rfm", day.isoformat(), [pa.Table.from_pylist(changed, schema=SCHEMA)]
                )
                before = state
            ids = pa.table({"record_type": ["contact"] * len(states[0]), "id": list(states[0])})
            session.mirror().register(ids)
            measured = movement(session.mirror(), journal, "rfm", until)
            session.close()
    return measured


def slowly(days: list[date], states: list[State]) -> Movement:
    """The same by definition."""
    motions, back = [], set()
    sizes: dict[str, list[int]] = {s: [] for state in states for s in state.values() if s}
    for position, (day, state) in enumerate(zip(days, states, strict=True)):
        moved = [
            id
            for id, s in state.items()
            if position and s and states[position - 1][id] and states[position - 1][id] != s
        ]
        returned = []
        for id in moved:
            for earlier in range(1, position):
                left, then = states[earlier - 1][id], states[earlier][id]
                if left == state[id] and then and then != left and (day - days[earlier]).days <= RETURN_DAYS:
                    returned.append(id)
                    break
        back |= set(returned)
        motions.append(Motion(day, sum(s is not None for s in state.values()), len(moved), len(returned)))
        for segment, counts in sizes.items():
            counts.append(sum(s == segment for s in state.values()))
    return Movement(motions, sizes, sum(any(state[id] for state in states) for id in states[0]), len(back))


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[date], list[State]]:
    """Some labellings at odd distances; a record may be outside of the population on a day."""
    gaps = draw(st.lists(st.integers(1, 60), min_size=1, max_size=6))
    days = [FIRST + timedelta(days=sum(gaps[:position])) for position in range(len(gaps) + 1)]
    ids = [str(number) for number in range(draw(st.integers(1, 4)))]
    segment = st.sampled_from(["a", "b", "c", None])
    return days, [{id: draw(segment) for id in ids} for _ in days]


@settings(max_examples=30)
@given(histories())
def test_folding_in_the_engine_equals_reading_record_by_record(
    history: tuple[list[date], list[State]],
) -> None:
    days, states = history
    assert told(days, states) == slowly(days, states)


def test_a_return_counts_at_any_distance_but_not_after_twelve_weeks() -> None:
    days = [FIRST + timedelta(weeks=week) for week in (0, 1, 2, 13, 14)]
    walk: list[State] = [
        {"1": s, "2": t} for s, t in (("a", "a"), ("b", "b"), ("c", "b"), ("a", "b"), ("a", "a"))
    ]
    measured = told(days, walk)
    assert [motion.returned for motion in measured.motions] == [0, 0, 0, 1, 0], (
        "twelve weeks after it left, and thirteen"
    )
    assert (measured.returned_share, [motion.moved for motion in measured.motions]) == (0.5, [0, 2, 1, 1, 1])


def test_a_week_is_a_week_however_often_labels_are_made() -> None:
    states: list[State] = [{"1": s, "2": "x"} for s in "abab"]
    weekly = told([FIRST + timedelta(days=7 * n) for n in range(4)], states)
    daily = told([FIRST + timedelta(days=n) for n in range(4)], states)
    assert weekly.moved_per_week == 0.5 and daily.moved_per_week == 3.5


def test_labellings_after_the_day_of_the_report_do_not_count() -> None:
    days = [FIRST, FIRST + timedelta(days=7), FIRST + timedelta(days=14)]
    measured = told(days, [{"1": "a"}, {"1": "b"}, {"1": "c"}], until=days[1])
    assert [motion.as_of for motion in measured.motions] == days[:2] and measured.sizes == {
        "a": [1, 0],
        "b": [0, 1],
    }
