"""Are names and titles that a CRM would refuse in the middle of a set-up refused by the config, with their
line?
"""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors import CRMS, limits
from sync.config.config import ConfigError, load

HEAD = """
[accounts.shop]
crm = "files"
path = "crm"
[accounts.portal]
crm = "hubspot"
token = "env:TOKEN"
[accounts.org]
crm = "salesforce"
api_url = "https://acme.my.salesforce.com"
client_id = "x"
client_secret = "env:SECRET"
"""


def segmentation(
    name: str, label: str, field: str, segments: str = "", kind: str = "rules", more: str = ""
) -> str:
    segments = segments or "{ key = 'a', when = { did = 'purchase' } }"
    listed = f"segments = [ {segments} ]\n"
    return f'[[segmentations]]\nname = "{name}"\ntitle = "{label}"\nkind = "{kind}"\nfield = "{field}"\n{more}{listed}'


def faults(folder: Path, text: str) -> list[str]:
    file = folder / "config.toml"
    file.write_text(HEAD + text)
    try:
        load(file)
    except ConfigError as error:
        return [line.removeprefix(f"{file}:") for line in str(error).splitlines()]
    return []


def test_two_segments_of_one_title_are_refused_with_the_line(tmp_path: Path) -> None:
    two = "{ key = 'a', title = 'Gold', when = { did = 'purchase' } },\n{ key = 'b', title = ' GOLD', when = { did = 'email_click' } }"
    (message,) = faults(tmp_path, segmentation("tier", "Tier", "seg_tier", two))
    assert message.startswith(
        "19: segmentations[0].segments[1].title: ' GOLD' is also the title of segment 'a'"
    )


def test_a_title_that_equals_the_key_of_another_segment_is_refused(tmp_path: Path) -> None:
    two = "{ key = 'gold', when = { did = 'purchase' } },\n{ key = 'b', title = 'Gold', when = { did = 'email_click' } }"
    (message,) = faults(tmp_path, segmentation("tier", "Tier", "seg_tier", two))
    assert "'Gold' is also the title of segment 'gold'" in message


def test_a_title_that_the_kind_gives_another_segment_is_refused_with_the_line(tmp_path: Path) -> None:
    (message,) = faults(
        tmp_path, segmentation("rfm", "Habits", "seg_rfm", "{ key = 'lost', title = 'champions' }", "rfm")
    )
    assert message.startswith("18: segmentations[0].segments[0].title: ") and "'champions'" in message
    assert (
        faults(tmp_path, segmentation("rfm", "Habits", "seg_rfm", "{ key = 'lost', title = 'Gone' }", "rfm"))
        == []
    )


def test_that_holds_for_kinds_that_learn_from_attributes_too(tmp_path: Path) -> None:
    shop = HEAD.replace('path = "crm"\n', 'path = "crm"\nattributes = { city = "city" }\n', 1)
    twin = "{ key = 'cluster_1', title = 'not clustered' }"
    more = 'attributes = ["city"]\naccounts = ["shop"]\n'
    file = tmp_path / "config.toml"
    file.write_text(shop + segmentation("alike", "Alike", "seg_alike", twin, "clusters", more))
    with pytest.raises(ConfigError, match="'Not clustered' is also the title of segment 'unscored'"):
        load(file)


def test_two_segmentations_of_one_title_are_refused_where_they_meet_in_an_account(tmp_path: Path) -> None:
    first = segmentation("one", "Buying habits", "seg_one", more='accounts = ["shop"]\n')
    (message,) = faults(tmp_path, first + segmentation("two", "buying Habits ", "seg_two"))
    assert message.startswith(
        "22: segmentations[1].title: 'buying Habits ' is also the title of segmentation 'one'"
    )
    assert (
        faults(
            tmp_path, first + segmentation("two", "Buying habits", "seg_two", more='accounts = ["portal"]\n')
        )
        == []
    )


@pytest.mark.parametrize(
    ("account", "field", "key"),
    [
        ("portal", "hs_segment", "field"),
        ("portal", "a12_segment", "field"),
        ("portal", "s" * 101, "field"),
        ("portal", "s" * 95, "extra_fields"),
        ("org", "s" * 41, "field"),
        ("org", "s" * 36, "extra_fields"),
        ("org", "seg__rfm", "field"),
        ("org", "seg_", "field"),
        ("shop", "id", "field"),
        ("shop", "record_type", "field"),
    ],
)
def test_a_name_that_a_crm_does_not_take_is_refused_with_the_line(
    tmp_path: Path, account: str, field: str, key: str
) -> None:
    more = f'extra_fields = ["reason"]\naccounts = ["{account}"]\n'
    messages = faults(tmp_path, segmentation("tier", "Tier", field, more=more))
    crm = {"portal": "hubspot", "org": "salesforce", "shop": "files"}[account]
    line = 17 if key == "field" else 18
    assert messages and any(
        message.startswith(f"{line}: segmentations[0].{key}: ")
        and f"is not a valid name for a field in {crm}: " in message
        for message in messages
    )


def test_a_title_that_is_too_long_is_refused_where_the_crm_does_not_take_it(tmp_path: Path) -> None:
    long = segmentation(
        "tier", "Tier", "seg_tier", "{ key = 'a', title = '" + "x" * 256 + "', when = { did = 'purchase' } }"
    )
    (message,) = faults(tmp_path, long)
    assert "segmentations[0].segments[0].title: has 256 characters; salesforce takes 255" in message


@pytest.mark.parametrize("crm", CRMS)
def test_every_crm_says_which_names_it_takes(crm: str) -> None:
    assert limits(crm).takes("seg_rfm") and limits(crm).field_rule
