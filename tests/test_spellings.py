"""Do rules mean what people mean, however a value is spelled: case, blanks, composed and decomposed accents?"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sync import commands
from sync.cli import app
from sync.commands import Options
from sync.config.config import ConfigError, load
from sync.pull.reading import sentences

CONFIG = """
as_of = 2025-06-30
[accounts.shop]
crm = "files"
path = "crm"
[accounts.shop.attributes]
city = "city"
code = { field = "code", exact = true }
tags = { field = "tags", type = "set", missing = ["None"] }
size = { field = "size", type = "ordered", order = ["Small", "Large"] }
[[segmentations]]
name = "place"
kind = "rules"
field = "seg_place"
extra_fields = ["reason"]
segments = [
  { key = "munich", when = { attribute = "city", is = "M\u00fcnchen" } },
  { key = "berlin", when = { attribute = "city", in = ["berlin ", "Potsdam"] } },
  { key = "saint", when = { attribute = "city", starts_with = "ST. " } },
  { key = "coded", when = { attribute = "code", is = "ab" } },
  { key = "vip", when = { attribute = "tags", contains = "vip" } },
  { key = "large", when = { attribute = "size", at_least = "large" } },
  { key = "mailed", when = { attribute = "email", ends_with = "@ACME.com" } },
]
"""
FILES = '[accounts.shop.contacts]\nfiles = "contacts-*.csv"\n[accounts.shop.attributes]'
CONTACTS = [
    "id,city,code,tags,size,email",
    "1,Mu\u0308nchen,,,,",
    "2,M\u00dcNCHEN,,,,",
    "3, Berlin,,,,",
    "4,BERLIN ,,,,",
    "5,St. Gallen,,,,",
    "6,Stuttgart,,,,",
    "7,,ab,,,",
    "8,,AB,,,",
    "9,,,new ; VIP,,",
    "10,,,none,,",
    "11,,,,LARGE ,",
    "12,,,,huge,",
    "13,,,,huge,x@Acme.Com",
]
LABELS = {
    "1": "munich", "2": "munich", "3": "berlin", "4": "berlin", "5": "saint", "7": "coded", "9": "vip", "11": "large", "13": "mailed",
}  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "crm").mkdir()
    (tmp_path / "config.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "crm" / "contacts.csv").write_text("\n".join(CONTACTS) + "\n", encoding="utf-8")
    (tmp_path / "crm" / "activities.csv").write_text("contact_id,occurred_at,amount\n1,2025-06-01,5.00\n")
    return tmp_path


def labelled(shop: Path) -> dict[str, dict[str, str]]:
    out = shop / "labels.csv"
    commands.label(shop / "config.toml", Options(), out)
    with out.open(newline="", encoding="utf-8") as file:
        return {row["id"]: row for row in csv.DictReader(file) if row["place"]}


def test_a_value_is_found_however_it_is_spelled_and_the_reason_keeps_its_spelling(shop: Path) -> None:
    commands.pull(shop / "config.toml")
    rows = labelled(shop)
    assert {id: row["place"] for id, row in rows.items()} == LABELS
    assert reason(shop, "4") == "berlin: city BERLIN" and reason(shop, "1") == "munich: city M\u00fcnchen"


def reason(shop: Path, id: str) -> str:
    shown = commands.show(shop / "config.toml", id=id)
    text: str = shown["segmentations"]["place"]["reason"]
    return text


def test_a_value_outside_of_an_order_is_told_and_not_only_missing(shop: Path) -> None:
    reading = commands.pull(shop / "config.toml")["reading"]
    assert reading["accounts"]["shop"]["streams"]["contact"]["cells"] == {
        "size is not in its order (Small, Large)": 2
    }
    assert any(
        "2 cells of contacts could not be read and count as unknown: size is not in its order (Small, Large) (2)"
        in sentence
        for sentence in sentences(reading)
    )


def test_check_tells_of_values_outside_of_an_order_before_anything_is_read(shop: Path) -> None:
    commands.setup(shop / "config.toml")
    notes = commands.check(shop / "config.toml")["notes"]
    assert "2 cells of contacts are not known: size is not in its order (Small, Large)" in notes
    result = CliRunner().invoke(app, ["label", "--config", str(shop / "config.toml")])
    assert "size is not in its order (Small, Large) (2)" in " ".join(result.output.split())


ACTIVITY = """
segments = [
  { key = "pleased", when = { answered = "NPS", is = "Très bien" } },
  { key = "coffee", when = { share_of = "Café", above = 0.5 } },
  { key = "tea", when = { feature = "orders.Tea", at_least = 2 } },
]
"""


def test_surveys_answers_and_categories_are_found_however_they_are_spelled(shop: Path) -> None:
    head, _, _ = CONFIG.partition("segments = [")
    (shop / "config.toml").write_text(head + ACTIVITY.strip() + "\n", encoding="utf-8")
    rows = [
        *("1,2025-06-01,5.00,CAFE\u0301 ,,,o1,purchase", "1,2025-06-02,4.00,other,,,o2,purchase"),
        *("2,2025-06-01,5.00,Tea,,,o3,purchase", "2,2025-06-03,5.00, tea,,,o4,purchase"),
        *("3,2025-06-01,,,nps , TRE\u0300S BIEN,,survey", "4,2025-06-01,,,NPS,bien,,survey"),
        "5,2025-06-01,5.00,cafes,,,o5,purchase",
    ]
    header = "contact_id,occurred_at,amount,category,campaign,answer,order_id,kind"
    (shop / "crm" / "activities.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    commands.pull(shop / "config.toml")
    segments = {id: row["place"] for id, row in labelled(shop).items()}
    assert segments == {"1": "coffee", "2": "tea", "3": "pleased"}
    assert "TRÈS BIEN" in reason(shop, "3")


def test_two_names_of_an_order_that_differ_by_case_alone_are_refused_with_the_line(shop: Path) -> None:
    config = shop / "config.toml"
    config.write_text(CONFIG.replace('"Small", "Large"', '"small", "Small"'), encoding="utf-8")
    with pytest.raises(
        ConfigError,
        match=r"config.toml:\d+: accounts.shop.attributes.size: order lists two values that differ only in case",
    ):
        load(config)


# -- names of columns
# -------------------------------------------------------------------------------------------


def test_headers_that_differ_by_case_alone_are_one_column(shop: Path) -> None:
    (shop / "crm" / "contacts.csv").unlink()
    (shop / "config.toml").write_text(CONFIG.replace("[accounts.shop.attributes]", FILES), encoding="utf-8")
    (shop / "crm" / "contacts-a.csv").write_text("id,Height,CITY,code,tags,size\n1,180,Berlin,,,\n")
    (shop / "crm" / "contacts-b.csv").write_text("id,height,city,code,tags,size\n2,170,BERLIN,,,\n")
    assert place_of(shop) == {"1": "berlin", "2": "berlin"}
    assert place_of(shop) == {"1": "berlin", "2": "berlin"}


def test_a_header_of_another_case_than_last_time_and_an_attribute_of_another_name_or_type_end_in_no_traceback(
    shop: Path,
) -> None:
    config, contacts = shop / "config.toml", shop / "crm" / "contacts.csv"
    without = CONFIG.replace('city = "city"\n', "").replace('attribute = "city"', 'attribute = "code"')
    config.write_text(without, encoding="utf-8")
    contacts.write_text("id,City,code,tags,size\n1,Berlin,,,\n2,12,,,\n")
    commands.pull(config)
    config.write_text(CONFIG, encoding="utf-8")
    assert place_of(shop) == {"1": "berlin"}
    contacts.write_text("id,CITY,code,tags,size\n1,Berlin,,,\n2,12,,,\n")
    assert place_of(shop) == {"1": "berlin"}
    numbers = CONFIG.replace('city = "city"', 'city = { field = "city", type = "number" }').replace(
        'is = "M\u00fcnchen"', "is = 12"
    )
    numbers = numbers.replace('in = ["berlin ", "Potsdam"]', "in = [7]").replace(
        'starts_with = "ST. "', "is = 13"
    )
    config.write_text(numbers, encoding="utf-8")
    assert place_of(shop) == {"2": "munich"}


def test_an_attribute_of_the_config_that_differs_by_case_alone_is_refused_with_the_line(shop: Path) -> None:
    config = shop / "config.toml"
    config.write_text(CONFIG.replace('city = "city"', 'city = "city"\nCity = "town"'), encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"config.toml:8: accounts.shop.attributes.City: .*'City' is not a name"
    ):
        load(config)


def place_of(shop: Path) -> dict[str, Any]:
    commands.pull(shop / "config.toml", Options(allow={"max_shrink": "test"}))
    return {id: row["place"] for id, row in labelled(shop).items()}
