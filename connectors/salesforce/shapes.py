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


def _dicts(entries: Any) -> bool:
    return isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)


def _query(answer: Any, _body: Any, _params: Mapping[str, str]) -> bool:
    if not isinstance(answer, dict) or not _dicts(answer.get("records")):
        return False
    following = answer.get("nextRecordsUrl")
    if not _whole(answer.get("totalSize")) or not isinstance(answer.get("done"), bool):
        return False
    return bool(answer["done"]) or (isinstance(following, str) and following.startswith("/"))


def _description(answer: Any, _body: Any, _params: Mapping[str, str]) -> bool:
    """Every object has an id at least: one without fields is none that anybody may not see."""
    if not isinstance(answer, dict) or not _dicts(answer.get("fields")):
        return False
    fields = answer["fields"]
    named = all(isinstance(field.get("name"), str) and isinstance(field.get("type"), str) for field in fields)
    return named and any(field["name"] == "Id" for field in fields)


def _counts(answer: Any, _body: Any, _params: Mapping[str, str]) -> bool:
    if not isinstance(answer, dict) or not _dicts(answer.get("sObjects")):
        return False
    return all(
        isinstance(entry.get("name"), str) and _whole(entry.get("count")) for entry in answer["sObjects"]
    )


def _described(answer: Any, _body: Any, _params: Mapping[str, str]) -> bool:
    """A custom field as the Metadata API describes it."""
    return isinstance(answer, dict) and isinstance(answer.get("Metadata"), dict) and bool(answer["Metadata"])


def _limits(answer: Any, _body: Any, _params: Mapping[str, str]) -> bool:
    if not isinstance(answer, dict) or not all(isinstance(entry, dict) for entry in answer.values()):
        return False
    daily = answer.get("DailyApiRequests")
    return daily is None or (_whole(daily.get("Max")) and _whole(daily.get("Remaining")))


def _versions(answer: Any, _body: Any, _params: Mapping[str, str]) -> bool:
    return _dicts(answer) and bool(answer) and all(isinstance(entry.get("version"), str) for entry in answer)


def _made(answer: Any, _body: Any, _params: Mapping[str, str]) -> bool:
    return isinstance(answer, dict) and answer.get("success") is True and _text(answer.get("id"))


def _collection(answer: Any, body: Any, params: Mapping[str, str]) -> bool:
    """A verdict for each record, in their order."""
    records = body.get("records") if isinstance(body, dict) else params.get("ids", "").split(",")
    return (
        _dicts(answer)
        and len(answer) == len(records or ())
        and all(isinstance(item.get("success"), bool) for item in answer)
    )


def _retrieved(answer: Any, body: Any, _params: Mapping[str, str]) -> bool:
    """A record, or null, for each id."""
    if not isinstance(answer, list) or len(answer) != len(body["ids"]):
        return False
    return all(record is None or (isinstance(record, dict) and _text(record.get("Id"))) for record in answer)


def _job(answer: Any, _body: Any, _params: Mapping[str, str]) -> bool:
    if not isinstance(answer, dict) or not _text(answer.get("id")) or answer.get("state") not in _STATES:
        return False
    numbers = ("numberRecordsProcessed", "numberRecordsFailed")
    return all(answer.get(name) is None or _whole(answer[name]) for name in numbers)


def _started(answer: Any, body: Any, params: Mapping[str, str]) -> bool:
    """A job whose state was changed is in another one than before."""
    return _job(answer, body, params) and answer["state"] != "Open"


def _pages(answer: Any, _body: Any, _params: Mapping[str, str]) -> bool:
    if not isinstance(answer, dict) or not _dicts(answer.get("resultPages")):
        return False
    following = answer.get("nextRecordsUrl") or answer.get("nextRecordUrl")
    if not all(_text(page.get("resultUrl")) for page in answer["resultPages"]) or not isinstance(
        following, str | None
    ):
        return False
    return isinstance(answer.get("done"), bool) and (answer["done"] or bool(following))


def _view(answer: Any, _body: Any, _params: Mapping[str, str]) -> bool:
    return (
        isinstance(answer, dict)
        and _text(answer.get("label"))
        and _dicts(answer.get("filteredByInfo") or [])
        and all(_filter(each) for each in answer.get("filteredByInfo") or ())
        and isinstance(answer.get("scope"), dict | None)
        and isinstance(answer.get("filterLogicString"), str | None)
    )


def _filter(each: dict[str, Any]) -> bool:
    """Whether a view's filter has operands that are texts; "blank" may be none."""
    operands = each.get("operandLabels")
    return operands is None or (
        isinstance(operands, list) and all(isinstance(operand, str | None) for operand in operands)
    )


def _something(answer: Any, _body: Any, _params: Mapping[str, str]) -> bool:
    return isinstance(answer, dict) and bool(answer)


def _shown(answer: Any, _body: Any, _params: Mapping[str, str]) -> bool:
    """What a list view shows."""
    return isinstance(answer, dict) and _dicts(answer.get("records")) and isinstance(answer.get("done"), bool)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


_SHAPES: list[tuple[str, re.Pattern[str], Check]] = [
    (methods, re.compile(pattern, re.IGNORECASE), check)
    for methods, pattern, check in (
        ("GET", r"(tooling/)?query(all)?(/[^/]+)?", _query),
        ("GET", r"(tooling/)?sobjects/\w+/describe", _description),
        ("GET", r"tooling/sobjects/CustomField/\w+", _described),
        ("GET", r"limits/recordCount", _counts),
        ("GET", r"limits", _limits),
        ("GET", r"services/data", _versions),
        ("POST", r"(tooling/)?sobjects/\w+", _made),
        ("PATCH POST DELETE", r"composite/sobjects", _collection),
        ("POST", r"composite/sobjects/\w+", _retrieved),
        ("GET POST", r"jobs/(query|ingest)(/\w+)?", _job),
        ("PATCH", r"jobs/(query|ingest)/\w+", _started),
        ("GET", r"jobs/query/\w+/resultPages", _pages),
        ("GET", r"sobjects/\w+/listviews/\w+/results", _shown),
        ("GET", r"ui-api/list-info/\w+/\w+", _view),
        ("POST", r"ui-api/list-info/\w+", _something),
    )
]
