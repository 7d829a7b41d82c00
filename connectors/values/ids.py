"""When do two ids mean the same? (``connectors.contract.IdType``)"""

from __future__ import annotations


def comparable(id: str, id_type: str) -> str:
    """An id in the form in which it is compared."""
    if id_type == "number":
        whole, point, fraction = id.strip().lstrip("0").partition(".")
        return whole if not fraction.strip("0") else f"{whole}{point}{fraction}"
    if id_type == "email":
        return id.strip().casefold()
    return id[:15] if id_type == "salesforce" and len(id) in (15, 18) else id
