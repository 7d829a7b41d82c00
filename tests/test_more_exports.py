"""The exports of further platforms, rebuilt with invented people: each comes out right, or is refused with
what to do about it.

``tests/more_exports/CASE/exports`` are the files, ``expected.json`` beside them what each customer bought.
Where the files do not tell it, ``refused.json`` says which words the refusal must hold (``says``), and what a
person then states to get it right (``with``).
"""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Account
from connectors.files.folder import Folder
from connectors.files.reading import Reading
from connectors.values.ids import comparable
from sync.config.config import load
from sync.exit_codes import CommandError
from sync.start.init import init
from sync.start.tables import Described

CASES = Path(__file__).parent / "more_exports"
NAMES = sorted(path.name for path in CASES.iterdir() if path.is_dir())
Answer = dict[str, Any]


def people_of(folder: Folder, id_type: str) -> dict[str, str]:
    """Every id and address → the id of its contact."""
    contact_ids = {}
    for page in Reading(folder, "contact").pages(None):
        for row in page.records.to_pylist():
            for email in filter(None, [row.get("email"), *(row.get("emails") or [])]):
                contact_ids[email.strip().casefold()] = row["id"]
            contact_ids[comparable(row["id"], id_type)] = row["id"]
    return contact_ids


def orders_of(folder: Folder) -> list[list[dict[str, Any]]]:
    """Rows of activity, order by order; of an order that two files hold, those of the later file."""
    orders: dict[Any, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for page in Reading(folder, "activity").pages(None):
        for number, row in enumerate(page.records.to_pylist()):
            if row.get("deleted"):
                continue
            orders[row.get("order_id") or (page.part, number)][page.part].append(row)
        for row in page.voids.to_pylist() if page.voids is not None else []:
            orders[row["order_id"]][page.part] += []
    return [parts[max(parts)] for parts in orders.values() if parts[max(parts)]]


def read_back(config: Path) -> dict[str, Answer]:
    """Orders, net revenue and last purchase of each contact, by its id and by its address."""
    account: Account = load(config).account("shop")
    folder, id_type = Folder(account), account.settings.id_type
    contact_ids = people_of(folder, id_type)
    answers: dict[str, Answer] = {
        contact: {"orders": 0, "net_revenue": 0, "last_purchase": None} for contact in contact_ids.values()
    }
    for rows in orders_of(folder):
        first = rows[0]
        owner = contact_ids.get(comparable(first.get("record_id") or "", id_type)) or contact_ids.get(
            (first.get("record_email") or "").strip().casefold()
        )
        if owner is None:
            continue
        answer = answers[owner]
        answer["net_revenue"] += sum(row.get("amount_minor") or 0 for row in rows)
        days = [row["occurred_at"].date().isoformat() for row in rows if row["kind"] == "purchase"]
        answer["orders"] += bool(days)
        answer["last_purchase"] = max(filter(None, [answer["last_purchase"], *days]), default=None)
    for answer in answers.values():
        answer["net_revenue"] = round(answer["net_revenue"] / 100, 2)
    return {name: answers[contact] for name, contact in contact_ids.items()}


def differences(config: Path, expected: dict[str, Answer]) -> dict[str, Any]:
    """What is read otherwise than expected, by customer."""
    answers = {name.casefold(): answer for name, answer in read_back(config).items()}
    return {
        name: (answer, answers.get(name.casefold()))
        for name, answer in expected.items()
        if answer != answers.get(name.casefold(), {"orders": 0, "net_revenue": 0, "last_purchase": None})
    }


@pytest.mark.parametrize("case", NAMES)
def test_an_export_comes_out_right_or_is_refused_with_the_remedy(case: str, tmp_path: Path) -> None:
    shutil.copytree(CASES / case / "exports", tmp_path / "exports")
    expected = json.loads((CASES / case / "expected.json").read_text(encoding="utf-8"))
    refusal = CASES / case / "refused.json"
    config, folder, stated = tmp_path / "config.toml", tmp_path / "exports", Described()
    if refusal.exists():
        wanted = json.loads(refusal.read_text(encoding="utf-8"))
        with pytest.raises(CommandError) as caught:
            init(config, "files", folder, "rfm,abc")
        assert wanted["says"] in str(caught.value)
        if not wanted["with"]:
            return
        stated = Described(**wanted["with"])
    answer = init(config, "files", folder, "rfm,abc", described=stated)
    assert differences(config, expected) == {}
    refused = answer["preview"]["refused"] | answer["preview"]["contact_refused"]
    assert not [reason for reason in refused if not reason.startswith("has … cells")], (
        "but for lines of text below a table"
    )
