"""What does ``config.example.toml`` say of each key? Its comments are what the reference says of it too."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_HEADER = re.compile(r"\[\[?([\w.]+)\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"(?:# )?(\w+) = ")
_COMMENT = re.compile(r"\s#\s(.*)$")

Place = tuple[str, str]  # what the table is of, such as "accounts.files.activities", and the key


def meanings() -> dict[Place, str]:
    """(table, key) → its comment. Accounts and segmentations are told by their ``crm`` and ``kind``."""
    told: dict[Place, str] = {}
    for table, lines in _tables():
        last: Place | None = None
        for line in lines:
            comment = _COMMENT.search(line.replace("'#'", ""))
            if key := _KEY.match(line):
                last = (table, key[1])
                told.setdefault(last, comment[1] if comment else "")
            elif comment and last and line.lstrip().startswith("#") and line.startswith(" "):
                told[last] += " " + comment[1]
    return {place: text for place, text in told.items() if text}


def _tables() -> list[tuple[str, list[str]]]:
    """The tables of the example, each with the lines in it."""
    tables: list[tuple[str, list[str]]] = [("", [])]
    for line in (ROOT / "config.example.toml").read_text(encoding="utf-8").splitlines():
        if header := _HEADER.match(line):
            tables.append((header[1], []))
        else:
            tables[-1][1].append(line)
    crms = {name: _value(lines, "crm") for name, lines in tables if name.startswith("accounts.")}
    named, kind = [], ""
    for name, lines in tables:
        parts = name.split(".")
        if parts[0] == "accounts":
            name = ".".join(["accounts", crms[".".join(parts[:2])], *parts[2:]])
        elif name == "segmentations":
            kind = _value(lines, "kind")
            name = f"segmentations.{kind}"
        named.append((name, lines))
    return named


def _value(lines: list[str], key: str) -> str:
    return next((match[1] for line in lines if (match := re.match(rf'{key} = "(\w+)"', line))), "")
