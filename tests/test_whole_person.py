"""A person has several addresses and ids that are written differently: shown by each, and forgotten with all
of them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sync import commands
from sync.config.config import load

CONFIG = """
state_dir = "state"
as_of = "2026-02-28"
[accounts.shop]
crm = "files"
path = "exports"
id_type = "number"
[accounts.shop.activities.columns]
contact_id = "customer"
contact_email = "mail"
[[segmentations]]
name = "rfm"
kind = "rfm"
field = "seg_rfm"
"""
PEOPLE = "id,name,email,emails,phones,country\n1,Ada Lind,ada@x.org,ada@x.org;ada@old.org,+49 1;+49 2,DE\n2,Ben,ben@x.org,,,\n"
SOLD = "customer,mail,occurred_at,amount\n1.0,,2026-02-01,10\n,ADA@old.org,2026-02-02,20\n2,,2026-02-03,5\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "contacts.csv").write_text(PEOPLE)
    (tmp_path / "exports" / "activities.csv").write_text(SOLD)
    (tmp_path / "config.toml").write_text(CONFIG)
    commands.setup(tmp_path / "config.toml")
    return tmp_path / "config.toml"


def purchases(config: Path, id: str) -> int:
    commands.label(config)
    return int(commands.show(config, id=id)["features"].get("orders", 0))


def read_anew(config: Path) -> dict[str, int]:
    """What a first pull reads: after ``forget`` itself nothing has to be read again."""
    assert not commands.pull(config)["pulled"]["rows"]
    for path in load(config).state_dir.glob("mirror.duckdb*"):
        path.unlink()
    pulled: dict[str, int] = commands.pull(config)["pulled"]
    return pulled


def test_a_purchase_is_found_by_any_form_of_the_id_and_by_any_address(config: Path) -> None:
    assert (purchases(config, "1"), purchases(config, "2")) == (2, 1)


def test_a_person_is_shown_by_any_address_with_all_that_is_known(config: Path) -> None:
    commands.label(config)
    shown = commands.show(config, id="Ada@Old.org")
    assert shown["id"] == "1"
    assert shown["person"] == {
        "name": "Ada Lind", "email": "ada@x.org", "emails": ["ada@x.org", "ada@old.org"], "phones": ["+49 1", "+49 2"], "country": "DE",
    }  # fmt: skip


def test_nothing_of_a_forgotten_person_is_read_again_under_any_id_or_address(config: Path) -> None:
    commands.label(config)
    commands.forget(config, id="1")
    pulled = read_anew(config)
    assert pulled["forgotten"] == 3 and pulled["parked"] == 0
    state = load(config).state_dir
    for path in state.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"old.org" not in content and b"Ada" not in content and b"ada@x" not in content, path


def test_a_purchase_of_somebody_else_that_names_a_shared_address_stays_theirs(config: Path) -> None:
    exports = config.parent / "exports"
    (exports / "activities.csv").write_text(SOLD + "02,ada@old.org,2026-02-05,7\n9,ada@x.org,2026-02-06,8\n")
    assert (purchases(config, "1"), purchases(config, "2")) == (3, 2)
    commands.forget(config, id="1")
    assert read_anew(config)["forgotten"] == 4
    assert purchases(config, "2") == 2


def test_who_is_forgotten_by_an_address_is_forgotten_whole(config: Path) -> None:
    commands.label(config)
    assert commands.forget(config, id="ADA@old.org")["forgotten"] == 1
    pulled = read_anew(config)
    assert pulled["forgotten"] == 3 and pulled["parked"] == 0
    kept = b"".join(path.read_bytes().lower() for path in load(config).state_dir.rglob("*") if path.is_file())
    # three letters alone may stand in any hash
    assert not [word for word in (b"ada lind", b"ada@", b"old.org") if word in kept]


def test_who_was_merged_into_the_person_is_forgotten_too(config: Path) -> None:
    exports = config.parent / "exports"
    (exports / "contacts.csv").write_text(
        "id,email,merged_into\n1,ada@x.org,\n2,ben@x.org,\n3,ada@third.org,1\n"
    )
    (exports / "activities.csv").write_text(
        "customer,mail,occurred_at,amount\n3,,2026-02-01,10\n,ada@third.org,2026-02-02,20\n2,,2026-02-03,5\n"
    )
    assert purchases(config, "1") == 2
    assert commands.forget(config, id="1")["forgotten"] == 2
    pulled = read_anew(config)
    assert pulled["forgotten"] == 4 and pulled["parked"] == 0


def test_a_refused_purchase_is_forgotten_by_whatever_it_names_the_person(config: Path) -> None:
    (config.parent / "exports" / "activities.csv").write_text(
        SOLD + "001,,2026-02-07,3\n001,,2026-02-07,a lot\n"
    )
    commands.label(config)
    named = [row["record_id"] for row in commands.rejects(config)["rejects"]]
    commands.forget(config, id="1")
    assert not [
        row for row in commands.rejects(config)["rejects"] if row["record_id"] in named and row["record_id"]
    ]
