"""Plain calls to a portal: what the tests of our stand-in for HubSpot start from."""

from __future__ import annotations

from typing import Any

import requests

from tests.servers.hubspot import TOKEN, Running

SEGMENT: dict[str, Any] = {
    "name": "seg_rfm",
    "label": "Buying habits",
    "type": "enumeration",
    "fieldType": "select",
    "groupName": "contactinformation",
    "options": [
        {"label": key.capitalize(), "value": key, "displayOrder": n, "hidden": False}
        for n, key in enumerate(("loyal", "lost"))
    ],
}


def branch(*values: str, name: str = "seg_rfm") -> Any:
    operation = {
        "operationType": "ENUMERATION",
        "operator": "IS_ANY_OF",
        "values": list(values),
        "includeObjectsWithNoValueSet": False,
    }
    child = {"filterBranchType": "AND", "filterBranchOperator": "AND", "filterBranches": []}
    filters = [{"filterType": "PROPERTY", "property": name, "operation": operation}]
    return {
        "filterBranchType": "OR",
        "filterBranchOperator": "OR",
        "filters": [],
        "filterBranches": [{**child, "filters": filters}],
    }


class Caller:
    """Plain calls; ``ids`` are those of the portal's contacts."""

    def __init__(self, server: Running, token: str = TOKEN) -> None:
        self.server, self.portal = server, server.portal
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {token}"

    def __call__(self, method: str, path: str, body: Any = None, **params: Any) -> requests.Response:
        return self.session.request(method, self.server.url + path, json=body, params=params, timeout=20)

    @property
    def ids(self) -> list[str]:
        return [str(id) for id in self.portal.store.shelves["contacts"].live]

    def update(self, values: dict[str, dict[str, str]], **more: Any) -> requests.Response:
        inputs = [{"id": id, "properties": properties, **more} for id, properties in values.items()]
        return self("POST", "/crm/v3/objects/contacts/batch/update", {"inputs": inputs})

    def search(self, *filters: dict[str, Any], **more: Any) -> Any:
        sorts = [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]
        body = {"filterGroups": [{"filters": list(filters)}], "sorts": sorts, **more}
        return self("POST", "/crm/v3/objects/contacts/search", body).json()

    def all_ids(self, page: int = 100, **params: Any) -> list[str]:
        ids, after = [], "0"
        while after:
            answer = self("GET", "/crm/v3/objects/contacts", limit=page, after=after, **params).json()
            ids += [row["id"] for row in answer["results"]]
            after = answer.get("paging", {}).get("next", {}).get("after", "")
        return ids
