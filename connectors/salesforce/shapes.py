"""Is an answer under 200 Salesforce's own? A proxy's page, an empty body or half of one must never be taken
for "there is nothing".

Each endpoint has a shape, written here once; an answer of another shape is an outage: it is told as one, and
nothing is concluded from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from connectors.errors import TemporaryError
from connectors.rest.shapes import Test, filled, having, listing, number, of, optional

# answer, body of the request, its parameters → whether the answer is sound
Check = Callable[[Any, Any, Mapping[str, str]], bool]

_STATES = frozenset({"Open", "UploadComplete", "InProgress", "JobComplete", "Failed", "Aborted"})
# Salesforce's own: a field that people made may be called so and hold a text
_FLAG = re.compile(r"(Is|Has)[A-Z](?!\w*__)\w*")


def foreign(method: str, path: str) -> TemporaryError:
    """The error that such an answer is."""
    shown = re.sub(r"\?.*", "", path)
    return TemporaryError(
        f"{method} {shown}: the answer is not Salesforce's, or only a part of it (something on the way may answer in its place). "
        "Nothing was concluded from it; try again later"
    )


def checked(
    method: str, path: str, answer: Any, body: Any, params: Mapping[str, str] | None, status: int
) -> Any:
    """The answer, if it has the shape of its endpoint; TemporaryError where not."""
    short = re.sub(r"^/?(services/data/v[0-9.]+/)?", "", path).partition("?")[0].strip("/")
    for methods, pattern, check in _SHAPES:
        if method in methods.split() and pattern.fullmatch(short):
            if not check(answer, body, params or {}):
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


def _query(answer: Any, _body: Any, _params: Mapping[str, str]) -> bool:
    if not having(records=listing(of(dict)), totalSize=number, done=of(bool))(answer):
        return False
    following = answer.get("nextRecordsUrl")
    return bool(answer["done"]) or (isinstance(following, str) and following.startswith("/"))


def _description(answer: Any, _body: Any, _params: Mapping[str, str]) -> bool:
    """Every object has an id at least: one without fields is none that anybody may not see."""
    sound = having(fields=listing(having(name=of(str), type=of(str))))(answer)
    return sound and any(field["name"] == "Id" for field in answer["fields"])


def _limits(answer: Any, _body: Any, _params: Mapping[str, str]) -> bool:
    daily = optional(having(Max=number, Remaining=number))
    return having(DailyApiRequests=daily)(answer) and all(map(of(dict), answer.values()))


def _collection(answer: Any, body: Any, params: Mapping[str, str]) -> bool:
    """A verdict for each record, in their order."""
    records = body.get("records") if isinstance(body, dict) else params.get("ids", "").split(",")
    return listing(having(success=of(bool)))(answer) and len(answer) == len(records or ())


def _retrieved(answer: Any, body: Any, _params: Mapping[str, str]) -> bool:
    """A record, or null, for each id."""
    return listing(optional(having(Id=filled)))(answer) and len(answer) == len(body["ids"])


def _started(answer: Any, _body: Any, _params: Mapping[str, str]) -> bool:
    """A job whose state was changed is in another one than before."""
    return _job(answer) and answer["state"] != "Open"


def _pages(answer: Any, _body: Any, _params: Mapping[str, str]) -> bool:
    if not having(resultPages=listing(having(resultUrl=filled)), done=of(bool))(answer):
        return False
    following = answer.get("nextRecordsUrl") or answer.get("nextRecordUrl")
    return isinstance(following, str | None) and (answer["done"] or bool(following))


def _always(test: Test) -> Check:
    """A shape that does not depend on what was asked."""
    return lambda answer, _body, _params: test(answer)


_job = having(
    id=filled,
    state=lambda state: state in _STATES,
    numberRecordsProcessed=optional(number),
    numberRecordsFailed=optional(number),
)
# a custom field as the Metadata API describes it
_described = having(Metadata=lambda metadata: isinstance(metadata, dict) and bool(metadata))
_counts = having(sObjects=listing(having(name=of(str), count=number)))
_made = having(success=lambda success: success is True, id=filled)
_shown = having(records=listing(of(dict)), done=of(bool))  # what a list view shows
# a filter has operands that are texts; "blank" may be none
_filter = having(operandLabels=optional(listing(optional(of(str)))))
_view = having(
    label=filled,
    filteredByInfo=optional(listing(_filter)),
    scope=optional(of(dict)),
    filterLogicString=optional(of(str)),
)


def _versions(answer: Any) -> bool:
    return listing(having(version=of(str)))(answer) and bool(answer)


def _something(answer: Any) -> bool:
    return isinstance(answer, dict) and bool(answer)


_SHAPES: list[tuple[str, re.Pattern[str], Check]] = [
    (methods, re.compile(pattern, re.IGNORECASE), check)
    for methods, pattern, check in (
        ("GET", r"(tooling/)?query(all)?(/[^/]+)?", _query),
        ("GET", r"(tooling/)?sobjects/\w+/describe", _description),
        ("GET", r"tooling/sobjects/CustomField/\w+", _always(_described)),
        ("GET", r"limits/recordCount", _always(_counts)),
        ("GET", r"limits", _limits),
        ("GET", r"services/data", _always(_versions)),
        ("POST", r"(tooling/)?sobjects/\w+", _always(_made)),
        ("PATCH POST DELETE", r"composite/sobjects", _collection),
        ("POST", r"composite/sobjects/\w+", _retrieved),
        ("GET POST", r"jobs/(query|ingest)(/\w+)?", _always(_job)),
        ("PATCH", r"jobs/(query|ingest)/\w+", _started),
        ("GET", r"jobs/query/\w+/resultPages", _pages),
        ("GET", r"sobjects/\w+/listviews/\w+/results", _always(_shown)),
        ("GET", r"ui-api/list-info/\w+/\w+", _always(_view)),
        ("POST", r"ui-api/list-info/\w+", _always(_something)),
    )
]
