"""Is a plan right, and what shall become of it? Its review, the decision, the progress, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sync import commands
from sync.config.settings import ALLOWABLE
from sync.exit_codes import CommandError
from sync.per_account import Answer
from sync.terminal.approving import STATES
from sync.ui.frame import Ui, number_in, to
from sync.views.plan_changes import CANARY, Page, show_plan, with_contacts

ROWS = 50
_LISTED = 50


def plans(ui: Ui, request: Request) -> Response:
    """The last plans."""
    account = request.path_params["account"]

    def work(session: Any) -> Answer:
        decisions = session.journal.approvals.last(account, _LISTED)
        decided = {decision.plan: decision.decision for decision in reversed(decisions)}
        return {"plans": session.journal.plans.last(account, _LISTED), "decided": decided}

    read = ui.stores.read(account, work)
    return ui.page(request, "plans.html", plans=read["plans"], decided=read["decided"], states=STATES)


def plan(ui: Ui, request: Request) -> Response:
    """One plan: while it is written, how far; else all that a person judges it by."""
    account, number = request.path_params["account"], request.path_params["number"]
    if ui.jobs.last is not None and ui.jobs.last.works:
        return _progress(ui, request, number)
    page = number_in(request.query_params.get("page"))
    shown = Page(
        ROWS,
        page * ROWS,
        request.query_params.get("segment", ""),
        request.query_params.get("search", "").strip(),
        canary="trial" in request.query_params,
    )

    def work(session: Any) -> Answer:
        answer = show_plan(session, number, page=shown)
        journal = session.journal
        return {
            "plan": with_contacts(session.mirror(), answer) if ui.look(request) else answer,
            "guards": journal.plans.get(number).guards,
            "decisions": journal.approvals.of_plan(number),
            "run": journal.plans.written_by(number),
        }

    answer = ui.stores.read(account, work)
    return ui.page(
        request,
        "plan.html",
        review=answer["plan"]["review"],
        unit=_unit(answer["plan"]["review"]),
        shown=shown,
        number=page,
        canary=CANARY,
        states=STATES,
        stopping=sorted({trip["guard"] for trip in answer.pop("guards") if not trip["first_labelling"]}),
        job=_ended(ui, account, number),
        **answer,
    )


def _unit(review: Mapping[str, Any] | None) -> tuple[str, int]:
    return (review["currency"], review["exponent"]) if review else ("", 0)


def _ended(ui: Ui, account: str, number: int) -> Mapping[str, Any] | None:
    """What the last command said, where it was about this plan."""
    job = ui.jobs.last
    about = job is not None and job.account == account and job.plan == number
    return job.answer if job and about else None


def _progress(ui: Ui, request: Request, number: int) -> Response:
    return ui.page(request, "progress.html", number=number, progress=ui.stores.progress(number))


def state(ui: Ui, request: Request) -> Response:
    """How far a plan is written, for the page that shows it."""
    number = number_in(request.query_params.get("plan"))
    progress = ui.stores.progress(number) if number else None
    works = ui.jobs.last is not None and ui.jobs.last.works
    return JSONResponse({"works": works, **(asdict(progress) if progress else {})})


def job(ui: Ui, request: Request) -> Response:
    """The command that a button started; once it has ended, the plan that it made or wrote."""
    last, account = ui.jobs.last, request.path_params["account"]
    if last is None:
        return to(f"/{account}/plans")
    if last.answer is None:
        return _progress(ui, request, last.plan or 0)
    made = last.plan or (last.answer.get("plan") or {}).get("plan")
    if made is not None:
        return to(f"/{account}/plans/{made}")
    return ui.page(request, "message.html", message=last.answer.get("error") or "Nothing is to be changed.")


def decide(ui: Ui, request: Request) -> Response:
    """Approve all, the first records, or all but some segments, and write that; or reject, with a reason."""
    account, number = request.path_params["account"], request.path_params["number"]
    form, who = request.state.form, request.state.user
    decision = form.get("decision", "")
    if decision == "reject":
        ui.stores.answer(account, commands.reject, number=number, reason=form.get("reason", ""), who=who)
        return to(f"/{account}/plans/{number}?said=rejected")
    if decision not in ("all", "first", "without"):
        raise CommandError("Choose what to do with the plan")
    without = [form["segment"]] if decision == "without" and form.get("segment") else []
    if decision == "without" and not without:
        raise CommandError("Choose the segment that is left out")
    first = CANARY if decision == "first" else None
    ui.stores.answer(account, commands.approve, number=number, first=first, without=without, who=who)
    started = ui.jobs.start("apply", account, [str(number), *_allowing(form)], who, number)
    return to(f"/{account}/plans/{number}" + ("" if started else "?said=busy"))


def _allowing(form: Mapping[str, str]) -> list[str]:
    """The options that let guards pass, with the reason that somebody gives."""
    guards = [name for name in form.get("guards", "").split(",") if name in ALLOWABLE]
    if not guards:
        return []
    if not form.get("why", "").strip():
        raise CommandError(f"Say why {', '.join(guards)} may pass")
    return [*(f"--allow={name}" for name in guards), f"--reason={form['why'].strip()}"]
