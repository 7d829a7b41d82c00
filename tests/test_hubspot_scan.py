"""Reading all ids by ranges: whatever ids there are, however threads interleave, each record comes once."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import RequestError
from connectors.rest.parallel_scan import END, Interval, Misbehaved, Scan, Slice, gaps, joined
from connectors.rest.source import Listed

IDS = st.one_of(
    st.sets(st.integers(1, 3000), max_size=1500),
    st.sets(st.one_of(st.integers(1, 2000), st.integers(10**10, 10**10 + 10**6)), max_size=1200),
)
INTERVALS = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 50)).map(lambda pair: (min(pair), max(pair)))
)


def listing(ids: Iterable[int], page: int = 100, exclusive: bool = False) -> Any:
    sorted_ids = sorted(ids)

    def fetch(after: str | None) -> Listed:
        start = int(after) + exclusive if after is not None else 0
        candidates = [id for id in sorted_ids if id >= start][: page + 1]
        shown, remaining = candidates[:page], candidates[page:]
        cursor = (shown[-1] if exclusive else remaining[0]) if remaining else None
        return Listed([{"id": str(id)} for id in shown], None if cursor is None else str(cursor))

    return fetch


def run(scan: Scan, threads: int, most: int = 10_000) -> list[Slice]:
    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(scan.step) for _ in range(most)]
        return [piece for future in futures if (piece := future.result()) is not None]


@given(IDS, st.booleans(), st.integers(1, 8), INTERVALS)
@settings(max_examples=30)
def test_each_record_comes_once_and_the_ids_are_covered(
    ids: set[int], exclusive: bool, threads: int, done: list[Interval]
) -> None:
    scan = Scan(listing(ids, exclusive=exclusive), gaps(done), max(ids, default=0), len(ids))
    pieces = run(scan, threads, 200)
    came = [int(row["id"]) for piece in pieces for row in piece.results]
    wanted = {id for id in ids if not any(first <= id < end for first, end in done)}
    assert sorted(came) == sorted(wanted)
    assert joined([*done, *((piece.first, piece.end) for piece in pieces)]) == [(0, END)]


@given(IDS, st.integers(1, 8))
@settings(max_examples=15)
def test_few_calls_are_wasted(ids: set[int], threads: int) -> None:
    calls: list[str | None] = []
    true = listing(ids)

    def fetch(after: str | None) -> Listed:
        calls.append(after)
        answer: Listed = true(after)
        return answer

    run(Scan(fetch, [(0, END)], max(ids, default=0), len(ids)), threads, 200)
    assert len(calls) <= len(ids) / 100 + 1 + 3 * threads + 34  # halving finds the ids that lie together


@pytest.mark.parametrize("count", [8_000, 10_000])
def test_a_first_reading_of_a_small_portal_makes_hardly_more_calls_than_there_are_pages(count: int) -> None:
    calls: list[str | None] = []
    ids = range(7, 7 + 3 * count, 3)
    true = listing(ids)

    def fetch(after: str | None) -> Listed:
        calls.append(after)
        time.sleep(0.002)  # so that each thread has a range of its own
        answer: Listed = true(after)
        return answer

    run(Scan(fetch, [(0, END)], max(ids), count), 8, 2 * count // 100)
    assert count // 100 < len(calls) <= count // 100 + 2


def test_a_cursor_that_is_no_id_is_found_out() -> None:
    def fetch(after: str | None) -> Listed:
        return Listed([{"id": str(id)} for id in range(1, 101)], "opaque")

    with pytest.raises(Misbehaved):
        run(Scan(fetch, [(0, END)], 10_000, 10_000), 2, 50)


def test_a_start_in_the_middle_that_is_refused_is_found_out() -> None:
    def fetch(after: str | None) -> Listed:
        if after is not None:
            raise RequestError("no such cursor")
        return Listed([{"id": str(id)} for id in range(1, 101)], "101")

    with pytest.raises((Misbehaved, RequestError)):
        run(Scan(fetch, [(0, END)], 10_000, 10_000), 2, 50)


def test_an_error_ends_all_threads() -> None:
    def fetch(after: str | None) -> Listed:
        raise RuntimeError("broken")

    scan = Scan(fetch, [(0, END)], 10_000, 10_000)
    with pytest.raises(RuntimeError):
        run(scan, 4, 20)
    assert scan.step() is None


@given(INTERVALS)
def test_what_is_read_and_what_is_left_are_all_ids(intervals: list[Interval]) -> None:
    left = gaps(intervals)
    assert joined([*intervals, *left]) == [(0, END)]
    assert not [
        gap for gap in left for first, end in intervals if first < gap[1] and gap[0] < end and first < end
    ]
