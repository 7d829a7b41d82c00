"""Is a set-up that was cut off anywhere finished by the next one, without taking our own fields and lists for
a stranger's?
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sync.store.journal.objects import Objects
from tests import org_shop, portal_shop
from tests.each_crm import CRMS, Company, SalesforceCompany, company_of


class Killed(BaseException):
    """What kill -9 looks like from inside."""


def cut_off(company: Company, patch: pytest.MonkeyPatch, after: int) -> bool:
    """Set up until the CRM has made so many things, and die before the last of them is remembered; whether it
    came to that.
    """
    plain, left = Objects.save, [after]

    def save(*arguments: object, **named: object) -> None:
        left[0] -= 1
        if not left[0]:
            raise Killed
        plain(*arguments, **named)  # type: ignore[arg-type]

    with patch.context() as patched:
        patched.setattr(Objects, "save", save)
        try:
            company.do("setup")
        except Killed:
            return True
    return False


@pytest.mark.parametrize("crm", CRMS)
def test_a_set_up_that_dies_after_each_single_thing_is_finished_by_the_next(
    crm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with company_of(crm, tmp_path, monkeypatch) as company:
        deaths = 0
        while cut_off(company, monkeypatch, 1 + deaths % 2):
            deaths += 1
            assert deaths < 40
        assert deaths > 5
        assert company.do("setup")["setup"] == {
            "steps": [],
            "refused": [],
            "notes": company.do("setup")["setup"]["notes"],
        }
        assert company.do("run")["exit_code"] == 0
        assert len(company.fields()) > 20 and company.members() and len(company.lists()) == 4


@pytest.mark.parametrize("moment", range(1, 12, 3))
def test_a_set_up_that_was_killed_while_hubspot_made_something_is_finished_by_the_next(
    moment: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal_shop.hasten(monkeypatch, tmp_path)
    (tmp_path / "shop").mkdir()
    with portal_shop.portal_of() as server:
        shop = portal_shop.Shop(tmp_path / "shop", server)
        shop.portal.knobs.custom_list_properties = bool(moment % 2)
        command = [sys.executable, "-m", "tests.portal_shop", str(shop.config), shop.day.isoformat(), "setup"]
        process = subprocess.Popen(command, start_new_session=True)
        while (
            process.poll() is None
            and sum(entry.method == "POST" and entry.status in (200, 201) for entry in shop.portal.log)
            < moment
        ):
            time.sleep(0.001)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert shop.code("setup") == 0, shop.said
        assert shop.code() == 0, shop.said
        names = [entry.name for entry in shop.portal.lists.all.values()]
        assert len(names) == len(set(names)) == 4


@pytest.mark.parametrize(("moment", "lists"), [(1, "dynamic"), (3, "static"), (9, "dynamic"), (11, "static")])
def test_a_set_up_that_was_killed_while_salesforce_made_something_is_finished_by_the_next(
    moment: int, lists: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    org_shop.hasten(monkeypatch, tmp_path)
    with org_shop.shop_of(tmp_path / "shop", 60, set_up=False, settings={"lists": lists}) as shop:
        process = subprocess.Popen(org_shop.command_of(shop, "setup"), start_new_session=True)
        made = ("CustomField", "FieldPermissions", "PermissionSet", "list-info", "Campaign")
        while process.poll() is None and moment > sum(
            call["method"] == "POST" and call["status"] == 201 and any(name in call["path"] for name in made)
            for call in list(shop.org.log)
        ):
            time.sleep(0.001)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert shop.code("setup") == 0, shop.said
        assert shop.do("setup")["setup"]["steps"] == []
        assert shop.code() == 0, shop.said
        names = [
            row["Name"]
            for row in shop.org.rows("Campaign" if lists == "static" else "ListView", "1")
            if "Buying" in row["Name"]
        ]
        assert len(names) == len(set(names)) > 5
        assert shop.do("run")["plan"]["kept"] == 0


@pytest.mark.parametrize("crm", CRMS)
def test_a_strangers_list_or_field_is_still_refused(
    crm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sync.exit_codes import SetupNeeded

    with company_of(crm, tmp_path, monkeypatch) as company:
        company.do("setup")
        for path in tmp_path.rglob("journal.sqlite*"):
            path.unlink()
        with pytest.raises(SetupNeeded, match="crm-segments did not create it"):
            company.do("setup")


def test_a_field_that_was_only_hidden_keeps_its_values_and_their_owners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with company_of("salesforce", tmp_path, monkeypatch) as company:
        assert isinstance(company, SalesforceCompany)
        org = company.shop.org
        company.first_run()
        before = company.fields()
        theirs, cleared, *_ = sorted(before)
        typed = next(value for value in "abc" if value != before[theirs]["seg_second"])
        company.type_in(theirs, typed)
        org.edit("Contact", cleared, seg_second__c=None)
        org.purge(
            "FieldPermissions",
            *(row["Id"] for row in org.rows("FieldPermissions", "1") if "seg_" in row["Field"]),
        )
        org.purge("PermissionSetAssignment", *(row["Id"] for row in org.rows("PermissionSetAssignment", "1")))
        org.purge("PermissionSet", *(row["Id"] for row in org.rows("PermissionSet", "Name = 'CRM_Segments'")))
        company.do("setup")
        for id in list(before)[2:20]:
            org.create(
                "Opportunity",
                Name="Big",
                StageName="Closed Won",
                CloseDate="2026-03-05",
                Amount=99_000,
                ContactId=id,
            )
        answer = company.do("run")
        assert answer["plan"]["kept"] == 2 and answer["applied"]["done"] > 5
        assert (
            company.fields()[theirs]["seg_second"] == typed and "seg_second" not in company.fields()[cleared]
        )
