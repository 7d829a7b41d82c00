"""Two CRMs in one config: does what befalls one of them leave the other alone, and does the exit code tell
the worst?
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Account, Connector
from connectors.errors import AccessError, QuotaError, TemporaryError
from sync.exit_codes import CommandError, combined_exit_code
from tests.memory_crm import Faults, MemoryCrm, Store
from tests.world import ALLOWED, World

OTHER = """[accounts.other]
crm = "files"
path = "unused too"

"""


class Both(World):
    """A world whose second account is written too, and has faults of its own."""

    others: Faults

    def _open(self, account: Account) -> Connector:
        store, faults = (self.shop, self.others) if account.name == "other" else (self.store, self.faults)
        return MemoryCrm(account, store, faults, self.page_size, self.batch_size)


@pytest.fixture
def both(tmp_path: Path) -> Both:
    """Set up, and not labelled yet."""
    world = Both(tmp_path, account=OTHER, lists="none", value="")
    world.others = Faults()
    world.customers(12)
    for number in range(1, 9):
        world.shop.put(str(number))
        world.shop.act(
            str(number), datetime(2024, 6, number, tzinfo=UTC), amount_minor=900, order_id=f"o{number}"
        )
    assert [account["account"] for account in world.do("setup")["accounts"]] == ["portal", "other"]
    return world


def field_of(store: Store) -> int:
    return sum(bool(row.get("field.seg_rfm")) for row in store.records.values())


def failing(faults: Faults, error: Exception) -> None:
    def ask(verb: str) -> None:
        raise error

    faults.asked = faults.hook = ask


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (QuotaError("650,000 calls of today are spent", datetime(2024, 7, 2, tzinfo=UTC)), 75),
        (TemporaryError("down"), 75),
        (AccessError("the token has expired"), 1),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_what_ends_the_run_of_one_account_does_not_stop_the_other(
    both: Both, first: bool, error: Exception, code: int
) -> None:
    failing(both.faults if first else both.others, error)
    answer = both.do("run", allow=ALLOWED)
    ill, well = answer["accounts"] if first else answer["accounts"][::-1]
    assert (answer["exit_code"], ill["exit_code"], well["exit_code"]) == (code, code, 0)
    assert str(error)[1:] in ill["error"] and "applied" not in ill and well["applied"]["done"] > 0
    assert (field_of(both.store), field_of(both.shop)) == ((0, 8) if first else (12, 0))
    both.faults.asked = both.faults.hook = both.others.asked = both.others.hook = lambda _: None
    again = both.do("run", allow=ALLOWED)
    assert again["exit_code"] == 0 and [account["run"] for account in again["accounts"]] == [5, 6]
    assert (field_of(both.store), field_of(both.shop)) == (12, 8)


def test_an_outage_outweighs_rejects_and_the_error_of_a_sole_account_is_raised(both: Both) -> None:
    both.faults.reject = {"3": "data"}
    failing(both.others, TemporaryError("down"))
    answer = both.do("run", allow=ALLOWED)
    assert (answer["exit_code"], [account["exit_code"] for account in answer["accounts"]]) == (75, [4, 75])


def test_a_guard_of_one_account_stops_only_it(both: Both) -> None:
    both.more = "[guards]\nmax_writes = 10\n"
    allowed = {name: why for name, why in ALLOWED.items() if name != "max_writes"}
    answer = both.do("run", allow=allowed)
    stopped, well = answer["accounts"]
    assert (answer["exit_code"], stopped["exit_code"], well["exit_code"]) == (5, 5, 0)
    assert [trip["guard"] for trip in stopped["guards"]] == ["max_writes"] and field_of(both.shop) == 8


def test_a_plan_and_a_run_are_looked_for_in_their_own_account(both: Both) -> None:
    plans = [account["plan"]["plan"] for account in both.do("plan")["accounts"]]
    applied = both.do("apply", number=plans[1])
    assert (applied["account"], applied["exit_code"], field_of(both.store), field_of(both.shop)) == (
        "other",
        0,
        0,
        8,
    )
    undone = both.do("undo", number=applied["run"], allow=ALLOWED)
    assert (undone["account"], field_of(both.shop)) == ("other", 0)
    answer: Any = both.do("apply", number=999)
    assert answer["exit_code"] == 1 and all(
        "no plan 999" in account["error"] for account in answer["accounts"]
    )


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ([0, 75], 75),
        ([75, 4], 75),
        ([75, 5], 5),
        ([5, 2], 2),
        ([2, 1], 1),
        ([0, 4], 4),
        ([3, 0], 3),
        ([0, 0], 0),
        ([], 0),
    ],
)
def test_the_worst_code_is_the_one_that_needs_a_person_most(codes: Sequence[int], code: int) -> None:
    assert combined_exit_code(codes) == code == combined_exit_code(list(reversed(codes)))


def test_an_account_that_the_config_does_not_have_is_an_error_of_the_command(both: Both) -> None:
    from sync import commands
    from sync.commands import Options

    with pytest.raises(CommandError, match="no account 'third'"):
        commands.run(both.config(), Options(account="third"))
