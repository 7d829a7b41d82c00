"""What do the report and a plan look like? Screenshots in a real browser: Debian's chromium, driven by playwright.

They are made by hand, ``python -m tests.documentation pictures``, because the demo takes its time: whenever the report or
the words of a plan have changed for the eye.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from html import escape
from pathlib import Path
from typing import Any

from sync.context import silent
from sync.demo.play import demo
from tests.browsing import SWITCHES
from tests.documentation import consoles
from tests.documentation.reference import DOCS
from tests.ui_server import Visit, serving
from tests.world import World

PICTURES = DOCS / "pictures"
WIDTH, HEIGHT = 1400, 1000
_SAID = re.compile(r"(<!-- said by the demo -->\n).*?(<!-- end -->)", re.DOTALL)
_LINES = 46  # of a plan: as many as are seen at a glance
_TERMINAL = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; padding: 24px; background: #16181d; display: inline-block; min-width: 60em }}
pre {{ margin: 0; color: #e4e6eb; font: 14px/1.45 "DejaVu Sans Mono", monospace }}
</style><pre>{text}</pre>"""


def make() -> None:
    """Make all pictures."""
    PICTURES.mkdir(exist_ok=True)
    with _browser() as browser, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        terminal = folder / "plan.html"
        terminal.write_text(_TERMINAL.format(text=escape(_plan())), encoding="utf-8")
        _shoot(browser, terminal, PICTURES / "plan.png", "body")
        _review(browser, folder / "shop", PICTURES / "review.png")
        said: list[str] = []
        report = demo(folder / "crm-segments-demo", silent, said.append)["report"]
        _shoot(browser, Path(report), PICTURES / "report.png")
        _tell("\n".join(said).replace(f"{folder}/", ""))


def _review(browser: Any, folder: Path, picture: Path) -> None:
    """The first screen of a plan in the web interface."""
    folder.mkdir()
    world = World.of_files(folder, label='title = "Buying habits"\n')
    world.customers(600)
    world.first_run()
    for number in range(1, 60):
        world.buys(str(number), -160, 90_000)
    world.do("label", as_of=date(2024, 12, 10))
    plan = world.do("plan", as_of=date(2024, 12, 20))["plan"]["plan"]
    with serving(folder / "config.toml") as address, Visit(browser, address) as visit:
        visit.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
        visit.go(f"/portal/plans/{plan}")
        visit.page.screenshot(path=str(picture))


def _tell(output: str) -> None:
    """Show in the page of the demo what it says."""
    page = DOCS / "quickstarts" / "demo.md"
    text = page.read_text(encoding="utf-8")
    shown = f"```text\n{output}\n```"
    page.write_text(_SAID.sub(lambda part: f"{part[1]}\n{shown}\n\n{part[2]}", text), encoding="utf-8")


def _plan() -> str:
    """A first plan, as the quickstart shows it."""
    steps = consoles.shown(DOCS / "quickstarts" / "csv.md")
    lines = next(step.output for step in steps if step.command == "crm-segments plan").splitlines()
    return "\n".join(["$ crm-segments plan", *lines[:_LINES], "...", lines[-1]])


def _shoot(browser: Any, page: Path, picture: Path, part: str | None = None) -> None:
    """The first screen of a page, or a part of it whole."""
    opened = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    opened.goto(page.as_uri())
    if part is None:
        opened.screenshot(path=str(picture))
    else:
        opened.locator(part).screenshot(path=str(picture))
    opened.close()


@contextmanager
def _browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise SystemExit("there is no chromium: apt-get install chromium")
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=path, args=SWITCHES.split())
        yield running
        running.close()
