"""Is an answer what HubSpot's documentation says it is?

A proxy, a maintenance page or a fault of HubSpot's may answer 200 with nothing, or with something else. Taken
at its word, an empty answer would mean "there are no deals", and everybody would become a prospect. So each
call that reads names the shape that its answer must have; another answer is an outage: nothing of it is used,
and the run goes on later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors.rest import shapes
from connectors.rest.shapes import Test, of, optional

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
    if not all(isinstance(kind, dict) for link in to for kind in link.get("associationTypes") or ()):
        return "an association has strange types"
    return _of_paging(row)


def _telling(*parts: tuple[Test, str]) -> Shape:
    """The text of the first test that an answer, or a row of it, does not pass."""
    return lambda value: next((text for test, text in parts if not test(value)), "")


def _nothing_or(test: Test) -> Test:
    return lambda value: not value or test(value)


def _moves(answer: Any) -> bool:
    lists = (value for name, value in answer.items() if name.lower().startswith("record"))
    return all(value is None or isinstance(value, list) for value in lists)


def _account(answer: Any) -> str:
    wrong = having("portalId", "timeZone", "companyCurrency")(answer)
    currencies = shapes.having(additionalCurrencies=optional(of(list)))
    return wrong or _telling((currencies, "it has strange currencies"))(answer)


def _counts(row: Any) -> bool:
    return all(of(int)(row.get(name, 0)) for name in ("usageLimit", "currentUsage"))


_objects = shapes.listing(of(dict))
_definition = _telling(
    (shapes.having(options=_nothing_or(_objects)), "a property has strange options"),
    (shapes.having(modificationMetadata=optional(of(dict))), "a property has strange rights"),
)
_listed = _telling((shapes.having(additionalProperties=optional(of(dict))), "a list has strange properties"))
_room = _telling((shapes.having(limit=of(int), usage=of(int)), "it has strange limits"))
_folder = shapes.having(folder=shapes.having(childNodes=_nothing_or(_objects)))
_context = shapes.having(context=optional(of(dict)))
_of_errors = _telling(
    (shapes.having(errors=_nothing_or(_objects)), "its errors are none"),
    (shapes.having(errors=_nothing_or(shapes.listing(_context))), "its errors are strange"),
)

RECORDS = listing("id", row=record)
WRITTEN = listing("id")
ACCOUNT = _account
USAGE = listing(row=_telling((_counts, "it has strange numbers of calls")))
LIMITS = listing("objectTypeId", key="byObjectType", row=_room)
anything = having()
MOVED = _telling((of(dict), "it is no object"), (_moves, "it holds something else than lists of ids"))
ASSOCIATIONS = listing(row=_association)
PROPERTIES = listing("name", row=_definition)
LISTS = listing("listId", "name", "processingType", key="lists", row=_listed)
DESCRIBED = having("listId", "name", "processingType")
LIST = having("listId", "processingType", within="list")
MEMBERS = listing("recordId")
LISTS_OF_RECORD = listing("listId")
FLOWS = listing("id")
folder = _telling(
    (shapes.having(folder=of(dict)), "it has no folder"), (_folder, "a folder holds strange folders")
)


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
    if bool(total) == bool(answer["results"]):
        return ""
    return f"it tells of {total} records and holds {len(answer['results'])}"


def members(answer: Any) -> str:
    """A page of the members of a list."""
    wrong = MEMBERS(answer)
    total = None if wrong else answer.get("total")
    return "it tells of members and holds none" if not wrong and total and not answer["results"] else wrong


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
    following = paging.get("next") if isinstance(paging, dict) else paging
    if following is None or (isinstance(following, dict) and _is_named(following, "after")):
        return ""
    return "it does not tell where it goes on"


def _is_named(row: dict[str, Any], name: str) -> bool:
    value = row.get(name)
    return shapes.filled(value) or of(int)(value)
