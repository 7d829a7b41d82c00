"""What do people read of what is stored here: runs, records, changes, rejects, and what is erased?"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sync.local_time import local_time
from sync.terminal.exporting import print_segment_files
from sync.terminal.output import done, say, say_note, table, warn
from sync.terminal.pull_summary import print_reading, print_reconciled

_STATES = {"going_on": "goes on", "interrupted": "interrupted"}


def print_status(answer: Mapping[str, Any]) -> None:
    """Runs, plans, holds, rejects, and what was read."""
    zone, last = answer["time_zone"], answer["last_good_run"]
    say(f"{answer['account']}: last good run {local_time(last, zone) if last else 'never'}")
    for note in answer["notes"]:
        say_note(note)
    if answer["reading"]:
        say(f"as of {answer['reading']['as_of']}")
        print_reading(answer["reading"])
    if "reconcile" in answer:
        print_reconciled(answer["reconcile"])
    table(
        "Runs:",
        ("run", "command", "started", "finished", "exit"),
        [
            (
                str(r["run"]),
                r["command"],
                local_time(r["started_at"], zone),
                _ended(r, zone),
                r["exit_code"],
            )
            for r in answer["runs"]
        ],
    )
    table(
        "Open plans:",
        ("plan", "kind", "state", "as of", "made"),
        [
            (
                str(p["plan"]),
                "preview" if p["preview"] else p["kind"],
                p["state"],
                p["as_of"],
                local_time(p["created_at"], zone),
            )
            for p in answer["plans"]
        ],
    )
    table("Paused:", ("segmentation", "undone run"), [(h["segmentation"], h["run"]) for h in answer["holds"]])
    print_segment_files(answer["segment_files"], zone)
    table(
        "Rejects:",
        ("from", "where", "rows", "quarantined"),
        [(r["source"], r["place"], r["rows"], r["quarantined"]) for r in answer["rejects"]],
    )


def _ended(run: Mapping[str, Any], time_zone: str) -> str:
    states = [text for state, text in _STATES.items() if run["summary"].get(state)]
    return states[0] if states else local_time(run["finished_at"], time_zone)


def print_salvage(answer: Mapping[str, Any]) -> None:
    """What was saved of a damaged journal, and how to go on with it."""
    rows = [(name, count["kept"], count["lost"]) for name, count in answer["salvaged"].items()]
    table("Read in the journal:", ("table", "rows saved", "rows lost"), rows)
    journal, saved = shlex.quote(answer["journal"]), shlex.quote(answer["out"])
    done(
        f"written to {answer['out']}. If you have a backup, restore that instead. To continue with what was saved:"
    )
    say(f"  rm -f {journal}-wal {journal}-shm && mv {journal} {journal}.damaged && mv {saved} {journal}")
    say(
        "Values whose entry is lost then count as somebody else's, and stay; `crm-segments plan --adopt` treats "
        "segment keys as written by crm-segments again."
    )


def print_show(answer: Mapping[str, Any]) -> None:
    """One record's segments, values, features, changes and rejects."""
    say(f"{answer['record_type']} {answer['id']} of {answer['account']}")
    for name, value in answer.get("person", {}).items():
        say(f"  {name}: {', '.join(value) if isinstance(value, list) else value}")
    if answer["objects"]:
        say("Objects to profiling: in no segment, and all values written earlier are removed.")
    for name, labelling in answer["segmentations"].items():
        say(
            f"\n{name}: {labelling['label']} ({labelling['segment']}), since {labelling['since']}"
            + (f", before: {labelling['previous']}" if labelling["previous"] else "")
        )
        say(f"  {labelling['reason']}")
        for more in (labelling["description"], labelling.get("forecast")):
            if more:
                say(f"  {more}")
    say()
    table("Values in the CRM:", ("target", "value"), list(answer["held"].items()))
    table(
        "Features:", ("feature", "value"), [(k, v) for k, v in _worded(answer) if not isinstance(v, int) or v]
    )
    changes = [
        (
            str(h["run"]),
            local_time(h["at"], answer["time_zone"]),
            h["target"],
            h["before"],
            h["after"],
            ": ".join(filter(None, (h["status"], h["reason"]))),
        )
        for h in answer["history"]
    ]
    table("Changes:", ("run", "at", "target", "before", "after", "outcome"), changes)
    _each_reject(answer["rejects"])


def _worded(answer: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Features as people read them: money in its currency, what was bought as a list."""
    money = answer.get("money", {})
    for name, value in answer.get("features", {}).items():
        if name in money:
            yield name, f"{Decimal(money[name]):,} {money['currency']}" if value else 0
        elif name.startswith("baskets_"):
            bought = str(value).split("\x1f")
            yield (
                name,
                ", ".join(
                    f"{category} ({orders})"
                    for category, orders in zip(bought[::2], bought[1::2], strict=False)
                ),
            )
        else:
            yield name, value


def print_rejects(answer: Mapping[str, Any]) -> None:
    """Refused rows and refused changes: by reason, or each where each was asked for."""
    if "rejects" in answer:
        _each_reject(answer["rejects"])
    else:
        _by_reason(answer["groups"])
    if answer["action"] != "list":
        done(f"{answer['action']}: {answer['count']:,} entries")
    elif not answer["groups"]:
        done("No rejects.")


def _by_reason(groups: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        (
            group["rows"],
            group["reason"] + (f" ({group['quarantined']:,} quarantined)" if group["quarantined"] else ""),
            group["place"],
            group["about"],
            ", ".join(group["ids"]) + (", …" if group["rows"] > len(group["ids"]) > 0 else ""),
        )
        for group in groups
    ]
    table("Rejects by reason:", ("rows", "reason", "place", "column", "ids"), rows)
    if rows:
        say("Each with its number, for retry and drop: crm-segments rejects --all")


def _each_reject(rejects: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        (
            str(reject["reject"]),  # as retry and drop take it
            _place(reject),
            reject["column"] or reject["target"],
            (reject["reason"] or "") + (" (quarantined)" if reject["quarantined"] else ""),
        )
        for reject in rejects
    ]
    table("Rejects:", ("number", "place", "column", "reason"), rows)


def _place(reject: Mapping[str, Any]) -> str:
    """A line of a file, or a record."""
    if reject["source"] == "pull" and reject["line"] is not None:
        return f"{reject['part']}:{reject['line']}"
    place = reject["part"] if reject["source"] == "pull" else reject["record_type"]
    return " ".join(filter(None, (place, reject["record_id"])))


def print_history(answer: Mapping[str, Any]) -> None:
    """Changes that were tried."""
    if "out" in answer:
        done(f"{answer['changes']:,} changes written to {answer['out']}")
        return
    table(
        "Changes:",
        ("run", "at", "id", "target", "before", "after", "outcome"),
        [
            (
                str(r["run"]),
                local_time(r["at"], answer["time_zone"]),
                *(r[k] for k in ("id", "target", "before", "after", "status")),
            )
            for r in answer["history"]
        ],
    )
    if not answer["history"]:
        done("No changes.")
    elif answer.get("of", 0) > len(answer["history"]):
        say(
            f"The newest {len(answer['history']):,} of {answer['of']:,} changes. Choose with --last, --run and --id; "
            "write all with --out FILE."
        )


def print_report(answer: Mapping[str, Any]) -> None:
    """Figures by which labellings are compared."""
    rows = [
        (
            name,
            str(figures["as_of"]),
            figures["records"],
            figures["labellings"],
            figures["moved_per_week"],
            figures["returned_within_12_weeks"],
        )
        for name, figures in answer["figures"].items()
    ]
    table(
        f"{answer['account']}:",
        ("segmentation", "as of", "records", "labellings", "moved a week", "returned in 12 weeks"),
        rows,
    )


def print_traces(traces: Mapping[str, Any]) -> None:
    """What is known of a person, before it is erased."""
    table("Records:", ("account", "type", "id"), [tuple(row.values()) for row in traces["records"]])
    table(
        "In the CRM, to be cleared:",
        ("type", "id", "field or list", "value"),
        [tuple(row.values()) for row in traces["values"]],
    )
    if traces["addresses"]:
        say(f"E-mail addresses: {', '.join(traces['addresses'])}")
    say(
        f"{traces['journal_rows']:,} rows of the journal; {len(traces['files'])} exported files: {', '.join(traces['files']) or 'none'}"
    )


def print_forget(answer: Mapping[str, Any]) -> None:
    """What was erased."""
    if not answer["forgotten"]:
        if answer["known"]:
            warn("Nothing was erased. Add --yes to erase it; this cannot be undone.")
        return
    done(
        f"Erased {answer['forgotten']} records; {answer['cleared']} values cleared in the CRM, {answer['journal_rows']} rows of "
        f"the journal and {answer['files']} exported files cleaned, and the local copy of the CRM reset. This cannot "
        "be undone. Rows that the CRM "
        f"itself keeps must be deleted there, and so must backups of the journal that you keep elsewhere."
    )
