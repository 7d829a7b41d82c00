"""Does it matter in how many pieces a population is labelled?

No kind may look at others when it labels: cut points are the fit's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation import model_file
from sync.label import population
from sync.store import chunks
from sync.store.arrow_bytes import packed
from sync.store.journal import Journal
from sync.store.migrations import migrate
from tests.segmentation_frames import CDNOW_START, Played, cdnow, segmentation
from tests.test_every_kind import EVERY, KINDS
from tests.test_every_kind import models as stored
from tests.test_rules_segments import LOYALS, YOUNG, ruled
from tests.test_segmentation_hostile import AS_OF, LATER, NAMES, SORTS, Anything, chosen
from tests.test_segmentation_hostile import frames as hostile
from tests.world import DAY, World

MONTH_LATER = CDNOW_START + timedelta(days=31)


def labelled(kind: Any, frame: pd.DataFrame, cuts: Sequence[int], *arguments: Any) -> pd.DataFrame:
    """Labels of the pieces between the cuts, one below the other.

    ``arguments``: model, previous labels, their day, as_of.
    """
    model, previous, *days = arguments
    parts = []
    for start, end in zip([0, *cuts], [*cuts, len(frame)], strict=True):
        piece = frame.iloc[start:end].reset_index(drop=True)
        before = (
            None
            if previous is None
            else previous[previous["record"].isin(piece["record"])].reset_index(drop=True)
        )
        parts.append(kind.label(piece, model, before, *days))
    whole: pd.DataFrame = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return whole


def same(whole: pd.DataFrame, pieces: pd.DataFrame) -> None:
    """Equal; sums in another order may differ in the last bit."""
    pd.testing.assert_frame_equal(
        whole.astype(object), pieces.astype(object), check_dtype=False, rtol=1e-9, atol=1e-12
    )


# -- the law, of each kind
# ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", range(len(SORTS)), ids=NAMES)
@settings(max_examples=15)
@given(st.data())
def test_labels_of_pieces_are_the_pieces_of_the_labels(index: int, data: Any) -> None:
    """Whatever the frames, under a model that saw others or nobody, with and without labels of an earlier
    day.
    """
    kind = chosen(index)
    seen, first, second = (data.draw(hostile(index)) for _ in range(3))
    second["record"] += data.draw(st.integers(0, 3))  # some are new, some have left
    past = data.draw(st.sampled_from([None, Anything(seen)]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(second)), max_size=3)))
    try:
        model = model_file.from_json(model_file.to_json(kind.fit(seen, AS_OF, past)))
        before = kind.label(first, model, None, None, AS_OF)
        whole = kind.label(second, model, before, AS_OF, LATER)
    except ValueError:
        return  # refused as tests/test_segmentation_hostile.py says
    same(whole, labelled(kind, second, cuts, model, before, AS_OF, LATER))


# the others: in the whole loop
KNOWN = [index for index, (kind, _) in enumerate(SORTS) if kind in ("rfm", "lifecycle", "abc")]


@cache
def customers(index: int) -> tuple[pd.DataFrame, pd.DataFrame, Any]:
    """Customers of CDNOW on two days, some on both, and a model that learned from all of them."""
    kind = chosen(index)
    earlier, other = (Played(cdnow(), kind, day) for day in (CDNOW_START, MONTH_LATER))
    model = model_file.from_json(model_file.to_json(kind.fit(earlier.now(), CDNOW_START, earlier)))
    first, second = earlier.now(), other.now()
    return (
        first[first["record"] % 20 < 2].reset_index(drop=True),
        second[second["record"] % 20 % 3 == 1].reset_index(drop=True),
        model,
    )


@pytest.mark.parametrize("index", KNOWN, ids=[NAMES[index] for index in KNOWN])
@settings(max_examples=5, deadline=None)
@given(cuts=st.lists(st.integers(0, 2000), min_size=1, max_size=5))
def test_so_it_is_with_customers_that_a_model_knows(index: int, cuts: list[int]) -> None:
    kind = chosen(index)
    first, second, model = customers(index)
    before = kind.label(first, model, None, None, CDNOW_START)
    same(before, labelled(kind, first, sorted(cuts), model, None, None, CDNOW_START))
    whole = kind.label(second, model, before, CDNOW_START, MONTH_LATER)
    same(whole, labelled(kind, second, sorted(cuts), model, before, CDNOW_START, MONTH_LATER))


@given(st.lists(st.none() | st.integers(0, 1), max_size=30), st.lists(st.integers(0, 30), max_size=3))
def test_so_it_is_with_rules(fired: list[int | None], cuts: list[int]) -> None:
    kind = ruled(YOUNG, LOYALS)
    frame = pd.DataFrame(
        {
            "record": range(len(fired)),
            "fired": pd.Series(fired, dtype="Int64"),
            "reason": ["why"] * len(fired),
        }
    )
    model = kind.fit(frame, AS_OF)
    cuts = sorted(min(cut, len(fired)) for cut in cuts)
    same(kind.label(frame, model, None, None, AS_OF), labelled(kind, frame, cuts, model, None, None, AS_OF))


def test_offers_made_in_pieces_are_the_same() -> None:
    kind = segmentation("offers", {"categories": ["Wine", "Beer"]}, "EUR", 2)
    texts = [f"Wine\x1f{1 + n % 4}\x1fBeer\x1f{1 + n % 3}" if n % 5 else None for n in range(200)]
    frame = pd.DataFrame({"record": range(200), "baskets": texts, "segment": ["all"] * 200})
    model = kind.fit(frame, AS_OF)
    whole = kind.label(frame, model, None, None, AS_OF)
    assert whole["segment"].nunique() == 3
    same(whole, labelled(kind, frame, [3, 3, 150], model, None, None, AS_OF))


# -- the whole loop
# ----------------------------------------------------------------------------------------------


def states(world: World) -> dict[str, list[Any]]:
    """All that labels tell, by segmentation."""
    with duckdb.connect(str(world.folder / "state" / "mirror.duckdb"), read_only=True) as mirror:
        tables = mirror.execute(
            "SELECT table_name FROM duckdb_tables() WHERE starts_with(table_name, 'labels_')"
        ).fetchall()
        return {
            name: mirror.execute(f"SELECT * FROM portal.{name} ORDER BY record").fetchall()
            for (name,) in tables
        }


def trained(folder: Path) -> World:
    """Customers with habits, and models of every kind that know them."""
    made = World(folder, more=KINDS, page_size=2000)
    for number in range(210):
        made.store.put(str(number + 1), email=f"customer{number}@example.org")
        for days_ago in range(100 if number % 3 == 2 else number % 9, 300, (7, 30, 45)[number % 3]):
            made.buys(str(number + 1), days_ago, 1000 + number, category=("Wine", "Beer")[number % 2])
    made.do("train")
    return made


@pytest.mark.slow
def test_a_population_is_labelled_alike_in_many_chunks_and_in_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every kind, on two days, with people who come and go; so is the file, and what the journal gives
    back to a new mirror.
    """
    (tmp_path / "trained").mkdir()
    model, outputs = trained(tmp_path / "trained"), []
    for chunk in (chunks.CHUNK, 40):
        monkeypatch.setattr(chunks, "CHUNK", chunk)
        world = model.copy(tmp_path / str(chunk))
        world.do("label")
        for id in ("3", "77"):
            world.store.delete(id)
        world.store.put("300", email="new@example.org")
        world.buys("8", 0, 90_000)
        world.do("label", as_of=DAY + timedelta(days=7), out=world.folder / "labels.csv")
        states_before = states(world)
        world.lose_mirror()
        world.do("label", as_of=DAY + timedelta(days=14))
        outputs.append((states_before, states(world), (world.folder / "labels.csv").read_text()))
    assert outputs[0] == outputs[1]
    assert all(len({row[1] for row in states_before["labels_" + name]}) > 1 for name in EVERY), (
        "labels that are all alike would prove nothing"
    )
    parts = world.journal(
        "SELECT as_of, count(*) AS parts FROM labels WHERE segmentation = 'rfm' GROUP BY as_of ORDER BY as_of"
    )
    assert parts[0]["parts"] == 6


# -- the fit of very many
# ----------------------------------------------------------------------------------------


def test_a_model_of_very_many_is_fitted_on_a_draw_that_is_the_same_each_time_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = []
    for name, most in (("whole", population.FITTED), ("one", 100), ("two", 100)):
        monkeypatch.setattr(population, "FITTED", most)
        (tmp_path / name).mkdir()
        world = World(tmp_path / name)
        world.customers(210)
        world.do("label")
        assert len(world.labels("rfm")) == 210
        models.append(stored(world))
    whole, first, two = models
    assert first == two and first["rfm"]["seen"]["of"] == first["value"]["seen"]["of"] == 210
    assert 80 <= first["rfm"]["seen"]["records"] <= 100
    assert all("of" not in model["seen"] and model["seen"]["records"] == 210 for model in whole.values())


def test_a_model_that_saw_no_buyer_gives_way_to_one_that_does(tmp_path: Path) -> None:
    world = World(tmp_path)
    for number in range(1, 31):
        world.store.put(str(number))
    world.do("label")
    assert set(world.labels("rfm").values()) == set(world.labels("value").values()) == {"prospect"}
    for number in range(1, 31):
        for earlier in range(number % 4 + 1):
            world.buys(str(number), number * 7 + earlier, 1000 * number)
    world.do("label")
    assert len(set(world.labels("rfm").values())) > 3 and set(world.labels("value").values()) == {
        "a",
        "b",
        "c",
    }
    versions = world.journal("SELECT segmentation, max(version) AS version FROM models GROUP BY segmentation")
    world.do("label", as_of=DAY + timedelta(days=7))
    assert versions == world.journal(
        "SELECT segmentation, max(version) AS version FROM models GROUP BY segmentation"
    )
    assert {row["version"] for row in versions} == {2}


# -- the journal
# -------------------------------------------------------------------------------------------------


def test_labels_of_a_journal_that_did_not_part_them_are_read(tmp_path: Path) -> None:
    """A journal of version 2, as an earlier release left it."""
    path, table = (
        tmp_path / "journal.sqlite",
        pa.table({"record_type": ["contact"], "id": ["1"], "segment": ["lost"]}),
    )
    old = sqlite3.connect(path, isolation_level=None)
    migrate(old, 2)
    old.execute(
        "INSERT INTO labels VALUES ('portal', 'rfm', '2024-06-30', 'then', ?)", (packed(table)[:-16],)
    )
    old.close()
    journal = Journal(path)
    assert [(day, part.to_pylist()) for day, part in journal.labels.days("portal", "rfm")] == [
        ("2024-06-30", table.to_pylist())
    ]
    journal.labels.save("portal", "rfm", "2024-06-30", [table.slice(0, 0), table.slice(0, 0), table])
    assert [part.num_rows for _day, part in journal.labels.days("portal", "rfm")] == [0, 1]
    journal.close()
