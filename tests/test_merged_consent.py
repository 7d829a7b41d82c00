"""What a person said no to under a record that was merged since: it binds the survivor, though HubSpot tells
no more of a merged contact than who survived.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.store.journal import Journal
from tests.each_crm import HubspotCompany, company_of

WEEKS = 3 * 7 * 86_400


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubspotCompany]:
    with company_of("hubspot", tmp_path, monkeypatch) as opened:
        assert isinstance(opened, HubspotCompany)
        opened.first_run()
        yield opened


def merged(company: HubspotCompany, mode: Any = "keep") -> tuple[str, str]:
    """The survivor and the loser of a merge: the loser objected before, the survivor says that it does not."""
    company.shop.portal.knobs.merge_id = mode
    primary, loser = sorted(company.fields(), key=int)[:2]
    portal = company.shop.portal
    portal.put("contacts", {"objects": "false"}, int(primary))
    company.object_to_profiling(loser)
    company.do("run")
    assert primary in company.fields() and loser not in company.fields()
    return str(portal.join("contacts", int(primary), int(loser))), loser


def forget_mirror(company: HubspotCompany) -> None:
    for path in (company.shop.folder / "state").glob("mirror.duckdb*"):
        path.unlink()


def kept(company: HubspotCompany) -> list[dict[str, Any]]:
    journal = Journal(company.shop.folder / "state" / "journal.sqlite")
    try:
        return journal.rows("SELECT id, survivor, refused FROM merged_consents")
    finally:
        journal.close()


@pytest.mark.parametrize("mode", ["keep", "new"])
def test_an_objection_outlives_the_merge_the_weekly_reading_and_the_mirror(
    company: HubspotCompany, mode: str
) -> None:
    survivor, loser = merged(company, mode)
    company.do("run")
    assert survivor not in company.fields()
    company.shop.portal.settle(WEEKS)
    company.do("run")
    assert survivor not in company.fields()
    assert kept(company) == [{"id": loser, "survivor": survivor, "refused": "objects_to_profiling"}]
    forget_mirror(company)
    company.do("run")
    assert survivor not in company.fields()


def test_an_objection_outlives_two_merges(company: HubspotCompany) -> None:
    first, _loser = merged(company)
    company.do("run")
    last = next(id for id in sorted(company.fields(), key=int) if id != first)
    company.shop.portal.put("contacts", {"objects": "false"}, int(last))
    company.shop.portal.join("contacts", int(last), int(first))
    company.do("run")
    forget_mirror(company)
    company.do("run")
    assert last not in company.fields()


def test_a_survivor_whose_own_objection_is_taken_back_is_bound_by_none(company: HubspotCompany) -> None:
    survivor, _loser = merged(company)
    company.do("run")
    company.object_to_profiling(survivor)
    company.do("run")
    company.shop.portal.put("contacts", {"objects": "false"}, int(survivor))
    company.do("run")
    assert survivor in company.fields()
    assert kept(company) == []


def test_who_is_forgotten_leaves_no_refusal(company: HubspotCompany) -> None:
    survivor, _loser = merged(company)
    company.do("run")
    company.do("forget", id=survivor)
    assert kept(company) == []


def test_an_opt_out_of_mail_outlives_the_merge(company: HubspotCompany) -> None:
    portal = company.shop.portal
    portal.knobs.merge_id = "keep"
    primary, loser, silent = sorted(company.fields(), key=int)[:3]
    portal.record("contacts", int(loser)).values["hs_email_optout"] = "true"
    portal.put("contacts", {"hs_emailconfirmationstatus": "Confirmed"}, int(primary))
    portal.put("contacts", {"email": ""}, int(silent))
    portal.put("contacts", {"city": "Ulm"}, int(loser))
    company.do("run")
    other = sorted(company.fields(), key=int)[4]
    portal.join("contacts", int(primary), int(loser))
    portal.join("contacts", int(other), int(silent))
    company.do("run")
    assert kept(company) == [{"id": loser, "survivor": primary, "refused": "reachable.email"}], (
        "whoever has no address refuses nothing"
    )
