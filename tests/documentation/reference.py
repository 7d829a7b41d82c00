"""Which pages of the reference are made from the code, and are they as the code says?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.documentation import answers, cli, config, exit_codes, files, messages, metrics, python_api

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGES: Mapping[str, Callable[[], str]] = {
    "cli": cli.text,
    "config": config.text,
    "files": files.text,
    "json": answers.text,
    "exit-codes": exit_codes.text,
    "python": python_api.text,
    "metrics": metrics.text,
    "messages": messages.text,
}


def file_of(name: str) -> Path:
    """Where a page of the reference stands."""
    return DOCS / "reference" / f"{name}.md"


def write() -> None:
    """Write every page."""
    for name, text in PAGES.items():
        file_of(name).write_text(text(), encoding="utf-8")
