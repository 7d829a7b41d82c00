"""What exactly would a plan do?

Its review (``sync.views.plan_review``), and each of its changes with old and new value and the reason, for people
and for files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sync.account.session import Session
from sync.account.targets import Target, targets_of
from sync.apply import extent
from sync.exit_codes import CommandError, UsageError
from sync.plan.preview import missing_targets
from sync.store import plan_figures
from sync.store.journal import Journal
from sync.store.journal.batches import Batch
from sync.store.journal.plans import Plan
from sync.store.label_tables import LabelTables, label_reasons
from sync.store.mirror import AccountMirror
from sync.views.personal import Look, note
from sync.views.plan_review import review
from sync.views.private_file import private_file, write_csv

COLUMNS = ("record_type", "id", "segmentation", "target", "action", "before", "after", "reason", "status")
SHOWN = 10_000  # changes in an answer; a file takes all
CANARY = 20  # records of a trial
_AT_ONCE = 20_000  # changes: of a larger plan they are drawn when somebody asks for them
_REASONS = {
    "clear": "the record has no segment any more, or the field was retired",
    "leave": "the record is no longer in this segment",
    "withdraw": "consent forbids it: the person objects to profiling, or cannot be reached",
}


@dataclass(frozen=True)
class Page:
    """Which changes of a plan somebody looks at. ``segment``: SEGMENTATION.SEGMENT that is left or entered;
    ``id``: letters of a record's id. ``look``: with names and e-mail addresses.
    """

    limit: int = SHOWN
    offset: int = 0
    segment: str = ""
    id: str = ""
    look: Look | None = None
    canary: bool = False  # name the records of a trial, also of a large plan, where that takes seconds

    @property
    def filters(self) -> bool:
        """Whether it holds some changes only."""
        return bool(self.segment or self.id)


def show_plan(
    session: Session, plan: int, out: Path | None = None, page: Page | None = None
) -> dict[str, Any]:
    """A plan's state, its review and its changes: all of them in ``out`` (CSV or JSON by its ending), else those
    of a page in ``changes``.

    ``status`` of a change: planned, done, rejected, skipped, or unknown where its answer is still to be found
    out.
    """
    journal, page = session.journal, page or Page()
    row = journal.plans.get(plan)
    if row is None or row.account != session.account:
        raise CommandError(
            f"there is no plan {plan} of account {session.account}: `crm-segments status` lists the open plans"
        )
    total = journal.batches.changes_of(plan)
    answer = {"plan": plan, "kind": row.kind, "state": row.state, "as_of": row.as_of, "total": total}
    answer["created_at"] = row.created_at
    answer["guards"] = row.guards
    answer["preview"] = missing_targets(row)
    answer["first_labelling"] = row.summary.get("first_labelling", {})
    answer["other_parts"] = _other_parts(journal, row)
    if out is not None:
        _write(journal, session.mirror(), row, out)
        return {**answer, "out": str(out)}
    changes, more = _on_page(journal, session.mirror(), row, page, total)
    answer |= {"review": review(session.config, journal, row), "changes": changes, "more": more}
    if page.canary or total <= _AT_ONCE:
        answer["canary"] = _canary(journal, row, targets_of(session.config, session.account))
    if page.look is None:
        return answer
    note(journal, session.account, "show_plan", page.look, plan=plan)
    return with_contacts(session.mirror(), answer)


def _other_parts(journal: Journal, plan: Plan) -> list[dict[str, Any]]:
    """Where a run wrote only what needs no approval: the other plan, what became of it, and why it waits or waited."""
    return [
        {
            "plan": other.plan,
            "state": other.state,
            "changes": other.summary.get("changes", 0),
            "approval": other.summary.get("approval") or [],
        }
        for other in journal.plans.of_run(plan.run)
        if other.kind == plan.kind == "forward" and other.plan != plan.plan
    ]


def _canary(journal: Journal, plan: Plan, targets: Sequence[Target]) -> list[dict[str, Any]]:
    """The records that ``apply N --first 20`` writes, besides test contacts."""
    records = plan.summary.get("test_contacts", {}).get("records", ())
    tested = pa.array(["\0".join(names) for names in records], pa.string())
    batches = journal.batches.of(plan=plan.plan)
    drawn = extent.drawn(batches, str(plan.plan), CANARY, targets, tested).to_pylist()
    return [dict(zip(("record_type", "id"), record.split("\0"), strict=True)) for record in drawn]


def with_contacts(mirror: AccountMirror, answer: dict[str, Any]) -> dict[str, Any]:
    """The answer with ``name`` and ``email`` on every record that it names."""
    losing = (answer["review"] or {}).get("losing", [])
    named = [*answer["changes"], *losing, *answer.get("canary", ())]
    contacts = plan_figures.contacts_of(mirror, {(row["record_type"], row["id"]) for row in named})
    for row in named:
        row |= contacts.get((row["record_type"], row["id"]), {"name": "", "email": ""})
    return answer


def _on_page(
    journal: Journal, mirror: AccountMirror, plan: Plan, page: Page, total: int
) -> tuple[list[dict[str, Any]], int]:
    """The changes of a page, and how many come after it (of a part that is looked for: whether any do)."""
    skipped, rows = 0, list[dict[str, Any]]()
    for number, size in journal.batches.sizes(plan.plan):
        if not page.filters and skipped + size <= page.offset:  # what comes before the page is not read
            skipped += size
            continue
        batch = journal.batches.get(number)
        rows_of_batch = batch.changes()
        places = _matching(rows_of_batch, page) if page.filters else range(rows_of_batch.num_rows)
        kept = places[max(0, page.offset - skipped) :][: page.limit + 1 - len(rows)]
        skipped += min(len(places), max(0, page.offset - skipped))
        if kept:
            chosen = pa.array(kept, pa.int64())
            rows += _explained(journal, mirror, plan, batch, rows_of_batch, chosen).to_pylist()
        if len(rows) > page.limit:
            break
    more = len(rows) > page.limit
    return rows[: page.limit], int(more) if page.filters else max(0, total - page.offset - page.limit)


def _matching(changes: pa.Table, page: Page) -> list[int]:
    """Positions of the changes that a page is about."""
    chosen = pa.repeat(pa.scalar(True), changes.num_rows)
    if page.id:
        chosen = pc.and_(chosen, pc.match_substring(changes["id"], page.id))
    if page.segment:
        name, _, segment = page.segment.partition(".")
        values = [pc.fill_null(pc.equal(changes[side], segment), False) for side in ("before", "after")]
        own = pc.and_(pc.fill_null(pc.equal(changes["segmentation"], name), False), pc.or_(*values))
        chosen = pc.and_(chosen, pc.or_(own, pc.equal(changes["target"], page.segment)))
    positions: list[int] = pc.indices_nonzero(chosen).to_pylist()
    return positions


def _explained(
    journal: Journal,
    mirror: AccountMirror,
    plan: Plan,
    batch: Batch,
    changes: pa.Table,
    places: pa.Array | None = None,
) -> pa.Table:
    """The changes of a batch (all, or those at some positions) in columns of COLUMNS."""
    status = pa.array(_status(journal, batch), pa.string())
    if places is not None:
        changes, status = changes.take(places), status.take(places)
    columns = {name: changes[name] for name in COLUMNS if name in changes.column_names}
    columns["reason"] = _reasons(mirror, changes, plan.undoes)
    columns["status"] = status
    return pa.table([columns[name] for name in COLUMNS], names=COLUMNS)


def _status(journal: Journal, batch: Batch) -> list[str]:
    if batch.state == "done":
        return journal.batches.outcomes(batch)[0]
    return ["planned" if batch.state == "planned" else "unknown"] * batch.rows


def _reasons(mirror: AccountMirror, changes: pa.Table, undoes: int | None) -> pa.Array:
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
        write(
            sink,
            (
                _explained(journal, mirror, plan, batch, batch.changes())
                for batch in journal.batches.of(plan=plan.plan)
            ),
        )
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
