"""Which shape has each answer of HubSpot (``connectors.rest.shapes``), and how does a listing go on?"""

from __future__ import annotations

from typing import Any

from connectors.rest.shapes import Shape, a_list, an_object, anything, both, count, name

_PLAIN = (str, int, float, bool, type(None))
_OBJECTS = a_list(an_object())
_PAGING = an_object(optional={"next": an_object({"after": name})})


def listing(row: Shape, key: str = "results") -> Shape:
    """A list of rows under ``key``, perhaps with a page behind it, and with errors."""
    errors = a_list(an_object(optional={"context": an_object()}))
    return an_object({key: a_list(row)}, {"paging": _PAGING, "errors": errors})


def named(*names: str) -> Shape:
    """An object with all of the names."""
    return an_object(dict.fromkeys(names, name))


def record(row: Any) -> str:
    """A record with an id and plain values. By hand, as there are very many of them."""
    if not isinstance(row, dict):
        return "it is no object"
    properties, id = row.get("properties"), str(row.get("id"))
    if not (id.isascii() and id.isdigit()):
        return "a record has an id that is no number"
    if not isinstance(properties, dict):
        return "a record has no properties"
    if not all(isinstance(value, _PLAIN) for value in properties.values()):
        return "a record has values that are no texts"
    associations = row.get("associations")
    if associations is None:
        return ""
    if not isinstance(associations, dict):
        return "a record has strange associations"
    return next(
        (f"associations: {fault}" for value in associations.values() if (fault := _LINKED(value))), ""
    )


def _is_counted(answer: Any) -> str:
    total, results = answer["total"], answer["results"]
    return "" if bool(total) == bool(results) else f"it tells of {total} records and holds {len(results)}"


def _is_told(answer: Any) -> str:
    is_empty = answer.get("total") and not answer["results"]
    return "it tells of members and holds none" if is_empty else ""


def _moved(answer: Any) -> str:
    lists = (value for key, value in answer.items() if key.lower().startswith("record"))
    return next((fault for value in lists if value is not None and (fault := a_list()(value))), "")


def _list(answer: Any) -> str:
    """A list; it may stand under ``list``."""
    return named("listId", "processingType")(answer.get("list", answer))


_LINKED = listing(named("id"))
_LINK = an_object({"toObjectId": anything}, {"associationTypes": _OBJECTS})
_LISTED = {"listId": name, "name": name, "processingType": name}

RECORDS = listing(record)
WRITTEN = listing(named("id"))
# an answer to a search that begins with its first result: records, and how many there are
FOUND = both(both(RECORDS, an_object({"total": count})), _is_counted)
ACCOUNT = an_object(
    dict.fromkeys(("portalId", "timeZone", "companyCurrency"), name), {"additionalCurrencies": a_list()}
)
USAGE = listing(an_object(optional={"usageLimit": count, "currentUsage": count}))
LIMITS = listing(an_object({"objectTypeId": name, "limit": count, "usage": count}), "byObjectType")
MOVED = both(an_object(), _moved)
ASSOCIATIONS = listing(an_object({"from": named("id"), "to": a_list(_LINK)}, {"paging": _PAGING}))
PROPERTIES = listing(an_object({"name": name}, {"options": _OBJECTS, "modificationMetadata": an_object()}))
LISTS = listing(an_object(_LISTED, {"additionalProperties": an_object()}), "lists")
DESCRIBED = an_object(_LISTED)
LIST = both(an_object(), _list)
MEMBERS = both(listing(named("recordId")), _is_told)
LISTS_OF_RECORD = listing(named("listId"))
FLOWS = listing(named("id"))
FOLDER = an_object({"folder": an_object(optional={"childNodes": _OBJECTS})})


def following(answer: dict[str, Any]) -> str | None:
    """The cursor of the page behind an answer; None: it was the last."""
    after = ((answer.get("paging") or {}).get("next") or {}).get("after")
    return None if after is None else str(after)
