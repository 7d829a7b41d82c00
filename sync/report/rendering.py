"""How does a template become a page? One HTML text that needs nothing else: no script, no picture, no font.

The template escapes every text; the page's own policy allows a browser nothing but inline styles.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from sync.local_time import local_time
from sync.report import formats

_HERE = Path(__file__).parent


def rendered(template: str, accounts: Sequence[dict[str, Any]], title: str, made_at: str) -> str:
    """The whole page."""
    style = Markup((_HERE / "page.css").read_text(encoding="utf-8"))  # ours, and free of < and &
    return (
        environment()
        .get_template(template)
        .render(accounts=accounts, title=title, made_at=made_at, style=style)
    )


def environment(*folders: Path) -> Environment:
    """Templates of these folders, or else of the report; every text is escaped."""
    environment = Environment(
        loader=FileSystemLoader([*folders, _HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": formats.count,
        "percent": formats.percent,
        "change": formats.change,
        "day": formats.day,
        "moment": _moment,
    }
    return environment


def _moment(instant: str | None, time_zone: str) -> str:
    return local_time(instant, time_zone) if instant else ""
