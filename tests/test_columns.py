"""Texts of a CRM become typed columns: whatever stands there, nothing breaks, and what is sound is kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Attribute
from connectors.salesforce.source import midnights
from connectors.values.api_columns import (
    attribute,
    days,
    instants,
    milliseconds,
    numbers,
    texts,
    truths,
)
from connectors.values.rejects import Rejects

ODD = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.sampled_from(
        [
            "",
            " ",
            "  ",
            "2024-02-30",
            "2024-13-01T00:00:00Z",
            "1e999",
            "nan",
            "-inf",
            "0x10",
            "١٢",
            "TRUE",
            "1705000000000",
        ]
    ),
    st.sampled_from(
        [
            "9" * 14,
            "-" + "9" * 14,
            "0000-01-01",
            "9999-12-31T23:59:59Z",
            "2024-01-01T25:00:00Z",
            "2024-01-01T00:00",
        ]
    ),
)
MOMENTS = st.datetimes(
    datetime(1970, 1, 1),
    datetime(2200, 1, 1),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
)


@given(st.lists(ODD), st.sampled_from(["text", "number", "date", "bool", "ordered", "set"]))
def test_no_text_breaks_an_attribute_and_what_is_lost_is_listed(values: list[str | None], kind: Any) -> None:
    wanted = Attribute("x", kind, ("a", "b") if kind == "ordered" else (), ("?",))
    array, rejects = texts(values), Rejects("part")
    typed = attribute(
        "x", wanted, array, "Europe/Berlin", [str(position) for position in range(len(values))], rejects
    )
    assert len(typed) == len(values)
    assert len(rejects.rows) == typed.null_count - sum(
        text is None or text.strip() == "?" for text in array.to_pylist()
    )
    assert rejects.rejected == 0
    typed.validate(full=True)


@given(st.lists(st.one_of(MOMENTS, st.none())))
def test_instants_are_kept_to_the_millisecond(moments: list[datetime | None]) -> None:
    rounded = [moment and moment.replace(microsecond=moment.microsecond // 1000 * 1000) for moment in moments]
    written = pa.array(
        [moment and moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") for moment in rounded],
        pa.string(),
    )
    assert instants(written).to_pylist() == rounded
    counted = [None if moment is None else round(moment.timestamp() * 1000) for moment in rounded]
    assert milliseconds(written).to_pylist() == counted


@given(st.lists(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.none())))
def test_numbers_are_kept(values: list[float | None]) -> None:
    assert (
        numbers(
            pa.array([None if value is None else repr(value) for value in values], pa.string())
        ).to_pylist()
        == values
    )


WRITTEN: dict[str, Callable[[datetime], str]] = {  # as HubSpot and Salesforce write a time
    "iso": lambda moment: moment.isoformat(timespec="milliseconds") + "Z",
    "seconds": lambda moment: moment.replace(microsecond=0).isoformat() + "Z",
    "salesforce": lambda moment: moment.isoformat(timespec="milliseconds") + "+0000",
    "milliseconds": lambda moment: str((moment - datetime(1970, 1, 1)) // timedelta(milliseconds=1)),
    "day": lambda moment: moment.date().isoformat(),
}
KEPT = {"seconds": timedelta(seconds=1), "day": timedelta(days=1)}
CELLS = st.tuples(
    st.datetimes(datetime(1890, 1, 1), datetime(4000, 12, 31)), st.sampled_from(sorted(WRITTEN))
).filter(
    # fewer digits may be any number
    lambda cell: cell[1] != "milliseconds" or abs(cell[0] - datetime(1970, 1, 1)) > timedelta(days=2)
)


@given(
    st.lists(st.one_of(CELLS, st.none()), max_size=12),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
)
def test_whatever_forms_a_column_of_times_is_written_in_each_cell_is_read_as_it_was_meant(
    cells: list[Any], zone: str
) -> None:
    written = pa.array([cell and WRITTEN[cell[1]](cell[0]) for cell in cells], pa.string())
    units = [cell and KEPT.get(cell[1], timedelta(milliseconds=1)) for cell in cells]
    meant: list[Any] = [
        cell and _cut(cell[0], unit).replace(tzinfo=UTC) for cell, unit in zip(cells, units, strict=True)
    ]
    assert instants(written).to_pylist() == meant
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert milliseconds(written).to_pylist() == [
        None if moment is None else (moment - epoch) // timedelta(milliseconds=1) for moment in meant
    ]
    local = [
        cell and (moment if cell[1] == "day" else moment.astimezone(ZoneInfo(zone))).date()
        for cell, moment in zip(cells, meant, strict=True)
    ]
    assert days(written, zone).to_pylist() == local


def _cut(moment: datetime, unit: timedelta) -> datetime:
    return moment - (moment - datetime(1, 1, 1)) % unit


def test_a_stamp_of_a_far_year_is_no_traceback() -> None:
    assert milliseconds(pa.array(["2256-01-01T00:00:00Z"])).to_pylist() == [9025257600000]


def test_a_day_that_no_month_has_leaves_the_midnights_of_the_others_where_they_were() -> None:
    midnight = datetime(2026, 1, 30, 23, tzinfo=UTC)
    assert midnights(pa.array(["2026-01-31", "2026-02-30", None]), "Europe/Berlin").to_pylist() == [
        midnight,
        None,
        None,
    ]


def test_a_day_is_kept_and_a_time_is_its_day_in_the_zone() -> None:
    written = pa.array(
        ["2024-03-31", "2024-03-31T23:30:00Z", "1711927800000", "no day", None, "2040-06-30T22:30:00Z"]
    )
    july = date(2040, 7, 1)
    assert days(written, "Europe/Berlin").to_pylist() == [
        date(2024, 3, 31),
        date(2024, 4, 1),
        date(2024, 4, 1),
        None,
        None,
        july,
    ]


@pytest.mark.parametrize(
    ("text", "truth"), [("true", True), ("No", False), ("1", True), ("maybe", None), (None, None)]
)
def test_truths(text: str | None, truth: bool | None) -> None:
    assert truths(pa.array([text], pa.string())).to_pylist() == [truth]


def test_blank_texts_are_nothing_and_half_characters_are_mended() -> None:
    assert texts(["a", "", " ", "   ", None, "\ud800", 3]).to_pylist() == [
        "a",
        None,
        None,
        None,
        None,
        "?",
        "3",
    ]
