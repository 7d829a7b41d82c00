"""Does a folder of exports that nobody described become a config that works?"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from connectors.tables.header_matching import ACTIVITIES, RECORDS, amounts, mapped, plain, times
from sync import commands
from sync.cli import app
from sync.commands import Options
from sync.config.config import load
from sync.exit_codes import CommandError, UsageError
from tests.world import ALLOWED


def german(folder: Path) -> Path:
    """An export as a German shop system writes it: odd names, semicolons, decimal commas, days before months,
    cp1252.
    """
    folder.mkdir()
    people = ["Kunden-Nr.;E-Mail-Adresse;Größe;PLZ;Angelegt am;Straße;Anrede"]
    people += [
        f"K{n:03};kunde{n}@beispiel.de;{160 + n % 30},5;0{1000 + n % 7};{n % 28 + 1:02}.03.2021;Allee {n};Frau"
        for n in range(1, 41)
    ]
    (folder / "Kunden.csv").write_text("\r\n".join(people), encoding="cp1252")
    for year in (2023, 2024):
        sold = ["Bestell-Nr;KundenNr;Bestelldatum;Gesamtbetrag;Warengruppe"]
        for n in range(1, 121):
            day = date(year, 1, 1) + timedelta(days=n % 150)
            sold.append(f"{year}-{n};K{n % 40 + 1:03};{day:%d.%m.%Y};{n},{n % 100:02};Süßes")
        (folder / f"Bestellungen_{year}.csv").write_text("\r\n".join(sold), encoding="cp1252")
    return folder


def english(folder: Path) -> Path:
    folder.mkdir()
    (folder / "contacts.csv").write_text(
        "customer_no,email,newsletter\n" + "".join(f"{n},{n}@example.org,yes\n" for n in range(1, 9))
    )
    sold = "".join(f"{n},2024-05-{n:02}T10:00:00,{n}.50,USD\n" for n in range(1, 9))
    (folder / "activities.csv").write_text("customer_no,order_date,total,currency\n" + sold)
    return folder


def cli(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["init", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_an_oddly_named_export_runs_without_a_hand_laid_on_the_config(tmp_path: Path) -> None:
    config, folder = tmp_path / "config.toml", german(tmp_path / "Ausfuhr")
    answer = commands.init(config, "files", folder, "rfm,abc")
    assert answer["columns"]["contact"] == {
        "id": "Kunden-Nr.",
        "email": "E-Mail-Adresse",
        "created_at": "Angelegt am",
    }
    assert answer["columns"]["activity"] == {
        "contact_id": "KundenNr",
        "occurred_at": "Bestelldatum",
        "amount": "Gesamtbetrag",
        "order_id": "Bestell-Nr",
        "category": "Warengruppe",
    }
    assert answer["attributes"] == {"Größe": "number", "PLZ": "text", "Anrede": "text"}
    settings = load(config).accounts["shop"].settings
    assert (settings.path, settings.delimiter, settings.decimal, settings.encoding) == (
        "Ausfuhr",
        ";",
        ",",
        "cp1252",
    )
    assert settings.activities.files == ["Bestellungen_*.csv"] and settings.contacts.files == ["Kunden.csv"]
    assert commands.check(config)["problems"] == []
    commands.setup(config)
    done = commands.run(config, Options(allow=ALLOWED, as_of=date(2024, 6, 30)))
    assert done["exit_code"] == 0 and sum(done["pulled"]["rejected"].values()) == 0
    assert done["pulled"]["rows"]["activity"] == 240 and done["pulled"]["parked"] == 0
    with (folder / "segments.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    assert len(rows) == 40 and all(row["seg_rfm"] and row["seg_value"] for row in rows)
    assert {row["seg_value"] for row in rows} == {"a", "b", "c"}, "money was read"


def test_the_usual_names_need_hardly_a_line(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    answer = commands.init(config, path=english(tmp_path / "exports"))
    assert answer["columns"]["contact"] == {
        "id": "customer_no",
        "email": "email",
        "reachable_email": "newsletter",
    }
    text = config.read_text()
    assert 'currency = "USD"' in text and 'occurred_at = "order_date"' in text and 'amount = "total"' in text
    assert "files =" not in text and "date_format" not in text and "delimiter" not in text
    assert all(
        "#" in line
        for line in text.splitlines()
        if line.startswith(("state_dir", "as_of", "name", "label", "lists"))
    )
    assert commands.check(config)["exit_code"] == 0


def test_a_config_that_is_there_stays_unless_forced(tmp_path: Path) -> None:
    config, folder = tmp_path / "config.toml", english(tmp_path / "exports")
    config.write_text("mine")
    with pytest.raises(CommandError, match="--force"):
        commands.init(config, path=folder)
    assert config.read_text() == "mine"
    commands.init(config, path=folder, force=True)
    assert load(config).writable == ("shop",)
    assert {path.name for path in tmp_path.iterdir()} == {"config.toml", "exports"}


def test_who_is_asked_may_correct_the_guess(tmp_path: Path) -> None:
    folder = english(tmp_path / "exports")
    (folder / "contacts.csv").write_text("number,second,email\n1,a,1@example.org\n2,b,2@example.org\n")
    questions: list[str] = []

    def answers(replies: dict[str, str]) -> Callable[[str, str], str]:
        def ask(question: str, proposed: str) -> str:
            questions.append(question)
            return next((reply for part, reply in replies.items() if part in question), proposed)

        return ask

    replies = {
        "contacts.csv for id ": "number",
        "email": "-",
        "Segmentations": "abc",
        "Time zone": "Asia/Tokyo",
        "Currency": "JPY",
    }
    answer = commands.init(tmp_path / "config.toml", ask=answers({"Folder": str(folder), **replies}))
    assert answer["columns"]["contact"] == {"id": "number"} and answer["segmentations"] == ["abc"]
    account = load(tmp_path / "config.toml").accounts["shop"]
    assert (account.time_zone, account.currency) == ("Asia/Tokyo", "JPY")
    assert any("CRM (" in question for question in questions)


@pytest.mark.parametrize(
    ("arrange", "words", "message"),
    [
        (lambda folder: None, ["--path", "nowhere"], 'Folder "nowhere" not found'),
        (lambda folder: None, ["--path", "export"], 'did you mean "exports"? Name the folder with --path'),
        (lambda folder: (folder / "exports" / "contacts.csv").unlink(), [], "looks like contacts"),
        (
            lambda folder: (folder / "exports" / "contacts.csv").write_text("a,b\n1,1\n1,2\n"),
            [],
            "looks like id",
        ),
        (lambda folder: None, ["--crm", "filez"], "did you mean 'files'"),
        (lambda folder: None, ["--segmentations", "rmf"], "did you mean 'rfm'"),
        (lambda folder: None, ["--segmentations", "value"], "'value' is now called 'abc'"),
    ],
)
def test_what_cannot_be_guessed_is_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arrange: Callable[[Path], Any],
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    english(tmp_path / "exports")
    arrange(tmp_path)
    code, output = cli("--path", "exports", *words)
    assert code in (1, 2) and message in output and not (tmp_path / "config.toml").exists()


def test_the_command_line_takes_flags_and_prints_json(tmp_path: Path) -> None:
    config = tmp_path / "new" / "config.toml"
    words = [
        "--config",
        str(config),
        "--crm",
        "files",
        "--path",
        str(english(tmp_path / "exports")),
        "--segmentations",
        "rfm",
    ]
    code, output = cli(*words, "--json")
    assert code == 0 and json.loads(output)["segmentations"] == ["rfm"]
    assert load(config).folder == config.parent
    code, output = cli(*words, "--force")
    assert code == 0 and "crm-segments check" in output


def test_parquet_is_looked_into_as_well(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    folder = tmp_path / "exports"
    folder.mkdir()
    parquet.write_table(pa.table({"client_id": [1, 2, 3], "age": [30, 40, None]}), folder / "clients.parquet")
    deeds = {"client_id": [1, 2, 3], "purchase_date": [date(2024, 5, 1)] * 3, "revenue": [1.5, 2.5, 3.0]}
    parquet.write_table(pa.table(deeds), folder / "orders.parquet")
    answer = commands.init(tmp_path / "config.toml", path=folder)
    assert answer["columns"]["activity"] == {
        "contact_id": "client_id",
        "occurred_at": "purchase_date",
        "amount": "revenue",
    }
    assert commands.check(tmp_path / "config.toml")["problems"] == []


@pytest.mark.parametrize("kind", ["rfm", "abc", "lifecycle", "rules"])
def test_every_kind_of_segmentation_can_be_asked_for(tmp_path: Path, kind: str) -> None:
    from segmentation.kinds import KINDS

    folder = english(tmp_path / "exports")
    if kind not in KINDS:
        with pytest.raises(UsageError):
            commands.init(tmp_path / "config.toml", path=folder, segmentations=kind)
        return
    commands.init(tmp_path / "config.toml", path=folder, segmentations=kind)
    commands.setup(tmp_path / "config.toml")
    assert (
        commands.run(tmp_path / "config.toml", Options(allow=ALLOWED, as_of=date(2024, 6, 30)))["exit_code"]
        == 0
    )


@pytest.mark.parametrize(
    ("headers", "name", "meant"),
    [
        (["customer_no"], "contact_id", "customer_no"),
        (["Datum", "Lieferdatum"], "occurred_at", "Datum"),
        (["Order Date"], "occurred_at", "Order Date"),
        (["ORDERNUMBER"], "order_id", "ORDERNUMBER"),
        (["WÄHRUNG"], "currency", "WÄHRUNG"),
        (["Überschrift"], "amount", None),
    ],
)
def test_a_header_is_known_by_likeness(headers: list[str], name: str, meant: str | None) -> None:
    cells = {"occurred_at": "2024-01-31", "currency": "EUR", "amount": "7"}.get(name, "x")
    assert mapped(ACTIVITIES, {header: [cells, cells] for header in headers}).get(name) == meant


def test_cells_decide_what_a_header_cannot_be() -> None:
    assert "amount" not in mapped(ACTIVITIES, {"total": ["many", "few"]})
    assert "id" not in mapped(RECORDS, {"id": ["1", "1"]})
    assert "reachable_email" not in mapped(RECORDS, {"newsletter": ["weekly", "monthly"]})
    assert [amounts(cells).decimal for cells in (["1,5", "2"], ["1.5"], ["1.234,56"], ["1.234"])] == [
        ",",
        ".",
        ",",
        None,
    ]
    formats = [
        times([text]).formats()
        for text in ("2024-01-31", "31.01.2024", "01/31/2024 10:30", "soon", "01/02/2024")
    ]
    assert formats == [["iso"], ["%d.%m.%Y"], ["%m/%d/%Y %H:%M"], None, None]
    assert (plain("Kunden-Nr."), plain("Größe der Straße", "_")) == ("kundennr", "groesse_der_strasse")


@pytest.mark.parametrize(
    ("crm", "access", "lines"),
    [
        ("hubspot", {}, ['token = "env:HUBSPOT_TOKEN"', "[accounts.portal]"]),
        (
            "hubspot",
            {"api_url": "http://127.0.0.1:8080", "secret": "KEY"},
            ['api_url = "http://127.0.0.1:8080"', 'token = "env:KEY"'],
        ),
        (
            "salesforce",
            {"api_url": "https://acme.my.salesforce.com", "client_id": "3MVG9"},
            [
                'api_url = "https://acme.my.salesforce.com"',
                'client_id = "3MVG9"',
                'client_secret = "env:SALESFORCE_SECRET"',
            ],
        ),
    ],
)
def test_a_crm_in_the_cloud_needs_its_address_and_the_name_of_its_secret(
    tmp_path: Path, crm: str, access: dict[str, str | None], lines: list[str]
) -> None:
    commands.init(tmp_path / "config.toml", crm=crm, access=access)
    text = (tmp_path / "config.toml").read_text()
    assert all(line in text for line in lines) and 'lists = "dynamic"' in text
    assert ("api_url" in text) == ("api_url" in access), "what is the default is not written"
    load(tmp_path / "config.toml")


def test_a_wrong_answer_is_told_why_and_asked_again(tmp_path: Path) -> None:
    questions: list[str] = []
    answers = {
        "CRM": ["hubspott", "hubspot"],
        "variable": ["pat-eu1 secret", "MY_TOKEN"],
        "Segmentations": ["rfn", "rfm"],
    }

    def ask(question: str, proposed: str) -> str:
        questions.append(question)
        return next(
            (replies.pop(0) for word, replies in answers.items() if word in question and replies), proposed
        )

    answer = commands.init(tmp_path / "config.toml", ask=ask)
    assert answer["crm"] == "hubspot" and answer["segmentations"] == ["rfm"] and not any(answers.values())
    assert any("did you mean 'hubspot'" in question for question in questions)
    assert not any("pat-eu1" in question for question in questions), "what may be a secret is not repeated"
    assert "MY_TOKEN" in (tmp_path / "config.toml").read_text()


def test_who_answers_wrongly_again_and_again_is_told_the_valid_answers(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="valid: files, hubspot, salesforce"):
        commands.init(tmp_path / "config.toml", ask=lambda _question, _proposed: "excel")
