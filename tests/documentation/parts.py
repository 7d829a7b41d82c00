"""Which parts of hand-written pages are made from the code? What stands between ``<!-- made: NAME -->`` and
``<!-- made end -->``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from segmentation.kinds import KINDS
from tests.documentation.markdown import code, table
from tests.documentation.reference import DOCS

_PART = re.compile(r"(<!-- made: ([\w ]+) -->\n).*?(<!-- made end -->)", re.DOTALL)


def segments(kind: str) -> str:
    """The segments of a kind, each with its title and what it says to people."""
    told = [segment for segment in KINDS[kind]().segments if not re.search(r"_([2-9]|\d\d)$", segment.key)]
    rows = [(segment.title, code(segment.key), segment.description) for segment in told]
    return table(("Segment", "Key", "Who"), rows)


MAKERS: Mapping[str, Callable[[], str]] = {f"segments {kind}": partial(segments, kind) for kind in KINDS}


def pages() -> Iterator[Path]:
    """The pages with such parts."""
    return (path for path in sorted(DOCS.rglob("*.md")) if _PART.search(path.read_text(encoding="utf-8")))


def as_made(text: str) -> str:
    """A page with its parts as the code makes them."""
    return _PART.sub(lambda part: f"{part[1]}\n{MAKERS[part[2]]()}\n\n{part[3]}", text)


def write() -> None:
    """Make the parts of every page."""
    for path in pages():
        path.write_text(as_made(path.read_text(encoding="utf-8")), encoding="utf-8")
