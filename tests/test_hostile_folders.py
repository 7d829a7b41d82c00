"""Does the command line answer any folder of exports with labels for everybody, or with a sentence that says
what to do?

Each folder holds customers and deeds that no export should hold and some do, and its config has all eight
kinds. No verb may end in a traceback, warn, tell what is infinite or no number, or plan again what it has
just written.
"""

from __future__ import annotations

import csv
import json
import math
import random
import warnings
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from sync.cli import app

DAY = date(2024, 6, 30)
CODES = {0, 1, 2, 3, 4, 5, 75}
BOUGHT = ["email", "orders", "net_revenue", "first_purchase", "last_purchase"]
FILE = [
    "id",
    "value_score",
    "p_purchase",
    "expected_purchases",
    "expected_value",
    "lifecycle",
    "rfm",
    "value_tier",
    "cluster",
]
KINDS = ("rfm", "abc", "lifecycle", "potential", "clusters", "response", "offers", "rules")
CONFIG = """
state_dir = "state"
as_of = 2024-06-30
[accounts.shop]
crm = "files"
path = "crm"
decimal = "."
currency = "{currency}"
[accounts.shop.attributes]
city = "city"
kids = {{ field = "kids", type = "number" }}
since = {{ field = "since", type = "date" }}
gender = "gender"
"""
LEARN = 'attributes = ["city", "kids", "since"]\nactivity_types = ["visit"]\ncategories = ["Wine"]\n'
MORE = {
    "rfm": 'lists = "static"\nextra_fields = ["reason", "since", "previous", "score"]\n',
    "clusters": LEARN + "k = 20\nmax_clusters = 20\n",
    "response": LEARN
    + 'target = "campaign_response"\ncampaign_pattern = "Spring *"\nlists = "static"\nreachable_only = true\nchannel = "email"\n',
    "offers": 'categories = ["Wine", "=1+1"]\nsegment_by = "lifecycle"\n',
    "rules": """[[segmentations.segments]]
key = "rich"
when = { any = [ { feature = "net_revenue", above = 10 }, { answered = "asked", at_least = 3 }, { share_of = "Wine", above = 0.5 } ] }
[[segmentations.segments]]
key = "other"
when = { attribute = "id", is_set = true }
""",
}
Row = list[Any]
CONTACT = ["id", "city", "kids", "since", "gender", "reachable_email", "objects_to_profiling"]
DEED = ["contact_id", "occurred_at", "amount", "kind", "order_id", "category", "campaign", "answer"]
OBJECTOR = "objector"


def people(count: int) -> list[Row]:
    """Contacts whose attributes are empty, infinite, mixed, endless or ends of time; each fourth may be
    reached.
    """
    cities, kids = (
        ("", "Oslo", "=1+1", "\x1b[31m", 'a,\n"b"', "ü", "0"),
        ("inf", "-inf", "1e308", "-1e308", "", "two", "3", "NaN"),
    )
    days, genders = ("1900-01-01", "2200-01-01", "", "2024-02-30", "9999-12-31"), ("f", "m", "")
    reach = ("true", "false", "", "perhaps")
    made = [
        [str(n), cities[n % 7], kids[n % 8], days[n % 5], genders[n % 3], reach[n % 4], ""]
        for n in range(1, count + 1)
    ]
    if made:
        made[0][1] = "x" * 1_000_000
        made.append([OBJECTOR, "Oslo", "1", "2000-01-01", "f", "true", "true"])
    return made


def deed(
    id: object,
    day: date | str | int,
    amount: str = "10.00",
    kind: str = "purchase",
    category: str = "Wine",
    **more: str,
) -> Row:
    """A row of activity; days as numbers are so many before the last day that counts."""
    when = str(DAY - timedelta(days=day)) if isinstance(day, int) else str(day)
    return [
        str(id),
        when,
        amount,
        kind,
        more.get("order", ""),
        category,
        more.get("campaign", ""),
        more.get("answer", ""),
    ]


def zero() -> list[Row]:
    """Enough customers for every model, who never paid anything."""
    chance = random.Random(3)
    return [
        deed(n, ago, "0")
        for n in range(1, 206)
        for ago in range(chance.randint(0, 30), 300, (20, 45, 90)[n % 3])
    ]


def huge() -> list[Row]:
    amounts = (
        "46116860184273879.03",
        "-46116860184273879.03",
        "9223372036854775807",
        "1e308",
        "inf",
        "nan",
        "10000000000000",
        "0.01",
    )
    return [deed(n, ago, amounts[(n + ago) % 8]) for n in range(1, 41) for ago in range(0, 200, 50)]


def ends() -> list[Row]:
    days = (
        "1900-01-01",
        "2200-01-01",
        "0001-01-01",
        "9999-12-31",
        "2024-06-30",
        "1969-12-31T23:59:59Z",
        "2024-02-30",
        "",
        "2024-07-01",
    )
    return [deed(n, days[(n + k) % 9]) for n in range(1, 41) for k in range(4)]


def broken() -> list[Row]:
    """Twice the same rows, strangers, kinds that are none, orders of everybody, answers of endless digits."""
    rows = [
        deed(
            n % 45,
            n % 300,
            ("5", "12,50", "", "abc")[n % 4],
            ("purchase", "", "refund", "Käuf", "survey")[n % 5],
        )
        for n in range(200)
    ]
    rows += [
        deed(1, 3, "", "survey", campaign="asked", answer="9" * 400),
        deed("", 3),
        deed(OBJECTOR, 3, "99999"),
    ]
    return [[*row[:4], "one order", *row[5:]] for row in rows] * 2


def heavy() -> list[Row]:
    return [deed(1, n % 900, order=str(n), category=f"c{n}") for n in range(10_000)] + [
        deed(n, n, category="=1+1") for n in range(2, 30)
    ]


FOLDERS: dict[str, tuple[int, Callable[[], list[Row]]]] = {
    "nobody": (0, list),
    "huge amounts": (40, huge),
    "ends of time": (40, ends),
    "broken rows": (40, broken),
    "ten thousand purchases": (40, heavy),
    "zero revenue": (206, zero),
}


def lay(
    folder: Path, name: str, parquet: bool = False, currency: str = "EUR", some: Sequence[str] = KINDS
) -> Path:
    """The folder of a name with its config; the path of the config."""
    count, deeds = FOLDERS[name]
    (folder / "crm").mkdir(parents=True)
    _export(folder / "crm" / "contacts", CONTACT, people(count), parquet)
    _export(folder / "crm" / "activities", DEED, deeds(), parquet)
    kinds = "".join(
        f'[[segmentations]]\nname = "{kind}"\nkind = "{kind}"\nfield = "seg_{kind}"\n{MORE.get(kind, "")}'
        for kind in some
    )
    (folder / "config.toml").write_text(CONFIG.format(currency=currency) + kinds)
    return folder / "config.toml"


def _export(stem: Path, head: list[str], rows: list[Row], parquet: bool) -> None:
    if not parquet:
        with stem.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([head, *rows])
        return
    columns = list(zip(*rows, strict=True)) or [()] * len(head)
    pq.write_table(
        pa.table([pa.array(list(column), pa.string()) for column in columns], head),
        stem.with_suffix(".parquet"),
    )


def told(config: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON of a verb, which neither broke nor warned."""
    with warnings.catch_warnings():
        for sort in (RuntimeWarning, UserWarning, FutureWarning):
            warnings.simplefilter("error", sort)
        result = CliRunner().invoke(app, [*words, "--json", "--config", str(config)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in CODES and "Traceback" not in result.output
    reply: dict[str, Any] = json.loads(result.stdout, parse_constant=_refuse)
    assert reply["exit_code"] == result.exit_code
    assert (
        result.exit_code not in (1, 2) or reply.get("error") or reply.get("problems") or reply.get("declined")
    )
    return result.exit_code, reply


def _refuse(constant: str) -> NoReturn:
    raise AssertionError(f"{constant} in JSON")


# What these folders trip for a good reason: most of their rows are refused, or there are none. Here that is
# looked at, and allowed.
TRIPPED = ("max_enter", "max_stale_days", "max_unmatched", "max_rejected", "max_drop")
REVIEWED = [*(word for guard in TRIPPED for word in ("--allow", guard)), "--reason", "a hostile folder"]


def first(config: Path) -> int:
    """Set up and written for the first time; the number of the run."""
    assert told(config, "setup", "--yes")[0] == 0
    code, reply = told(config, "run", *REVIEWED)
    assert code in (0, 4)
    return int(reply["run"])


def labels(config: Path, *words: str) -> dict[str, dict[str, str]]:
    """The file of ``label --out``, by id; every figure in it is one."""
    out = config.with_name("labels.csv")
    code, _ = told(config, "label", "--out", str(out), *words)
    assert code == 0
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
        assert not rows or [name for name in rows[0] if name not in BOUGHT][: len(FILE)] == FILE
    for row in rows:
        assert 0 <= float(row["value_score"]) < 1e300 and 0 <= float(row["p_purchase"] or 0) <= 1
        assert all(math.isfinite(float(row[name] or 0)) for name in FILE[1:5])
        assert all(
            row[name] and row[name].lower() not in ("nan", "none", "inf")
            for name in (*FILE[5:], *KINDS[:-1])
            if name in row
        )
    rows_by_id = {row["id"]: row for row in rows}
    assert len(rows_by_id) == len(rows)
    return rows_by_id


@pytest.mark.parametrize("name", [name for name in FOLDERS if name != "broken rows"])
def test_a_folder_out_of_joint_is_labelled_whole_and_written_once(tmp_path: Path, name: str) -> None:
    some = ("rfm", "potential") if name == "zero revenue" else KINDS
    config = lay(tmp_path / "shop", name, parquet=name in ("ends of time", "zero revenue"), some=some)
    count = FOLDERS[name][0]
    first(config)
    code, again = told(config, "run", *REVIEWED)
    assert code == 0 and again["plan"]["changes"] == 0
    labelled = labels(config, "--as-of", str(DAY), "--horizon", "90")
    assert set(labelled) == {str(n) for n in range(1, count + 1)}, "everybody but who objects"


def test_every_verb_answers_where_the_data_are_broken_and_consent_holds(tmp_path: Path) -> None:
    config = lay(tmp_path / "shop", "broken rows")
    run = first(config)
    mailed = [path.read_text() for path in (tmp_path / "shop" / "crm" / "lists").glob("response.*")]
    assert mailed and all(set(text.split()[1:]) <= {str(n) for n in range(4, 41, 4)} for text in mailed), (
        "only who may be reached"
    )
    early = labels(config, "--as-of", "1900-01-02", "--horizon", "3660")
    assert set(early) == {str(n) for n in range(1, 41)} and {row["lifecycle"] for row in early.values()} == {
        "prospect"
    }
    code, reply = told(config, "check")
    assert code == 1 and any("are rejected" in problem["what"] for problem in reply["problems"]), (
        "no plan could stand on these rows"
    )
    for words in (
        ["train", "--propose"], ["label", "--explain"], ["show", "1"], ["rejects"],
        ["report", "--composition", "gender"], ["undo", str(run), "--yes"], ["backfill", "--as-of", "2024-05-01"], ["forget", "3", "--yes"],
    ):  # fmt: skip
        code, reply = told(config, *words)
        assert code in (0, 4, 5), (words, reply)
    assert "3" not in labels(config)


@pytest.mark.parametrize(("currency", "shown"), [("JPY", "1,234 JPY"), ("KWD", "1,234.500 KWD")])
def test_show_tells_money_as_people_read_it(tmp_path: Path, currency: str, shown: str) -> None:
    FOLDERS["one sale"] = (
        2,
        lambda: [deed(1, 3, "1234" if currency == "JPY" else "1234.50"), deed(2, 3, "-0.50")],
    )
    config = lay(tmp_path / "shop", "one sale", currency=currency, some=("rfm", "offers", "lifecycle"))
    del FOLDERS["one sale"]
    first(config)
    text = CliRunner().invoke(app, ["show", "1", "--config", str(config)]).stdout
    assert shown in text and "Wine (1)" in text and "\\x1f" not in text
    _, reply = told(config, "show", "1")
    assert reply["money"]["currency"] == currency
    assert reply["money"]["net_revenue"] == shown.split()[0].replace(",", "")
    assert reply["features"]["net_revenue"] == int(shown.split()[0].replace(",", "").replace(".", "")), (
        "minor units, as everywhere"
    )
