"""Which rows of a query can be Salesforce's, and which endpoints answer in which shape?"""

from __future__ import annotations

from typing import Any

import pytest

from connectors.errors import TemporaryError
from connectors.salesforce.shapes import checked, rows


@pytest.mark.parametrize(
    ("fields", "row", "sound"),
    [
        (["Id", "IsWon", "Amount"], {"Id": "006", "IsWon": True, "Amount": 1.5}, True),
        (["Id", "IsWon"], {"Id": "006", "IsWon": None}, True),
        (["Id", "IsWon"], {"Id": "006", "IsWon": "neither"}, False),
        (["Id", "Amount"], {}, False),
        (["Id", "Amount"], {"Id": None, "Amount": 1}, False),
        (["Id"], {"Id": 7}, False),
        (["Id", "Amount"], {"Id": "006", "Amount": ["x"]}, False),
        (["Id", "Account.Industry"], {"Id": "003", "Account": {"Industry": "Energy"}}, True),
        # of a field that people made, nobody knows the type by its name
        (["Id", "IsVip__c"], {"Id": "003", "IsVip__c": "yes"}, True),
        (["IsoCode"], {"IsoCode": "EUR"}, True),
    ],
)
def test_rows_are_those_of_their_statement(fields: list[str], row: dict[str, Any], sound: bool) -> None:
    assert rows(fields, [row]) is sound


@pytest.mark.parametrize(
    ("method", "path", "answer", "sound"),
    [
        ("GET", "sobjects/Opportunity/describe", {}, False),
        ("GET", "sobjects/Opportunity/describe", {"fields": []}, False),
        ("GET", "sobjects/Opportunity/describe", {"fields": [{"name": "Id", "type": "id"}]}, True),
        (
            "GET",
            "/services/data/v66.0/query/01g000-2000",
            {"records": [], "totalSize": 0, "done": True},
            True,
        ),
        ("GET", "queryAll/", {"records": [], "totalSize": 3000, "done": False}, False),
        ("GET", "queryAll/", {"done": True}, False),
        ("PATCH", "jobs/ingest/750", {"id": "750", "state": "Open"}, False),
        ("GET", "jobs/ingest/750", {"id": "750", "state": "Open"}, True),
        ("PATCH", "composite/sobjects", [{"success": True}], True),
        ("PATCH", "composite/sobjects", [], False),
        ("PATCH", "composite/sobjects", [{"success": "yes"}], False),
        ("POST", "sobjects/Campaign", {"id": "701", "success": True}, True),
        ("POST", "sobjects/Campaign", None, False),
        ("GET", "limits/recordCount", {}, False),
        ("GET", "anything/else", None, False),
        ("PATCH", "sobjects/Campaign/701", None, True),
    ],
)
def test_an_answer_of_another_shape_is_an_outage(method: str, path: str, answer: Any, sound: bool) -> None:
    body = {"records": [{"id": "003"}]}
    if sound:
        assert checked(method, path, answer, body, None, 200) == answer
        return
    with pytest.raises(TemporaryError, match="not Salesforce's"):
        checked(method, path, answer, body, None, 200)
