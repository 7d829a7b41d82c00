"""Apply: carry out a plan, batch by batch, so that a crash anywhere loses and doubles nothing.

Each batch is marked open in the journal before the call and closed with the CRM's answer for each record after it.
A batch that the CRM refuses as a whole is halved until the record that poisons it stands alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import CHANGE_SCHEMA, OUTCOME_SCHEMA, RemoteList, done
from connectors.errors import QuotaError, RequestError, TemporaryError
from sync import consent, ownership
from sync.journal import Batch, Journal, now, user
from sync.plan import basis
from sync.pull import stale
from sync.session import Session
from sync.stops import GuardStop, Later, Stop

ATTEMPTS = 5  # how often a change that the CRM refuses is tried before it is put in quarantine


@dataclass
class Applied:
    """What came of a plan."""

    plan: int = 0
    done: int = 0
    rejected: int = 0
    skipped: int = 0
    remaining: int = 0  # changes that wait: beyond ``first``, or beyond the pace
    reasons: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For printing."""
        return asdict(self)


class JournalTicket:
    """A batch's place for the CRM's job id: in the journal, before the upload."""

    def __init__(self, journal: Journal, batch: int) -> None:
        self._journal = journal
        self._batch = batch

    @property
    def job(self) -> str | None:
        """The job id that was saved, or None."""
        found: str | None = self._journal.value("SELECT job FROM batches WHERE batch = ?", self._batch)
        return found

    def save(self, job: str) -> None:
        """Store the job id."""
        self._journal.execute("UPDATE batches SET job = ? WHERE batch = ?", job, self._batch)


def apply(session: Session, plan: int, reviewed: bool, first: int | None = None) -> Applied:
    """Carry out an open plan. ``reviewed``: a person named it, which settles what a first labelling trips.

    GuardStop where a guard is tripped or the plan is superseded, before the first write; Later where a window is
    closed, the pace is used up or the CRM is away, with everything so far saved.
    """
    row = _ready(session, plan, reviewed)
    _wait_for_window(session)
    journal, applied = session.journal, Applied(plan)
    consent.prepare(session)
    journal.set_plan(plan, state="applying")
    if row["kind"] != "consent":
        close_older_plans(journal, session.account, plan)
    wanted = None if first is None else _first_records(journal, plan, first)
    for batch in list(_to_do(journal, plan)):
        allowance = _allowance(session)
        _cut(session, journal.batch(batch), wanted, allowance, applied)
        if applied.remaining and allowance == 0:
            raise Later(_pace_message(session, plan))
        session.progress("writing", applied.done + applied.rejected + applied.skipped, row["summary"]["changes"])
    keys = {row["remote"]: row["key"] for row in journal.made(session.account) if row["kind"] == "list"}
    ownership.now_read(session.mirror(), session.connector(), session.connector().lists() if keys else (), keys)
    applied.remaining = journal.value("SELECT coalesce(sum(rows), 0) FROM batches WHERE plan = ? AND state = 'planned'", plan)
    if not applied.remaining:
        journal.set_plan(plan, state="done")
    return applied


def _ready(session: Session, plan: int, reviewed: bool) -> dict[str, Any]:
    """The plan's row, if it may be carried out now."""
    journal = session.journal
    row = journal.plan(plan)
    if row is None or row["account"] != session.account:
        raise Stop(f"there is no plan {plan} of account {session.account}: `crm-segments plan` makes one")
    if row["state"] in ("done", "superseded"):
        raise GuardStop(f"plan {plan} is {row['state']} and cannot be applied again: make a new one with `crm-segments plan`", plan=plan)
    newer = journal.value(
        "SELECT plan FROM plans WHERE account = ? AND plan > ? AND state IN ('applying', 'done') AND kind <> 'consent' "
        "ORDER BY plan LIMIT 1",
        session.account,
        plan,
    )
    moved = [name for name, value in basis(session).items() if row["basis"].get(name) != value]
    if newer or (moved and row["kind"] == "forward"):
        why = f"plan {newer} was applied since" if newer else f"the {' and '.join(moved)} of the segmentations changed since"
        journal.set_plan(plan, state="superseded")
        raise GuardStop(f"plan {plan} is superseded: {why}. Make a new one with `crm-segments plan`.", plan=plan)
    if row["state"] == "open":
        trips = [t for t in row["guards"] or [] if t["guard"] not in session.allow and not (reviewed and t["first_labelling"])]
        if trips:
            stop_for(session, plan, trips)
        journal.set_plan(plan, allowed={"guards": dict(session.allow), "who": user()})
    return row


def stop_for(session: Session, plan: int, trips: list[dict[str, Any]]) -> None:
    """Raise the GuardStop that explains tripped guards."""
    lines = [f"  {t['guard']}: {t['what']}" for t in trips]
    first = all(t["first_labelling"] for t in trips)
    names = sorted({t["guard"] for t in trips})
    review = (
        f"Look at it (`crm-segments plan`) and apply it by its number: `crm-segments apply {plan}`; or" if first else "If that is right,"
    )
    allow = " ".join(f"--allow {name}" for name in names)
    from sync.stops import Trip

    raise GuardStop(
        f"guards stopped plan {plan}, and nothing of it was written:\n"
        + "\n".join(lines)
        + f"\n{review} run again with {allow} --reason TEXT.",
        [Trip(t["guard"], t["what"], t["first_labelling"]) for t in trips],
        plan,
    )


def close_older_plans(journal: Journal, account: str, plan: int | None) -> None:
    """What an earlier plan left undone stands in the newer one, or is no longer wanted."""
    journal.execute(
        "UPDATE plans SET state = 'superseded' WHERE account = ? AND state IN ('applying', 'open') AND plan < ?", account, plan or 1 << 60
    )


# -- how much, and when ------------------------------------------------------------------------------------


def _wait_for_window(session: Session) -> None:
    windows = session.config.windows(session.account)
    moment = session.clock()
    if not windows.open_at(moment):
        raise Later(
            f"writing windows are closed until {windows.next_opening(moment):%Y-%m-%d %H:%M %Z}; the plan waits, `crm-segments run` "
            f"goes on then"
        )


def _hour_ago(session: Session) -> str:
    return (session.clock() - timedelta(hours=1)).isoformat(timespec="microseconds")


def _written_lately(session: Session) -> int:
    sql = "SELECT coalesce(sum(records), 0) FROM batches WHERE account = ? AND state <> 'planned' AND opened_at > ?"
    return int(session.journal.value(sql, session.account, _hour_ago(session)))


def _allowance(session: Session) -> int | None:
    """Records that the pace lets through now; None: no limit."""
    pace = session.config.pace.writes_per_hour
    return None if pace is None else max(0, pace - _written_lately(session))


def _pace_message(session: Session, plan: int) -> str:
    sql = "SELECT min(opened_at) FROM batches WHERE account = ? AND state <> 'planned' AND opened_at > ?"
    oldest = session.journal.value(sql, session.account, _hour_ago(session))
    until = (datetime.fromisoformat(oldest) + timedelta(hours=1)).strftime("%H:%M UTC") if oldest else "an hour from now"
    return (
        f"the pace of {session.config.pace.writes_per_hour:,} records an hour is used up; the rest of plan {plan} waits until "
        f"{until}, then run again"
    )


def _to_do(journal: Journal, plan: int) -> Iterator[int]:
    for row in journal.rows("SELECT batch FROM batches WHERE plan = ? AND state = 'planned' ORDER BY batch", plan):
        yield row["batch"]


def _first_records(journal: Journal, plan: int, first: int) -> pa.Table:
    """The first N records of a plan, for a canary."""
    seen: set[tuple[str, str]] = set()
    for batch in journal.batches(plan=plan, state="planned"):
        changes = batch.changes()
        for key in zip(changes["record_type"].to_pylist(), changes["id"].to_pylist(), strict=True):
            if len(seen) >= first and key not in seen:
                break
            seen.add(key)
        if len(seen) >= first:
            break
    schema = pa.schema([("record_type", pa.string()), ("id", pa.string())])
    return pa.table({"record_type": [t for t, _ in seen], "id": [i for _, i in seen]}, schema=schema)


def _cut(session: Session, batch: Batch, wanted: pa.Table | None, allowance: int | None, applied: Applied) -> None:
    """Carry out as much of a planned batch as the canary and the pace let through; the rest stays planned."""
    changes = batch.changes()
    chosen = pa.array([True] * changes.num_rows) if wanted is None else _among(changes, wanted)
    if allowance is not None:
        chosen = pc.and_(chosen, _among_first(changes, chosen, allowance))
    now_part, later_part = changes.filter(chosen), changes.filter(pc.invert(chosen))
    applied.remaining += later_part.num_rows
    if not now_part.num_rows:
        return
    if later_part.num_rows:
        session.journal.split_batch(batch, [(now_part, _records(now_part)), (later_part, _records(later_part))])
        first = session.journal.value("SELECT max(batch) FROM batches WHERE plan = ? AND state = 'planned'", batch.plan) - 1
        batch = session.journal.batch(first)
    _carry_out(session, batch, applied)


def _among(changes: pa.Table, wanted: pa.Table) -> pa.Array:
    keys = set(zip(wanted["record_type"].to_pylist(), wanted["id"].to_pylist(), strict=True))
    return pa.array([key in keys for key in zip(changes["record_type"].to_pylist(), changes["id"].to_pylist(), strict=True)])


def _among_first(changes: pa.Table, chosen: pa.Array, allowance: int) -> pa.Array:
    seen: set[str] = set()
    picked = []
    for id, may in zip(changes["id"].to_pylist(), chosen.to_pylist(), strict=True):
        if may and (id in seen or len(seen) < allowance):
            seen.add(id)
            picked.append(True)
        else:
            picked.append(False)
    return pa.array(picked, pa.bool_())


def _records(changes: pa.Table) -> int:
    return int(pc.count_distinct(changes["id"]).as_py())


# -- one batch ---------------------------------------------------------------------------------------------


def _carry_out(session: Session, batch: Batch, applied: Applied) -> None:
    """Open, write, close. What ends the run leaves the batch open: the next run settles it."""
    journal = session.journal
    plain = batch.changes().select(CHANGE_SCHEMA.names)
    journal.open_batch(batch.batch, session.run)
    try:
        outcomes = _vanished(batch, _write(session, batch, plain, JournalTicket(journal, batch.batch)))
    except TemporaryError as error:
        again = f" (in {error.retry_after:.0f} s)" if error.retry_after else ""
        raise Later(f"the CRM cannot answer now: {error}. What was written is saved; run again{again}.") from error
    except QuotaError as error:
        when = f"{error.resets_at:%Y-%m-%d %H:%M %Z}" if error.resets_at else "when the quota is renewed"
        raise Later(f"the CRM's quota is used up: {error}. What was written is saved; run again after {when}.") from error
    close(session, batch, outcomes)
    statuses = outcomes["status"]
    for name in ("done", "rejected", "skipped"):
        setattr(applied, name, getattr(applied, name) + pc.sum(pc.equal(statuses, name)).as_py())
    for reason in outcomes.filter(pc.not_equal(statuses, "done"))["reason"].to_pylist():
        applied.reasons[str(reason)] = applied.reasons.get(str(reason), 0) + 1


def _vanished(batch: Batch, outcomes: pa.Table) -> pa.Table:
    """What consent takes away from a record that the CRM says is gone (merged, say) is gone with it: done."""
    gone = pc.and_(pc.equal(batch.changes()["action"], "withdraw"), pc.equal(pc.fill_null(outcomes["kind"], ""), "gone"))
    if not pc.any(gone).as_py():
        return outcomes
    nothing = pa.scalar(None, pa.string())
    columns = [pc.if_else(gone, value, outcomes[name]) for name, value in (("status", "done"), ("kind", nothing), ("reason", nothing))]
    return pa.table(columns, schema=OUTCOME_SCHEMA)


def close(session: Session, batch: Batch, outcomes: pa.Table, settled: bool = False) -> None:
    """Store a batch's answers: journal, rejects, and what the mirror believes the CRM to hold.

    What settling finds unwritten was never refused: the next plan has it again.
    """
    journal, mirror = session.journal, session.mirror()
    journal.close_batch(batch.batch, outcomes)
    if not settled:
        _keep_rejects(session, batch, outcomes)
    changes = batch.changes()
    ownership.now_actual(mirror, batch, changes.filter(pc.equal(outcomes["status"], "done")))
    ownership.catch_up(journal, mirror)


def _write(session: Session, batch: Batch, changes: pa.Table, ticket: JournalTicket) -> pa.Table:
    """Write changes; skip those that consent forbids by now or whose value moved since the pull; halve what is refused whole."""
    allowed = consent.allowed(session, batch)
    if not pc.all(allowed).as_py():
        outcomes = _write_unmoved(session, batch, changes.filter(allowed), ticket)
        return _merged(allowed, outcomes, "consent was withdrawn since the plan")
    return _write_unmoved(session, batch, changes, ticket)


def _write_unmoved(session: Session, batch: Batch, changes: pa.Table, ticket: JournalTicket) -> pa.Table:
    connector = session.connector()
    if not connector.capabilities.compares_before and stale(session.mirror(), session.clock()):
        same = pc.equal(pc.fill_null(connector.current(changes), ""), pc.fill_null(changes["before"], ""))
        if not pc.all(same).as_py():
            return _merged(same, _write_through(session, batch, changes.filter(same), ticket), "somebody changed it since the pull")
    return _write_through(session, batch, changes, ticket)


def _write_through(session: Session, batch: Batch, changes: pa.Table, ticket: JournalTicket) -> pa.Table:
    if not changes.num_rows:
        return done(0)
    session.writes += session.connector().capabilities.calls_per_batch
    try:
        if batch.kind == "list":
            return session.connector().write_members(_remote(session, batch.target), changes, ticket)
        return session.connector().write_fields(changes, ticket)
    except RequestError as error:
        return _halved(session, batch, changes, ticket, error)


def _halved(session: Session, batch: Batch, changes: pa.Table, ticket: JournalTicket, error: RequestError) -> pa.Table:
    """Records that the CRM refuses only together are written apart; one that it refuses alone is a reject."""
    ids = pc.unique(changes["id"])
    if len(ids) < 2:
        answer = {"status": "rejected", "kind": "data", "reason": str(error)}
        return pa.Table.from_pylist([answer] * changes.num_rows, schema=OUTCOME_SCHEMA)
    left = pc.is_in(changes["id"], value_set=ids[: len(ids) // 2])
    answers = [_write_through(session, batch, changes.filter(mask), ticket) for mask in (left, pc.invert(left))]
    places = pa.concat_arrays([pc.indices_nonzero(left), pc.indices_nonzero(pc.invert(left))])
    return pa.concat_tables(answers).take(pc.sort_indices(places))


def _merged(written: pa.Array, outcomes: pa.Table, reason: str) -> pa.Table:
    """Outcomes of all rows, where those that were not ``written`` were skipped for a reason."""
    skipped = pa.Table.from_pylist([{"status": "skipped", "kind": "conflict", "reason": reason}], schema=OUTCOME_SCHEMA)
    both = pa.concat_tables([skipped, outcomes])
    position, places = 0, []
    for chosen in written.to_pylist():
        position += bool(chosen)
        places.append(position if chosen else 0)
    return both.take(pa.array(places, pa.int64()))


def _remote(session: Session, key: str) -> RemoteList:
    remote = session.journal.value("SELECT remote FROM objects WHERE account = ? AND kind = 'list' AND key = ?", session.account, key)
    for found in session.connector().lists():
        if found.id == remote:
            return found
    raise Stop(f"list {key} is gone from account {session.account}: `crm-segments setup` makes it again")


def _keep_rejects(session: Session, batch: Batch, outcomes: pa.Table) -> None:
    """Give refused changes another time, later and later, until their attempts are spent; forget those that went through."""
    refused = pc.equal(outcomes["status"], "rejected")
    journal = session.journal
    if not pc.any(refused).as_py() and not journal.value(
        "SELECT count(*) FROM rejects WHERE account = ? AND source = 'write'", session.account
    ):
        return
    changes = batch.changes()
    with journal.transaction() as connection:
        places = range(outcomes.num_rows) if batch.rows < 100_000 else pc.indices_nonzero(refused).to_pylist()
        for place in places:
            change, outcome = ({n: t[n][place].as_py() for n in t.column_names} for t in (changes, outcomes))
            where = (session.account, change["record_type"], change["id"], change["target"])
            key = "account = ? AND source = 'write' AND record_type = ? AND record_id = ? AND target = ?"
            before = (
                connection.execute(f"SELECT max(attempts) FROM rejects WHERE {key} AND after IS ?", (*where, change["after"])).fetchone()[0]
                or 0
            )
            connection.execute(f"DELETE FROM rejects WHERE {key}", where)
            if outcome["status"] != "rejected":
                continue
            attempts = before + 1
            spent = outcome["kind"] in ("data", "permission", "gone") and attempts >= ATTEMPTS
            again = (session.clock() + timedelta(minutes=15 * 4 ** (attempts - 1))).isoformat(timespec="microseconds")
            connection.execute(
                """INSERT INTO rejects (account, source, record_type, record_id, target, after, kind, reason, attempts, next_at,
                    quarantined, at)
                   VALUES (?, 'write', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
                (
                    *where,
                    change["after"],
                    outcome["kind"],
                    outcome["reason"],
                    attempts,
                    None if outcome["kind"] == "transient" else again,
                    int(spent),
                    now(),
                ),
            )
