"""A real ``crm-segments ui`` on loopback, and a browser that has come in."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

AXE = Path(os.environ.get("NODE_PATH", "")) / "axe-core" / "axe.min.js"


@contextmanager
def serving(config: Path, *options: str) -> Iterator[str]:
    """The address with the one-time token that it prints."""
    words = [sys.executable, "-m", "sync", "ui", "--config", str(config), *options]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            address = re.search(r"https?://\S+", process.stdout.readline())
            assert address, "it printed no address"
            yield address[0]
        finally:
            process.terminate()


class Visit:
    """A browser that came in with the token, and everything that it did there."""

    def __init__(self, browser: Any, address: str, width: int = 1200, patience: int = 60) -> None:
        self.origin = address.partition("/enter")[0]
        self.context = browser.new_context(viewport={"width": width, "height": 900})
        self.page = self.context.new_page()
        self.console: list[str] = []
        self.foreign: list[str] = []
        self.page.on("console", lambda message: self.console.append(message.text))
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.page.on("dialog", self._dismiss)
        self.page.on("request", self._requested)
        self.page.goto(address, timeout=1000 * patience)

    def _requested(self, request: Any) -> None:
        if not request.url.startswith((self.origin + "/", "data:")):
            self.foreign.append(request.url)

    def _dismiss(self, dialog: Any) -> None:
        self.console.append(dialog.message)
        dialog.dismiss()

    def go(self, path: str) -> int:
        """Open a page of it; the status of the answer."""
        return int(self.page.goto(self.origin + path).status)

    def text(self) -> str:
        """What stands on the page."""
        return str(self.page.locator("body").text_content())

    def post(self, path: str, **fields: str) -> int:
        """The status of a form that is sent with this session's cookie, from our own origin."""
        answer = self.context.request.post(
            self.origin + path, form=fields, headers={"Origin": self.origin}, max_redirects=0
        )
        return int(answer.status)

    def key(self) -> str:
        """The key that stands in the forms of this page."""
        return str(self.page.get_attribute("input[name=key]", "value"))

    def quiet(self) -> bool:
        """Nothing was said, and nothing asked of others."""
        return not self.console and not self.foreign

    def faults(self) -> list[str]:
        """What axe-core calls serious or critical. It runs in a world of its own, so the page's policy stays on."""
        if not AXE.is_file():
            if os.environ.get("CI"):
                pytest.fail("there is no axe-core: npm install --prefix .venv axe-core, and NODE_PATH")
            pytest.skip("npm install --prefix .venv axe-core; NODE_PATH=.venv/node_modules")
        session = self.context.new_cdp_session(self.page)
        frame = session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
        world = session.send("Page.createIsolatedWorld", {"frameId": frame})["executionContextId"]
        session.send("Runtime.evaluate", {"expression": AXE.read_text(encoding="utf-8"), "contextId": world})
        asked = "axe.run(document, {resultTypes: ['violations']}).then((found) => JSON.stringify(found.violations))"
        answer = session.send(
            "Runtime.evaluate",
            {"expression": asked, "contextId": world, "awaitPromise": True, "returnByValue": True},
        )
        return [
            f"{fault['id']}: {fault['nodes'][0]['html'][:120]}"
            for fault in json.loads(answer["result"]["value"])
            if fault["impact"] in ("serious", "critical")
        ]

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()
