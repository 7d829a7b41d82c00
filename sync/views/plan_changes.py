"""What exactly would a plan do?

Each of its changes, with old and new value and the reason, for people and for files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from sync.account.session import Session
from sync.exit_codes import CommandError, UsageError
from sync.store.journal import Journal
from sync.store.journal.batches import Batch
from sync.store.journal.plans import Plan
from sync.store.label_tables import LabelTables, label_reasons
from sync.store.mirror import AccountMirror
from sync.views.private_file import private_file, write_csv

COLUMNS = ("record_type", "id", "segmentation", "target", "action", "before", "after", "reason", "status")
SHOWN = 10_000  # changes in an answer; a file takes all
_REASONS = {
    "clear": "the record has no segment any more, or the field was retired",
    "leave": "the record is no longer in this segment",
    "withdraw": "consent forbids it: the person objects to profiling, or cannot be reached",
}


def show_plan(session: Session, plan: int, out: Path | None = None) -> dict[str, Any]:
    """A plan's state and its changes: all of them in ``out`` (CSV or JSON by its ending), else the first in
    ``changes``.

    ``status`` of a change: planned, done, rejected, skipped, or unknown where its answer is still to be found
    out.
    """
    row = session.journal.plans.get(plan)
    if row is None or row.account != session.account:
        raise CommandError(
            f"there is no plan {plan} of account {session.account}: `crm-segments status` lists the open ones"
        )
    total = session.journal.batches.changes_of(plan)
    answer = {"plan": plan, "kind": row.kind, "state": row.state, "as_of": row.as_of, "total": total}
    answer["guards"] = [{"guard": trip["guard"], "what": trip["what"]} for trip in row.guards]
    if out is not None:
        _write(session.journal, session.mirror(), row, out)
        return {**answer, "out": str(out)}
    changes: list[dict[str, Any]] = []
    for part in _changes(session.journal, session.mirror(), row):
        changes += part.slice(0, SHOWN - len(changes)).to_pylist()
        if len(changes) >= SHOWN:
            break
    return {**answer, "changes": changes, "more": total - len(changes)}


def _changes(journal: Journal, mirror: AccountMirror, plan: Plan) -> Iterator[pa.Table]:
    """The changes of a plan, batch by batch, in columns of COLUMNS."""
    for batch in journal.batches.of(plan=plan.plan):
        changes = batch.changes()
        columns = {name: changes[name] for name in COLUMNS if name in changes.column_names}
        columns["reason"] = _reasons(mirror, batch, changes, plan.undoes)
        columns["status"] = pa.array(_status(journal, batch), pa.string())
        yield pa.table([columns[name] for name in COLUMNS], names=COLUMNS)


def _status(journal: Journal, batch: Batch) -> list[str]:
    if batch.state == "done":
        return journal.batches.outcomes(batch)[0]
    return ["planned" if batch.state == "planned" else "unknown"] * batch.rows


def _reasons(mirror: AccountMirror, batch: Batch, changes: pa.Table, undoes: int | None) -> pa.Array:
    """Why each change: the label's own reason where the latest labelling still gives that segment, else what
    the action means.
    """
    if undoes is not None:
        return pa.array([f"run {undoes} is undone"] * changes.num_rows, pa.string())
    names = {name for name in changes["segmentation"].to_pylist() if name}
    reasons = {
        name: label_reasons(mirror, name, changes) for name in names if LabelTables(mirror, name).exist
    }
    columns = [changes[name].to_pylist() for name in ("segmentation", "record_type", "id", "action")]
    rows = zip(*columns, strict=True)
    return pa.array(
        [
            _REASONS.get(action) or reasons.get(name, {}).get((type_, id), "")
            for name, type_, id, action in rows
        ],
        pa.string(),
    )


def _write(journal: Journal, mirror: AccountMirror, plan: Plan, out: Path) -> None:
    """Write a plan's changes in the form that the file's ending asks for."""
    write = {".csv": _as_csv, ".json": _as_json}.get(out.suffix.lower())
    if write is None:
        raise UsageError(f"{out.name}: a plan is written as .csv or .json, by the file's ending")
    with private_file(out) as sink:
        write(sink, _changes(journal, mirror, plan))
    journal.exports.remember(out)


def _as_csv(sink: Any, parts: Iterator[pa.Table]) -> None:
    write_csv(sink, COLUMNS, parts)


def _as_json(sink: Any, parts: Iterator[pa.Table]) -> None:
    """A list with one object on each line."""
    lines = (json.dumps(row, ensure_ascii=False) for part in parts for row in part.to_pylist())
    sink.write("[")
    for number, line in enumerate(lines):
        sink.write(("," if number else "") + "\n" + line)
    sink.write("\n]\n")
