"""What can an administrator make by hand where our key may not: the calls that set-up would send, as files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import orjson

from connectors.contract import FieldSpec, ListSpec
from connectors.hubspot.fields import GROUP, Fields
from connectors.hubspot.lists import Lists
from connectors.hubspot.session import Portal


def files(
    portal: Portal, fields: Fields, lists: Lists, specs: Sequence[FieldSpec], listed: Sequence[ListSpec]
) -> dict[str, str]:
    """Bodies of calls by file name, and ``calls.txt``: which file is posted where.

    Asks HubSpot for nothing of ours.
    """
    bodies: dict[str, tuple[str, Any]] = {}
    for kind, inputs in fields.definitions(specs).items():
        bodies[f"group-{kind}.json"] = (portal.path("properties", kind, "groups"), GROUP)
        path = portal.path("properties", kind, "batch/create")
        bodies[f"properties-{kind}.json"] = (path, {"inputs": inputs})
    for spec in listed:
        filters = lists.filters(spec) if spec.kind == "dynamic" else None
        name = f"list-{re.sub('[^A-Za-z0-9._-]', '_', spec.key)}.json"
        bodies[name] = (portal.path("lists"), lists.body(spec, filters))
    calls = "\n".join(f"POST {portal.settings.api_url}{path}  {name}" for name, (path, _) in bodies.items())
    texts = {
        name: orjson.dumps(body, option=orjson.OPT_INDENT_2).decode() + "\n"
        for name, (_, body) in bodies.items()
    }
    return {**texts, "calls.txt": calls + "\n"} if texts else {}
