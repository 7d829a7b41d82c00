"""Who may be mailed, and who objects to profiling, by what HubSpot knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.contract import REACHABLE, Account
from connectors.hubspot.reading import Reading
from tests.hubspot_reading import World, world
from tests.servers.hubspot.schema import Property

EMAIL = REACHABLE + "email"


@pytest.fixture
def crm(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        made.account = Account("portal", "hubspot", None)
        yield made


def contact(crm: World, **values: str) -> str:
    """A contact with an address, unless said otherwise; HubSpot's own properties included."""
    number = len(crm.portal.store.shelves["contacts"].records)
    id = crm.portal.put("contacts", {"email": f"person{number}@example.org"} if "email" not in values else {})
    crm.portal.record("contacts", id).values.update({name: value for name, value in values.items() if value})
    return str(id)


def own_property(crm: World, name: str, label: str = "") -> None:
    made = Property(name, "bool", "booleancheckbox", label=label or name, group="contactinformation")
    crm.portal.schema.properties["contacts"][name] = made


def test_who_opted_out_has_no_address_or_bounced_is_not_reachable(crm: World) -> None:
    own_property(crm, "hs_email_bad_address")
    expected = {
        contact(crm): True,
        contact(crm, hs_email_optout="false"): True,
        contact(crm, hs_email_optout="true"): False,
        contact(crm, email=""): False,
        contact(crm, hs_email_hard_bounce_reason_enum="UNKNOWN_USER"): False,
        contact(crm, hs_email_bad_address="true"): False,
        contact(crm, hs_email_bad_address="false"): True,
    }
    assert {id: row[EMAIL] for id, row in crm.read().records.items()} == expected


def test_where_the_portal_tells_of_no_opt_outs_nobody_knows(crm: World) -> None:
    del crm.portal.schema.properties["contacts"]["hs_email_optout"]
    known, dead = contact(crm), contact(crm, email="")
    rows = crm.read().records
    assert EMAIL not in rows[known]
    assert rows[dead][EMAIL] is False


@pytest.mark.parametrize("subscription", ["71", "Marketing Information", "marketing information"])
def test_the_opt_out_of_one_subscription_type_rules_besides_that_of_all(crm: World, subscription: str) -> None:
    crm.settings = {"subscription": subscription}
    own_property(crm, "hs_email_optout_71", "Opted out of email: Marketing Information")
    own_property(crm, "hs_email_optout_72", "Opted out of email: Customer Service Communication")
    expected = {
        contact(crm, hs_email_optout_71="true"): False,
        contact(crm, hs_email_optout_72="true"): True,
        contact(crm, hs_email_optout="true"): False,
    }
    assert {id: row[EMAIL] for id, row in crm.read().records.items()} == expected
    assert notes(crm) == []


def test_without_a_property_for_the_subscription_the_opt_out_of_all_rules_and_that_is_said(crm: World) -> None:
    crm.settings = {"subscription": "Newsletter"}
    expected = {contact(crm, hs_email_optout="true"): False, contact(crm): True}
    assert {id: row[EMAIL] for id, row in crm.read().records.items()} == expected
    (note,) = notes(crm)
    assert "'Newsletter'" in note
    assert "hs_email_optout" in note


def test_a_property_may_say_who_objects_to_profiling(crm: World) -> None:
    own_property(crm, "no_profiling")
    objects, agrees = contact(crm, no_profiling="true"), contact(crm, no_profiling="false")
    assert "objects_to_profiling" not in crm.read().records[objects]
    crm.settings = {"objection": "no_profiling"}
    rows = crm.read().records
    assert (rows[objects]["objects_to_profiling"], rows[agrees]["objects_to_profiling"]) == (True, False)


def test_an_opt_out_is_known_after_the_next_reading(crm: World) -> None:
    id = contact(crm)
    crm.later()
    fold = crm.read()
    crm.portal.record("contacts", int(id)).values["hs_email_optout"] = "true"
    crm.portal.put("contacts", {"city": "Ulm"}, int(id))
    crm.pull(fold)
    assert fold.records[id][EMAIL] is False


def test_the_consent_of_who_was_merged_away_is_the_survivors(crm: World) -> None:
    crm.portal.knobs.merge_id = "keep"
    one, other = contact(crm), contact(crm, hs_email_optout="true")
    crm.portal.join("contacts", int(one), int(other))
    rows = crm.read().records
    assert rows[one][EMAIL] is False
    assert EMAIL not in rows[other]


def notes(crm: World) -> list[str]:
    session = crm.session()
    try:
        return Reading(session).notes()
    finally:
        session.close()


def test_another_subscription_reads_everything_anew(crm: World) -> None:
    own_property(crm, "hs_email_optout_71", "Opted out of email: Marketing Information")
    id = contact(crm, hs_email_optout_71="true")
    fold = crm.read()
    assert fold.records[id][EMAIL] is True
    crm.account = replace(crm.account)
    crm.settings = {"subscription": "71"}
    crm.pull(fold)
    assert fold.records[id][EMAIL] is False
