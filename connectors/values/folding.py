"""How is one text compared with another? By its letters: without case, and however an accent is stored."""

from __future__ import annotations

from unicodedata import normalize


def folded(text: str) -> str:
    """A text without case, its accents composed (NFC)."""
    return normalize("NFC", normalize("NFC", text).casefold())


def comparable(text: str) -> str:
    """A whole value as it is compared: ``folded``, without blanks around."""
    return folded(text).strip()
