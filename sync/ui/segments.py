"""Who is in which segment, and what is done about them? Sizes, what is typical, members, and files of them."""

from __future__ import annotations

import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from connectors.schemas import CHANNELS
from sync import commands
from sync.account.targets import targets_of
from sync.per_account import Answer
from sync.report import sizes, svg
from sync.report.people import account_page
from sync.store.list_pages import list_pages
from sync.ui.figures import figures_of
from sync.ui.frame import Ui, number_in
from sync.views.members import Wanted, members
from sync.views.segment_file import Known

_ROWS = 50


def segments(ui: Ui, request: Request) -> Response:
    """All segments of all segmentations."""
    figures = figures_of(ui.stores, request.path_params["account"])
    account = request.path_params["account"]
    links = ui.stores.read(account, lambda session: {"links": _links(session)})["links"]
    rows = [
        {"page": page, "trends": _trends(page["figures"]), "links": links}
        for page in account_page(figures)["segmentations"]
    ]
    return ui.page(request, "segments.html", rows=rows)


def _links(session: Any) -> dict[str, str]:
    """SEGMENTATION.SEGMENT → the page of its list in the CRM, of those that have one."""
    pages = list_pages(session.mirror())
    made = {
        entry.key: entry.remote
        for entry in session.journal.objects.of(session.account)
        if entry.kind == "list"
    }
    links = {
        f"{target.segmentation}.{target.segment}": pages.get(made.get(target.name, ""))
        for target in targets_of(session.config, session.account)
        if target.kind == "list"
    }
    return {name: page for name, page in links.items() if page}


def _trends(segmentation: Any) -> dict[str, Any]:
    """Segment → its size over the labellings, drawn; of one labelling there is none."""
    dates = [motion.as_of.toordinal() for motion in segmentation.movement.motions]
    if len(dates) < 2:
        return {}
    return {
        key: svg.lines(f"{title}: customers over time", dates, [segmentation.movement.sizes[key]])
        for key, title in segmentation.titles.items()
        if key in segmentation.movement.sizes
    }


def segment(ui: Ui, request: Request) -> Response:
    """One segment with its members."""
    account, name = request.path_params["account"], request.path_params["name"]
    page = number_in(request.query_params.get("page"))
    looked_for = request.query_params.get("search", "").strip()
    wanted = Wanted(name, looked_for, _ROWS, page * _ROWS, ui.look(request) is not None)
    figures = figures_of(ui.stores, account)

    def work(session: Any) -> Answer:
        from sync.label.feature_frame import AccountFeatures

        features = AccountFeatures(session)
        known = Known(session.config, session.journal, session.mirror(), features.consent, features.people)
        made = {(entry.kind, entry.key): entry.remote for entry in session.journal.objects.of(account)}
        pages = list_pages(session.mirror())
        lists = [
            (target.name, made.get(("list", target.name)), pages.get(made.get(("list", target.name)) or ""))
            for target in targets_of(session.config, account)
            if target.kind == "list" and f"{target.segmentation}.{target.segment}" == name
        ]
        name_of = name.partition(".")[0]
        key = session.mirror().stamp(f"labels:{name_of}")
        reasons = ui.stores.kept(
            f"reasons {account} {name_of}", key, lambda: sizes.reasons(session.mirror(), name_of)
        )
        return {**members(known, wanted), "lists": lists, "reasons": reasons}

    shown = ui.stores.read(account, work)
    segmentation, _, key = name.partition(".")
    entry = next(entry for entry in figures.segmentations if entry.name == segmentation)
    return ui.page(
        request,
        "segment.html",
        name=name,
        shown=shown,
        text=next(text for text in entry.segments if text.key == key),
        segmentation=entry,
        typical=entry.typical.get(key),
        reasons=[reason for reason in shown["reasons"] if reason.segment == key],
        trend=_trends(entry).get(key),
        unit=(figures.currency, figures.exponent),
        channels=CHANNELS,
        search=looked_for,
        number=page,
        more=shown["match"] > (page + 1) * _ROWS,
    )


def file(ui: Ui, request: Request) -> Response:
    """A file of the members, under the rules of ``crm-segments segment``; the copy here is deleted once it is sent."""
    account, name, form = request.path_params["account"], request.path_params["name"], request.state.form
    folder = ui.stores.config.state_dir
    out = folder / f"download-{secrets.token_hex(8)}.csv"
    columns = [column.strip() for column in form.get("columns", "").split(",") if column.strip()]
    try:
        ui.stores.answer(
            account,
            commands.segment,
            name=name,
            out=out,
            columns=columns,
            channel=form.get("channel", ""),
            reason=form.get("reason", ""),
            who=request.state.user,
        )
        content = out.read_bytes()
    finally:
        out.unlink(missing_ok=True)
    disposition = f'attachment; filename="{name}.csv"'
    return Response(content, media_type="text/csv", headers={"Content-Disposition": disposition})
