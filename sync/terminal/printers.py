"""The answer of each command, for people."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from sync.terminal.output import fault, say, table
from sync.terminal.pull_summary import print_reading, print_reconciled
from sync.terminal.scorecards import print_card, print_proposals

# others print their notes among the rest
_NOTED = frozenset({"run", "plan", "apply", "backfill", "undo", "retire", "setup"})


_LINES = 50  # changes of a plan that a terminal shows


def print_answer(command: str, answer: Mapping[str, Any]) -> None:
    """The answer of a command, for people."""
    for account_answer in answer.get("accounts", [answer]):
        if "error" in account_answer:
            fault(f"{account_answer['account']}: {account_answer['error']}")
        else:
            for note in account_answer.get("healed", ()):
                say(f"note: {note}")
            _PRINTERS.get(command, _print_loop)(account_answer)
            for note in account_answer.get("notes", ()) if command in _NOTED else ():
                (fault if note.startswith("WARNING") else say)(
                    note if note.startswith("WARNING") else f"note: {note}"
                )
    if command == "report" and answer["report"]:
        say(f"written to {answer['report']}; any browser opens it, without a network")


def print_setup(steps: Mapping[str, Any]) -> None:
    """What set-up would make."""
    table(
        "To be made:",
        ("what", "action", "name", "on", "detail"),
        [(s["kind"], s["action"], s["name"], s["record_type"], s["detail"]) for s in steps["steps"]],
    )
    for refused in steps["refused"]:
        say(f"refused: {refused}")
    for note in steps["notes"]:
        say(f"note: {note}")


def _print_setup(answer: Mapping[str, Any]) -> None:
    print_setup(answer["setup"])
    if "exported" in answer:
        more = (
            f" and {len(answer['files']) - 1} files to deploy beside it" if len(answer["files"]) > 1 else ""
        )
        say(f"written to {answer['exported']}{more}; nothing was made in {answer['account']}")
    elif answer["made"]:
        say(f"made {answer['made']} things in {answer['account']}. Next: crm-segments plan")
    elif answer["setup"]["steps"]:
        say("nothing was made: say --yes to make them")
    else:
        say(f"{answer['account']} has everything already. Next: crm-segments plan")


def _print_check(answer: Mapping[str, Any]) -> None:
    for problem in answer["problems"]:
        say(f"{problem['account']}: {problem['what']}. {problem['remedy']}")
    for note in answer["notes"]:
        say(f"note: {note}")
    if not answer["problems"]:
        missing = len(answer["setup"])
        say(
            f"{answer['account']}: all well."
            + (f" Set-up still has to make {missing} fields and lists: crm-segments setup" if missing else "")
        )
    if "reconcile" in answer:
        print_reconciled(answer["reconcile"])


def _print_pulled(pulled: Mapping[str, Any]) -> None:
    # also those of which every row was refused
    streams = dict.fromkeys([*pulled["rows"], *pulled["rejected"]])
    rows = [(stream, pulled["rows"].get(stream, 0), pulled["rejected"].get(stream, 0)) for stream in streams]
    table("Read now:", ("stream", "rows", "rejected"), rows or [("nothing new", 0, 0)])
    if pulled["forgotten"]:
        say(
            f"{pulled['forgotten']:,} rows of forgotten people are still in the CRM's files; they were not read."
        )


def _print_segments(segments: Mapping[str, Mapping[str, int]]) -> None:
    for name, sizes in segments.items():
        total = sum(sizes.values()) or 1
        rows = [
            (key, size, f"{size / total:.1%}")
            for key, size in sorted(sizes.items(), key=lambda item: -item[1])
        ]
        table(f"{name}:", ("segment", "records", "share"), rows)


def _print_explained(explained: Mapping[str, Any]) -> None:
    shown: list[Any] = []
    for name, figures in explained.items():
        coverage = [(attribute, f"{share:.1%}") for attribute, share in figures["coverage"].items()]
        if (figures["records"], coverage) not in shown:  # segmentations of the same population share it
            shown.append((figures["records"], coverage))
            table(
                f"{name}: attributes known, of {figures['records']:,} records",
                ("attribute", "known"),
                coverage,
            )
        rows = []
        for rule in figures["rules"]:
            note = (
                "holds for nobody"
                if not rule["holds"]
                else f"always overlaps with {rule['overlaps']}"
                if rule["overlaps"]
                else ""
            )
            rows.append(
                (
                    rule["key"],
                    rule["holds"],
                    rule["fires"],
                    note or ("" if rule["fires"] else "never fires: earlier rules win"),
                )
            )
        table(f"{name}: rules, the first to hold wins", ("rule", "holds", "fires", "note"), rows)
        if rows:
            say(
                f"{figures['no_rule']:,} records are held by no rule of {name}: they have no segment, and nothing is written on them."
            )


def print_plan(plan: Mapping[str, Any]) -> None:
    """What a plan would change, what stops it, and what it leaves alone."""
    if plan["plan"] is None:
        kept = f"; {plan['kept']:,} values of other people were kept" if plan["kept"] else ""
        say(f"Nothing to change: the CRM holds what the labels want{kept}.")
    else:
        rows = [
            (target, action, number)
            for target, actions in plan["by_target"].items()
            for action, number in actions.items()
        ]
        table(
            f"Plan {plan['plan']}: {plan['changes']:,} changes on {plan['records']:,} records, {plan['calls']:,} calls",
            ("target", "action", "changes"),
            rows,
        )
    for trip in plan["trips"]:
        say(f"guard {trip['guard']}: {trip['what']}")
    if plan["trips"] and plan["plan"] is not None:
        say(
            f"After a look at it: crm-segments apply {plan['plan']}"
            if all(t["first_labelling"] for t in plan["trips"])
            else "A run would stop here; --allow GUARD --reason TEXT lets it pass."
        )
    if plan["kept"]:
        table(
            "Kept, because somebody else wrote them (first 10):",
            ("id", "target", "wanted", "holds"),
            [tuple(c[k] for k in ("id", "target", "wanted", "holds")) for c in plan["conflicts"][:10]],
        )
    for name in plan["held"]:
        say(
            f"{name} is on hold since a run of it was undone: --allow undone --reason TEXT, or a changed config, lets it go on"
        )
    for name, number in plan["withheld"].items():
        say(
            f"{name}: {number:,} labelled records are in no campaign list: nobody may reach them there, or it is not known"
        )
    if plan["retired"]:
        say(f"no longer in the config: {', '.join(plan['retired'])}; `crm-segments retire NAME` clears one")
    unknown = plan["listeners"].get("unknown")
    heard = [
        (listener["name"], listener["target"], listener["value"] or "any change", listener["records"])
        for listener in plan["listeners"].get("found", ())
    ]
    table(
        "Starts in the CRM on these changes:", ("workflow or flow", "listens to", "value", "records"), heard
    )
    if unknown:
        say(f"what reacts to these changes is unknown: {unknown}")


def _print_applied(answer: Mapping[str, Any]) -> None:
    applied, number = answer["applied"], answer.get("plan", {}).get("plan")
    if "declined" in answer:
        say(f"{answer['declined']}; crm-segments plan show {number} lists it")
        return
    if applied["plan"] is None:
        say("Nothing further to write." if answer.get("withdrawn", {}).get("done") else "Zero writes.")
        return
    say(
        f"Wrote {applied['done']:,} changes; {applied['rejected']:,} rejected, {applied['skipped']:,} skipped, "
        f"{applied['remaining']:,} wait."
    )
    table(
        "Why not:", ("changes", "reason"), [(number, reason) for reason, number in applied["reasons"].items()]
    )


def _read_now(answer: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The reading summary of a command that read; ``apply`` carries out what was made from an earlier one."""
    return answer.get("reading") if "applied" not in answer or "pulled" in answer else None


def _print_loop(answer: Mapping[str, Any]) -> None:
    """Whatever parts of the loop an answer has."""
    if "as_of" in answer:
        say(f"{answer['account']}, as of {answer['as_of']}")
    if "pulled" in answer:
        _print_pulled(answer["pulled"])
    print_reading(_read_now(answer))
    if "segments" in answer:
        _print_segments(answer["segments"])
    if "explain" in answer:
        _print_explained(answer["explain"])
    for name, why in answer.get("refits", {}).items():
        say(f"hint: {name}: {why}; what a refit would change: crm-segments train {name} --propose")
    _print_fitted(answer)
    if "out" in answer:
        say(f"written to {answer['out']}")
    if answer.get("withdrawn", {}).get("done"):
        say(
            f"Took away {answer['withdrawn']['done']:,} values and memberships that people's consent forbids."
        )
    if "plan" in answer:
        print_plan(answer["plan"])
    if "applied" in answer:
        _print_applied(answer)
    if answer.get("held"):
        say(f"on hold now: {', '.join(answer['held'])}. Mail that was sent stays sent.")
    if "run" in answer and "applied" in answer and answer["applied"]["done"]:
        say(f"To take it back: crm-segments undo {answer['run']}")


def _print_card(answer: Mapping[str, Any]) -> None:

    print_card(answer)


def _print_fitted(answer: Mapping[str, Any]) -> None:
    if "proposals" in answer:
        print_proposals(answer["proposals"])
    for name, version in answer.get("models", {}).items():
        say(f"{name}: model {version} fitted")
    for name, figures in answer.get("contests", {}).items():
        _print_contest(name, figures)


def _print_contest(name: str, figures: Mapping[str, Any]) -> None:
    """Which score predicted best, on the days before."""
    for reason in (figures.get("refused"), figures.get("note")):
        if reason:
            say(f"{name}: {reason}; ranked by {figures['winner']}")
    if not figures.get("contest"):
        return
    rows = [
        (
            score,
            f"{merits['capture_20']:.1%}",
            f"{merits['gini']:.3f}",
            "used" if score == figures["winner"] else "",
        )
        for score, merits in figures["contest"].items()
    ]
    table(
        f"{name}: what each score would have foreseen of the last {figures['span']} days",
        ("score", "in best 20%", "gini", ""),
        rows,
    )
    if "bias_money" in figures:
        say(
            f"forecasts were off by {figures['bias_purchases']:+.0%} in purchases and {figures['bias_money']:+.0%} in money, all together"
        )


def _print_show(answer: Mapping[str, Any]) -> None:
    say(f"{answer['record_type']} {answer['id']} of {answer['account']}")
    for name, value in answer.get("person", {}).items():
        say(f"  {name}: {', '.join(value) if isinstance(value, list) else value}")
    if answer["objects"]:
        say("objects to profiling: is in no segment, and what we wrote is taken away")
    for name, labelling in answer["segmentations"].items():
        say(
            f"\n{name}: {labelling['label']} ({labelling['segment']}), since {labelling['since']}"
            + (f", before: {labelling['previous']}" if labelling["previous"] else "")
        )
        say(f"  {labelling['reason']}")
        if labelling["description"]:
            say(f"  {labelling['description']}")
    say()
    table("The CRM holds:", ("target", "value"), list(answer["held"].items()))
    table(
        "Features:", ("feature", "value"), [(k, v) for k, v in _worded(answer) if not isinstance(v, int) or v]
    )
    changes = [
        (
            h["run"],
            str(h["at"])[:19],
            h["target"],
            h["before"],
            h["after"],
            ": ".join(filter(None, (h["status"], h["reason"]))),
        )
        for h in answer["history"]
    ]
    table("Changes:", ("run", "at", "target", "before", "after", "outcome"), changes)
    _print_rejects(answer)


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


def _print_rejects(answer: Mapping[str, Any]) -> None:
    rows = []
    for r in answer["rejects"]:
        where = (
            f"{r['part']}:{r['line']}" if r["source"] == "pull" else f"{r['record_type']} {r['record_id']}"
        )
        rows.append(
            (
                r["reject"],
                where,
                r["column"] or r["target"],
                r["reason"] + (" (quarantined)" if r["quarantined"] else ""),
            )
        )
    table("Rejects:", ("number", "place", "column", "reason"), rows)
    if answer.get("action") in ("retry", "drop"):
        say(f"{answer['action']}: {answer['count']:,} entries")
    elif "action" in answer and not rows:
        say("no rejects")


def _print_status(answer: Mapping[str, Any]) -> None:
    say(f"{answer['account']}: last good run {answer['last_good_run'] or 'never'}")
    for note in answer["notes"]:
        say(f"note: {note}")
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
                r["run"],
                r["command"],
                str(r["started_at"])[:19],
                "interrupted" if r["summary"].get("interrupted") else str(r["finished_at"])[:19],
                r["exit_code"],
            )
            for r in answer["runs"]
        ],
    )
    table(
        "Open plans:",
        ("plan", "kind", "state", "as of"),
        [(p["plan"], p["kind"], p["state"], p["as_of"]) for p in answer["plans"]],
    )
    table(
        "On hold:", ("segmentation", "undone run"), [(h["segmentation"], h["run"]) for h in answer["holds"]]
    )
    table(
        "Rejects:",
        ("from", "where", "rows", "quarantined"),
        [(r["source"], r["place"], r["rows"], r["quarantined"]) for r in answer["rejects"]],
    )


def _print_plan_changes(answer: Mapping[str, Any]) -> None:
    say(
        f"plan {answer['plan']} ({answer['kind']}, {answer['state']}), as of {answer['as_of']}: {answer['total']:,} changes"
    )
    for trip in answer["guards"]:
        say(f"guard {trip['guard']}: {trip['what']}")
    if "out" in answer:
        say(f"written to {answer['out']}")
        return
    columns = ("id", "target", "before", "after", "status", "reason")
    rows = answer["changes"][:_LINES]
    table(
        "",
        ("id", "target", "old", "new", "status", "reason"),
        [tuple(row[name] for name in columns) for row in rows],
    )
    if answer["total"] > len(rows):
        say(
            f"and {answer['total'] - len(rows):,} more: crm-segments plan show {answer['plan']} --out plan-{answer['plan']}.csv writes all"
        )


def _print_salvage(answer: Mapping[str, Any]) -> None:
    rows = [(name, count["kept"], count["lost"]) for name, count in answer["salvaged"].items()]
    table("Read in the journal:", ("table", "rows saved", "rows lost"), rows)
    journal, saved = shlex.quote(answer["journal"]), shlex.quote(answer["out"])
    say(f"written to {answer['out']}. A backup is better, where there is one. To go on with what was saved:")
    say(f"  rm -f {journal}-wal {journal}-shm && mv {journal} {journal}.damaged && mv {saved} {journal}")
    say(
        "Values whose note is lost then count as other people's, and stay; `crm-segments plan --adopt` takes our own keys for ours again."
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
        say(f"addresses: {', '.join(traces['addresses'])}")
    say(
        f"{traces['journal_rows']:,} rows of the journal; {len(traces['files'])} exported files: {', '.join(traces['files']) or 'none'}"
    )


def _print_forget(answer: Mapping[str, Any]) -> None:
    if not answer["forgotten"]:
        if answer["known"]:
            say("nothing was erased: say --yes to erase it. It cannot be undone.")
        return
    say(
        f"forgotten: {answer['forgotten']} records; {answer['cleared']} values cleared in the CRM, {answer['journal_rows']} rows of "
        f"the journal and {answer['files']} exported files cleaned, and the mirror. This cannot be undone. Rows that the CRM "
        f"itself keeps are yours to delete there, and so are backups of the journal that you keep elsewhere."
    )


def _print_history(answer: Mapping[str, Any]) -> None:
    if "out" in answer:
        say(f"{answer['changes']:,} changes written to {answer['out']}")
        return
    table(
        "Changes:",
        ("run", "id", "target", "before", "after", "outcome"),
        [
            tuple(r[k] for k in ("run", "id", "target", "before", "after", "status"))
            for r in answer["history"]
        ],
    )


def _print_report(answer: Mapping[str, Any]) -> None:
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


def _print_schedule(answer: Mapping[str, Any]) -> None:
    for kind, text in answer["schedules"].items():
        say((f"### {kind}\n" if len(answer["schedules"]) > 1 else "") + text)


def _print_init(answer: Mapping[str, Any]) -> None:
    from sync.terminal.preview import print_preview

    print_preview(answer)
    for note in answer["notes"]:
        say(f"note: {note}")
    say(f"written to {answer['config']}. Read it, then: crm-segments check --config {answer['config']}")


def _print_demo(_answer: Mapping[str, Any]) -> None:
    """The demo tells its story while it goes."""


_PRINTERS = {
    "show_plan": _print_plan_changes,
    "setup": _print_setup,
    "check": _print_check,
    "show": _print_show,
    "rejects": _print_rejects,
    "status": _print_status,
    "salvage": _print_salvage,
    "forget": _print_forget,
    "history": _print_history,
    "report": _print_report,
    "evaluate": _print_card,
    "schedule": _print_schedule,
    "init": _print_init,
    "demo": _print_demo,
}
