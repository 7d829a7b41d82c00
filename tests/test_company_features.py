"""Does a company have what its contacts and its deals brought, each deal once, all shares together the whole?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import Page
from connectors.schemas import ACTIVITY_SCHEMA, RECORD_SCHEMA
from sync import commands
from sync.account.session import Session, locked
from sync.config.config import load
from sync.context import Context
from sync.label.feature_frame import AccountFeatures
from sync.pull.ingest import Ingest
from sync.store.mirror import AccountMirror

CONFIG = """
as_of = 2024-06-30
[accounts.portal]
crm = "files"
path = "crm"
deal_share = "{share}"
[[segmentations]]
name = "value"
kind = "abc"
field = "seg_value"
population = {{ attribute = "record_type", in = ["company", "contact"] }}
"""
MAY = datetime(2024, 5, 1, tzinfo=UTC)
EMPLOYER = {"c1": "a", "c2": "a", "c3": "b", "c4": None}  # contact → company


def take(mirror: AccountMirror, stream: str, rows: list[dict[str, Any]]) -> None:
    schema = ACTIVITY_SCHEMA if stream == "activity" else RECORD_SCHEMA
    names = {name for row in rows for name in row}
    frame = pa.Table.from_pylist(rows, schema=pa.schema([field for field in schema if field.name in names]))
    with mirror.transaction():
        Ingest(mirror, stream, "UTC", True).take(Page(frame, ""))


def revenue(folder: Path, share: str, deals: list[dict[str, float | None]]) -> dict[str, tuple[int, int]]:
    """Record → orders and net revenue. Each deal is worth 1,000: who takes part (contact or company) → share."""
    path = folder / "config.toml"
    path.write_text(CONFIG.format(share=share), encoding="utf-8")
    config = load(path)
    with locked(config) as journal:
        session = Session.begin(Context(config, "portal"), journal)
        try:
            people = [{"record_type": "company", "id": company} for company in ("a", "b")]
            take(session.mirror(), "company", people)
            take(
                session.mirror(),
                "contact",
                [{"record_type": "contact", "id": c, "company_id": e} for c, e in EMPLOYER.items()],
            )
            deed = {"kind": "purchase", "occurred_at": MAY, "amount_minor": 1000, "deleted": False}
            rows = [
                {
                    **deed,
                    "id": f"d{n}",
                    "order_id": f"d{n}",
                    "record_type": "company" if who in "ab" else "contact",
                    "record_id": who,
                    "share": part,
                }
                for n, deal in enumerate(deals)
                for who, part in deal.items()
            ]
            if rows:
                take(session.mirror(), "activity", rows)
            AccountFeatures(session).table()
            features = session.mirror().rows(
                "SELECT id, orders, net_revenue FROM features JOIN ids USING (record)"
            )
            return {id: (orders, net) for id, orders, net in features}
        finally:
            session.close()


def test_a_deal_shared_by_two_contacts_of_a_company_is_one_whole_order_of_it(tmp_path: Path) -> None:
    totals = revenue(tmp_path, "split", [{"c1": 0.5, "c2": 0.5}])
    assert totals["c1"] == totals["c2"] == (1, 500)
    assert totals["a"] == (1, 1000)


def test_where_each_contact_has_the_whole_deal_the_company_has_it_once(tmp_path: Path) -> None:
    totals = revenue(tmp_path, "full", [{"c1": None, "c2": None}, {"c1": None}])
    assert totals["c1"] == (2, 2000) and totals["c2"] == (1, 1000)
    assert totals["a"] == (2, 2000)


def test_a_deal_with_a_row_of_a_company_is_that_companys_wherever_its_contacts_are_employed(
    tmp_path: Path,
) -> None:
    totals = revenue(tmp_path, "split", [{"a": None, "c1": 0.5, "c3": 0.5}])
    assert totals["a"] == (1, 1000) and totals["b"] == (0, 0)
    assert totals["c1"] == totals["c3"] == (1, 500)


@pytest.mark.parametrize("share", ["split", "primary"])
@settings(max_examples=12, deadline=None)
@given(st.lists(st.sets(st.sampled_from(["c1", "c2", "c3"]), min_size=1), min_size=1, max_size=6))
def test_companies_together_hold_all_revenue_that_was_won_with_their_contacts(
    tmp_path_factory: Any, share: str, deals: list[set[str]]
) -> None:
    rows = [
        dict.fromkeys(sorted(deal), 1 / len(deal)) if share == "split" else {min(deal): None}
        for deal in deals
    ]
    totals = revenue(tmp_path_factory.mktemp("world"), share, rows)  # type: ignore[arg-type]
    won = sum(net for id, (_, net) in totals.items() if id.startswith("c"))
    assert totals["a"][1] + totals["b"][1] == won
    assert abs(won - 1000 * len(deals)) <= len(deals)  # a third of a deal is rounded to a cent


# how a deal of 1,000 won by two contacts of a firm stands in an export; who is paid for what is up to
# ``deal_share``
SHAPES = {
    "primary": ["d1,contact,c1,1000,d1,", "d2,contact,c3,500,d2,"],
    "split": ["r1,contact,c1,1000,d1,0.7", "r2,contact,c2,1000,d1,0.3", "r3,contact,c3,500,d2,1"],
    "full": ["r1,contact,c1,1000,d1,", "r2,contact,c2,1000,d1,", "r3,contact,c3,500,d2,"],
    "full without ids": [",contact,c1,1000,d1,", ",contact,c2,1000,d1,", ",contact,c3,500,d2,"],
    "full in lines": [
        "r1,contact,c1,600,d1,",
        "r2,contact,c1,400,d1,",
        "r3,contact,c2,600,d1,",
        "r4,contact,c2,400,d1,",
        ",contact,c3,500,d2,",
    ],
    "of the account": [
        "r1,company,a,1000,d1,",
        "r2,contact,c1,1000,d1,0.5",
        "r3,contact,c2,1000,d1,0.5",
        "r4,company,b,500,d2,",
    ],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_in_files_too_the_companies_hold_all_that_was_won_once(tmp_path: Path, shape: str) -> None:
    crm = tmp_path / "crm"
    crm.mkdir()
    (crm / "companies.csv").write_text("id,created_at\na,2020-01-01\nb,2020-01-01\n")
    people = "".join(f"{contact},{employer or ''},2020-01-01\n" for contact, employer in EMPLOYER.items())
    (crm / "contacts.csv").write_text("id,company_id,created_at\n" + people)
    rows = [line.split(",") for line in SHAPES[shape]]
    lines = [
        f"{id},{type},{who},purchase,2024-05-01,{amount},{order},{share}"
        for id, type, who, amount, order, share in rows
    ]
    head = "id,record_type,record_id,kind,occurred_at,amount,order_id,share"
    (crm / "activities.csv").write_text("\n".join([head, *lines]) + "\n")
    path = tmp_path / "config.toml"
    path.write_text(
        CONFIG.format(share="primary" if shape == "primary" else "full" if "full" in shape else "split"),
        encoding="utf-8",
    )
    config = load(path)
    commands.label(config)
    with locked(config) as journal:
        session = Session.begin(Context(config, "portal"), journal)
        try:
            AccountFeatures(session).table()
            features = session.mirror().rows(
                "SELECT id, orders, net_revenue FROM features JOIN ids USING (record)"
            )
            totals = {id: (orders, net) for id, orders, net in features}
        finally:
            session.close()
    assert (totals["a"], totals["b"]) == ((1, 100_000), (1, 50_000))
