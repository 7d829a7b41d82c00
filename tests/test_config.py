"""Does a config say what it means, and everything that is wrong with it at once?"""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import CRMS, settings_model
from connectors.contract import Attribute, Option
from segmentation.kinds import KINDS
from sync.config.config import Config, ConfigError, Limit, load, secret
from sync.config.secret import SecretError
from sync.config.toml_lines import Lines
from sync.config.windows import Window, Windows

EXAMPLE = Path(__file__).parent.parent / "config.example.toml"
SMALL = """
[accounts.shop]
crm = "files"
path = "crm"
[[segmentations]]
name = "rfm"
kind = "rfm"
field = "seg_rfm"
extra_fields = ["reason", "since"]
"""


def written(folder: Path, text: str) -> Config:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        written(folder, text)
    return str(caught.value).splitlines()


def test_the_example_loads_and_shows_every_setting() -> None:
    config = load(EXAMPLE)
    assert (config.as_of, config.memory_limit, config.retention_days) == ("yesterday", "2GB", 730)
    assert config.writable == ("portal",)
    assert config.accounts["portal"].activity_from == ("shop",)
    names = ["rfm", "value", "lifecycle", "potential", "groups", "returning", "next", "audience"]
    assert [segmentation.name for segmentation in config.segmentations] == names


@pytest.mark.parametrize("crm", CRMS)
def test_the_example_shows_every_setting_of_a_crm(crm: str) -> None:
    example = EXAMPLE.read_text(encoding="utf-8")
    begins = r"^(# )?(\[accounts\.\w+\.|.* Also: .*)?"
    assert [
        name
        for name in settings_model(crm).model_fields
        if not re.search(rf"{begins}{name}\b", example, re.M)
    ] == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_shows_every_option_of_a_kind(kind: str) -> None:
    example = EXAMPLE.read_text(encoding="utf-8")
    assert [
        name
        for name in KINDS[kind].model_fields
        if not re.search(rf"^# ?{name}\b|^{name}\b|^# .*\b{name}\b", example, re.M)
    ] == []


def test_the_example_shows_the_default_guards() -> None:
    shown = load(EXAMPLE).guards
    for name, default in type(shown)():
        if name != "max_calls":
            got = getattr(shown, name)
            assert (got.share, got.count) == (default.share, default.count), name


def test_a_small_config_has_the_agreed_defaults(tmp_path: Path) -> None:
    config = written(tmp_path, SMALL)
    shop = config.accounts["shop"]
    assert (shop.time_zone, shop.currency, shop.on_conflict, shop.match_with("any").own, shop.writable) == (
        "UTC",
        "EUR",
        "keep",
        "email",
        True,
    )
    assert config.segmentations[0].lists == "none"
    assert config.guards.max_change == Limit(share=0.05, floor=50)
    assert config.guards.max_calls.count is None
    assert not config.guards.max_change.configured
    assert config.state_dir == tmp_path / "state"


def test_a_guard_that_the_user_wrote_judges_small_segments_too(tmp_path: Path) -> None:
    guards = written(
        tmp_path, SMALL + "[guards]\nmax_change = { share = 0.3 }\nmax_writes = 7\nmax_shrink = 0.4\n"
    ).guards
    assert guards.max_change == Limit(share=0.3, count=None, floor=0, configured=True)
    assert guards.max_writes == Limit(count=7, configured=True)
    assert guards.max_shrink == Limit(share=0.4, configured=True)


def test_every_fault_is_told_at_once_with_its_line_and_the_valid_values(tmp_path: Path) -> None:
    text = """as_of = "tomorrow"
[accounts.shop]
crm = "files"
path = "crm"
currencie = "EUR"
time_zone = "Europe/Berln"
on_conflict = "overwrit"
[accounts.shop.attributes]
income = { field = "income", type = "ordered" }

[[segmentations]]
name = "RFM"
kind = "rfm"
field = "seg_rfm"
window_day = 3
[[segmentations]]
name = "value"
kind = "lifecyle"
field = "seg_value"
[guards]
max_chang = 0.1
[pace]
windows = ["Mon-Fry 02:00-05:00"]
"""
    messages = faults(tmp_path, text)
    lines = [(line.split(":")[1], line.split(": ")[1]) for line in messages]
    assert lines == [
        ("1", "as_of"),
        ("5", "accounts.shop.currencie"),
        ("6", "accounts.shop.time_zone"),
        ("7", "accounts.shop.on_conflict"),
        ("9", "accounts.shop.attributes.income"),
        ("12", "segmentations[0].name"),
        ("15", "segmentations[0].window_day"),
        ("18", "segmentations[1].kind"),
        ("21", "guards.max_chang"),
        ("23", "pace.windows[0]"),
    ]
    near = [
        "yesterday",
        "currency",
        "Europe/Berlin",
        "overwrite",
        "order",
        "small letter",
        "window_days",
        "lifecycle",
        "max_change",
        "Fri",
    ]
    assert all(word in line for word, line in zip(near, messages, strict=True))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no account"),
        ("accounts = 3", "must be made of tables"),
        ("segmentations = {}\n" + SMALL.split("[[")[0], "write [[segmentations]]"),
        ("[accounts.shop]\npath = 'x'", "accounts.shop.crm: is missing"),
        ("[accounts.shop]\ncrm = 'hubspott'", "is an unknown CRM"),
        (SMALL.replace("shop", "Shop"), "small letter"),
        (SMALL + SMALL.split('"crm"')[1], "names must be unique"),
        (SMALL + SMALL.split('"crm"')[1].replace('"rfm"\nk', '"other"\nk'), "a field belongs to only one"),
        (SMALL + "accounts = ['portal']", "valid: shop"),
        (SMALL + "population = { attribute = 'shoe_size', is = '40' }", "shoe_size"),
        (SMALL + "[[segmentations.segments]]\nkey = 'Champions'", "small letter"),
        (SMALL + "[[segmentations.segments]]\nkey = 'champion'", "did you mean 'champions'"),
        (SMALL + "[rates]\nUSD = 0", "rates.USD"),
        (SMALL + "[rates]\nUSD = { '2024-02-30' = 1 }", "is not a date"),
        (SMALL.replace("path =", "activity_from = ['shop']\npath ="), "not another account"),
        (SMALL.replace("path =", "match = 'card'\npath ="), "not an attribute of account shop"),
        ("memory_limit = 'lots'\n" + SMALL, "such as 2GB"),
        ("x = [1,", "not valid TOML"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, text: str, message: str) -> None:
    assert message in "\n".join(faults(tmp_path, text))


def test_a_missing_file_says_where_to_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="crm-segments demo"):
        load(tmp_path / "none.toml")


def test_a_config_that_is_not_utf_8_says_so(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(SMALL.encode() + b"# caf\xe9")
    with pytest.raises(ConfigError, match="UTF-8"):
        load(tmp_path / "config.toml")


def test_an_account_whose_activity_is_lent_is_not_written_unless_it_says_so(tmp_path: Path) -> None:
    lent = '[accounts.portal]\ncrm = "files"\npath = "p"\nactivity_from = ["shop"]\n' + SMALL
    assert written(tmp_path, lent).writable == ("portal",)
    assert written(tmp_path, lent.replace('path = "crm"', 'path = "crm"\nwritable = true')).writable == (
        "portal",
        "shop",
    )


def test_an_account_is_opened_with_our_fields_and_typed_attributes(tmp_path: Path) -> None:
    config = written(
        tmp_path,
        SMALL + "[accounts.shop.attributes]\nkids = { field = 'k', type = 'ordered', order = ['0', '1'] }\n",
    )
    account = config.account("shop", {"rfm": [Option("lost", "Lost")]})
    assert account.attributes["kids"] == Attribute("k", "ordered", ("0", "1"))
    assert [(spec.name, spec.record_type, spec.type) for spec in account.fields] == [
        ("seg_rfm", "contact", "enum"),
        ("seg_rfm_reason", "contact", "text"),
        ("seg_rfm_since", "contact", "date"),
    ]
    assert account.fields[0].options == (Option("lost", "Lost"),)
    assert account.folder == tmp_path


def test_the_digest_moves_with_what_changes_labels_and_with_nothing_else(tmp_path: Path) -> None:
    def digest(text: str) -> str:
        config = written(tmp_path, text)
        return config.digest(config.segmentations[0])

    base = digest(SMALL)
    shown = (
        SMALL
        + 'title = "Habits"\nlists = "static"\n[[segmentations.segments]]\nkey = "champions"\ntitle = "Stars"\n'
    )
    assert digest(shown) == base
    assert digest(SMALL.replace('"reason", "since"', "")) == base
    assert digest("as_of = 2024-01-01\n[guards]\nmax_writes = 3\n" + SMALL) == base
    assert digest(SMALL.replace('path = "crm"', 'path = "elsewhere"')) == base
    elsewhere = SMALL.replace('path = "crm"', 'path = "crm"\ntime_zone = "Asia/Tokyo"')
    assert (
        len(
            {
                base,
                digest(SMALL + "window_days = 90\n"),
                digest(elsewhere),
                digest(SMALL + "[rates]\nUSD = 2\n"),
            }
        )
        == 4
    )


# Secrets


def test_a_secret_is_read_from_where_its_reference_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "abc")
    (tmp_path / "token").write_text("def\n")
    assert (secret("env:SHOP_TOKEN"), secret("file:token", tmp_path)) == ("abc", "def")


@pytest.mark.parametrize(
    "reference", ["env:NO_SUCH_VARIABLE", "file:no-such-file", "plain-text-token", "keyring:only"]
)
def test_a_secret_that_is_not_to_be_had_says_what_to_do_and_not_what_it_is(
    reference: str, tmp_path: Path
) -> None:
    with pytest.raises(SecretError) as caught:
        secret(reference, tmp_path)
    assert "plain-text-token" not in str(caught.value)


# Windows

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("window", "moment", "is_open", "opens"),
    [
        ("Mon-Fri 02:00-05:00", "2024-05-06T02:00", True, "2024-05-06T02:00"),
        ("Mon-Fri 02:00-05:00", "2024-05-06T05:00", False, "2024-05-07T02:00"),
        ("Mon-Fri 02:00-05:00", "2024-05-04T03:00", False, "2024-05-06T02:00"),
        ("Fri 22:00-04:00", "2024-05-04T03:59", True, "2024-05-04T03:59"),
        ("Fri 22:00-04:00", "2024-05-03T03:00", False, "2024-05-03T22:00"),
        ("Fri 22:00-04:00", "2024-05-04T04:00", False, "2024-05-10T22:00"),
        ("Sat,Sun 00:00-24:00", "2024-05-05T23:59", True, "2024-05-05T23:59"),
        ("Sat-Mon 12:00-13:00", "2024-05-06T12:30", True, "2024-05-06T12:30"),
        ("22:00-04:00", "2024-05-06T12:00", False, "2024-05-06T22:00"),
    ],
)
def test_a_window_opens_in_the_time_zone_of_the_account(
    window: str, moment: str, is_open: bool, opens: str
) -> None:
    windows = Windows((Window.parse(window),), BERLIN)
    assert windows.open_at(at(moment).astimezone(UTC)) is is_open
    assert windows.next_opening(at(moment).astimezone(UTC)) == at(opens)


def test_no_window_means_always() -> None:
    assert Windows((), BERLIN).open_at(at("2024-05-06T12:00"))


ODD_WINDOWS = st.sampled_from(["Mon 02:00-03:00", "Sun 23:00-22:00", "Tue-Thu 00:00-24:00"])


@given(st.datetimes(datetime(2024, 1, 1), datetime(2025, 1, 1)), ODD_WINDOWS)
def test_the_next_opening_is_open_and_not_past(moment: datetime, window: str) -> None:
    windows = Windows((Window.parse(window),), BERLIN)
    opening = windows.next_opening(moment.replace(tzinfo=UTC))
    assert opening >= moment.replace(tzinfo=UTC)
    assert windows.open_at(opening)


# Lines


def test_a_key_is_found_on_its_line_wherever_toml_lets_it_stand() -> None:
    text = '''# comment = 1
a.b = 1 # [c]
"c d" = """
x = 1
"""
[t.u]
list = [
  1, # one
  { k = [2, "]"] },
]
[[t.v]]
x = 2024-01-01 02:00:00
[[t.v]]
y = '= ['
[[t.v.w]]
z = 1.5
'''
    lines = Lines(text)
    where: dict[tuple[str | int, ...], int] = {
        ("a", "b"): 2,
        ("c d",): 3,
        ("t", "u", "list", 1, "k"): 9,
        ("t", "v", 0, "x"): 12,
        ("t", "v", 1, "y"): 14,
        ("t", "v", 1, "w", 0, "z"): 16,
    }
    assert {path: lines.of(path) for path in where} == where
    assert lines.of(("t", "v", 1, "absent")) == 13
    assert lines.of(("absent",)) is None


def test_every_key_of_the_example_has_a_line_that_holds_it() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    lines, shown = Lines(text), text.splitlines()

    def walk(value: object, path: tuple[str | int, ...]) -> None:
        pairs = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        )
        for step, child in pairs:
            line = lines.of((*path, step))
            assert line is not None
            assert isinstance(step, int) or step in shown[line - 1], (path, step)
            walk(child, (*path, step))

    walk(tomllib.loads(text), ())


def test_a_pinned_date_is_a_date(tmp_path: Path) -> None:
    assert written(tmp_path, "as_of = 2024-01-31\n" + SMALL).as_of == date(2024, 1, 31)
    assert written(tmp_path, 'as_of = "2024-01-31"\n' + SMALL).as_of == date(2024, 1, 31)
