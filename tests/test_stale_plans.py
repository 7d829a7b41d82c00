"""Is a plan carried out only as far as the world is still the one that it was made from?"""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.exit_codes import GuardTripped
from tests.each_crm import CRMS, company_of


@pytest.mark.parametrize("crm", CRMS)
def test_of_two_plans_the_second_is_superseded_as_soon_as_the_first_is_applied(
    crm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with company_of(crm, tmp_path, monkeypatch) as company:
        company.do("setup")
        first, second = (company.do("plan")["plan"]["plan"] for _ in range(2))
        assert company.do("apply", number=first)["applied"]["done"] > 60
        with pytest.raises(
            GuardTripped, match=f"plan {second} is superseded: another plan was applied"
        ) as stop:
            company.do("apply", number=second)
        assert stop.value.exit_code == 5
        assert company.do("plan")["plan"]["changes"] == 0


@pytest.mark.parametrize("crm", CRMS)
def test_a_change_whose_value_moved_since_the_plan_is_skipped_although_the_pull_is_fresh(
    crm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with company_of(crm, tmp_path, monkeypatch) as company:
        company.do("setup")
        number = company.do("plan")["plan"]["plan"]
        company.do("apply", number=number, first=1)
        mine = next(iter(company.fields()))
        theirs = next(id for id in company.people() if id not in company.fields())
        company.type_in(theirs, "c")
        company.do("pull")
        answer = company.do("apply", number=number)
        assert answer["exit_code"] == 4
        assert answer["applied"]["reasons"] == {"it changed since the plan was made": 1}
        fields = company.fields()
        assert fields[theirs]["seg_second"] == "c" and fields[mine]["seg_second"] and len(fields) > 20
