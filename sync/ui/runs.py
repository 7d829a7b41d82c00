"""What ran, when, who let it, and what came of it?"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sync.per_account import Answer
from sync.ui.frame import Ui, to

_RUNS = 50


def runs(ui: Ui, request: Request) -> Response:
    """The last runs, what was rejected, and what is alarming."""
    account = request.path_params["account"]

    def work(session: Any) -> Answer:
        journal = session.journal
        plans = {plan.plan: plan for plan in journal.plans.last(account, 4 * _RUNS)}
        return {
            "runs": [_run(run, plans) for run in journal.runs.last(account, _RUNS)],
            "allowances": journal.runs.allowances(account, _RUNS),
            "rejects": journal.rejects.by_sort(account),
            "files": journal.exports.segment_files(account, _RUNS),
            "alerts": journal.alerts.last(account, _RUNS),
        }

    return ui.page(request, "runs.html", **ui.stores.read(account, work))


def _run(run: Any, plans: Any) -> dict[str, Any]:
    """What a page shows of a run."""
    summary, applied = run["summary"], run["summary"].get("applied") or {}
    plan = plans.get(applied.get("plan"))
    who = (plan.allowed.get("who") if plan else None) or summary.get("personal", {}).get("who", "")
    return {**run, "applied": applied, "who": who, "calls": summary.get("calls") or {}}


def undo(ui: Ui, request: Request) -> Response:
    """Plan to take a run back: the plan is shown before anything is written."""
    account, run = request.path_params["account"], request.path_params["run"]
    started = ui.jobs.start("undo", account, [str(run)], request.state.user)
    return to(f"/{account}/job" if started else f"/{account}/runs?said=busy")
