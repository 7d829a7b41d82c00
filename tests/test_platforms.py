"""Are the exports of known platforms recognised, each as what it is, and do their descriptions hold together?"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.errors import RequestError
from connectors.files.platform import Platform, PlatformTable, load, load_file, recognise
from connectors.files.settings import ActivityTable, RecordTable

CASES = Path(__file__).parent / "real_exports"
TABLES = [(platform, table) for platform in load() for table in platform.tables]
NAMES = [f"{platform.name}: {table.title}" for platform, table in TABLES]
PLATFORMS = (
    "amazon shopify woocommerce magento stripe square prestashop hubspot salesforce zoho pipedrive mailchimp klaviyo odoo "
    "online_retail online_retail_ii olist"
)

# What the files of a case are: platform and stream, or nothing where a file is of no platform.
LAYOUTS = {
    "shopify/exports/orders_export.csv": "shopify activity",
    "shopify/exports/customers_export.csv": "shopify contact",
    "consent_e2e/exports/customers_export.csv": "shopify contact",
    "woo/exports/orders.csv": "woocommerce activity",
    "woo/exports/customers.csv": "woocommerce contact",
    "repeat_total/exports/orders.csv": "woocommerce activity",
    "magento/exports/export_orders.csv": "magento activity",
    "magento/exports/export_customers.csv": "magento contact",
    "stripe/exports/unified_payments.csv": "stripe activity",
    "stripe/exports/customers.csv": "stripe contact",
    "square/exports/transactions-2025-01-01-2026-11-27.csv": "square activity",
    "square/exports/customers-export.csv": "square contact",
    "salesforce/exports/opportunities.csv": "salesforce activity",
    "salesforce/exports/report1795770000000.csv": "salesforce contact",
    "mailchimp/exports/subscribed_members_export_1bde686f3d.csv": "mailchimp contact",
    "olist/exports/olist_order_payments_dataset.csv": "olist activity",
    "olist/exports/olist_customers_dataset.csv": "olist contact",
    "uci1/exports/online_retail.csv": "online_retail activity",
}
FILES = sorted(path.relative_to(CASES).as_posix() for path in CASES.glob("*/exports/*"))

# Header rows of public samples and of vendors' sources, for the platforms that have no case.
KNOWN_HEADERS = {
    "hubspot contact": "Record ID,First Name,Last Name,Email,Phone Number,Contact owner,Lead Status,Marketing contact status,"
    "Create Date,Unsubscribed from all email,Additional email addresses,Associated Company",
    "hubspot activity": "Record ID,Deal Name,Deal Stage,Close Date,Deal owner,Amount,Pipeline,Associated Contact,Associated Contact IDs",
    "zoho contact": "Record Id,Contact Owner.id,Contact Owner,Lead Source,First Name,Last Name,Account Name.id,Account Name,"
    "Email,Phone,Mobile,Created Time,Modified Time,Email Opt Out,Mailing Country",
    "zoho activity": "Record Id,Deal Owner.id,Deal Owner,Amount,Deal Name,Closing Date,Account Name.id,Account Name,Stage,"
    "Contact Name.id,Contact Name,Currency,Created Time",
    "pipedrive activity": "Deal - ID,Deal - Title,Deal - Value,Deal - Currency of Value,Deal - Organization,"
    "Deal - Contact person,Deal - Status,Deal - Won time,Person - ID,Person - Name,Person - Email - Work",
    "pipedrive contact": "Person - Name,Person - Email - Work,Person - Email - AccountDefaults,Person - Phone - Work,Person - ID,"
    "Person - Marketing status",
    "klaviyo contact": "Email,Klaviyo ID,First Name,Last Name,City,State / Region,Country,Zip Code,Source,"
    "Email Marketing Consent,Email Marketing Consent Timestamp,Profile Created On,Email Suppressions",
    "prestashop activity": "ID,Reference,New client,Delivery,Customer,Total,Payment,Status,Date",
    "prestashop contact": "ID,Social title,First name,Last name,Email address,Company,Sales,Enabled,Newsletter,"
    "Partner offers,Registration,Last visit",
    "odoo activity": "External ID,Order Reference,Order Date,Customer,Customer/Email,Salesperson,Total,Status",
    "odoo contact": "External ID,Name,Phone,Email,Country",
    "online_retail_ii activity": "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country",
    "woocommerce activity": "Date,Order #,N. Revenue (formatted),Status,Customer,Customer type,Product(s),Items sold,"
    "Coupon(s),Net Sales,Attribution",
    "woocommerce contact": "Name,Username,Last Active,Sign Up,Email,Orders,Total Spend,AOV,Country / Region,City,Region,Postal Code",
    "salesforce lead": "ID,FIRSTNAME,LASTNAME,EMAIL,COMPANY,ISCONVERTED,CONVERTEDCONTACTID",
}


def all_headers(table: PlatformTable) -> list[str]:
    """A file that has everything that a table maps, under the first header of each."""
    wanted = [*table.signature, *(headers[0] for headers in table.columns.values()), *table.status]
    return list({header.casefold(): header for header in wanted}.values())


def headers_of(path: Path) -> list[str]:
    return next(csv.reader(path.open(encoding="utf-8-sig", newline="", errors="replace")))


def found(headers: list[str]) -> list[str]:
    return [f"{platform.name} {table.stream}" for platform, table in recognise(headers, load())]


def word_lists() -> Iterator[tuple[str, dict[str, list[str]]]]:
    for name, (_, table) in zip(NAMES, TABLES, strict=True):
        for header, status in table.status.items():
            yield (
                f"{name}, {header}",
                {"counted": status.counted, "left_out": status.left_out, "asked": status.asked},
            )
        for column, words in table.words.items():
            yield f"{name}, {column}", {"yes": words.yes, "no": words.no, "unknown": words.unknown}


def test_every_platform_has_a_description_with_a_page_that_it_rests_on() -> None:
    assert {platform.name for platform in load()} == set(PLATFORMS.split())
    assert not [platform.name for platform in load() if not platform.documentation]


@pytest.mark.parametrize(("platform", "table"), TABLES, ids=NAMES)
def test_a_file_with_all_headers_of_a_table_is_that_table_and_no_other(
    platform: Platform, table: PlatformTable
) -> None:
    assert recognise(all_headers(table), load()) == [(platform, table)]


@pytest.mark.parametrize(("platform", "table"), TABLES, ids=NAMES)
def test_a_file_with_no_more_than_the_signature_is_never_taken_for_another_table(
    platform: Platform, table: PlatformTable
) -> None:
    assert (platform, table) in recognise(table.signature, load())
    assert {other.stream for _, other in recognise(table.signature, load())} == {table.stream}


@pytest.mark.parametrize(("_platform", "table"), TABLES, ids=NAMES)
def test_a_table_gives_settings_that_an_account_takes(_platform: Platform, table: PlatformTable) -> None:
    settings = table.resolved(all_headers(table))
    assert isinstance(settings, ActivityTable if table.stream == "activity" else RecordTable)
    assert set(settings.columns) == set(table.columns)
    if isinstance(settings, ActivityTable):
        assert {"amount"} <= set(settings.columns) or {"quantity", "price"} <= set(settings.columns)
        assert {"occurred_at"} <= set(settings.columns) or {"date", "time"} <= set(settings.columns)
        assert "order_id" in settings.columns
        assert table.amounts
    else:
        assert "id" in settings.columns


@pytest.mark.parametrize("file", FILES)
def test_the_layouts_of_real_exports_are_recognised_and_plain_files_are_not(file: str) -> None:
    assert found(headers_of(CASES / file)) == ([LAYOUTS[file]] if file in LAYOUTS else [])


@pytest.mark.parametrize(("expected", "headers"), KNOWN_HEADERS.items(), ids=list(KNOWN_HEADERS))
def test_header_rows_of_public_samples_are_recognised(expected: str, headers: str) -> None:
    assert found(headers.split(",")) == [expected]
    assert found([f" {header.upper()} " for header in reversed(headers.split(","))]) == [expected]


@pytest.mark.parametrize("file", sorted(file for file, kind in LAYOUTS.items() if kind.endswith("activity")))
def test_no_status_word_of_a_real_export_is_unknown(file: str) -> None:
    rows = list(csv.DictReader((CASES / file).open(encoding="utf-8-sig", newline="")))
    [(_, table)] = recognise(list(rows[0]), load())
    settings = table.resolved(list(rows[0]))
    assert isinstance(settings, ActivityTable)
    lines = [row for row in rows if settings.line_items != "blank" or row[settings.columns["amount"]]]
    unknown = defaultdict(set)
    for header, words in settings.status.items():
        known_words = {word.casefold() for word in [*words.counted, *words.left_out]}
        seen = {row[header].strip().casefold() for row in lines if header in row}
        unknown[header] = {word for word in seen - known_words if not (word and "*" in known_words)}
    assert not {header: words for header, words in unknown.items() if words}


@pytest.mark.parametrize(("where", "lists"), word_lists(), ids=[where for where, _ in word_lists()])
def test_a_word_stands_in_one_list_only_and_says_something(where: str, lists: dict[str, list[str]]) -> None:
    words = [word.strip().casefold() for group in lists.values() for word in group]
    assert len(words) == len(set(words))
    assert lists.get("counted", ["-"]), f"{where}: nothing counts"


def test_cancelled_failed_and_lost_orders_count_nowhere() -> None:
    never = {
        "cancelled",
        "canceled",
        "failed",
        "voided",
        "trash",
        "draft",
        "closed lost",
        "lost",
        "refunded",
        "test",
        "*",
    }
    for where, lists in word_lists():
        assert not never & {word.casefold() for word in lists.get("counted", [])}, where
        assert "unsubscribed" not in lists.get("yes", []) or "opted_out" in where, where


def test_people_and_orders_are_known_by_id_or_address_and_never_by_name() -> None:
    names = {
        "customer",
        "customer name",
        "contact name",
        "deal - contact person",
        "account name",
        "associated contact",
    }
    names |= {"opportunity name", "deal name", "deal - title"}
    for name, (_, table) in zip(NAMES, TABLES, strict=True):
        for column in ("contact_id", "contact_email", "company_id", "order_id", "id", "email"):
            assert not names & {header.casefold() for header in table.columns.get(column, ())}, name


def test_words_to_ask_about_leave_their_row_out_until_the_user_decides() -> None:
    orders = headers_of(CASES / "shopify/exports/orders_export.csv")
    [(_, table)] = recognise(orders, load())
    settings = table.resolved(orders)
    assert isinstance(settings, ActivityTable)
    assert table.status["Financial Status"].asked == ["pending"]
    assert "pending" in settings.status["Financial Status"].left_out
    assert settings.line_items == "blank"
    assert settings.columns["refunded"] == "Refunded Amount"


def test_of_several_headers_the_first_that_the_file_has_is_taken_as_it_is_spelt() -> None:
    headers = ["deal - title", "Deal - Value", "Deal - Status", "Deal - Closed on", "PERSON - EMAIL"]
    [(_, table)] = recognise(headers, load())
    settings = table.resolved(headers)
    assert settings.columns["occurred_at"] == "Deal - Closed on"
    assert settings.columns["contact_email"] == "PERSON - EMAIL"
    assert "contact_id" not in settings.columns


def test_columns_of_a_joined_file_stay_although_the_file_itself_lacks_them() -> None:
    payments = headers_of(CASES / "olist/exports/olist_order_payments_dataset.csv")
    [(_, table)] = recognise(payments, load())
    settings = table.resolved(payments)
    assert isinstance(settings, ActivityTable)
    assert settings.columns["contact_id"] == "customer_unique_id"
    assert [(join.files, join.on) for join in settings.join] == [
        (["olist_orders_dataset.csv|parquet"], "order_id"),
        (["olist_customers_dataset.csv|parquet"], "customer_id"),
    ]


def test_two_descriptions_with_equally_long_signatures_are_both_given_back(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(described("a", ["Kunde", "Betrag"]), encoding="utf-8")
    (tmp_path / "b.toml").write_text(described("b", ["Kunde", "Datum"]), encoding="utf-8")
    (tmp_path / "c.toml").write_text(described("c", ["Kunde", "Betrag", "Nummer"]), encoding="utf-8")
    own = [load_file(tmp_path / f"{name}.toml") for name in "abc"]
    assert [platform.name for platform, _ in recognise(["Kunde", "Betrag", "Datum"], own)] == ["a", "b"]
    assert [platform.name for platform, _ in recognise(["Kunde", "Betrag", "Datum", "Nummer"], own)] == ["c"]
    assert recognise(["Kunde"], own) == []


def described(name: str, signature: list[str], further: str = "") -> str:
    return f"""
name = "{name}"
title = "A till"
[[tables]]
stream = "activity"
title = "sales"
signature = {json.dumps(signature)}
amounts = "with tax"
[tables.columns]
contact_id = "Kunde"
occurred_at = ["Datum", "Tag"]
amount = "Betrag"
{further}
"""


def test_a_users_own_description_loads_and_is_recognised_beside_ours(tmp_path: Path) -> None:
    path = tmp_path / "till.toml"
    path.write_text(
        described("till", ["Kunde", "Betrag"], '[tables.settings]\ndecimal = ","'), encoding="utf-8"
    )
    own = load_file(path)
    [(platform, table)] = recognise(["Tag", "kunde", "Betrag"], [*load(), own])
    settings = table.resolved(["Tag", "kunde", "Betrag"])
    assert platform == own
    assert settings.columns == {"contact_id": "kunde", "occurred_at": "Tag", "amount": "Betrag"}
    assert settings.decimal == ","


BROKEN = {
    "no TOML": ("name = ", "is no TOML"),
    "a key that is not there": (
        described("till", ["a"], "[tables.settings]\nline_item = 1"),
        "settings.line_item: there is no such key",
    ),
    "a value that a setting does not take": (
        described("till", ["a"], '[tables.settings]\nline_items = "all"'),
        "settings.line_items",
    ),
    "a column of another name": (
        described("till", ["a"], 'owner = "Kunde"'),
        "columns.owner: is not a column",
    ),
    "a key beside the tables": ('titel = "x"\n' + described("till", ["a"]), "titel: there is no such key"),
    "no signature": (described("till", []), "tables[0].signature"),
    "a word in two lists": (
        described("till", ["a"], '[tables.status.Status]\ncounted = ["Paid"]\nleft_out = ["paid "]'),
        "tables[0].status.Status: 'paid' stands in counted and in left_out",
    ),
    "no word on what amounts hold": (
        described("till", ["a"]).replace('amounts = "with tax"', ""),
        "amounts: is missing",
    ),
    "consent words of an activity": (
        described("till", ["a"], '[tables.words.amount]\nyes = ["1"]'),
        "words: are for contacts",
    ),
    "a pattern outside the folder": (
        described("till", ["a"], '[[tables.settings.join]]\nfiles = "../x.csv"\non = "id"'),
        "settings.join[0].files[0]",
    ),
    "a mapping among the further settings": (
        described("till", ["a"], '[tables.settings.columns]\namount = "Betrag"'),
        "settings.columns: belongs next to settings",
    ),
}


@pytest.mark.parametrize(("text", "message"), BROKEN.values(), ids=list(BROKEN))
def test_a_broken_description_says_which_key_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "till.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RequestError) as refusal:
        load_file(path)
    assert str(path) in str(refusal.value)
    assert message in str(refusal.value)


def test_a_description_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"nowhere\.toml cannot be read"):
        load_file(tmp_path / "nowhere.toml")
