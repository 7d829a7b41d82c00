"""Do fields and lists get the names that an account's templates give, and say who writes them, without a second set?"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import FieldSpec
from connectors.salesforce.limits import LIMITS
from sync.account.help_texts import MARK, of_field, signature, source_of
from sync.account.segment_catalog import SegmentText
from sync.config.config import ConfigError, load
from sync.exit_codes import SetupNeeded
from tests import org_shop, portal_shop
from tests.each_crm import company_of
from tests.world import ALLOWED, VALUE, World

CONFIG = """
state_dir = "state"
[accounts.crm]
crm = "{crm}"
{more}
[[segmentations]]
name = "rfm"
title = "Buying habits"
kind = "rfm"
field = "seg_rfm"
lists = "static"
extra_fields = ["reason"]
[[segmentations]]
name = "value"
kind = "abc"
field = "seg_value"
"""
PLACES = {
    "hubspot": 'token = "env:TOKEN"',
    "salesforce": 'client_id = "x"\nclient_secret = "env:S"\napi_url = "https://x.my.salesforce.com"',
    "files": 'path = "exports"',
}


def written(folder: Path, more: str = "", crm: str = "files", text: str = CONFIG) -> Path:
    (folder / "exports").mkdir(exist_ok=True)
    path = folder / "config.toml"
    path.write_text(text.format(crm=crm, more=f"{PLACES[crm]}\n{more}"), encoding="utf-8")
    return path


def faults(folder: Path, more: str, crm: str = "files", text: str = CONFIG) -> str:
    with pytest.raises(ConfigError) as caught:
        load(written(folder, more, crm, text))
    return str(caught.value)


def test_without_a_template_names_and_digests_are_those_of_before(tmp_path: Path) -> None:
    plain = load(written(tmp_path))
    named = load(written(tmp_path, 'prefix = "acme_"\nlist_name = "{title}: {segment}"\nowner = "Team CRM"'))
    assert [spec.name for spec in plain.fields("crm")] == ["seg_rfm", "seg_rfm_reason", "seg_value"]
    assert [spec.name for spec in named.fields("crm")] == [
        "acme_seg_rfm",
        "acme_seg_rfm_reason",
        "acme_seg_value",
    ]
    digests = [[config.digest(s) for s in config.segmentations] for config in (plain, named)]
    assert digests[0] == digests[1], "a name changes no label"


@pytest.mark.parametrize(
    ("more", "crm", "words"),
    [
        ('field_name = "{prefx}{name}"', "files", "{prefx} is an unknown placeholder; did you mean 'prefix'"),
        ('field_name = "x_{name"', "files", "has a brace without its other half"),
        ('field_name = "{segmentation}"', "files", "must hold {name}"),
        ('list_name = "{title}"', "files", "must hold {segment}"),
        ('list_name = "{segment}"\nprefix = "x_"\nfield_name = "{name}"', "files", "no template uses it"),
        ('prefix = "Acme-"', "hubspot", "'Acme-seg_rfm' (12 characters), which hubspot does not take"),
        ('prefix = "acme__"', "salesforce", "'acme__seg_rfm' (13 characters), which salesforce does not take"),
        (f'prefix = "{"a" * 35}"', "salesforce", "at most 40 letters"),
        (f'list_name = "{"a" * 70} {{title}} {{segment}}"', "salesforce", "characters; salesforce takes 80"),
        ('list_name = "{segment}\\n"', "files", "a line break"),
        ('prefix = ""', "files", "prefix"),
        ('owner = "two\\nlines"', "files", "owner"),
    ],
)  # fmt: skip
def test_a_template_that_makes_no_names_is_refused_at_its_line(
    tmp_path: Path, more: str, crm: str, words: str
) -> None:
    said = faults(tmp_path, more, crm)
    assert words in said and "config.toml" in said, said


def test_two_fields_or_lists_of_one_name_are_refused(tmp_path: Path) -> None:
    said = faults(
        tmp_path,
        'field_name = "{prefix}{name}"\nprefix = "p_"',
        text=CONFIG.replace("seg_value", "SEG_RFM".lower()),
    )
    assert "seg_rfm" in said
    two = CONFIG.replace('kind = "abc"', 'kind = "rfm"\nlists = "static"')
    assert "the same name 'Champions'" in faults(tmp_path, 'list_name = "{segment}"', text=two)


def named_world(tmp_path: Path, account: str) -> World:
    world = World(tmp_path, value="", account=account)
    world.customers(20)
    return world


def test_fields_and_lists_are_made_and_written_under_the_accounts_names(tmp_path: Path) -> None:
    account = 'prefix = "acme_"\nfield_name = "{prefix}{name}"\nlist_name = "{prefix}{segment} / {title}"\nowner = "Team CRM"\n'
    world = named_world(tmp_path, account)
    world.do("setup")
    world.do("run", allow=ALLOWED)
    assert len(world.held("acme_seg_rfm")) == 20 and not world.held("seg_rfm")
    assert world.store.lists["rfm.champions"].label == "acme_Champions / rfm"
    text = world.store.fields["contact", "acme_seg_rfm"].description
    assert text.endswith(f"{MARK} Source: segmentation rfm, account portal. Owner: Team CRM.")
    again = world.do("run")
    assert (again["plan"]["changes"], again["calls"]["write"], again["notes"]) == (0, 0, [])


def test_a_changed_template_never_makes_a_second_set_in_silence(tmp_path: Path) -> None:
    world = named_world(tmp_path, "")
    world.first_run()
    values, before = world.held("seg_rfm"), world.state()
    world.account = 'prefix = "acme_"\n'
    with pytest.raises(SetupNeeded, match="acme_seg_rfm"):
        world.do("run")
    with pytest.raises(SetupNeeded, match="field acme_seg_rfm would be a second one for what seg_rfm holds"):
        world.do("setup")
    assert world.state() == before and ("contact", "acme_seg_rfm") not in world.store.fields
    assert any("To keep seg_rfm, change them back" in p["what"] for p in world.do("check")["problems"])
    world.do("setup", new_names=True)
    moved = world.do("run", allow=ALLOWED)
    assert world.held("acme_seg_rfm") == values == world.held("seg_rfm"), "the old one keeps what it holds"
    assert moved["plan"]["retired"] == ["seg_rfm"]
    world.do("retire", target="rfm")
    assert not world.held("seg_rfm") and world.held("acme_seg_rfm") == values
    assert world.do("run")["plan"]["changes"] == 0


def test_a_changed_list_name_renames_the_lists_that_are_there(tmp_path: Path) -> None:
    world = named_world(tmp_path, "")
    world.first_run()
    ids = {key: listed.id for key, listed in world.store.lists.items()}
    world.account = 'list_name = "{title} | {segment}"\n'
    steps = world.do("setup")["setup"]["steps"]
    assert {step["action"] for step in steps} == {"rename"}
    assert {key: listed.id for key, listed in world.store.lists.items()} == ids
    assert world.store.lists["rfm.champions"].label == "rfm | Champions"


# -- what people read --------------------------------------------------------------------------------------


def test_a_signature_is_never_cut_however_long_the_text() -> None:
    segments = [SegmentText(f"s{n}", f"Segment {n}", "words " * 40) for n in range(40)]
    signed = signature("rfm", "org", "The team that owns it")
    for longest in (LIMITS.description, 1000):
        text = of_field("Habits", segments, signed, longest)
        assert len(text) <= longest and text.endswith(signed)
    assert source_of(text) == ("rfm", "org")


@pytest.mark.parametrize("crm", ["hubspot", "salesforce"])
def test_an_owner_comes_into_descriptions_by_setup_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crm: str
) -> None:
    with company_of(crm, tmp_path, monkeypatch) as company:
        shop: portal_shop.Shop | org_shop.Shop = company.shop  # type: ignore[attr-defined]
        shop.lists = "none"
        assert shop.code("setup") == 0 and shop.code("run") == 0
        shop.account = 'owner = "Team CRM"'
        said = shop.do("run")
        assert any("`crm-segments setup` updates" in note for note in said["notes"])
        assert "Team CRM" not in " ".join(descriptions(shop).values())
        assert shop.code("setup") == 0
        texts = descriptions(shop)
        assert all(text.endswith("Owner: Team CRM.") and len(text) <= 1000 for text in texts.values())
        assert len(texts) == 3 and not shop.do("setup")["setup"]["steps"]


def descriptions(shop: Any) -> dict[str, str]:
    if isinstance(shop, portal_shop.Shop):
        properties = shop.portal.schema.properties["contacts"]
        return {
            name: each.body()["description"] for name, each in properties.items() if name.startswith("seg_")
        }
    rows = shop.org.rows("CustomField", "DeveloperName LIKE 'seg_%'")
    return {row["DeveloperName"]: row["InlineHelpText"] for row in rows}


# -- what left the config ----------------------------------------------------------------------------------


def left(answer: dict[str, Any]) -> list[str]:
    return [note for note in answer["notes"] if note.startswith("no segmentation of the config writes")]


def test_what_left_the_config_is_told_by_check_status_and_plan_until_it_is_retired(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.customers(20)
    world.first_run()
    assert not left(world.do("plan")) and not left(world.do("check")) and not left(world.do("status"))
    world.value = ""
    (before,) = left(world.do("check"))
    assert "since the last change of the config" in before
    for command in ("plan", "check", "status", "run", "status"):
        (note,) = left(world.do(command))
        assert "field seg_value" in note and "account portal since 2024-07-01 12:00 UTC" in note
        assert note.endswith("`crm-segments retire value` clears it")
    world.do("retire", target="value")
    for command in ("status", "check", "plan", "status"):
        assert not left(world.do(command))


def test_a_list_that_a_person_deleted_after_it_left_the_config_is_not_told(tmp_path: Path) -> None:
    world = World(tmp_path, value=VALUE + 'lists = "static"\n')
    world.customers(20)
    world.first_run()
    world.value = ""
    world.store.delete_list("value.a")
    (note,) = left(world.do("run"))
    assert "field seg_value" in note and "list value.b" in note and "value.a" not in note
    world.do("retire", target="value")
    assert not left(world.do("run")) and not left(world.do("status"))


def test_a_field_that_bears_our_mark_and_that_nobody_knows_is_told(tmp_path: Path) -> None:
    world = named_world(tmp_path, "")
    world.first_run()
    for account, name in (("portal", "seg_lost"), ("another", "seg_of_others")):
        text = f"Old\n{signature('old', account, None)}"
        world.store.fields["contact", name] = FieldSpec(name, "contact", "text", "Old", text)
    for command in ("plan", "check"):
        told = [note for note in world.do(command)["notes"] if "says that crm-segments writes it" in note]
        assert len(told) == 1 and "field seg_lost of contact" in told[0] and "--adopt seg_lost" in told[0]


def test_the_example_config_has_the_keys() -> None:
    text = (Path(__file__).parent.parent / "config.example.toml").read_text(encoding="utf-8")
    accounts = tomllib.loads(text)["accounts"].values()
    assert {"prefix", "field_name", "list_name", "owner"} <= {key for account in accounts for key in account}
