"""Is everything that is wrong with a config told at once: which key, on which line, and what would be right?

In each config the line at fault ends in HERE; in a missing key's case that is the line of its table.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from sync.cli import app
from sync.config.config import ConfigError, load

ACCOUNT = '[accounts.shop]\ncrm = "files"\npath = "crm"\n'
RFM = '[[segmentations]]\nname = "rfm"\nkind = "rfm"\nfield = "seg_rfm"\n'
VALUE = '[[segmentations]]\nname = "value"\nkind = "abc"\nfield = "seg_value"\n'
RULES = '[[segmentations]]\nname = "audience"\nkind = "rules"\nfield = "seg_audience"\n'
ATTRIBUTES = '[accounts.shop.attributes]\ncity = "city"\nkids = { field = "k", type = "ordered", order = ["0", "1", "2", "3+"] }\n'
SEGMENT = '[[segmentations.segments]]\nkey = "near"\ntitle = "Near"\n'
GOOD = ACCOUNT + ATTRIBUTES + RFM


def drawn(*lines: str) -> str:
    """A config with an account that draws attributes from the shop."""
    account = '[accounts.portal]\ncrm = "files"\npath = "p"\nattributes_from = ["shop"]\n'
    return account + "".join(f"{line}\n" for line in lines) + GOOD


# text, key path of the fault, what the message must hold: the remedy or the valid values
BROKEN = [
    # the top
    ('as_of = "tomorrow"  # HERE\n' + GOOD, "as_of", "yesterday"),
    ("as_off = 2024-01-31  # HERE\n" + GOOD, "as_off", "did you mean 'as_of'"),
    ('memory_limit = "lots"  # HERE\n' + GOOD, "memory_limit", "such as 2GB"),
    ("retention_days = 0  # HERE\n" + GOOD, "retention_days", "greater than 0"),
    # accounts
    (GOOD.replace('"files"', '"hubspott"  # HERE'), "accounts.shop.crm", "valid: files"),
    (GOOD.replace('crm = "files"\n', "").replace("[accounts.shop]", "[accounts.shop]  # HERE"), "accounts.shop.crm", "is missing"),
    (GOOD.replace('path = "crm"\n', "").replace("[accounts.shop]", "[accounts.shop]  # HERE"), "accounts.shop.path", "is missing"),
    (GOOD.replace('"crm"\n', '"crm"\ntime_zone = "Europe/Berln"  # HERE\n'), "accounts.shop.time_zone", "Europe/Berlin"),
    (GOOD.replace('"crm"\n', '"crm"\ncurrency = "Euro"  # HERE\n'), "accounts.shop.currency", "such as EUR"),
    (GOOD.replace('"crm"\n', '"crm"\non_conflict = "overwrit"  # HERE\n'), "accounts.shop.on_conflict", "overwrite"),
    (GOOD.replace('"crm"\n', '"crm"\nquota_reserve = 30  # HERE\n'), "accounts.shop.quota_reserve", "less than or equal to 1"),
    (GOOD.replace('"crm"\n', '"crm"\ndecimal = ";"  # HERE\n'), "accounts.shop.decimal", '"."'),
    (GOOD.replace('"crm"\n', '"crm"\nactivity_from = ["web"]  # HERE\n'), "accounts.shop.activity_from[0]", "valid: none"),
    (drawn().replace('_from = ["shop"]', '_from = ["shp"]  # HERE'), "accounts.portal.attributes_from[0]", "did you mean 'shop'"),
    (drawn().replace('["shop"]', '["shop"]  # HERE').replace(ATTRIBUTES, ""), "accounts.portal.attributes_from[0]",
     "add [accounts.shop.attributes]"),
    (drawn().replace("accounts.shop", "accounts.reachable").replace('["shop"]', '["reachable"] # HERE').replace("city =", "email ="),
     "accounts.portal.attributes_from[0]", "give the account another name"),
    (drawn('match = "kids"  # HERE'), "accounts.portal.match", "'kids' is not an attribute of account portal"),
    (drawn('match = { own = "card", other = "id" }  # HERE'), "accounts.portal.match.own", "valid: id, email"),
    (drawn('match = { own = "id", other = "kid" }  # HERE'), "accounts.portal.match.other", "did you mean 'kids'"),
    (drawn('match = { shop = { own = "id", other = "kid" } }  # HERE'), "accounts.portal.match.shop.other", "did you mean 'kids'"),
    (drawn('match = { shp = "id" }  # HERE'), "accounts.portal.match.shp", "did you mean 'shop'"),
    (drawn('match = { own = "id" }  # HERE'), "accounts.portal.match.own", "or a pair"),
    (drawn('match = { own = "id", other = "likes" }  # HERE').replace("city =", 'likes = { field = "l", type = "set" }\ncity ='),
     "accounts.portal.match.other", "match by one value"),
    (drawn("match = 7  # HERE"), "accounts.portal.match", "or a pair"),
    (drawn() + RULES + SEGMENT + 'when = { attribute = "shop.citty", is = "Bonn" }  # HERE\n',
     "segmentations[1].segments[0].when.attribute", "did you mean 'shop.city'"),
    (GOOD + '[accounts.shop.contacts.columns]\ncustomer = "x"  # HERE\n', "accounts.shop.contacts.columns.customer", "our names are id"),
    (GOOD.replace('city = "city"', 'city = { field = "city", type = "ordered" }  # HERE'), "accounts.shop.attributes.city", "order ="),
    (GOOD.replace('city = "city"', 'city = { field = "city", type = "texte" }  # HERE'), "accounts.shop.attributes.city.type", "text"),
    # segmentations
    (GOOD.replace('name = "rfm"', 'name = "My RFM"  # HERE'), "segmentations[0].name", "small letter"),
    (GOOD.replace('kind = "rfm"', 'kind = "rmf"  # HERE'), "segmentations[0].kind", "did you mean 'rfm'"),
    (GOOD.replace('field = "seg_rfm"\n', "").replace("ions]]", "ions]]  # HERE"), "segmentations[0].field", "is missing"),
    (GOOD + "window_days = -1  # HERE\n", "segmentations[0].window_days", "greater than or equal to 1"),
    (GOOD + "dead_band = 0.7  # HERE\n", "segmentations[0].dead_band", "less than 0.5"),
    (GOOD + 'lists = "statics"  # HERE\n', "segmentations[0].lists", "did you mean 'static'"),
    (GOOD + 'extra_fields = ["why"]  # HERE\n', "segmentations[0].extra_fields[0]", "reason"),
    (GOOD + "reachable_only = true  # HERE\n", "segmentations[0].reachable_only", 'lists = "static"'),
    (GOOD + RFM.replace('name = "rfm"', 'name = "rfm"  # HERE').replace("seg_rfm", "other"), "segmentations[1].name", "must be unique"),
    (GOOD + VALUE.replace('"seg_value"', '"seg_rfm"  # HERE'), "segmentations[1].field", "a field belongs to only one"),
    (GOOD + 'accounts = ["portal"]  # HERE\n', "segmentations[0].accounts[0]", "valid: shop"),
    (GOOD + '[[segmentations.segments]]\nkey = "champion"  # HERE\n', "segmentations[0].segments[0].key", "did you mean 'champions'"),
    (ACCOUNT + VALUE + "a_share = 0.96  # HERE\n", "segmentations[0].a_share", "must be below b_share"),
    # rules
    (GOOD + 'population = { attribute = "town", is = "Ulm" }  # HERE\n', "segmentations[0].population.attribute", "city"),
    (GOOD + 'population = { attribute = "city", at_leest = "Ulm" }  # HERE\n', "segmentations[0].population.at_leest", "starts_with"),
    (GOOD + 'population = { attribute = "kids", at_least = "4" }  # HERE\n', "segmentations[0].population.at_least", "3+"),
    (GOOD + "population = { every = [] }  # HERE\n", "segmentations[0].population", "all"),
    (ACCOUNT + RULES.replace('"rules"', '"rules"  # HERE'), "segmentations[0].kind", "[[segmentations.segments]]"),
    (ACCOUNT + RULES + SEGMENT.replace("near", "near").replace("[[segmentations.segments]]", "[[segmentations.segments]]  # HERE"),
     "segmentations[0].segments[0].when", "is missing"),
    (GOOD + RULES + SEGMENT + 'when = { did = "purchase", timess = 2 }  # HERE\n', "segmentations[1].segments[0].when.timess", "times"),
    (GOOD + RULES + SEGMENT + 'when = { segment = "rmf", is = "lost" }  # HERE\n', "segmentations[1].segments[0].when.segment", "rfm"),
    # guards, pace, rates
    (GOOD + "[guards]\nmax_chang = 0.1  # HERE\n", "guards.max_chang", "did you mean 'max_change'"),
    (GOOD + "[guards]\nmax_change = { shares = 0.1 }  # HERE\n", "guards.max_change.shares", "share"),
    (GOOD + "[guards]\nmax_writes = -5  # HERE\n", "guards.max_writes", "greater than or equal to 0"),
    (GOOD + '[pace]\nwindows = ["Mon-Fry 02:00-05:00"]  # HERE\n', "pace.windows[0]", "Fri"),
    (GOOD + "[rates]\nUSD = 0  # HERE\n", "rates.USD", "greater than 0"),
]  # fmt: skip


def told(folder: Path, text: str) -> list[str]:
    """One line for each fault; the file's name is taken off."""
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path)
    return [line.removeprefix(str(path)) for line in str(caught.value).splitlines()]


def line_at_fault(text: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if line.endswith("HERE"))


@pytest.mark.parametrize(
    ("text", "key", "remedy"), BROKEN, ids=[f"{number}-{key}" for number, (_, key, _) in enumerate(BROKEN)]
)
def test_a_fault_names_its_key_its_line_and_a_remedy(
    tmp_path: Path, text: str, key: str, remedy: str
) -> None:
    [fault] = told(tmp_path, text)
    where, line = key.replace("[", r"\[").replace("]", r"\]"), line_at_fault(text)
    assert re.match(rf":{line}: {where}(\.[\w.\[\]]+)?: ", fault), fault
    assert remedy in fault
    assert "Value error" not in fault and "pydantic" not in fault and "Traceback" not in fault


def test_there_are_thirty_and_more() -> None:
    assert len(BROKEN) >= 30


def test_all_faults_of_a_config_come_at_once_in_the_order_of_their_lines(tmp_path: Path) -> None:
    text = """as_of = "tomorrow"
memory_limit = "lots"
[accounts.shop]
crm = "files"
path = "crm"
currency = "Euro"
[accounts.shop.attributes]
kids = { field = "k", type = "orderd" }
[[segmentations]]
name = "RFM"
kind = "rfm"
field = "seg_rfm"
window_days = 0
[[segmentations]]
name = "value"
kind = "abc"
field = "seg_value"
reachable_only = true
population = { attribute = "town", is = "Ulm" }
[guards]
max_chang = 1
[pace]
windows = ["never"]
[rates]
USD = -1
"""
    lines = [int(fault.split(":")[1]) for fault in told(tmp_path, text)]
    assert lines == sorted(lines)
    assert {1, 2, 6, 8, 10, 13, 18, 21, 23, 25} <= set(lines)


@pytest.mark.parametrize("verb", ["check", "run", "plan", "status", "schedule"])
def test_the_command_line_exits_2_with_every_fault_and_no_traceback(tmp_path: Path, verb: str) -> None:
    for text, key, remedy in BROKEN:
        (tmp_path / "config.toml").write_text(text, encoding="utf-8")
        result = CliRunner().invoke(app, [verb, "--config", str(tmp_path / "config.toml")])
        assert isinstance(result.exception, SystemExit) and result.exit_code == 2, (key, result.exception)
        assert key in result.stderr and remedy in result.stderr and "Traceback" not in result.output
    assert not (tmp_path / "state").exists(), "a wrong config leaves nothing behind"


def test_json_holds_the_faults_too(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        "as_of = 1\n" + GOOD + "[guards]\nmax_chang = 1\n", encoding="utf-8"
    )
    result = CliRunner().invoke(app, ["run", "--json", "--config", str(tmp_path / "config.toml")])
    answer = json.loads(result.stdout)
    assert (answer["exit_code"], len(answer["error"].splitlines())) == (2, 2)


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        (b"x = [1,", "not valid TOML"),
        (b"a = 1\na = 2\n", "not valid TOML"),
        (GOOD.encode() + b"# caf\xe9", "save it as UTF-8"),
        (b"", "[accounts.shop]"),
        (b"\x00\x01", "not valid TOML"),
    ],
)
def test_a_file_that_is_no_config_says_what_to_do(tmp_path: Path, content: bytes, remedy: str) -> None:
    (tmp_path / "config.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=re.escape(remedy)):
        load(tmp_path / "config.toml")


ODD = st.sampled_from(
    [
        "1",
        "-1",
        "true",
        '""',
        '"x"',
        "[]",
        "{}",
        "[[]]",
        "{ x = 1 }",
        "2024-01-31",
        "1e400",
        "nan",
        '"\\u0000"',
        "[{ }]",
    ]
)
KEYS = st.sampled_from(
    sorted(
        set(re.findall(r"^(\w+) =", (Path(__file__).parent.parent / "config.example.toml").read_text(), re.M))
    )
)


@settings(max_examples=150, deadline=None)
@given(
    KEYS, ODD, st.sampled_from(["", "[accounts.shop]", "[[segmentations]]", "[guards]", "[pace]", "[rates]"])
)
def test_any_key_with_any_value_is_taken_or_refused_in_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: str, table: str
) -> None:
    path = tmp_path_factory.mktemp("odd") / "config.toml"
    parts = (
        [ACCOUNT, RFM] if table in ("[accounts.shop]", "[[segmentations]]") else [ACCOUNT, RFM, table + "\n"]
    )
    texts = {
        "[accounts.shop]": [ACCOUNT, f"{key} = {value}\n", RFM],
        "": [f"{key} = {value}\n", ACCOUNT, RFM],
    }
    path.write_text("".join(texts.get(table, [*parts, f"{key} = {value}\n"])), encoding="utf-8")
    try:
        load(path)
    except ConfigError as error:
        assert key in str(error) or "TOML" in str(error)
