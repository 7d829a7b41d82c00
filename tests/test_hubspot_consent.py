"""Who may be mailed, and who objects to profiling, by what HubSpot knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Account, ListSpec
from connectors.errors import UnsupportedError
from connectors.hubspot.lists import Lists
from connectors.hubspot.reading import Reading
from connectors.schemas import REACHABLE
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


# What contacts hold, and whether each may be mailed: where one must have opted in, and where it is enough not
# to have opted out.
CASES: list[tuple[dict[str, str], bool | None, bool]] = [
    ({}, None, True),
    ({"hs_email_optout": "false"}, None, True),
    ({"hs_email_optout": "true"}, False, False),
    ({"email": ""}, False, False),
    ({"hs_email_hard_bounce_reason_enum": "UNKNOWN_USER"}, False, False),
    ({"hs_email_bounce": "2"}, False, False),
    ({"hs_email_bounce": "0"}, None, True),
    ({"hs_email_bad_address": "true"}, False, False),
    ({"hs_email_bad_address": "false"}, None, True),
    ({"hs_email_quarantined": "true"}, False, False),
    ({"hs_marketable_status": "false"}, False, False),
    ({"hs_marketable_status": "true"}, None, True),
    ({"hs_emailconfirmationstatus": "Confirmation Pending"}, False, False),
    ({"hs_emailconfirmationstatus": "Confirmation Email Sent"}, False, False),
    ({"hs_emailconfirmationstatus": "User clicked confirmation"}, True, True),
    ({"hs_legal_basis": "Performance of a contract"}, None, True),
    ({"hs_legal_basis": "Performance of a contract;Freely given consent from contact"}, True, True),
    ({"hs_legal_basis": "Freely given consent from contact", "hs_email_optout": "true"}, False, False),
    ({"hs_emailconfirmationstatus": "Confirmed", "hs_email_quarantined": "true"}, False, False),
]


@pytest.mark.parametrize("basis", ["opt_in", "not_opted_out"])
def test_not_opted_out_is_not_opted_in(crm: World, basis: Any) -> None:
    crm.account = replace(crm.account, consent_basis=basis)
    expected = {
        contact(crm, **values): opted_in if basis == "opt_in" else open_ for values, opted_in, open_ in CASES
    }
    assert {id: row.get(EMAIL) for id, row in crm.read().records.items()} == expected


@pytest.mark.parametrize("unknown_reachable", [False, True])
@pytest.mark.parametrize("basis", ["opt_in", "not_opted_out"])
def test_a_dynamic_campaign_list_holds_exactly_whom_the_records_call_reachable(
    crm: World, basis: Any, unknown_reachable: bool
) -> None:
    crm.portal.knobs.list_build = crm.portal.knobs.list_lag = 0.0
    crm.account = replace(crm.account, consent_basis=basis)
    own = Property(
        "seg",
        "enumeration",
        "select",
        label="seg",
        group="contactinformation",
        options=[{"label": "A", "value": "a"}],
    )
    crm.portal.schema.properties["contacts"]["seg"] = own
    for values, _, _ in CASES:
        contact(crm, seg="a", **values)
    contact(crm, hs_emailconfirmationstatus="Confirmed")  # of another segment
    spec = ListSpec(
        "s.a", "S: A", "dynamic", "contact", "seg", "a", channel="email", unknown_reachable=unknown_reachable
    )
    session = crm.session()
    try:
        remote = Lists(session).ensure(spec)
        again = Lists(session).ensure(replace(spec, id=remote.id))
    finally:
        session.close()
    crm.portal.settle(5)
    reachable = {int(id): row.get(EMAIL) for id, row in crm.read().records.items()}
    expected = {id for id, may in reachable.items() if may or (may is None and unknown_reachable)}
    assert again == remote and not any("update-list-filters" in call for call in crm.calls())
    assert set(crm.portal.lists.all[int(remote.id)].members) == expected - {max(reachable)}


def test_a_list_that_could_hold_nobody_is_refused_with_the_remedy(crm: World) -> None:
    for name in ("hs_emailconfirmationstatus", "hs_legal_basis"):
        del crm.portal.schema.properties["contacts"][name]
    session = crm.session()
    try:
        with pytest.raises(UnsupportedError, match='consent_basis = "not_opted_out"'):
            Lists(session).ensure(ListSpec("s.a", "S: A", "dynamic", "contact", "seg", "a", channel="email"))
    finally:
        session.close()


def test_the_word_that_a_yes_rests_on_is_kept(crm: World) -> None:
    confirmed = contact(crm, hs_emailconfirmationstatus="Confirmed due to form")
    freely = contact(crm, hs_legal_basis="Freely given consent from contact;Not applicable")
    nothing = contact(crm)
    rows = crm.read().records
    assert rows[confirmed]["consent_source"] == "Confirmed due to form"
    assert rows[freely]["consent_source"] == "Freely given consent from contact"
    assert "consent_source" not in rows[nothing]


def test_another_basis_reads_everything_anew(crm: World) -> None:
    id = contact(crm)
    fold = crm.read()
    assert EMAIL not in fold.records[id]
    crm.account = replace(crm.account, consent_basis="not_opted_out")
    crm.pull(fold)
    assert fold.records[id][EMAIL] is True


def test_where_the_portal_tells_of_no_opt_outs_nobody_knows(crm: World) -> None:
    crm.account = replace(crm.account, consent_basis="not_opted_out")
    del crm.portal.schema.properties["contacts"]["hs_email_optout"]
    mailable, dead = contact(crm), contact(crm, email="")
    rows = crm.read().records
    assert EMAIL not in rows[mailable]
    assert rows[dead][EMAIL] is False


@pytest.mark.parametrize("subscription", ["71", "Marketing Information", "marketing information"])
def test_the_opt_out_of_one_subscription_type_rules_besides_that_of_all(
    crm: World, subscription: str
) -> None:
    crm.settings, crm.account = (
        {"email_subscription": subscription},
        replace(crm.account, consent_basis="not_opted_out"),
    )
    own_property(crm, "hs_email_optout_71", "Opted out of email: Marketing Information")
    own_property(crm, "hs_email_optout_72", "Opted out of email: Customer Service Communication")
    expected = {
        contact(crm, hs_email_optout_71="true"): False,
        contact(crm, hs_email_optout_72="true"): True,
        contact(crm, hs_email_optout="true"): False,
    }
    assert {id: row[EMAIL] for id, row in crm.read().records.items()} == expected
    assert notes(crm) == []


def test_without_a_property_for_the_subscription_the_opt_out_of_all_rules_and_that_is_said(
    crm: World,
) -> None:
    crm.settings, crm.account = (
        {"email_subscription": "Newsletter"},
        replace(crm.account, consent_basis="not_opted_out"),
    )
    expected = {contact(crm, hs_email_optout="true"): False, contact(crm): True}
    assert {id: row[EMAIL] for id, row in crm.read().records.items()} == expected
    (note,) = notes(crm)
    assert "'Newsletter'" in note
    assert "hs_email_optout" in note


def test_a_property_may_say_who_objects_to_profiling(crm: World) -> None:
    own_property(crm, "no_profiling")
    objects, agrees = contact(crm, no_profiling="true"), contact(crm, no_profiling="false")
    assert "objects_to_profiling" not in crm.read().records[objects]
    crm.settings = {"profiling_opt_out_property": "no_profiling"}
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
    survivor, other = contact(crm), contact(crm, hs_email_optout="true")
    crm.portal.join("contacts", int(survivor), int(other))
    rows = crm.read().records
    assert rows[survivor][EMAIL] is False
    assert EMAIL not in rows[other]


def notes(crm: World) -> list[str]:
    session = crm.session()
    try:
        session.properties("contacts")  # notes ask nothing themselves
        return Reading(session).diagnostics()
    finally:
        session.close()


def test_another_subscription_reads_everything_anew(crm: World) -> None:
    crm.account = replace(crm.account, consent_basis="not_opted_out")
    own_property(crm, "hs_email_optout_71", "Opted out of email: Marketing Information")
    id = contact(crm, hs_email_optout_71="true")
    fold = crm.read()
    assert fold.records[id][EMAIL] is True
    crm.settings = {"email_subscription": "71"}
    crm.pull(fold)
    assert fold.records[id][EMAIL] is False
