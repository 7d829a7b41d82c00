"""Do batches of a hundred thousand records stay cheap, cut in the right place, and survive that all of them
are refused?
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.schemas import OUTCOME_SCHEMA
from sync.account.session import Session, locked
from sync.apply.delivery import Applied, _woven
from sync.apply.extent import records
from sync.apply.rejects import RejectedChanges
from sync.config.config import load
from sync.context import Context
from sync.store.journal.batches import PLAN_SCHEMA
from tests.test_laws import law
from tests.world import World

MANY = 100_000


def changes(count: int) -> pa.Table:
    ids = pa.array(np.arange(count)).cast(pa.string())
    texts = {
        "record_type": "contact",
        "target": "seg_rfm",
        "before": "new",
        "after": "lost",
        "segmentation": "rfm",
        "action": "set",
    }
    columns = {name: pa.repeat(text, count) for name, text in texts.items()} | {"id": ids}
    flags = {name: pa.repeat(True, count) for name in ("mine_before", "mine_after")}
    return pa.table({**columns, **flags}).select(PLAN_SCHEMA.names).cast(PLAN_SCHEMA)


def refused(count: int) -> pa.Table:
    reasons = pa.array([f"the CRM refuses record {number}" for number in range(count)])
    return pa.table([pa.repeat("rejected", count), pa.repeat("data", count), reasons], schema=OUTCOME_SCHEMA)


def test_a_hundred_thousand_refusals_are_kept_and_told_in_seconds(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.config()
    config = load(tmp_path / "config.toml")
    with locked(config) as journal:
        session = Session.begin(
            Context(config, "portal", clock=lambda: datetime(2024, 7, 1, tzinfo=UTC)), journal
        )
        table, outcomes, applied = changes(MANY), refused(MANY), Applied()
        batch = journal.batches.get(journal.batches.add(1, "portal", "field", "", "contact", table, MANY))
        began = time.process_time()
        for attempt in (1, 2):
            journal.batches.close(batch.batch, outcomes, "2024-07-01", 0)
            RejectedChanges(session.mirror(), journal.rejects, config.guards.max_shrink, session.clock).keep(
                batch, outcomes
            )
            applied.add(outcomes)
            assert journal.rows(
                "SELECT count(*) AS n, min(attempts) AS least, max(attempts) AS most FROM rejects"
            ) == [{"n": MANY, "least": attempt, "most": attempt}]
        RejectedChanges(session.mirror(), journal.rejects, config.guards.max_shrink, session.clock).keep(
            batch,
            pa.table([pa.repeat("done", MANY), *[pa.nulls(MANY, pa.string())] * 2], schema=OUTCOME_SCHEMA),
        )
        assert journal.value("SELECT count(*) FROM rejects") == 0
        assert time.process_time() - began < 20
        reasons = applied.as_dict()["reasons"]
        assert len(reasons) < 30 and sum(reasons.values()) == 2 * MANY
        session.close()


def test_a_batch_of_a_hundred_thousand_is_small_in_the_journal_and_cut_at_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    config = world.config()
    with locked(config) as journal:
        table = changes(MANY)
        number = journal.batches.add(1, "portal", "field", "", "contact", table, MANY)
        assert journal.value("SELECT length(content) FROM batches") < 10 * MANY, "bytes"
        began = time.process_time()
        first = journal.batches.split(
            journal.batches.get(number), (table.slice(0, 3), 3), (table.slice(3), MANY - 3)
        )
        assert len(records(table)) == MANY
        assert time.process_time() - began < 2
        assert [(row["batch"], row["rows"]) for row in journal.rows("SELECT batch, rows FROM batches ORDER BY rows")] == [
            (first, 3), (number, MANY - 3),
        ]  # fmt: skip


@pytest.mark.parametrize("first", [1, 7, 40, 99])
def test_a_canary_and_a_pace_cut_records_not_rows(tmp_path: Path, first: int) -> None:
    world = World(tmp_path, lists="none", extra_fields='["reason", "since"]', batch_size=1000)
    world.customers(40)
    world.do("setup")
    planned = world.do("plan")["plan"]["plan"]
    world.do("apply", number=planned, first=first)
    ids = set(world.held("seg_rfm"))
    assert len(ids) == min(first, 40) and ids == set(world.held("seg_value")) == set(
        world.held("seg_rfm_reason")
    )


@law(30)
@given(mask=st.lists(st.booleans(), max_size=12))
def test_woven_outcomes_stand_in_the_order_of_their_changes(mask: list[bool]) -> None:
    def outcomes(name: str, count: int) -> pa.Table:
        texts = pa.array([f"{name}{position}" for position in range(count)], pa.string())
        return pa.table([texts, texts, texts], schema=OUTCOME_SCHEMA)

    answer = _woven(
        pa.array(mask, pa.bool_()), outcomes("yes", sum(mask)), outcomes("no", len(mask) - sum(mask))
    )
    yes, no = iter(range(99)), iter(range(99))
    assert answer["status"].to_pylist() == [
        f"yes{next(yes)}" if is_yes else f"no{next(no)}" for is_yes in mask
    ]
