"""What does a monitoring system see? A text file in the format of Prometheus, for node_exporter's textfile collector.

It is made from the journal alone, so that what it says outlasts a run. A figure that no run told is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sync.config.config import Config
from sync.store.journal import Journal
from sync.store.journal.runs import Run
from sync.views.private_file import private_file

_RUNS = 40  # that are looked at
_OUTCOMES = ("done", "rejected", "skipped", "transient", "remaining")
_HELP = {
    "last_good_run_timestamp_seconds": "When the last run ended well.",
    "last_run_timestamp_seconds": "When the last run ended.",
    "last_run_exit_code": "The exit code of the last run.",
    "last_run_rows": "Changes of the last run that wrote, by outcome.",
    "last_run_rows_read": "Rows that the last run read, by stream.",
    "last_run_calls": "API calls of the last run.",
    "last_run_stage_seconds": "Seconds that each stage of the last run took.",
    "quota_limit": "API calls that the account allows in a day, as the CRM said last.",
    "quota_left": "How many of them were left.",
    "segment_size": "Records in a segment, in the last labelling.",
    "label_churn_ratio": "Share of labelled records whose segment the last plan changes or takes away.",
    "rejects": "Rows and changes that are refused.",
    "alerts_open": "Open alerts.",
}


@dataclass(frozen=True)
class Sample:
    """One figure."""

    name: str
    labels: Mapping[str, str]
    figure: float


def write_metrics(config: Config, journal: Journal) -> None:
    """Write the file that the config names, wholly or not at all."""
    if config.metrics.path is None:
        return
    out = config.folder / Path(config.metrics.path).expanduser()
    out.parent.mkdir(parents=True, exist_ok=True)
    with private_file(out, 0o644) as sink:
        sink.write(text(samples(config, journal)))


def samples(config: Config, journal: Journal) -> Iterator[Sample]:
    """All figures of all accounts."""
    for account in config.writable:
        labels = {"account": account}
        if (last := journal.runs.last_good(account)) is not None:
            yield Sample("last_good_run_timestamp_seconds", labels, _seconds(last))
        runs = [run for run in journal.runs.last(account, _RUNS) if run["finished_at"] is not None]
        yield from _of_runs([run for run in runs if run["command"] == "run"], labels)
        fields = {settings.name: settings.field for settings in config.segmentations_of(account)}
        yield from _of_labels(runs, fields, labels)
        yield Sample("rejects", labels, journal.rejects.count(account))
    for alert in journal.alerts.open():
        named = {"account": alert.account, "cause": alert.cause, "subject": alert.subject}
        yield Sample("alerts_open", named, 1)


def _of_runs(runs: Sequence[Run], labels: Mapping[str, str]) -> Iterator[Sample]:
    if not runs:
        return
    last, summary = runs[0], runs[0]["summary"]
    yield Sample("last_run_timestamp_seconds", labels, _seconds(last["finished_at"] or ""))
    yield Sample("last_run_exit_code", labels, last["exit_code"] or 0)
    for kind, calls in summary.get("calls", {}).items():
        yield Sample("last_run_calls", {**labels, "kind": kind}, calls)
    for stage, spent in summary.get("seconds", {}).items():
        yield Sample("last_run_stage_seconds", {**labels, "stage": stage}, spent)
    for stream, rows in summary.get("pulled", {}).get("rows", {}).items():
        yield Sample("last_run_rows_read", {**labels, "stream": stream}, rows)
    applied = _newest(runs, "applied")
    for outcome in _OUTCOMES if applied else ():
        yield Sample("last_run_rows", {**labels, "outcome": outcome}, applied.get(outcome, 0))
    quota = _newest(runs, "quota").get(labels["account"])
    if quota:
        yield Sample("quota_limit", labels, quota["limit"])
        yield Sample("quota_left", labels, quota["left"])


def _of_labels(runs: Sequence[Run], fields: Mapping[str, str], labels: Mapping[str, str]) -> Iterator[Sample]:
    for segmentation, sizes in _newest(runs, "segments").items():
        for segment, size in sizes.items():
            named = {**labels, "segmentation": segmentation, "segment": segment}
            yield Sample("segment_size", named, size)
    planned = next((run["summary"] for run in runs if {"plan", "segments"} <= run["summary"].keys()), {})
    for segmentation, field in fields.items():
        labelled = sum(planned.get("segments", {}).get(segmentation, {}).values())
        if labelled:
            moved = sum((planned["plan"] or {}).get("by_target", {}).get(field, {}).values())
            yield Sample("label_churn_ratio", {**labels, "segmentation": segmentation}, moved / labelled)


def _newest(runs: Sequence[Run], key: str) -> dict[str, Any]:
    return next((run["summary"][key] for run in runs if run["summary"].get(key)), {})


def _seconds(at: str) -> float:
    return round(datetime.fromisoformat(at).timestamp(), 3)


def text(figures: Iterable[Sample]) -> str:
    """The exposition format: all figures of a name stand together, under what they mean."""
    by_name: dict[str, list[Sample]] = {}
    for figure in figures:
        by_name.setdefault(figure.name, []).append(figure)
    lines = []
    for name in (name for name in _HELP if name in by_name):
        lines += [f"# HELP crm_segments_{name} {_HELP[name]}", f"# TYPE crm_segments_{name} gauge"]
        lines += [f"crm_segments_{name}{_labelled(s.labels)} {s.figure!r}" for s in by_name[name]]
    return "\n".join([*lines, ""])


def _labelled(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
