"""What is a template for names, and what does it make?"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sync.config.faults import one_of

FIELD_PARTS = ("prefix", "name", "segmentation", "account")
LIST_PARTS = ("prefix", "title", "segment", "segmentation", "account")
_PART = re.compile(r"\{([^{}]*)\}")


def template(text: str, valid: Sequence[str], needed: str) -> str:
    """A template as it is, or ValueError: an unknown part, a brace too many, or nothing that tells names apart."""
    for part in _PART.findall(text):
        if part not in valid:
            raise ValueError(f"{{{part}}} is an unknown placeholder; {one_of(part, valid)}")
    if set("{}") & set(_PART.sub("", text)):
        raise ValueError("has a brace without its other half; write placeholders such as {prefix}")
    if not text.isprintable():
        raise ValueError("holds a line break or another character that nobody sees; leave it out")
    if f"{{{needed}}}" not in text:
        raise ValueError(f"must hold {{{needed}}}: else several of ours would have one name")
    return text


def filled(text: str, **parts: str) -> str:
    """A template with its parts."""
    return _PART.sub(lambda part: parts[part[1]], text)
