"""How does a plan reach people who cannot open the web interface? As one page in a file, for a share or a mail."""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sync.exit_codes import UsageError
from sync.local_time import local_time
from sync.per_account import Answer, Options, each_account
from sync.report.formats import Money
from sync.report.rendering import environment
from sync.views.personal import Look
from sync.views.plan_changes import Page, show_plan
from sync.views.private_file import private_file

_HERE = Path(__file__).parent
RECORDS = 100  # that the page names
DAYS = 14  # until it ends, where nobody names a day


def share(
    config: Path,
    options: Options,
    number: int,
    folder: Path,
    look: Look | None = None,
    until: date | None = None,
) -> Answer:
    """Write ``plan-N.html`` into a folder. Without a ``look`` it names records by their ids alone; the journal keeps
    who asked for more. ``until``: the day that it is good for; in two weeks, by default.
    """

    def work(session: Any) -> Answer:
        today = session.clock().astimezone(ZoneInfo(session.settings.time_zone)).date()
        last = until or today + timedelta(days=DAYS)
        if last < today:
            raise UsageError(f"{last} is in the past: name a future day with --until")
        answer = show_plan(session, number, page=Page(RECORDS, look=look))
        out = folder / f"plan-{number}.html"
        folder.mkdir(parents=True, exist_ok=True)
        with private_file(out) as sink:
            sink.write(
                _page(
                    answer,
                    session.account,
                    look,
                    local_time(session.clock(), session.settings.time_zone),
                    last,
                )
            )
        if look is None:
            os.chmod(out, 0o644)  # it is for others to read
        session.journal.exports.remember(out)
        return {"plan": number, "out": str(out), "until": last.isoformat(), "personal": look is not None}

    return each_account(
        config,
        options,
        "review",
        work,
        journalled=False,
        owner=lambda journal: journal.plans.account_of(number),
    )


def _page(answer: dict[str, Any], account: str, look: Look | None, made_at: str, until: date) -> str:
    templates = environment(_HERE / "templates")
    templates.filters["money"] = lambda amount, unit: Money(*unit).whole(amount)
    review = answer["review"]
    return templates.get_template("shared.html").render(
        plan=answer,
        review=review,
        unit=(review["currency"], review["exponent"]) if review else ("", 0),
        look=look,
        account="",  # there is no server that a link could lead to
        title=f"Plan {answer['plan']} of {account}",
        style=_style(),
        made_at=made_at,
        until=until,
    )


def _style() -> Any:
    from markupsafe import Markup

    files = (_HERE.parent / "report" / "page.css", _HERE / "static" / "ui.css")
    return Markup("\n".join(file.read_text(encoding="utf-8") for file in files))  # ours, and free of < and &
