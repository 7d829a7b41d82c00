"""How does a free text become the key of a segment?"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence


def slugs(names: Sequence[str]) -> list[str]:
    """A key per name: small letters, digits and _; names that would share one are numbered."""
    keys: list[str] = []
    for name in names:
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
        key = re.sub(r"[^a-z0-9]+", "_", plain).strip("_") or "category"
        key = key if key[0].isalpha() else f"c_{key}"
        number, wanted = 2, key
        while key in keys:
            key, number = f"{wanted}_{number}", number + 1
        keys.append(key)
    return keys
