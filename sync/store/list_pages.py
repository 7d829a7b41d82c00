"""Where do people see a list in the CRM? The address of its page, by the list's id, as the CRM told it last."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from urllib.parse import urlsplit

from sync.store.mirror import AccountMirror

_STAMP = "list pages"


def list_pages(mirror: AccountMirror) -> dict[str, str]:
    """Those that are known, and safe to follow: no other scheme than that of the web."""
    stored = json.loads(mirror.stamp(_STAMP) or "{}")
    return {id: page for id, page in stored.items() if _is_web(page)}


def keep_list_pages(
    mirror: AccountMirror, ids: Collection[str], told: Callable[[], Mapping[str, str]]
) -> None:
    """Ask for the pages of lists that were never asked for; a list without one is not asked for again."""
    stored = json.loads(mirror.stamp(_STAMP) or "{}")
    if not set(ids) <= stored.keys():
        mirror.set_stamp(_STAMP, json.dumps(dict.fromkeys(ids, "") | dict(told())))


def _is_web(page: str) -> bool:
    parts = urlsplit(page)
    return parts.scheme == "https" and bool(parts.hostname)
