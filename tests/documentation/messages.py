"""The index of messages: every text that an error can have, by the section that tells its cause and cure."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from functools import cache
from pathlib import Path

from sync.sentence import sentence
from tests.documentation.markdown import code, page, table
from tests.documentation.raised import REJECT, Message, messages

_ABOUT = """
Every message that ends a command, that `check` names, or that stops a plan, with … in place of what differs. Search this
page for a part of the message that you see; the title above it leads to its cause and its cure.

The second column says what sort of message it is: **config** (exit code 2), **usage** (2), **set-up** (2), **access** (a
credential or right is missing; 1), **request** (what was asked for is refused; 1), **unsupported** (1), **guard** (5),
**later** (75), **check** (a problem that `check` names; 1), **reject** (one row or cell is refused, the rest goes
through; 4), **journal** (1), **failed** (1).
"""
_SORTS = {
    "Fault": "config",
    "ConfigError": "config",
    "ValueError": "config",
    "RuleError": "config",
    "SecretError": "config",
    "UsageError": "usage",
    "BadParameter": "usage",
    "fail": "usage",
    "SetupNeeded": "set-up",
    "AccessError": "access",
    "Denied": "access",
    "RequestError": "request",
    "MissingColumn": "request",
    "Refused": "request",
    "UnsupportedError": "unsupported",
    "ChannelError": "failed",
    "Trip": "guard",
    "GuardTripped": "guard",
    "RetryLater": "later",
    "TemporaryError": "later",
    "QuotaError": "later",
    "Misbehaved": "later",
    "CutError": "later",
    "CutOffError": "later",
    "Problem": "check",
    "TooLittle": "failed",
    "JournalDamaged": "journal",
    "JournalTooNew": "journal",
    "DatabaseError": "journal",
    "MirrorFault": "journal",
    REJECT: "reject",
}


@cache
def themes() -> dict[str, dict[str, list[str] | str]]:
    """Anchor in the page of troubleshooting → its title and modules."""
    return tomllib.loads((Path(__file__).parent / "themes.toml").read_text(encoding="utf-8"))


def theme_of(message: Message) -> str:
    """The anchor of the section about a message; "" where no section takes its module."""
    fits = [
        (len(prefix), anchor)
        for anchor, theme in themes().items()
        for prefix in theme["modules"]
        if message.module.startswith(prefix)
    ]
    return max(fits, default=(0, ""))[1]


def sort_of(message: Message) -> str:
    """What sort of message it is."""
    return _SORTS.get(message.raised, "failed")


def text() -> str:
    """The page."""
    by_theme: dict[str, list[Message]] = defaultdict(list)
    for message in messages():
        by_theme[theme_of(message)].append(message)
    parts = [_part(anchor, by_theme[anchor]) for anchor in themes() if by_theme[anchor]]
    return page("Messages", _ABOUT, *parts)


def _part(anchor: str, told: list[Message]) -> str:
    rows = sorted({(code(_shown(message)), sort_of(message)) for message in told})
    link = f"[Cause and cure](../troubleshooting.md#{anchor})"
    return f"## {themes()[anchor]['title']}\n\n{link}\n\n" + table(("Message", "Sort"), rows)


def _shown(message: Message) -> str:
    """A message as people see it; those of a config, a guard and a cell follow what they are about."""
    text = message.text.strip().replace("\n", " ")
    return text if sort_of(message) in ("config", "guard", REJECT) else sentence(text)
