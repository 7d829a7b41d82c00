"""Is an answer under 200 Salesforce's own? A proxy's page, an empty body or half of one must never be taken
for "there is nothing".

Each endpoint has a shape, written here once; an answer of another shape is an outage: it is told as one, and
nothing is concluded from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from connectors.errors import TemporaryError
from connectors.rest.shapes import Shape, a_list, an_object, both, count, flag, text

_STATES = frozenset({"Open", "UploadComplete", "InProgress", "JobComplete", "Failed", "Aborted"})
# Salesforce's own: a field that people made may be called so and hold a text
_FLAG = re.compile(r"(Is|Has)[A-Z](?!\w*__)\w*")


def foreign(method: str, path: str) -> TemporaryError:
    """The error that such an answer is."""
    shown = re.sub(r"\?.*", "", path)
    return TemporaryError(
        f"{method} {shown}: the answer is not Salesforce's, or only a part of it (something on the way may answer in its place). "
        "It was not used; try again later"
    )


def checked(
    method: str, path: str, answer: Any, body: Any, params: Mapping[str, str] | None, status: int
) -> Any:
    """The answer, if it has the shape of its endpoint; TemporaryError where not."""
    short = re.sub(r"^/?(services/data/v[0-9.]+/)?", "", path).partition("?")[0].strip("/")
    for methods, pattern, shape in _SHAPES:
        if method in methods and pattern.fullmatch(short):
            asked = _asked(short, body, params or {})
            if shape(answer) or (asked is not None and len(answer) != asked):
                raise foreign(method, path)
            return answer
    if method == "GET" and not isinstance(answer, dict | list):
        raise foreign(method, path)
    if method == "PATCH" and answer is not None and status == 200 and not isinstance(answer, dict):
        raise foreign(method, path)
    return answer


def rows(fields: Iterable[str], records: Sequence[dict[str, Any]]) -> bool:
    """Whether rows of a query can be what these fields were selected into: each field is there, ids and names
    are texts, flags are flags, no value is a list.
    """
    names = list(dict.fromkeys(name.partition(".")[0] for name in fields))
    plain = {name for name in names if name.isidentifier()}
    ids = [name for name in names if name.endswith(("Id", "Name", "SobjectType"))]
    flags = [name for name in names if _FLAG.fullmatch(name)]
    for row in records:
        if not (row.keys() >= plain or {name.lower() for name in row} >= {name.lower() for name in plain}):
            return False
        if "Id" in names and not row.get("Id"):
            return False
        if not all(isinstance(row.get(name), str | None) for name in ids):
            return False
        if not all(isinstance(row.get(name), bool | None) for name in flags):
            return False
        if any(isinstance(value, list) for value in row.values()):
            return False
    return True


def _goes_on(answer: dict[str, Any]) -> str:
    """What is not done tells where it goes on."""
    following = answer.get("nextRecordsUrl") or answer.get("nextRecordUrl")
    is_link = isinstance(following, str) and following.startswith("/")
    return "" if answer["done"] or is_link else "it does not tell where it goes on"


def _has_id(answer: dict[str, Any]) -> str:
    """Every object has an id at least: one without fields is none that anybody may not see."""
    return "" if any(field["name"] == "Id" for field in answer["fields"]) else "it has no Id"


def _is_filled(value: Any) -> str:
    return "" if value else "it is empty"


def _are_objects(answer: dict[str, Any]) -> str:
    return _OBJECTS(list(answer.values()))


def _succeeded(answer: dict[str, Any]) -> str:
    return "" if answer["success"] else "it had no success"


def _state(value: Any) -> str:
    return "" if value in _STATES else "it is no state of a job"


def _started(answer: dict[str, Any]) -> str:
    """A job whose state was changed is in another one than before."""
    return "it is open still" if answer["state"] == "Open" else ""


def _or_null(shape: Shape) -> Shape:
    return lambda value: "" if value is None else shape(value)


def _text_or_null(value: Any) -> str:
    return "" if isinstance(value, str | None) else "it is no text"


_OBJECTS = a_list(an_object())
_FILLED = both(an_object(), _is_filled)
_JOB = an_object(
    {"id": text, "state": _state}, {"numberRecordsProcessed": count, "numberRecordsFailed": count}
)
_FIELD = an_object({"name": text, "type": text})
_LIMIT = an_object({"Max": count, "Remaining": count})
_RESULT_PAGES = {"resultPages": a_list(an_object({"resultUrl": text})), "done": flag}
_VIEW = {
    # "blank" may be no operand
    "filteredByInfo": a_list(an_object(optional={"operandLabels": a_list(_text_or_null)})),
    "scope": an_object(),
    "filterLogicString": _text_or_null,
}

# methods, path, shape
_SHAPES: list[tuple[frozenset[str], re.Pattern[str], Shape]] = [
    (frozenset(methods.split()), re.compile(pattern, re.IGNORECASE), shape)
    for methods, pattern, shape in (
        (
            "GET",
            r"(tooling/)?query(all)?(/[^/]+)?",
            both(an_object({"records": _OBJECTS, "totalSize": count, "done": flag}), _goes_on),
        ),
        ("GET", r"(tooling/)?sobjects/\w+/describe", both(an_object({"fields": a_list(_FIELD)}), _has_id)),
        ("GET", r"tooling/sobjects/CustomField/\w+", an_object({"Metadata": _FILLED})),
        (
            "GET",
            r"limits/recordCount",
            an_object({"sObjects": a_list(an_object({"name": text, "count": count}))}),
        ),
        ("GET", r"limits", both(an_object(optional={"DailyApiRequests": _LIMIT}), _are_objects)),
        ("GET", r"services/data", both(a_list(an_object({"version": text})), _is_filled)),
        ("POST", r"(tooling/)?sobjects/\w+", both(an_object({"success": flag, "id": text}), _succeeded)),
        ("PATCH POST DELETE", r"composite/sobjects", a_list(an_object({"success": flag}))),
        ("POST", r"composite/sobjects/\w+", a_list(_or_null(an_object({"Id": text})))),
        ("GET POST", r"jobs/(query|ingest)(/\w+)?", _JOB),
        ("PATCH", r"jobs/(query|ingest)/\w+", both(_JOB, _started)),
        ("GET", r"jobs/query/\w+/resultPages", both(an_object(_RESULT_PAGES), _goes_on)),
        ("GET", r"sobjects/\w+/listviews/\w+/results", an_object({"records": _OBJECTS, "done": flag})),
        ("GET", r"ui-api/list-info/\w+/\w+", an_object({"label": text}, _VIEW)),
        ("POST", r"ui-api/list-info/\w+", _FILLED),
    )
]


def _asked(short: str, body: Any, params: Mapping[str, str]) -> int | None:
    """How many records a call asked about, each of which is answered in its place; None: of another call."""
    if re.fullmatch(r"composite/sobjects", short):
        return len(body["records"] if isinstance(body, dict) else params.get("ids", "").split(","))
    return len(body["ids"]) if re.fullmatch(r"composite/sobjects/\w+", short) else None
