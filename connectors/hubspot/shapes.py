"""Is an answer what HubSpot's documentation says it is?

A proxy, a maintenance page or a fault of HubSpot's may answer 200 with nothing, or with something else. Taken
at its word, an empty answer would mean "there are no deals", and everybody would become a prospect. So each
call that reads names the shape that its answer must have; another answer is an outage: nothing of it is used,
and the run goes on later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Shape = Callable[[Any], str]  # what is wrong with an answer; "" where nothing is
_PLAIN = (str, int, float, bool, type(None))


def listing(*names: str, row: Shape | None = None, key: str = "results") -> Shape:
    """An object with a list of objects under ``key``, each with all of the ``names`` (as texts or numbers),
    and ``row`` right.
    """

    def wrong(answer: Any) -> str:
        if not isinstance(answer, dict):
            return "it is no object"
        rows = answer.get(key)
        if not isinstance(rows, list):
            return f"it has no list of {key}"
        return _of_rows(rows, names, row, key) or _of_paging(answer) or _of_errors(answer)

    return wrong


def having(*names: str, within: str = "") -> Shape:
    """An object with all of the ``names``, as texts or numbers; it may stand under ``within``."""

    def wrong(answer: Any) -> str:
        inner = answer.get(within, answer) if within and isinstance(answer, dict) else answer
        if not isinstance(inner, dict):
            return "it is no object"
        return next((f"it has no {name}" for name in names if not _is_named(inner, name)), "")

    return wrong


def anything(answer: Any) -> str:
    """Any object."""
    return "" if isinstance(answer, dict) else "it is no object"


def record(row: Any) -> str:
    """A record with an id and plain values."""
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
    wrongs = (listing("id")(associates) for associates in associations.values())
    return next((f"associations: {wrong}" for wrong in wrongs if wrong), "")


def _association(row: Any) -> str:
    whose, to = row.get("from"), row.get("to")
    if not isinstance(whose, dict) or not _is_named(whose, "id"):
        return "an association has no record that it begins at"
    if not isinstance(to, list) or not all(isinstance(link, dict) and "toObjectId" in link for link in to):
        return "an association has no list of associates"
    types = [kind for link in to for kind in link.get("associationTypes") or ()]
    return (
        _of_paging(row)
        if all(isinstance(kind, dict) for kind in types)
        else "an association has strange types"
    )


def _definition(row: Any) -> str:
    options = row.get("options") or []
    if not isinstance(options, list) or not all(isinstance(option, dict) for option in options):
        return "a property has strange options"
    rights = row.get("modificationMetadata")
    return "" if rights is None or isinstance(rights, dict) else "a property has strange rights"


def _listed(row: Any) -> str:
    further = row.get("additionalProperties")
    return "" if further is None or isinstance(further, dict) else "a list has strange properties"


def _of_account(answer: Any) -> str:
    wrong = having("portalId", "timeZone", "companyCurrency")(answer)
    further = None if wrong else answer.get("additionalCurrencies")
    return wrong if further is None or isinstance(further, list) else "it has strange currencies"


def _usage(row: Any) -> str:
    return (
        ""
        if all(_is_number(row.get(name, 0)) for name in ("usageLimit", "currentUsage"))
        else "it has strange numbers of calls"
    )


def _room(row: Any) -> str:
    return "" if _is_number(row.get("limit")) and _is_number(row.get("usage")) else "it has strange limits"


def _moved(answer: Any) -> str:
    if not isinstance(answer, dict):
        return "it is no object"
    lists = (value for name, value in answer.items() if name.lower().startswith("record"))
    return (
        ""
        if all(value is None or isinstance(value, list) for value in lists)
        else "it holds something else than lists of ids"
    )


RECORDS = listing("id", row=record)
WRITTEN = listing("id")
ACCOUNT = _of_account
USAGE = listing(row=_usage)
LIMITS = listing("objectTypeId", key="byObjectType", row=_room)
MOVED = _moved
ASSOCIATIONS = listing(row=_association)
PROPERTIES = listing("name", row=_definition)
LISTS = listing("listId", "name", "processingType", key="lists", row=_listed)
DESCRIBED = having("listId", "name", "processingType")
LIST = having("listId", "processingType", within="list")
MEMBERS = listing("recordId")
LISTS_OF_RECORD = listing("listId")
FLOWS = listing("id")


def following(answer: dict[str, Any]) -> str | None:
    """The cursor of the page behind an answer; None: it was the last."""
    after = ((answer.get("paging") or {}).get("next") or {}).get("after")
    return None if after is None else str(after)


def found(answer: Any) -> str:
    """An answer to a search that begins with its first result: records, and how many there are."""
    wrong = RECORDS(answer)
    total = answer.get("total") if isinstance(answer, dict) else None
    if wrong or not isinstance(total, int) or isinstance(total, bool) or total < 0:
        return wrong or "it does not tell how many records there are"
    return (
        ""
        if bool(total) == bool(answer["results"])
        else f"it tells of {total} records and holds {len(answer['results'])}"
    )


def members(answer: Any) -> str:
    """A page of the members of a list."""
    wrong = MEMBERS(answer)
    total = None if wrong else answer.get("total")
    return "it tells of members and holds none" if not wrong and total and not answer["results"] else wrong


def folder(answer: Any) -> str:
    """A folder of lists."""
    inner = answer.get("folder") if isinstance(answer, dict) else None
    if not isinstance(inner, dict):
        return "it has no folder"
    nodes = inner.get("childNodes") or []
    return (
        ""
        if isinstance(nodes, list) and all(isinstance(node, dict) for node in nodes)
        else "a folder holds strange folders"
    )


def _of_rows(rows: list[Any], names: tuple[str, ...], row: Shape | None, key: str) -> str:
    for entry in rows:
        if not isinstance(entry, dict):
            return f"{key} holds something else than objects"
        for name in names:
            if not _is_named(entry, name):
                return f"something in {key} has no {name}"
        wrong = row(entry) if row is not None else ""
        if wrong:
            return wrong
    return ""


def _of_paging(answer: dict[str, Any]) -> str:
    paging = answer.get("paging")
    if paging is None:
        return ""
    following = paging.get("next") if isinstance(paging, dict) else paging
    if following is None:
        return ""
    if not isinstance(following, dict) or not _is_named(following, "after"):
        return "it does not tell where it goes on"
    return ""


def _of_errors(answer: dict[str, Any]) -> str:
    errors = answer.get("errors") or []
    if not isinstance(errors, list) or not all(isinstance(row, dict) for row in errors):
        return "its errors are none"
    contexts = (row.get("context") for row in errors)
    return "" if all(row is None or isinstance(row, dict) for row in contexts) else "its errors are strange"


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_named(row: dict[str, Any], name: str) -> bool:
    value = row.get(name)
    return (isinstance(value, str) and value != "") or (
        isinstance(value, int) and not isinstance(value, bool)
    )
