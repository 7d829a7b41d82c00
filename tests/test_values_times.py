"""The time reader: every format reads back, and no format is named under which a column says other days."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.values.timestamp_formats import _CANDIDATES, TimeEvidence
from connectors.values.timestamps import instants

MOMENTS = [
    datetime(2026, 2, 3, 14, 12, 9),
    datetime(2025, 12, 31, 0, 0, 0),
    datetime(2024, 2, 29, 23, 59, 59),
    datetime(2025, 6, 17, 12, 30, 1),
]


def proven(texts: list[str]) -> TimeEvidence:
    evidence = TimeEvidence()
    evidence.add(pa.array(texts, pa.string()))
    return evidence


def read(texts: list[str], formats: list[str]) -> list[Any]:
    moments: list[Any] = instants(pa.array(texts, pa.string()), "UTC", formats)[0].to_pylist()
    return moments


def as_written(moment: datetime, format_: str) -> datetime:
    """What a format keeps of a moment."""
    return datetime.strptime(moment.strftime(format_), format_).replace(tzinfo=UTC)


@pytest.mark.parametrize("format_", list(_CANDIDATES))
def test_every_format_reads_back(format_: str) -> None:
    texts = [moment.strftime(format_) for moment in MOMENTS]
    assert read(texts, [format_]) == [as_written(moment, format_) for moment in MOMENTS]


@pytest.mark.parametrize("format_", list(_CANDIDATES))
def test_a_column_with_days_of_all_sorts_proves_its_format(format_: str) -> None:
    texts = [moment.strftime(format_) for moment in MOMENTS]
    formats = proven(texts).formats()
    assert formats is None or read(texts, formats) == [as_written(moment, format_) for moment in MOMENTS]
    if "%y/" not in format_ and "/%y" not in format_:
        assert formats is not None


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.datetimes(datetime(2021, 1, 1), datetime(2026, 6, 1)), min_size=1, max_size=25),
    st.sampled_from(list(_CANDIDATES)),
    st.integers(1, 7),
)
def test_no_format_is_named_under_which_a_column_says_other_days(
    moments: list[datetime], format_: str, size: int
) -> None:
    texts = [moment.strftime(format_) for moment in moments]
    evidence, parts = proven(texts), TimeEvidence()
    for start in range(0, len(texts), size):
        parts.add(pa.array(texts[::-1][start : start + size], pa.string()))
    formats = evidence.formats()
    assert parts.cells == evidence.cells and parts.read == evidence.read
    assert (parts.formats() is None) == (formats is None)
    if formats is None:
        assert evidence.doubt() and evidence.readings()
        return
    assert read(texts, formats) == [as_written(moment, format_) for moment in moments]
    assert read(texts, parts.formats() or []) == read(texts, formats)


def test_most_days_in_one_order_and_some_in_the_other_are_no_format() -> None:
    day_first = ["13/02/2026", "25/03/2026", "14/01/2026", "05/06/2026", "30/06/2026", "28/02/2026"]
    evidence = proven([*day_first, "02/13/2026", "03/25/2026", "06/30/2026", "12/31/2025"])
    assert (
        evidence.formats() is None and "month first" in evidence.doubt() and "day first" in evidence.doubt()
    )


@pytest.mark.parametrize(
    "texts", [["05/01/24", "05/01/25"], ["01/02/24", "01/03/25", "01/04/26"], ["26/02/03", "26/03/03"]]
)
def test_few_days_with_a_year_of_two_digits_are_asked_for(texts: list[str]) -> None:
    assert proven(texts).formats() is None and len(proven(texts).readings()) > 1


@pytest.mark.parametrize(
    "text",
    ["0000-00-00", "31/02/2026", "yesterday", "2026-13-01", "32.01.2026", "1.1", "n/a", "-", "2026", "99:99"],
)
def test_what_is_no_time(text: str) -> None:
    evidence = proven([text])
    assert evidence.read == 0 and evidence.formats() is None
    formats = proven(["2026-02-13"]).formats()
    assert formats is not None and read([text], formats) == [None]


@given(
    moments=st.lists(st.datetimes(datetime(1000, 1, 1), datetime(9998, 12, 31)), min_size=1, max_size=8),
    blank=st.sampled_from("T "),
    offset=st.sampled_from(["Z", "+00:00", "+0000", "-03:30", "+14:00"]),
    odd=st.sampled_from([None, "2026-02-03T10:00Z", " 2026-02-03 10:00:00+01:00 ", "2026-02-03", "x"]),
)
def test_a_column_that_tells_offsets_throughout_is_read_as_its_cells_are_one_by_one(
    moments: list[datetime], blank: str, offset: str, odd: str | None
) -> None:
    texts = [moment.isoformat(blank, "seconds") + offset for moment in moments] + ([odd] if odd else [])
    whole, bad = instants(pa.array(texts), "Europe/Berlin")
    # a local day keeps the short cut away
    single = [instants(pa.array([text, "2026-02-03"]), "Europe/Berlin") for text in texts]
    assert whole.to_pylist() == [moments[0].as_py() for moments, _ in single]
    assert [bool(bad and bad[position].as_py()) for position in range(len(texts))] == [
        bool(instant and instant[0].as_py()) for _, instant in single
    ]


@given(
    st.lists(st.dates(date(1000, 1, 1), date(9998, 12, 31)), min_size=1, max_size=6),
    st.sampled_from(["2026-13-02", "2026/01/02", "02.03.2026"]),
)
def test_later_pages_prove_what_they_would_prove_alone(days: list[date], other: str) -> None:
    pages = [
        [day.isoformat() for day in days],
        [day.isoformat() for day in days] + [other],
        [days[0].isoformat()],
    ]
    by_page, whole = TimeEvidence(), TimeEvidence()
    for page in pages:
        by_page.add(pa.array(page))
    whole.add(pa.array([text for page in pages for text in page]))
    assert (by_page.cells, by_page.fits, by_page.formats()) == (whole.cells, whole.fits, whole.formats())
