"""How is what the code says written as Markdown?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MADE = "<!-- Made by `python -m tests.documentation`: change the code, not this page. -->\n"


def page(title: str, introduction: str, *sections: str) -> str:
    """A whole page that is made from the code."""
    return (
        "\n\n".join([MADE + f"\n# {title}", introduction.strip(), *(part.strip() for part in sections)])
        + "\n"
    )


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table. Cells are Markdown; line breaks in them become blanks."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def code(text: str) -> str:
    """A text as code; nothing for no text."""
    if "`" in text:
        return f"`` {text} ``"
    return f"`{text}`" if text else ""


def sentence(text: str) -> str:
    """With a capital at its beginning, and a full stop at its end."""
    text = " ".join(text.split())
    begun = text[:1].upper() + text[1:]
    return begun if not begun or begun.endswith((".", "?", "!", ":")) else f"{begun}."


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
