"""What can stand where the cursor is? Names for the completion of a shell.

A shell waits for it at each press of a key: the config is read as TOML alone, and one that cannot be read offers
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

CONFIG = Path("config.toml")  # where no config is named


def accounts(ctx: Any, incomplete: str) -> list[str]:
    """Accounts of the config."""
    return _fitting(_config(ctx).get("accounts", {}), incomplete)


def segmentations(ctx: Any, incomplete: str) -> list[str]:
    """Segmentations of the config."""
    tables = _config(ctx).get("segmentations", [])
    return _fitting([str(table.get("name", "")) for table in tables], incomplete)


def guards(incomplete: str) -> list[str]:
    """Guards that ``--allow`` takes."""
    from sync.config.settings import ALLOWABLE

    return _fitting(ALLOWABLE, incomplete)


def kinds(incomplete: str) -> list[str]:
    """Kinds of segmentation, behind the commas of a list: ``rfm,a`` offers ``rfm,abc``."""
    from segmentation.kinds import KINDS

    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{kind}" for kind in _fitting(KINDS, last)]


def one_of(*words: str) -> Callable[[str], list[str]]:
    """Words that are known beforehand."""

    def fitting(incomplete: str) -> list[str]:
        return _fitting(words, incomplete)

    return fitting


def _fitting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _config(ctx: Any) -> dict[str, Any]:
    """The tables of the config that the line names so far."""
    import tomllib

    named = [line.params.get("config") for line in (ctx, ctx.parent) if line is not None]
    path = next((path for path in named if path not in (None, CONFIG)), CONFIG)
    try:
        return tomllib.loads(Path(path).expanduser().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
