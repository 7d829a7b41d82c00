"""The Tooling API's custom fields, and list views, by REST."""

from __future__ import annotations

from typing import Any

from tests.servers.salesforce import custom_fields
from tests.servers.salesforce.messages import Call, route
from tests.servers.salesforce.refusals import Refusal, not_found
from tests.servers.salesforce.rest_query import known
from tests.servers.salesforce.rest_records import _row


@route("POST", "tooling/sobjects/CustomField")
def create_field(call: Call) -> Any:
    id = custom_fields.create(call.org, call.request.table(), call.user)
    return 201, {"id": id, "success": True, "errors": [], "warnings": [], "infos": []}


@route("PATCH", r"tooling/sobjects/CustomField/(\w+)")
def change_field(call: Call, id: str) -> Any:
    custom_fields.change(call.org, id, call.request.table(), call.user)


@route("DELETE", r"tooling/sobjects/CustomField/(\w+)")
def remove_field(call: Call, id: str) -> Any:
    custom_fields.remove(call.org, id, call.user)


@route("GET", r"tooling/sobjects/(\w+)/(\w{15,18})")
def read_tooling(call: Call, name: str, id: str) -> Any:
    entity = known(call, name, tooling=True)
    row = _row(call, entity, id)
    names = [field.name for field in entity]
    answer = call.org.queries.ask(
        f"SELECT {', '.join(names)} FROM {entity.name} WHERE Id = '{row['Id']}'",
        call.user,
        tooling=True,
        path="/tooling",
    )
    return answer["records"][0]


# List views


def _since(call: Call, version: int) -> None:
    if float(call.version) < version:
        raise not_found()


@route("POST", r"ui-api/list-info/(\w+)")
def create_view(call: Call, name: str) -> Any:
    _since(call, 61)
    entity = known(call, name)
    id = call.org.list_views.add(entity, call.request.table(), call.user)
    return 201, call.org.list_views.told(id, entity)


@route("GET", r"ui-api/list-info/(\w+)")
def every_view(call: Call, name: str) -> Any:
    entity = known(call, name)
    rows = call.org.rows("ListView", "SobjectType = ?", entity.name)
    lists = [
        call.org.list_views.told(row["Id"], entity)["listReference"] | {"label": row["Name"]} for row in rows
    ]
    return {"count": len(lists), "lists": lists, "objectApiName": entity.name}


@route("GET", r"ui-api/list-info/(\w+)/(\w+)")
def read_view(call: Call, name: str, key: str) -> Any:
    entity = known(call, name)
    return call.org.list_views.told(call.org.list_views.found(entity, key), entity)


@route("PATCH", r"ui-api/list-info/(\w+)/(\w+)")
def change_view(call: Call, name: str, key: str) -> Any:
    _since(call, 61)
    entity = known(call, name)
    id = call.org.list_views.found(entity, key)
    call.org.list_views.change(id, entity, call.request.table(), call.user)
    return call.org.list_views.told(id, entity)


@route("DELETE", r"ui-api/list-info/(\w+)/(\w+)")
def remove_view(call: Call, name: str, key: str) -> Any:
    _since(call, 61)
    call.org.list_views.remove(call.org.list_views.found(known(call, name), key))


@route("GET", r"sobjects/(\w+)/listviews")
def list_views(call: Call, name: str) -> Any:
    entity = known(call, name)
    rows = call.org.rows("ListView", "SobjectType = ?", entity.name)
    root = f"{call.root}/sobjects/{entity.name}/listviews"
    views = [
        {
            "id": row["Id"],
            "developerName": row["DeveloperName"],
            "label": row["Name"],
            "resultsUrl": f"{root}/{row['Id']}/results",
        }
        for row in rows
    ]
    return {
        "done": True,
        "listviews": views,
        "nextRecordsUrl": None,
        "size": len(views),
        "sobjectType": entity.name,
    }


@route("GET", r"sobjects/(\w+)/listviews/(\w+)/results")
def view_results(call: Call, name: str, id: str) -> Any:
    entity = known(call, name)
    limit, offset = int(call.params.get("limit", 25)), int(call.params.get("offset", 0))
    if not 1 <= limit <= 2000:
        raise Refusal(400, "INVALID_QUERY_VALUE", "limit is 1 to 2000")
    return call.org.list_views.results(
        call.org.list_views.found(entity, id), entity, call.user, limit, offset
    )


@route("GET", r"sobjects/(\w+)/listviews/(\w+)(?:/describe)?")
def describe_view(call: Call, name: str, id: str) -> Any:
    entity = known(call, name)
    view = call.org.list_views.found(entity, id)
    return {
        "id": view,
        "columns": call.org.list_views.told(view, entity)["displayColumns"],
        "sobjectType": entity.name,
    }
