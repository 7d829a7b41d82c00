"""Is every name and every cell only that, whatever signs are in it, and does our password stand nowhere?"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import FieldSpec, ListSpec, Option
from connectors.schemas import ATTRIBUTE, MEMBER
from tests.contract_suite import REASON, Paper, changes, statuses
from tests.database_shops import rows_of, shop_of
from tests.segment_databases import database_of
from tests.servers.databases import PASSWORD

SIGNS = st.text(
    st.sampled_from("'\"`;-\\%:{}()/*#$@?[]<>=,. \tabDROP0é😀")
    | st.characters(exclude_categories=("Cs", "Cc")),
    min_size=1,
    max_size=24,
)
BROKEN_OUT = [
    "x'; DROP TABLE customers; --",
    'x"; DROP TABLE customers; --',
    "x`; DROP TABLE customers; #",
    "\\'; DROP TABLE customers; --",
    "/* :name */ %s %(a)s {0} ${x} $$ ?",
    "😀\u202e' OR '1'='1",
]


def a_name(shop: Any, name: str) -> str:
    sign = "`" if shop.instant == "datetime(6)" else '"'
    return sign + name.replace(sign, sign * 2) + sign


def a_text(shop: Any, text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped.replace(chr(92), chr(92) * 2) if shop.instant == 'datetime(6)' else escaped}'"


def read_back(shop: Any, table: str, column: str, id: str, cell: str) -> None:
    """A table and a column of any name, an id and a cell of any text arrive, and the table beside it stays."""
    shop.run("CREATE TABLE beside AS SELECT 'as it was' AS cell")
    named = a_name(shop, table)
    shop.run(
        f"CREATE TABLE {named} (id varchar(90), {a_name(shop, column)} varchar(90))",
        f"INSERT INTO {named} VALUES ({a_text(shop, id)}, {a_text(shop, cell)})",
    )
    if shop.instant == "timestamptz":
        shop.run(f"GRANT SELECT ON {named}, beside TO reader")
    shop.settings = {"activities": None}
    shop.contacts = {"table": '"' + table.replace('"', '""') + '"', "columns": {"id": "id", "name": column}}
    (row,) = rows_of(list(shop.connect().read("contact", None)))
    assert (row["id"], row["name"]) == (id, cell)
    shop.contacts = {"query": "SELECT '1' AS id, cell AS city FROM beside"}
    (row,) = rows_of(list(shop.connect().read("contact", None)))
    assert row[ATTRIBUTE + "city"] == "as it was"
    shop.close()


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
@given(table=SIGNS, column=SIGNS, id=SIGNS, cell=SIGNS)
@settings(max_examples=25)
def test_names_and_cells_of_any_signs_are_read_as_they_are(
    kind: str, table: str, column: str, id: str, cell: str
) -> None:
    table, column, id, cell = (f"x{text}x" for text in (table, column, id, cell))
    with tempfile.TemporaryDirectory() as folder:
        read_back(shop_of(kind, Path(folder)), table, column, id, cell)


@pytest.mark.parametrize("text", BROKEN_OUT)
@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_names_and_cells_that_would_break_out_are_read_as_they_are(
    kind: str, text: str, tmp_path: Path
) -> None:
    name = text.replace("😀", "") if kind == "mariadb" else text  # MySQL takes it in no name
    read_back(shop_of(kind, tmp_path), name, name, text, text)


@pytest.fixture(params=["postgres", "mariadb"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    opened: Any = database_of(request.param, tmp_path)
    opened.put("1", city="Ulm")
    yield opened
    opened.close()


@pytest.mark.parametrize("text", BROKEN_OUT)
def test_names_titles_ids_and_values_that_would_break_out_are_written_as_they_are(
    database: Any, text: str
) -> None:
    connector = database.connect()
    options = (Option(text, text),)
    spec = FieldSpec("seg_odd", label=text, description=text, options=options)
    for each in (spec, REASON):
        connector.ensure_field(each)
    remote = connector.ensure_list(ListSpec(text, text))
    row = changes((text, REASON.name, None, text))
    assert statuses(connector.write_fields(row, Paper())) == ["done"]
    assert statuses(connector.write_members(remote, changes((text, text, None, MEMBER)), Paper())) == ["done"]
    assert connector.current_values(row).to_pylist() == [text]
    found = database.connect().fields()["contact", "seg_odd"]
    assert (found.label, found.description, found.options) == (text, text, options)
    assert [(each.key, each.label) for each in connector.lists()] == [(text, text)]
    (contact,) = rows_of(list(database.connect().read("contact", None)))
    assert (contact["id"], contact[ATTRIBUTE + "city"]) == ("1", "Ulm")


# -- secrets -------------------------------------------------------------------------------------------------


def test_the_password_stands_in_no_command_line_and_no_list_of_the_server(database: Any) -> None:
    source = database.connect()
    list(source.read("contact", None))  # the connection is open
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not any(PASSWORD.encode() in line for line in lines)
    shown = (
        "SELECT '1' AS id, concat_ws(' ', query, application_name) AS city FROM pg_stat_activity"
        if database.shop.instant == "timestamptz"
        else "SELECT '1' AS id, concat_ws(' ', info, user) AS city FROM information_schema.processlist"
    )
    database.shop.contacts = {"query": shown}
    seen = str(rows_of(list(database.connect().read("contact", None))))
    assert seen and PASSWORD not in seen
