"""What makes big folders fast changes no answer: the quick way says what the slow one does."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import Account
from connectors.files import column_profile, file_reader, preview, schema_inference
from connectors.files.settings import Settings
from connectors.tables.distinct_ids import CountedIds, DistinctIds, numbered, texts_of
from connectors.values.digit_times import by_digits
from connectors.values.minor_units import minor_units
from connectors.values.timestamps import STRPTIME
from sync.start.init import init

IDS = st.from_regex(r"(ORD-|#|)(0{0,2}[0-9]{1,4}|[0-9]{15,17}|x|\u0663)", fullmatch=True)
PARTS = st.tuples(*(st.integers(0, most) for most in (10_000, 13, 32, 25, 61)))


def strings(texts: list[str]) -> pa.Array:
    return pa.array(texts, pa.string())


@settings(max_examples=100, deadline=None)
@given(files=st.lists(st.lists(st.lists(IDS, max_size=6), max_size=3), max_size=3))
def test_ids_that_are_numbers_are_counted_as_their_texts_are(files: list[list[list[str]]]) -> None:
    whole = DistinctIds()
    for file in files:
        ids = DistinctIds()
        for page in file:
            ids.add(strings(page))
        assert ids.count() == len({text for page in file for text in page})
        whole.take(ids)
    assert whole.count() == len({text for file in files for page in file for text in page})


def test_7_and_007_are_two_ids_and_come_back_as_they_were() -> None:
    ids = strings(["A-7", "A-007", "A-123456789012345", "A-0"])
    prefix, keys = numbered(ids) or ("", np.zeros(0, np.int64))
    assert texts_of(prefix, keys).equals(ids)
    counts = CountedIds()
    assert counts.add(ids) and counts.add(ids.slice(1, 1))
    assert {id: number for table in counts.tables() for id, number in zip(*(column.to_pylist() for column in table), strict=True)} == {
        "A-7": 1, "A-007": 2, "A-123456789012345": 1, "A-0": 1,
    }  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    texts=st.lists(st.from_regex(r"-?[0-9]{0,17}\.?[0-9]{1,4}5?", fullmatch=True), min_size=1),
    places=st.sampled_from([0, 2, 3]),
)
def test_amounts_are_rounded_half_to_even_whichever_way_is_quick(texts: list[str], places: int) -> None:
    units, bad = minor_units(strings(texts), places)
    limit = 1 << 62
    exact = [int((Decimal(text).scaleb(places)).to_integral_value(ROUND_HALF_EVEN)) for text in texts]
    if all(abs(number) < limit for number in exact):
        assert units.to_pylist() == exact and (bad is None or not any(bad.to_pylist()))


@settings(max_examples=100, deadline=None)
@given(
    moments=st.lists(PARTS, min_size=1),
    format_=st.sampled_from(["%d.%m.%Y %H:%M", "%Y-%m-%d", "%m/%d/%Y %H:%M:%S"]),
)
def test_times_of_digits_are_those_of_the_careful_reader(
    moments: list[tuple[int, ...]], format_: str
) -> None:
    texts = [
        format_.replace("%Y", f"{year:04}").replace("%m", f"{month:02}").replace("%d", f"{day:02}")
        .replace("%H", f"{hour:02}").replace("%M", f"{minute:02}").replace("%S", f"{minute:02}")
        for year, month, day, hour, minute in moments
    ]  # fmt: skip
    quick = by_digits(strings(texts), format_)
    assert quick is not None
    with duckdb.connect() as engine:
        for text, microseconds in zip(texts, quick.to_pylist(), strict=True):
            careful = engine.execute(
                f"SELECT {STRPTIME} FROM (SELECT ? AS x)", [format_, format_, text]
            ).fetchone()
            assert careful is not None and (microseconds is None or microseconds == careful[0])
            assert (
                microseconds is not None
                or careful[0] is None
                or len(text) != len(format_.replace("%Y", "2026").replace("%", "0"))
            )


def test_init_reads_purchases_twice_and_never_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exports = tmp_path / "exports"
    exports.mkdir()
    (exports / "contacts.csv").write_text(
        "customer_id,email\n" + "".join(f"{n},c{n}@example.com\n" for n in range(20))
    )
    lines = "".join(
        f"{number},{number % 20},2026-01-{1 + number % 28:02},{number}.50,paid,sale\n"
        for number in range(200)
    )
    (exports / "orders.csv").write_text("order_id,customer_id,order_date,total,status,type\n" + lines)
    readings: list[str] = []
    seen = file_reader.tables_of

    def tables_of(path: Path, *more: object) -> object:
        readings.append(path.name)
        return seen(path, *more)  # type: ignore[arg-type]

    for module in (column_profile, file_reader):
        monkeypatch.setattr(module, "tables_of", tables_of)
    answer = init(tmp_path / "config.toml", "files", exports, "rfm")
    assert answer["preview"]["orders"] == 200 and answer["preview"]["buyers"] == 20
    assert readings.count("orders.csv") == 1, "beside the reading that a run does"


def test_files_that_are_read_at_a_time_add_up_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "contacts.csv").write_text("id,email\n1,a@example.com\n2,b@example.com\n")
    for name, ids in (("a", "1 1 2"), ("b", "2 9"), ("c", "1")):
        lines = "".join(
            f"{who},2026-02-0{n + 1},{n + 1}.00,{'' if n == 1 else f'O{n}'}\n"
            for n, who in enumerate(ids.split())
        )
        (tmp_path / f"activities_{name}.csv").write_text("contact_id,occurred_at,amount,order_id\n" + lines)
    seen = preview.look(Account("shop", "files", Settings(path=str(tmp_path))))
    assert (seen.rows, seen.orders, seen.overlapping, seen.revenue) == (6, 4, 2, 1000)
    assert (seen.buyers, seen.matched, seen.unmatched) == (2, 5, 1)
    assert [sample["owner"] for sample in seen.samples] == ["1", "1", "2"]


def test_what_was_proven_is_not_proven_again_unless_other_columns_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "contacts.csv").write_text("id,email\n1,a@example.com\n")
    (tmp_path / "activities.csv").write_text("contact_id,occurred_at,amount\n1,2026-02-01,5.00\n")
    guesses, _ = schema_inference.infer(tmp_path, [])
    guess = next(guess for guess in guesses if guess.stream == "activity")
    assert schema_inference.settle(tmp_path, guess) == []
    account = Account("shop", "files", schema_inference.settings_of(tmp_path, guesses))
    monkeypatch.setattr(preview, "prove", lambda *_: pytest.fail("proven again"))
    assert preview.look(account, guess.proof).revenue == 500
