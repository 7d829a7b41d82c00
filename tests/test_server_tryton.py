"""Is the Tryton that the tests run on a real one, each with a database of its own?"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from tests.servers.tryton import TrytonServer, installed


def test_a_sale_of_one_database_is_in_no_other_and_outlives_a_crash(tmp_path: Path) -> None:
    made = installed()
    with TrytonServer(made, tmp_path / "one") as one, TrytonServer(made, tmp_path / "other") as other:
        people = one.people()
        (ada,) = people.create("party.party", people.party("Ada", "ada@example.org", "Ulm"))
        people.sell((ada, date(2024, 1, 5), "12.50"))
        one.kill()
        one.start()
        assert [row["state"] for row in one.people().find("sale.sale", [], "state")] == ["confirmed"]
        assert other.people().find("sale.sale", [], "state") == []
        one.begin_again(made.template)
        assert one.people().find("party.party", [["name", "=", "Ada"]], "name") == []
