"""Does a reading that no plan may be made from stop it, by name, and does an honest one pass?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from connectors.contract import Account, Connector, Page
from sync.cli import app
from sync.exit_codes import GuardTripped
from sync.plan.reading_guards import GUARDS
from tests.memory_crm import MemoryCrm
from tests.reading_shop import DAY, ReadingShop, day, purchases
from tests.world import ALLOWED, World

SETTLED = tuple(name for name in ALLOWED if name not in GUARDS)  # what these tests are not about


@pytest.fixture
def shop(tmp_path: Path) -> ReadingShop:
    """Twenty contacts, six hundred good orders up to the last day."""
    reading_shop = ReadingShop(tmp_path)
    reading_shop.contacts(range(1, 21))
    reading_shop.orders(purchases(600))
    return reading_shop


def refused(number: int) -> list[str]:
    return [f"{1 + n},no date,5.00,bad{n}" for n in range(number)]


def stopped(shop: ReadingShop, guard: str, command: str = "run") -> GuardTripped:
    """The stop of a run; nothing was written."""
    with pytest.raises(GuardTripped) as stop:
        shop.do(command, allow=SETTLED)
    assert {trip.guard for trip in stop.value.trips} == {guard} and stop.value.exit_code == 5
    assert f"--allow {guard}" in str(stop.value)
    return stop.value


def test_a_good_reading_trips_nothing(shop: ReadingShop) -> None:
    assert shop.trips() == {}
    assert shop.do("run", allow=SETTLED)["exit_code"] == 0 and shop.written()


# -- max_rejected ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bad", "trips"), [(0, False), (2, False), (3, False), (4, True), (60, True)])
def test_more_than_half_a_percent_of_refused_rows_stops_a_plan(
    shop: ReadingShop, bad: int, trips: bool
) -> None:
    shop.orders([*purchases(600), *refused(bad)])
    tripped = shop.trips()
    assert set(tripped) == ({"max_rejected"} if trips else set())
    if trips:
        assert f"{bad} of {600 + bad} rows of activity in shop" in tripped["max_rejected"]["what"]
        assert not tripped["max_rejected"]["first_labelling"], "no review settles it"


def test_a_run_and_a_backfill_stop_with_nothing_written_until_the_guard_is_allowed_by_name(
    shop: ReadingShop,
) -> None:
    shop.append(refused(30))
    shop.do("setup")
    stopped(shop, "max_rejected")
    stopped(shop, "max_rejected", "backfill")
    planned = shop.do("plan")["plan"]
    with pytest.raises(GuardTripped, match="max_rejected"):
        shop.do("apply", number=planned["plan"])
    assert not shop.written()
    assert shop.do("run", allow=[*SETTLED, "max_rejected"])["applied"]["done"] > 0 and shop.written()


def test_one_typo_in_eleven_rows_is_told_and_stops_nothing(shop: ReadingShop) -> None:
    shop.orders([*purchases(10, since=20), *refused(1)])
    assert shop.trips() == {}


def test_purchases_that_were_all_refused_never_make_everybody_a_prospect(shop: ReadingShop) -> None:
    for number in (1, 2, 600):
        shop.orders(line.replace("2026", "year") for line in purchases(number, since=200))
        assert {"max_rejected", "max_stale_days"} == set(shop.trips(allow=["max_shrink"])), number
    assert (
        "all 600 rows of activity in shop that should count were rejected"
        in shop.trips()["max_rejected"]["what"]
    )


def test_half_of_a_small_stream_refused_stops_too(shop: ReadingShop) -> None:
    shop.orders([f"1,{day(1)},5.00,o1", *refused(1)])
    assert set(shop.trips()) == {"max_rejected"}


def test_a_new_file_of_bad_rows_does_not_drown_in_years_of_good_ones(shop: ReadingShop) -> None:
    shop.orders([f"{1 + n % 20},{day(40 + n % 300)},5.00,old{n}" for n in range(2000)], "activities-old.csv")
    shop.orders([*purchases(100, since=28), *refused(4)])
    assert (
        "4 of 104 rows of activity in shop read in the last 30 days" in shop.trips()["max_rejected"]["what"]
    )
    shop.guards = "max_rejected = { share = 0.05 }"
    assert shop.trips() == {}


def test_bad_lines_in_a_file_that_grows_do_not_drown_either(shop: ReadingShop) -> None:
    shop.today -= timedelta(days=40)
    shop.as_of = (DAY - timedelta(days=41)).isoformat()
    shop.orders([f"{1 + n % 20},{day(41 + n % 300)},5.00,old{n}" for n in range(2000)])
    shop.do("pull")
    shop.today, shop.as_of = shop.today + timedelta(days=40), DAY.isoformat()
    shop.append([*purchases(100, since=28), *refused(5)])
    assert (
        "5 of 105 rows of activity in shop read in the last 30 days" in shop.trips()["max_rejected"]["what"]
    )
    assert set(shop.trips()) == {"max_rejected"}, "also where nothing new was read"


def test_contacts_that_were_refused_stop_a_plan_too(shop: ReadingShop) -> None:
    shop.write(
        "contacts.csv",
        "id,email",
        [*(f"{n},c{n}@example.org" for n in range(1, 21)), ",a@x.org", ",b@x.org", ",c@x.org"],
    )
    assert "3 of 23 rows of contact in shop" in shop.trips()["max_rejected"]["what"]


class Telling(World):
    """A CRM that tells how much its refused rows were worth."""

    told: dict[str, Any]

    def _open(self, account: Account) -> Connector:
        overrides = self.told

        class Worth(MemoryCrm):
            def read(self, stream: str, position: str | None) -> Iterator[Page]:
                for number, page in enumerate(super().read(stream, position)):
                    first = stream == "activity" and number == 0 and position is None
                    yield replace(page, **(overrides if first else {}))

        return Worth(account, self.store, self.faults, self.page_size, self.batch_size)


@pytest.mark.parametrize(("worth", "trips"), [(100, False), (50_000_000, True)])
def test_few_refused_rows_that_are_most_of_the_money_stop_a_plan(
    tmp_path: Path, worth: int, trips: bool
) -> None:
    world = Telling(tmp_path, lists="none", value="")
    world.told = {"rejected": 3, "refused": {"no rate": 3}, "refused_minor": worth}
    for number in range(1, 700):
        world.store.put(str(number))
        world.buys(str(number), number % 300)
    world.do("setup")
    tripped = [trip for trip in world.do("plan")["plan"]["trips"] if trip["guard"] in GUARDS]
    assert [trip["guard"] for trip in tripped] == ["max_rejected"] * trips
    if trips:
        assert (
            "3 rejected rows of activity in portal are 93.5% of the money that was read: no rate (3)"
            in tripped[0]["what"]
        )


# -- max_unmatched -----------------------------------------------------------------------------------------


def strangers(number: int) -> list[str]:
    return [f"guest{n},{day(n % 28)},5.00,guest{n}" for n in range(number)]


def test_a_few_purchases_of_nobody_are_told_and_stop_nothing(shop: ReadingShop) -> None:
    shop.append(strangers(18))
    assert shop.trips() == {}


def test_many_purchases_of_nobody_are_a_question_on_a_first_run_which_a_review_settles(
    shop: ReadingShop,
) -> None:
    shop.append(strangers(60))
    trip = shop.trips()["max_unmatched"]
    assert trip["first_labelling"] and "60 of 660 orders in shop (9.1%) count for nobody here" in trip["what"]
    stopped(shop, "max_unmatched")
    shop.do("apply", number=shop.do("plan")["plan"]["plan"])
    assert shop.written()
    assert shop.do("run")["exit_code"] == 0, "as many as in the last good run"
    shop.append(strangers(15))
    assert shop.do("run", allow=SETTLED)["exit_code"] == 0, "less than three points more"
    shop.append(strangers(60))
    stop = stopped(shop, "max_unmatched")
    assert "in the last good run it was 11.1%" in str(stop) and not stop.trips[0].first
    assert shop.do("run", allow=[*SETTLED, "max_unmatched"])["exit_code"] == 0
    assert shop.do("run")["exit_code"] == 0, "what was allowed is the new measure"


def test_ids_that_are_written_differently_stop_and_show_shapes_but_no_id(shop: ReadingShop) -> None:
    shop.contacts(range(1001, 1021))
    shop.orders(line.replace(",", ".0,", 1) for line in purchases(50, since=20))
    shop.orders([f"{1000 + 1 + n % 20}.0,{day(n % 20)},5.00,o{n}" for n in range(50)])
    trip = shop.trips()["max_unmatched"]
    assert not trip["first_labelling"]
    assert (
        'ids in activities look like "9999.0", ids of contacts like "9999"' in trip["what"]
        and "id_type" in trip["what"]
    )
    assert "1001" not in trip["what"]


def test_zeros_that_lead_are_part_of_a_shape(shop: ReadingShop) -> None:
    shop.orders([f"00{n:04}7a-É,{day(n % 20)},5.00,o{n}" for n in range(1000, 1050)])
    assert 'look like "0099999a-A", ids of contacts like "99"' in shop.trips()["max_unmatched"]["what"]


def test_most_purchases_of_nobody_stop_though_the_ids_look_alike(shop: ReadingShop) -> None:
    shop.contacts([99])
    assert "is the export of contacts complete" in shop.trips()["max_unmatched"]["what"]


def test_two_guests_in_a_tiny_shop_stop_nothing(shop: ReadingShop) -> None:
    shop.orders([*purchases(8, since=20), *strangers(2)])
    assert shop.trips() == {}


# -- max_stale_days ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "trips"), [(0, False), (3, False), (4, True)])
def test_a_feed_that_stalls_for_more_than_three_days_stops_a_plan(
    shop: ReadingShop, days: int, trips: bool
) -> None:
    shop.orders([f"{1 + n % 20},{day(days + n)},5.00,o{n}" for n in range(30)])
    assert set(shop.trips()) == ({"max_stale_days"} if trips else set())


def test_a_snapshot_is_told_how_to_be_labelled_as_one(shop: ReadingShop) -> None:
    shop.orders(["1,2011-12-09,5.00,o1", "2,2011-12-01,5.00,o2"])
    what = shop.trips()["max_stale_days"]["what"]
    assert what.startswith("the newest order in shop is of 2011-12-09, 5,467 days before 2026-11-27: ")
    assert 'set as_of = "2011-12-09"' in what
    shop.as_of = '"2011-12-09"'
    assert shop.trips() == {}


def test_a_stalled_feed_ages_nobody_and_stops_a_run_that_would_change_nothing_too(shop: ReadingShop) -> None:
    shop.do("setup")
    shop.do("run", allow=SETTLED)
    before = (shop.folder / "exports" / "segments.csv").read_bytes()
    for days in (5, 200):
        shop.today, shop.as_of = datetime(2026, 11, 28, 12, tzinfo=UTC) + timedelta(days=days), '"yesterday"'
        stopped(shop, "max_stale_days")
    assert (shop.folder / "exports" / "segments.csv").read_bytes() == before
    shop.today = datetime(2026, 12, 2, 12, tzinfo=UTC)
    with pytest.raises(GuardTripped, match="max_stale_days"):
        shop.do("run")


def test_visits_that_still_come_do_not_hide_orders_that_do_not(shop: ReadingShop) -> None:
    lines = [f"{1 + n % 20},{day(10 + n)},5.00,purchase" for n in range(30)] + [
        f"{1 + n % 20},{day(n)},,visit" for n in range(10)
    ]
    shop.write("activities.csv", "contact_id,occurred_at,amount,kind", lines)
    assert "the newest order in shop is of 2026-11-17" in shop.trips()["max_stale_days"]["what"]


def test_a_shop_without_any_purchase_trips_too(shop: ReadingShop) -> None:
    shop.orders([])
    assert "has no activity that counts" in shop.trips()["max_stale_days"]["what"]
    shop.guards = "max_stale_days = 36500"
    assert shop.trips() == {}, "a shop that has sold nothing yet may say so"


def test_orders_that_are_all_of_days_to_come_say_so(shop: ReadingShop) -> None:
    shop.as_of = "2020-01-01"
    assert "all 600 orders in shop are dated after 2020-01-01" in shop.trips()["max_stale_days"]["what"]


TWO = """activity_from = ["till"]

[accounts.till]
crm = "files"
path = "till"
"""


def test_each_source_account_is_judged_by_itself(shop: ReadingShop) -> None:
    shop.account = TWO
    shop.contacts(range(1, 21), "till")
    shop.orders([f"{1 + n % 20},{day(9 + n)},5.00,o{n}" for n in range(30)], folder="till")
    assert "the newest order in till is of 2026-11-18" in shop.trips()["max_stale_days"]["what"]


def test_an_account_without_activity_of_its_own_may_draw_it_from_another(shop: ReadingShop) -> None:
    shop.account = TWO
    shop.orders([])
    shop.contacts(range(1, 21), "till")
    shop.orders(purchases(100), folder="till")
    assert shop.trips() == {}


def test_so_may_an_account_whose_crm_does_not_count_its_activity(tmp_path: Path) -> None:
    shop = 'activity_from = ["shop"]\n\n[accounts.shop]\ncrm = "files"\npath = "unused"\n\n'
    world = World(tmp_path, account=shop, stale_days=3)
    for number in range(40):
        for store in (world.store, world.shop):
            store.put(str(number), email=f"customer{number}@example.org")
        world.shop.act(
            str(number),
            datetime(2024, 6, 1 + number % 30, 10, tzinfo=UTC),
            amount_minor=500,
            order_id=f"o{number}",
        )
    world.do("setup")
    plan = world.do("plan")["plan"]
    assert "max_stale_days" not in {trip["guard"] for trip in plan["trips"]}


# -- max_drop ----------------------------------------------------------------------------------------------


def weeks(*numbers: int, amount: int = 5, last: int | None = None) -> list[str]:
    """So many orders in each week, the last one first."""
    worth = [amount if week or last is None else last for week in range(len(numbers))]
    return [
        f"{1 + n % 20},{day(7 * week + n % 7)},{worth[week]}.00,w{week}n{n}"
        for week, number in enumerate(numbers)
        for n in range(number)
    ]


@pytest.mark.parametrize(
    ("numbers", "trips"),
    [
        ((9, 25, 25, 25, 25), True),
        ((10, 25, 25, 25, 25), False),
        ((7, 19, 19, 19, 19), False),  # too small to judge
        ((9, 100, 25, 25, 5), True),  # the median, not the mean
        ((60, 25, 25, 25, 25), False),
    ],
)
def test_a_week_below_two_fifths_of_the_usual_stops_a_plan(
    shop: ReadingShop, numbers: tuple[int, ...], trips: bool
) -> None:
    shop.orders(weeks(*numbers))
    tripped = shop.trips()
    assert set(tripped) == ({"max_drop"} if trips else set())
    if trips:
        assert (
            "shop has 9 orders in the last seven days, less than 40% of the 25 that are usual"
            in tripped["max_drop"]["what"]
        )


def test_revenue_that_falls_stops_a_plan_though_orders_do_not(shop: ReadingShop) -> None:
    shop.orders(weeks(25, 25, 25, 25, 25, amount=50, last=5))
    assert "125.00 EUR of net revenue in the last seven days" in shop.trips()["max_drop"]["what"]


def test_weeks_end_at_the_last_day_that_counts(shop: ReadingShop) -> None:
    shop.orders(weeks(9, 25, 25, 25, 25, 25, 25, 25, 25))
    assert set(shop.trips()) == {"max_drop"}
    shop.as_of = (DAY - timedelta(days=7)).isoformat()
    assert shop.trips() == {}, "what came later is not known on that day"


# -- what goes on all the same -----------------------------------------------------------------------------


def test_what_consent_withdraws_goes_first(tmp_path: Path) -> None:
    world = World(tmp_path, lists="none", stale_days=3)
    world.customers(20)
    world.buys("1", 0)
    world.first_run()
    assert "3" in world.held("seg_rfm")
    world.store.put("3", objects_to_profiling=True)
    with pytest.raises(GuardTripped, match="max_stale_days"):
        world.do("run", as_of=date(2024, 7, 20), allow=dict.fromkeys(SETTLED, "not the question"))
    assert "3" not in world.held("seg_rfm") and len(world.held("seg_rfm")) == 19


def test_labelling_alone_is_never_stopped(shop: ReadingShop) -> None:
    shop.orders(["1,2011-12-09,5.00,o1", *refused(5)])
    answer = shop.do("label")
    assert answer["exit_code"] == 0 and answer["reading"]["data_through"] == "2011-12-09"


def test_a_way_back_is_not_stopped_by_what_was_read(shop: ReadingShop) -> None:
    shop.do("setup")
    run = shop.do("run", allow=SETTLED)["run"]
    shop.today, shop.as_of = shop.today + timedelta(days=30), '"yesterday"'
    assert shop.do("undo", number=run, allow=SETTLED)["applied"]["done"] > 0


def test_the_command_line_exits_5_and_names_the_guard(shop: ReadingShop) -> None:
    shop.orders([f"1,{day(100)},5.00,o1", *refused(1)])
    shop.do("setup")
    words = ["run", "--config", str(shop.config), "--json"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 5 and '"max_stale_days"' in result.stdout and '"max_rejected"' in result.stdout


def test_rows_that_are_left_out_now_are_not_missing(tmp_path: Path) -> None:
    """A status that no longer counts is no shrunken export."""
    world = Whole(tmp_path, lists="none", value="")
    world.told = {}
    world.customers(60)
    world.do("pull")
    world.told, world.keep = {"left_out": {"status cancelled": 60}}, 60
    assert world.do("pull")["reading"]["accounts"]["portal"]["streams"]["activity"]["rows"] == 120
    world.told, world.keep = {"left_out": {"status cancelled": 60}}, 30
    with pytest.raises(GuardTripped, match="max_shrink"):
        world.do("pull")


class Whole(Telling):
    """A CRM whose activity comes whole, each time."""

    keep: int | None = None

    def _open(self, account: Account) -> Connector:
        overrides, keep = self.told, self.keep

        class Everything(MemoryCrm):
            def read(self, stream: str, position: str | None) -> Iterator[Page]:
                if stream != "activity":
                    yield from super().read(stream, position)
                    return
                rows = list(super().read(stream, None))
                table = pa.concat_tables([page.records for page in rows]).slice(0, keep)
                yield replace(
                    rows[-1], records=table, part="all", whole=True, first=True, last=True, **overrides
                )

        return Everything(account, self.store, self.faults, self.page_size, self.batch_size)
