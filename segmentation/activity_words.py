"""How is a type of activity said in words?"""

from __future__ import annotations


def plain(activity_type: str) -> str:
    """``email open``."""
    return activity_type.replace("_", " ")


def plural(activity_type: str) -> str:
    """``email opens``, ``emails sent``."""
    singular = plain(activity_type)
    if singular.endswith(" sent"):
        return f"{singular.removesuffix(' sent')}s sent"
    return singular if singular.endswith("s") else singular + "s"
