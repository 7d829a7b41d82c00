"""A real browser that looks at a page: Debian's chromium, driven by playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SWITCHES = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
)
# The contrast of every text against what is painted beneath it, the least first (WCAG 2.2, relative
# luminance).
CONTRAST = """() => {
  const parse = (c) => {
    const n = (c.match(/[\\d.]+(e-?\\d+)?/g) || []).map(Number);
    const unit = c.startsWith('color(') ? 255 : 1;
    return [n[0] * unit, n[1] * unit, n[2] * unit, n.length > 3 ? n[3] : 1];
  };
  const over = (a, b) => [0, 1, 2].map((i) => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const light = (c) => {
    const [r, g, b] = c.map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const beneath = (e) => {
    if (!e) return [255, 255, 255, 1];
    const own = parse(getComputedStyle(e).backgroundColor);
    return own[3] === 1 ? own : over(own, beneath(e.parentElement));
  };
  const seen = [];
  for (const e of document.querySelectorAll('body *')) {
    const words = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!words || !e.getClientRects().length || e.tagName === 'title') continue;
    const style = getComputedStyle(e), svg = e.tagName === 'text';
    const ground = beneath(svg ? e.closest('svg.chart').parentElement : e);
    const a = light(parse(svg ? style.fill : style.color).slice(0, 3)), b = light(ground.slice(0, 3));
    seen.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.textContent.slice(0, 40)]);
  }
  return seen.sort((x, y) => x[0] - y[0]);
}"""
# Letters of charts that stand beside the page.
OUTSIDE = """(width) => [...document.querySelectorAll('svg.chart text')].filter((one) => {
                const box = one.getBoundingClientRect();
                return box.width && (box.left < -1 || box.right > width + 1);
            }).map((one) => one.textContent)"""

# Tables of which a part can only be seen by scrolling, or stands beside the paper.
CUT_TABLES = """() => [...document.querySelectorAll('.scroll')].filter((one) =>
    one.getClientRects().length && one.scrollWidth > one.clientWidth + 1
).map((one) => one.textContent.trim().slice(0, 60))"""
# Pairs of words in one chart that lie on each other.
OVERLAPS = """() => [...document.querySelectorAll('svg.chart')].flatMap((chart) => {
    const boxes = [...chart.querySelectorAll('text')].map((one) => [one.textContent, one.getBoundingClientRect()])
        .filter(([, box]) => box.width);
    return boxes.flatMap(([a, one], place) => boxes.slice(place + 1).filter(([, other]) =>
        Math.min(one.right, other.right) - Math.max(one.left, other.left) > 1 &&
        Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top) > 4
    ).map(([b]) => [a, b]));
})"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's chromium. CI has it; who lacks it is told what to install."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("there is no chromium: apt-get install chromium")
        pytest.skip("apt-get install chromium")
    if not os.environ.get("CI"):
        pytest.importorskip("playwright.sync_api", reason="python3 -m pip install playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=path, args=SWITCHES.split())
        yield running
        running.close()


class Opened:
    """A page in the browser, and everything that it did there."""

    def __init__(self, browser: Any, path: str, width: int = 1200, scheme: str = "light") -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page = self.context.new_page()
        self.console: list[str] = []
        self.requests: list[str] = []
        self.dialogs: list[str] = []
        self.page.on("console", lambda message: self.console.append(message.text))
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("dialog", self._dismiss)
        self.url = Path(path).as_uri()
        self.page.goto(self.url)

    def _dismiss(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def text(self) -> str:
        """All that a reader can see, closed tables too."""
        self.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
        return str(self.page.evaluate("document.body.textContent"))

    def quiet(self) -> bool:
        """Nothing was said, asked or loaded."""
        return not self.console and not self.dialogs and self.requests == [self.url]
