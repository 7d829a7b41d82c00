"""Does the site build, strictly, and what is in it?"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parent.parent.parent
SITE = ROOT / "site"


class BuildError(Exception):
    """The site does not build; the message is the builder's."""


def build(project: Path = ROOT) -> Path:
    """Build a project's site anew, strictly: its folder. BuildError where a page or an anchor is missing."""
    shutil.rmtree(project / "site", ignore_errors=True)
    program = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    done = subprocess.run(program, cwd=project, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(re.sub(r"\x1b\[[\d;]*m", "", done.stdout + done.stderr))
    return project / "site"


@dataclass
class Page:
    """A page of the site: what it loads, where it leads, and where in it one can be led."""

    path: Path
    loads: list[str]
    links: list[str]
    anchors: set[str]


def pages(folder: Path = SITE) -> Iterator[Page]:
    """Every page of a built site, but the one for addresses that it does not have."""
    for path in sorted(set(folder.rglob("*.html")) - {folder / "404.html"}):
        reader = _Reader()
        reader.feed(path.read_text(encoding="utf-8"))
        yield Page(path, reader.loads, reader.links, reader.anchors)


def dead_links(folder: Path = SITE) -> list[str]:
    """Links within the site, images and scripts too, that lead nowhere: ``page: link``."""
    read = {page.path: page for page in pages(folder)}
    dead = []
    for page in read.values():
        for link in [*page.links, *page.loads]:
            parts = urlsplit(unescape(link))
            if parts.scheme or link.startswith("//"):
                continue
            target = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path
            missing = not target.exists() or (
                parts.fragment and target in read and unquote(parts.fragment) not in read[target].anchors
            )
            if missing:
                dead.append(f"{page.path.relative_to(folder)}: {link}")
    return dead


def clicks(folder: Path = SITE, home: str = "index.html") -> dict[str, int]:
    """Page → how many clicks it is away from home, by links within the texts of pages, not by the navigation."""
    reached, edge = {home: 0}, [home]
    while edge:
        page = edge.pop(0)
        text = (folder / page).read_text(encoding="utf-8")
        article = text.partition("<article")[2].partition("</article>")[0]
        reader = _Reader()
        reader.feed(article)
        for link in reader.links:
            target = ((folder / page).parent / urlsplit(unescape(link)).path).resolve()
            name = target.relative_to(folder).as_posix() if target.is_relative_to(folder) else ""
            if name.endswith(".html") and name not in reached:
                reached[name] = reached[page] + 1
                edge.append(name)
    return reached


class _Reader(HTMLParser):
    """Collects what is loaded, linked and named."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = {"__skip", "__search"}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") not in ("canonical", "prev", "next"):
            self.loads.append(given.get("href", ""))
        elif "src" in given:
            self.loads.append(given["src"])
