"""Which plans does a person approve of before they are carried out, and what did they decide?

An approval names who gave it, and is bound to the changes of the plan. It lapses, unless the plan is being carried
out by then. What consent takes away needs none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any, Literal

from sync.account.targets import Target
from sync.config.settings import Approval
from sync.exit_codes import ApprovalNeeded, CommandError, UsageError
from sync.local_time import local_time
from sync.plan.preview import require_applicable
from sync.store.journal import Journal
from sync.store.journal.approvals import PlanDecision
from sync.store.journal.plans import Plan
from sync.store.mirror import AccountMirror
from sync.store.relation import Relation

Why = Literal["first_labelling", "new_target", "changed_rule", "refit", "ads", "undecided", "size"]


@dataclass(frozen=True)
class Reason:
    """Why a plan needs an approval."""

    why: Why
    about: str  # the segmentation, field or list; "" where it is the whole plan
    what: str  # one sentence
    targets: Sequence[str] = ()  # the fields and lists that wait because of it; none: the whole plan does


@dataclass(frozen=True)
class Proposal:
    """What of a plan decides whether it needs an approval; what consent takes away is left aside."""

    kind: str  # forward | undo | retire | consent
    records: int  # that change, and were not approved before
    targets: Mapping[str, str]  # each changed field or list → its segmentation
    fields: Mapping[str, str]  # segmentation → its own field
    ads: Sequence[str] = ()  # changed lists that go to ads
    digests: Mapping[str, str] = field(default_factory=dict)  # of the settings of segmentations
    models: Mapping[str, int | None] = field(default_factory=dict)  # their versions


@dataclass(frozen=True)
class Agreed:
    """What people have seen written in full before: fields and lists, and what their values came from."""

    targets: frozenset[str] = frozenset()
    digests: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, int | None] = field(default_factory=dict)
    # field or list → what became of the last plan with it that somebody decided about, unless they approved all
    undecided: Mapping[str, str] = field(default_factory=dict)


def approval_needed(settings: Approval, proposal: Proposal, agreed: Agreed) -> list[Reason]:
    """Why a plan waits for an approval; nothing where it does not."""
    if not settings.required or proposal.kind == "consent" or not proposal.targets:
        return []
    reasons = _novelties(proposal, agreed) if proposal.kind == "forward" else []
    reasons += [
        Reason("ads", name, f"{name} goes to an ad platform", [name]) for name in sorted(proposal.ads)
    ]
    if proposal.kind == "forward":
        for what in dict.fromkeys(agreed.undecided.values()):
            targets = [target for target in proposal.targets if agreed.undecided.get(target) == what]
            reasons.append(Reason("undecided", "", what, targets))
    if proposal.records > settings.above:
        size = f"it changes {proposal.records:,} records, more than {settings.above:,}"
        reasons.append(Reason("size", "", size))
    return reasons


def _novelties(proposal: Proposal, agreed: Agreed) -> list[Reason]:
    """What people have not seen written before, by segmentation and then by target."""
    reasons: list[Reason] = []
    for name in dict.fromkeys(proposal.targets.values()):
        own = [target for target, of in proposal.targets.items() if of == name]
        if proposal.fields.get(name) not in agreed.targets:
            reasons.append(Reason("first_labelling", name, f"it is the first labelling by {name}", own))
            continue
        new = [target for target in own if target not in agreed.targets]
        reasons += [Reason("new_target", t, f"{t} is written for the first time", [t]) for t in new]
        if proposal.digests.get(name) != agreed.digests.get(name):
            reasons.append(Reason("changed_rule", name, f"the settings or rules of {name} changed", own))
        elif proposal.models.get(name) != agreed.models.get(name):
            reasons.append(Reason("refit", name, f"{name} was trained again", own))
    return reasons


# -- what is proposed, and what was agreed to ----------------------------------------------------------------


def proposal(
    mirror: AccountMirror, changes: Relation, kind: str, basis: Mapping[str, Any], targets: Iterable[Target]
) -> Proposal:
    """``changes``: those that were not approved before; ``targets``: those of the config."""
    weighed = f"({changes}) WHERE action <> 'withdraw'"
    rows = mirror.rows(
        f"SELECT target, any_value(segmentation) FROM {weighed} GROUP BY target ORDER BY target"
    )
    ads = {target.name for target in targets if target.channel == "ads"}
    entered = mirror.rows(f"SELECT DISTINCT target FROM {weighed} AND coalesce(after, '') <> ''")
    return Proposal(
        kind,
        int(mirror.value(f"SELECT count(DISTINCT record) FROM {weighed}")),
        dict(rows),
        {t.segmentation: t.name for t in targets if t.kind == "field" and not t.extra_field},
        sorted(name for (name,) in entered if name in ads),
        basis.get("digests", {}),
        basis.get("models", {}),
    )


def covered(changed: Iterable[str], targets: Iterable[Target]) -> dict[str, list[str]]:
    """What somebody agrees to who approves of all of a plan: the targets of each segmentation that it changes."""
    covers: dict[str, list[str]] = {name: [] for name in changed}
    for target in targets:
        if target.segmentation in covers:
            covers[target.segmentation].append(target.name)
    return covers


def agreed(journal: Journal, account: str, proposal: Proposal) -> Agreed:
    """From the decisions, and from the plans that were carried out in full, the newest first, until all was found that is
    proposed.

    Plans of earlier versions do not say what they cover: that is all that they were made from.
    """
    targets: set[str] = set()
    digests: dict[str, str] = {}
    models: dict[str, int | None] = {}
    for plan in journal.plans.carried_out(account):
        decision = next(iter(journal.approvals.of_plan(plan.plan)), None)
        if plan.state != "done" if decision is None else not decision.whole:
            continue
        covers = plan.basis.get("covers")
        targets.update(plan.summary.get("by_target", ()) if covers is None else chain(*covers.values()))
        for name, digest in plan.basis.get("digests", {}).items():
            if covers is None or name in covers:
                digests.setdefault(name, digest)
                models.setdefault(name, plan.basis.get("models", {}).get(name))
        named = set(proposal.targets.values())
        wanted = {*proposal.targets, *(name for of, name in proposal.fields.items() if of in named)}
        if covers is not None and digests.keys() >= named and targets >= wanted:
            break
    return Agreed(frozenset(targets), digests, models, _undecided(journal, account, proposal.targets))


def _undecided(journal: Journal, account: str, changed: Collection[str]) -> dict[str, str]:
    """By the last decision about each of these fields and lists: what was not approved in full."""
    undecided: dict[str, str] = {}
    open_targets = set(changed)
    for decision in journal.approvals.of_labels(account):
        plan = journal.plans.get(decision.plan) if open_targets else None
        if plan is None:
            break
        covers = plan.basis.get("covers")
        about = open_targets if covers is None else open_targets & set(chain(*covers.values()))
        about = about | open_targets & plan.summary.get("by_target", {}).keys()
        if not decision.whole:
            undecided.update(dict.fromkeys(sorted(about), _what_became(decision)))
        open_targets -= about
    return undecided


def _what_became(last: PlanDecision) -> str:
    if last.decision == "rejected":
        return f"plan {last.plan} was rejected, and no plan was approved in full since"
    part = f"the first {last.first:,} records" if last.first else f"all but {', '.join(last.without)}"
    return f"of plan {last.plan} only {part} were approved, and no plan was approved in full since"


# -- decisions -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """What is decided about: a plan, and the hash of its changes."""

    plan: Plan
    digest: str


def asked(journal: Journal, account: str, plan: int) -> Asked:
    """The plan of a number, if something can still be decided about it. CommandError where not."""
    row = journal.plans.get(plan)
    if row is None or row.account != account:
        raise CommandError(
            f"there is no plan {plan} of account {account}: create one with `crm-segments plan`"
        )
    if row.state not in ("open", "applying"):
        raise CommandError(f"plan {plan} is {row.state}: it cannot be approved or rejected any more")
    require_applicable(row)
    if row.kind == "consent":
        raise CommandError(f"plan {plan} removes what consent forbids, which needs no approval")
    return Asked(row, journal.batches.digest(plan))


def approve(
    settings: Approval,
    about: Asked,
    who: str,
    moment: datetime,
    first: int | None = None,
    without: Sequence[str] = (),
) -> PlanDecision:
    """Somebody lets a plan be carried out: all of it, the first records, or all but some segments.

    CommandError where they made the plan themselves and two people have to look at it.
    """
    if settings.four_eyes and about.plan.summary.get("made_by") in (who, None):
        raise CommandError(
            f"plan {about.plan.plan} was created by {about.plan.summary.get('made_by', 'nobody that we know of')}: with four_eyes = true "
            f"somebody else must approve it"
        )
    return _decided(about, "approved", who, moment, first=first, without=tuple(without))


def reject(about: Asked, who: str, moment: datetime, reason: str) -> PlanDecision:
    """Somebody refuses a plan. UsageError without a reason."""
    if not reason.strip():
        raise UsageError("a rejection needs a reason: --reason TEXT")
    return _decided(about, "rejected", who, moment, reason=reason.strip())


def _decided(
    about: Asked, decision: Literal["approved", "rejected"], who: str, moment: datetime, **more: Any
) -> PlanDecision:
    at = moment.astimezone(UTC).isoformat(timespec="microseconds")
    return PlanDecision(about.plan.account, about.plan.plan, about.digest, decision, who, at, **more)


def approved(
    settings: Approval, about: Asked, decision: PlanDecision | None, moment: datetime, time_zone: str
) -> PlanDecision | None:
    """What somebody approved of a plan; None where it needs no approval and nobody decided about it.

    ApprovalNeeded where it waits for one, was rejected, or where the approval lapsed or was about other changes.
    ``decision``: the last one about this plan, or about the same changes.
    """
    plan = about.plan
    if plan.kind == "consent":
        return None
    if decision is None:
        if settings.required and (why := _waiting(plan)):
            raise ApprovalNeeded(
                f"plan {plan.plan} waits for an approval: {why}. {_next(plan.plan)}", plan.plan, why
            )
        return None
    if decision.decision == "rejected":
        raise ApprovalNeeded(
            f"plan {decision.plan} was rejected by {decision.who}: {decision.reason.rstrip('.')}. Nothing was written; make a new plan "
            f"with `crm-segments plan` once that is settled",
            plan.plan,
            "it was rejected",
        )
    if plan.allowed.get("approval") == decision.approval:
        return decision  # it is being carried out under this approval
    if decision.digest != about.digest:
        raise ApprovalNeeded(
            f"plan {plan.plan} is not as {decision.who} approved it: its changes are others now. {_next(plan.plan)}",
            plan.plan,
            "its changes are others than those that were approved",
        )
    until = _good_until(settings, decision)
    if moment >= until:
        raise ApprovalNeeded(
            f"the approval of plan {plan.plan} by {decision.who} lapsed at {local_time(until, time_zone)}. {_next(plan.plan)}",
            plan.plan,
            "its approval lapsed",
        )
    return decision


def _good_until(settings: Approval, decision: PlanDecision) -> datetime:
    return datetime.fromisoformat(decision.at) + timedelta(hours=settings.valid_hours)


def agreed_to(
    journal: Journal, settings: Approval, account: str, digest: Callable[[], str], moment: datetime
) -> bool:
    """Whether somebody approved of these very changes, and not too long ago. ``digest``: of them; it is asked for only where
    something was approved lately.
    """
    lately = [
        decision
        for decision in journal.approvals.of_labels(account)
        if decision.decision == "approved" and moment < _good_until(settings, decision)
    ]
    last = next(iter(journal.approvals.of_content(account, digest())), None) if lately else None
    return last in lately


def require_approved(
    journal: Journal, settings: Approval, plan: Plan, moment: datetime, time_zone: str
) -> PlanDecision | None:
    """``approved``, by what the journal has: the last decision about the plan, else about an earlier one of the very same
    changes. Without ``[approval]`` a plan that nobody decided about needs none.
    """
    decisions = journal.approvals.of_plan(plan.plan)
    if not decisions and not settings.required:
        return None
    about = Asked(plan, journal.batches.digest(plan.plan))
    decisions = decisions or journal.approvals.of_content(plan.account, about.digest)
    return approved(settings, about, next(iter(decisions), None), moment, time_zone)


def _waiting(plan: Plan) -> str:
    """Why a plan needs an approval; "" where it does not."""
    reasons = plan.summary.get("approval")
    if reasons is None:
        return "it was made before approvals were switched on"
    return ", and ".join(reason["what"] for reason in reasons)


def _next(plan: int) -> str:
    return (
        f"Look at it with `crm-segments plan show {plan}`; then `crm-segments approve {plan}`, or `crm-segments reject {plan} "
        f"--reason TEXT`. Nothing of it was written"
    )


def as_dicts(reasons: Iterable[Reason]) -> list[dict[str, str]]:
    """For printing and for the journal."""
    return [asdict(reason) for reason in reasons]
