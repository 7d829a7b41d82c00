"""Is a plan right? What a person looks at before they approve it, the most important first: one sentence, lights,
segments now and after, what would start, and the biggest customers that lose status.

The figures were counted when the plan was made (``sync.plan.review``), so a plan of a million changes is shown
at once. It names records by their ids alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypedDict

from connectors.values.currency import exponent
from sync.account.segment_catalog import named_segments
from sync.config.config import Config
from sync.plan.preview import missing_targets, preview_sentence
from sync.plan.test_contacts import of_test_contacts
from sync.pull import reading
from sync.store.journal import Journal
from sync.store.journal.plans import Plan
from sync.store.journal.runs import Runs

_TRIPS = 3  # guards that a light tells of
_MEASURED = 20  # calls that a run made, at least, for its pace to tell how long others take
_RUNS = 20  # the last ones that are asked for their pace


class Light(TypedDict):
    """One thing to check. ``state``: ok, look (a person decides), or stop (nothing is written as it is)."""

    name: str
    state: Literal["ok", "look", "stop"]
    what: str


def review(config: Config, journal: Journal, plan: Plan) -> dict[str, Any] | None:
    """All of it; None for a plan of an older version, which kept no figures."""
    kept, account = plan.summary.get("review"), config.accounts[plan.account]
    if kept is None:
        return None
    titles = _titles(config, journal, plan.account)
    listeners = plan.summary.get("listeners", {})
    read, minutes = _read(journal, plan), _minutes(journal.runs, plan, config.pace.writes_per_hour)
    return {
        "sentence": sentence(plan, account.crm, kept["totals"]),
        "totals": kept["totals"],
        "currency": account.currency,
        "exponent": exponent(account.currency),
        "lights": list(_lights(plan, read, minutes)),
        "calls": plan.summary.get("calls", 0),
        "minutes": minutes,
        "automations": listeners.get("found", []),
        "automations_unknown": listeners.get("unknown", ""),
        "segments": _in_order(
            [{**row, **_after(row), **titles.get(_key(row), {})} for row in kept["segments"]]
        ),
        "lists": [{**row, **_after(row)} for row in kept["lists"]],
        "losing": [{**row, **_titles_of_move(row, titles)} for row in kept["losing"]],
        "reading": reading.sentences(read) if read else [],
    }


def sentence(plan: Plan, crm: str, totals: Mapping[str, int]) -> str:
    """``Plan 12 for shop (HubSpot): 498 of 2,469 customers change segment. Nothing else is touched.``"""
    counted = (
        (totals["moved"], "change segment", "changes segment"),
        (totals["first"], "get their first segment", "gets their first segment"),
        (totals["cleared"], "lose their segment", "loses their segment"),
    )
    parts = [f"{number:,} {one if number == 1 else many}" for number, many, one in counted if number]
    also = [
        f"{number:,} {words}"
        for number, words in (
            (totals["list_members"], "list memberships"),
            (totals["extra_values"], "values of extra fields"),
        )
        if number
    ]
    what = f"of {totals['records']:,} customers, {_listed(parts)}" if parts else "no customer changes segment"
    if len(parts) == 1:
        number, _, does = parts[0].partition(" ")
        what = f"{number} of {totals['records']:,} customers {does}"
    way = {
        "undo": f" takes run {plan.undoes} back",
        "retire": " clears what the config no longer names",
        "consent": " takes away what consent forbids",
    }.get(plan.kind, "")
    changes = f" {_listed(also)} change too." if also else ""
    changes += f" Plus {tested}, written first." if (tested := of_test_contacts(plan.summary)) else ""
    name = f"Preview, plan {plan.plan}" if missing_targets(plan) else f"Plan {plan.plan}"
    return f"{name} for {plan.account} ({crm}){way}: {what}.{changes} Nothing else is touched."


def _listed(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def _read(journal: Journal, plan: Plan) -> dict[str, Any] | None:
    """The reading that the plan was made from."""
    run = journal.runs.get(plan.run)
    stored: dict[str, Any] | None = run["summary"].get("reading") if run else None
    return stored


# -- segments ----------------------------------------------------------------------------------------------


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["segmentation"] or "", row["segment"]


def _titles(config: Config, journal: Journal, account: str) -> dict[tuple[str, str], dict[str, Any]]:
    """(segmentation, segment) → the titles that people read, and where it stands in their order."""
    return {
        (settings.name, text.key): {
            "title": text.title,
            "segmentation_title": settings.title or settings.name,
            "place": place,
        }
        for settings in config.segmentations_of(account)
        for place, text in enumerate(named_segments(config, journal, settings, account))
    }


def _titles_of_move(
    row: Mapping[str, Any], titles: Mapping[tuple[str, str], Mapping[str, Any]]
) -> dict[str, str]:
    """The titles of the segments before and after."""
    return {
        f"{side}_title": titles.get((row["segmentation"], row[side]), {}).get("title", row[side])
        for side in ("before", "after")
    }


def _after(row: Mapping[str, Any]) -> dict[str, Any]:
    """How many there are once the plan is applied, and what these spent."""
    parts = [row[f"{name}_revenue"] for name in ("now", "in", "out")]
    money = None if all(part is None for part in parts) else sum(p or 0 for p in parts[:2]) - (parts[2] or 0)
    return {"after": row["now"] + row["in"] - row["out"], "after_revenue": money}


def _in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for row in rows:
        row.setdefault("title", row["segment"])
        row.setdefault("segmentation_title", row["segmentation"] or row["target"])
    return sorted(rows, key=lambda row: (row["target"], row.pop("place", 999), row["segment"]))


# -- lights ------------------------------------------------------------------------------------------------


def _lights(plan: Plan, read: Mapping[str, Any] | None, minutes: int | None) -> Iterator[Light]:
    if missing := missing_targets(plan):
        yield Light(name="Set-up", state="stop", what=f"{preview_sentence(missing)}.")
    yield _guards(plan)
    if waits := plan.summary.get("approval"):
        why = "; ".join(reason["what"] for reason in waits)
        yield Light(name="Approval", state="look", what=f"It waits for somebody's approval: {why}.")
    yield _rows(read)
    yield _consent(plan)
    yield _automations(plan.summary.get("listeners", {}))
    kept = plan.summary.get("kept", 0)
    if kept:
        yield Light(
            name="Manual edits", state="look", what=f"{kept:,} values of other people stay as they are."
        )
    calls = plan.summary.get("calls", 0)
    time = f", about {minutes:,} minute{'s' * (minutes != 1)}" if minutes else ""
    yield Light(name="API calls", state="ok", what=f"{calls:,} calls{time}.")


def _guards(plan: Plan) -> Light:
    if not plan.guards:
        return Light(name="Guards", state="ok", what="No guard is tripped.")
    first = all(trip["first_labelling"] for trip in plan.guards)
    if first:
        what = "This is a first labelling: a person looks at it before it is written."
        return Light(name="Guards", state="look", what=what)
    trips = [f"{trip['guard']}: {trip['what']}" for trip in plan.guards if not trip["first_labelling"]]
    more = f"; and {len(trips) - _TRIPS} more" if len(trips) > _TRIPS else ""
    return Light(name="Guards", state="stop", what=f"{'; '.join(trips[:_TRIPS])}{more}.")


def _rows(read: Mapping[str, Any] | None) -> Light:
    if read is None:
        return Light(name="Rows read", state="ok", what="Nothing was read for this plan.")
    streams = [s for account in read["accounts"].values() for s in account["streams"].values()]
    refused = sum(stream.get("refused", 0) for stream in streams)
    rows = sum(stream.get("rows", 0) for stream in streams)
    if not refused:
        return Light(name="Rows read", state="ok", what=f"No row of {rows:,} was refused.")
    reasons: dict[str, int] = {}
    for stream in streams:
        for reason, number in stream.get("reasons", {}).items():
            reasons[reason] = reasons.get(reason, 0) + number
    why = max(reasons, key=lambda reason: reasons[reason], default="")
    what = f"{refused:,} of {rows:,} rows were refused" + (f", most of them: {why}" if why else "")
    return Light(name="Rows read", state="look", what=f"{what}.")


def _consent(plan: Plan) -> Light:
    withheld = plan.summary.get("withheld", {})
    withdrawn = sum(actions.get("withdraw", 0) for actions in plan.summary.get("by_target", {}).values())
    parts = [f"{number:,} customers of {name} are left out of its lists" for name, number in withheld.items()]
    if withdrawn:
        parts.append(f"{withdrawn:,} values are removed")
    if not parts:
        return Light(name="Consent", state="ok", what="Consent takes nothing away, and leaves nobody out.")
    return Light(name="Consent", state="ok", what=f"As consent asks: {_listed(parts)}.")


def _automations(listeners: Mapping[str, Any]) -> Light:
    starts: dict[str, int] = listeners.get("starts") or {}
    for heard in (
        () if starts else listeners.get("found", ())
    ):  # of a plan of an older version: at least so many
        starts[heard["name"]] = max(heard["records"], starts.get(heard["name"], 0))
    found = {name: records for name, records in starts.items() if records}
    if listeners.get("unknown"):
        what = f"It cannot be told what these changes start: {listeners['unknown']}."
        return Light(name="Automations", state="look", what=what)
    if not found:
        return Light(name="Automations", state="ok", what="These changes start no automation.")
    names = _listed([f"{name} for {records:,}" for name, records in found.items()])
    return Light(name="Automations", state="look", what=f"These changes start {names}.")


def _minutes(runs: Runs, plan: Plan, writes_per_hour: int | None) -> int | None:
    """How long applying takes by the pace of the config and of earlier runs; None: neither tells."""
    paces = [
        (run, run["summary"].get("calls", {}).get("write", 0))
        for run in runs.last(plan.account, _RUNS)
        if run["command"] == "apply" and run["finished_at"] and run["summary"].get("calls")
    ]
    per_call = [_seconds(run) / calls for run, calls in paces if calls >= _MEASURED]
    seconds = [plan.summary.get("calls", 0) * sorted(per_call)[len(per_call) // 2]] if per_call else []
    if writes_per_hour:
        seconds.append(plan.summary.get("records", 0) / writes_per_hour * 3600)
    return -(-int(max(seconds)) // 60) or 1 if seconds else None


def _seconds(run: Mapping[str, Any]) -> float:
    began, ended = (datetime.fromisoformat(run[name]) for name in ("started_at", "finished_at"))
    return (ended - began).total_seconds()
