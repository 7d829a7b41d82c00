"""What do the texts of an export mean? Times are UTC, money is exact minor units, kinds and owners are told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.values.minor_units import minor_units
from connectors.values.money import Notation, numbers, read_amounts
from connectors.values.text import as_text
from connectors.values.timestamps import instants, to_utc
from tests.files_shop import HEAD, Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    rates = {"USD": {"2024-01-01": 0.9, "2024-02-01": 0.8}, "JPY": {"2024-01-01": 0.006}}
    return Shop(tmp_path, account={"time_zone": "Europe/Berlin", "rates": rates})


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-01-02", "2024-01-01T23:00"),
        ("20240702", "2024-07-01T22:00"),
        ("2024-07-02 12:30", "2024-07-02T10:30"),
        ("2024-07-02T12", "2024-07-02T10:00"),
        ("2024-07-02T12:30:15.25", "2024-07-02T10:30:15.250000"),
        ("2024-07-02T12:30:15,25", "2024-07-02T10:30:15.250000"),
        ("2024-07-02T12:30:15Z", "2024-07-02T12:30:15"),
        ("2024-07-02T12:30Z", "2024-07-02T12:30"),
        ("2024-07-02 12:30:15+0200", "2024-07-02T10:30:15"),
        ("2024-07-02 12:30:15 -05:30", "2024-07-02T18:00:15"),
        ("2024-07-02T12:30:15.123456789+02", "2024-07-02T10:30:15.123456"),
        ("2024-10-27 02:30", "2024-10-27T00:30"),  # happens twice: the earlier
        ("2024-03-31 02:30", "2024-03-31T01:30"),  # never happens: as far behind the change
    ],
)
@pytest.mark.parametrize("company", [[], ["nonsense", "2024-01-01"]], ids=["alone", "among others"])
def test_a_time_is_understood_in_the_zone_of_the_account(text: str, moment: str, company: list[str]) -> None:
    moments, bad = instants(pa.array([text, *company]), "Europe/Berlin", ("iso",))
    assert moments[0].as_py() == datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert not company or (bad is not None and bad.to_pylist() == [False, True, False])


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-30",
        "2023-02-29",
        "24-01-01",
        "2024-1-1",
        "2024-01-01 25:00",
        "2024-01-01T12:60",
        "infinity",
        "epoch",
        "0000-01-01",
        "2024-01-01x",
        "\uff11\uff12",
    ],
)
def test_a_time_that_no_calendar_holds_is_refused(text: str) -> None:
    moments, bad = instants(pa.array([text, None, ""]), "UTC", ("iso",))
    assert moments.to_pylist() == [None, None, None]
    assert bad is not None
    assert bad.to_pylist() == [True, False, False]


def test_times_follow_the_format_of_the_config() -> None:
    moments, bad = instants(pa.array(["31.12.2024", "30.02.2024", None]), "UTC", ("%d.%m.%Y",))
    assert (moments[0].as_py(), bad is not None and bad.to_pylist()) == (
        datetime(2024, 12, 31, tzinfo=UTC),
        [False, True, False],
    )
    zoned, _ = instants(pa.array(["2024-07-02 12:00 +0200"]), "America/New_York", ("%Y-%m-%d %H:%M %z",))
    assert zoned[0].as_py() == datetime(2024, 7, 2, 10, tzinfo=UTC)


@given(
    st.lists(st.datetimes(datetime(1960, 1, 1), datetime(2100, 1, 1)), max_size=20),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
)
def test_local_times_become_utc_as_python_says(moments: list[datetime], zone: str) -> None:
    expected = [moment.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for moment in moments]
    assert to_utc(pa.array(moments, pa.timestamp("us")), zone).to_pylist() == expected


def money(texts: Sequence[str | None], decimal: str, places: int) -> tuple[pa.Array, pa.Array | None]:
    amounts = read_amounts(as_text(pa.array(texts, pa.string()))[0], Notation(decimal))
    units, bad = minor_units(amounts.plain, places)
    return units, amounts.bad if bad is None else bad if amounts.bad is None else pc.or_(bad, amounts.bad)


@given(
    st.lists(st.decimals(-(10**9), 10**9, places=6) | st.decimals(-100, 100, places=3), max_size=20),
    st.sampled_from([0, 2, 3]),
    st.booleans(),
)
def test_amounts_round_half_to_even(amounts: list[Decimal], places: int, odd: bool) -> None:
    texts = [f"{amount:f}" for amount in amounts] + (["1e2", "+.5", "7."] if odd else [])
    units, _ = money(texts, ".", places)
    assert units.to_pylist() == [
        int(Decimal(text).scaleb(places).to_integral_value(ROUND_HALF_EVEN)) for text in texts
    ]


def test_amounts_that_are_none_are_refused_alone() -> None:
    texts = [
        "1.005",
        "0.125",
        "x",
        "nan",
        "inf",
        "1e30",
        "1_0",
        "0x1",
        " 2 ",
        "",
        None,
        "0.1234567890123456",
        "1,5",
    ]
    units, bad = money(texts, ".", 2)
    assert units.to_pylist() == [100, 12, None, None, None, None, None, None, 200, None, None, 12, None]
    assert bad is not None
    assert [text for text, wrong in zip(texts, bad.to_pylist(), strict=True) if wrong] == [
        "x",
        "nan",
        "inf",
        "1e30",
        "1_0",
        "0x1",
        "1,5",
    ]


def test_a_decimal_comma_is_a_decimal_comma() -> None:
    assert money(["1,5", "-0,125", "3"], ",", 2)[0].to_pylist() == [150, -12, 300]
    assert money(["1.5"], ",", 2)[0].to_pylist() == [None]
    assert numbers(pa.array(["1,5", "1.5"]), Notation(","))[0].to_pylist() == [1.5, None]


def test_every_kind_of_number_column_is_money() -> None:
    assert minor_units(pa.array([0.125, 2.675, None, float("nan")], from_pandas=False), 2)[0].to_pylist() == [
        12,
        268,
        None,
        None,
    ]
    assert minor_units(pa.array([3, None, -1]), 2)[0].to_pylist() == [300, None, -100]
    assert minor_units(pa.array([Decimal("0.125"), None]), 2)[0].to_pylist() == [12, None]


def test_a_negative_purchase_is_a_refund_and_a_refund_is_negative(shop: Shop) -> None:
    header = "contact_id,occurred_at,amount,kind\n"
    shop.put(
        "activities.csv",
        header
        + "1,2024-01-01,-5,\n1,2024-01-01,5,refund\n1,2024-01-01,-5,refund\n1,2024-01-01,5, purchase \n1,2024-01-01,-5,fee\n",
    )
    assert [(row["kind"], row["amount_minor"]) for row in shop.read("activity").rows] == [
        ("refund", -500), ("refund", -500), ("refund", -500), ("purchase", 500), ("fee", -500),
    ]  # fmt: skip


def test_other_currencies_are_converted_at_the_rate_of_their_local_day(shop: Shop) -> None:
    shop.put(
        "activities.csv",
        "contact_id,occurred_at,amount,currency\n1,2024-01-31T23:59,10,USD\n2,2024-02-01T00:00,10,usd\n3,2023-12-31,10,USD\n"
        "4,2024-01-01,10,CHF\n5,2024-01-01,10,\n6,2024-01-01,1000,JPY\n7,2024-01-01,10,EUR\n8,2024-01-01,,CHF\n",
    )
    read = shop.read("activity")
    assert {row["record_id"]: row["amount_minor"] for row in read.rows} == {
        "1": 900,
        "2": 800,
        "5": 1000,
        "6": 600,
        "7": 1000,
        "8": None,
    }
    assert (read.rejected, read.lines()) == (2, [(4, None), (5, None), (9, "amount")])
    assert "'CHF'" in read.rejects[1]["reason"]


@pytest.mark.parametrize(("currency", "minor"), [("EUR", 1012), ("JPY", 10), ("KWD", 10125)])
def test_minor_units_follow_the_currency_of_the_account(shop: Shop, currency: str, minor: int) -> None:
    shop.account = {"currency": currency}
    shop.put("activities.csv", HEAD + "1,2024-01-01,10.125\n2,2024-01-01,0.5\n")
    assert shop.read("activity").rows[0]["amount_minor"] == minor


def test_the_owner_is_told_by_the_column_or_the_record_type(shop: Shop) -> None:
    shop.put(
        "activities.csv", "contact_id,company_id,occurred_at\n1,9,2024-01-01\n,9,2024-01-01\n,,2024-01-01\n"
    )
    assert [(row["record_type"], row["record_id"]) for row in shop.read("activity").rows] == [
        ("contact", "1"),
        ("company", "9"),
    ]
    shop.put(
        "activities.csv",
        "record_id,record_type,occurred_at\n1,Lead,2024-01-01\n2,,2024-01-01\n3,robot,2024-01-01\n",
    )
    read = shop.read("activity")
    assert [(row["record_type"], row["record_id"]) for row in read.rows] == [("lead", "1"), ("contact", "2")]
    assert read.rejected == 1


def test_channels_and_consent_are_truths(shop: Shop) -> None:
    shop.put(
        "contacts.csv", "id,reachable_email,reachable_sms,objects_to_profiling\n1,YES,n,0\n2,,perhaps,true\n"
    )
    assert [(row["reachable.email"], row["reachable.sms"], row["objects_to_profiling"]) for row in shop.read("contact").rows] == [
        (True, False, False), (None, None, True),
    ]  # fmt: skip


def test_a_dst_day_has_no_gap() -> None:
    start = datetime(2024, 3, 31)
    local = [start + timedelta(minutes=15 * step) for step in range(96)]
    moments = to_utc(pa.array(local, pa.timestamp("us")), "Europe/Berlin").to_pylist()
    assert moments[0] == datetime(2024, 3, 30, 23, tzinfo=UTC)
    assert moments[-1] == datetime(2024, 3, 31, 21, 45, tzinfo=UTC)
