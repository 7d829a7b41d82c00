"""Which workflows and lists of other people name a property or a list of ours?

Of a workflow everything is looked at, also what it does later, and also while it is switched off. HubSpot does
not tell of forms, e-mails, reports and other apps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from connectors.contract import FieldSpec, ListSpec, Reference, References
from connectors.hubspot.api_errors import Denied, Refused
from connectors.hubspot.automations import name_of, workflows
from connectors.hubspot.lists import Lists
from connectors.hubspot.session import Portal

_UNSEEN = "HubSpot does not tell which forms, e-mails, reports and apps use a property or a list: look there"
# of a workflow, what only says which one it is
_OWN = frozenset({"id", "name", "description", "createdAt", "updatedAt", "revisionId"})


def referring(
    portal: Portal, lists: Lists, fields: Sequence[FieldSpec], specs: Sequence[ListSpec]
) -> References:
    """Who names these; ``unknown`` where the key may not read workflows or lists."""
    properties = [spec.name for spec in fields]
    ids = {spec.id: spec.key for spec in specs if spec.id}
    flows, unknown = workflows(portal, enabled=False)
    found = [
        Reference(f'workflow "{name_of(flow)}"{"" if flow.get("isEnabled") else " (switched off)"}', target)
        for flow in flows
        for target in _named({key: part for key, part in flow.items() if key not in _OWN}, properties, ids)
    ]
    reasons = [unknown] if unknown else []
    try:
        described = {str(remote["listId"]): remote for remote in lists.search()}
        for remote in lists.with_filters([id for id in described if id not in ids]):
            name = str(remote.get("name") or f"list {remote.get('listId')}")
            found += [
                Reference(f'list "{name}"', target)
                for target in _named(remote.get("filterBranch"), properties, ids)
            ]
    except (Denied, Refused) as error:
        reasons.append(f"lists of others cannot be read: {error}")
    return References(tuple(dict.fromkeys(found)), "; ".join(reasons), _UNSEEN)


def _named(tree: Any, properties: Sequence[str], ids: dict[str, str]) -> Iterator[str]:
    """Which of our properties and lists stand anywhere in decoded JSON: a property by its name, also inside of a
    text with a token; a list by its id under a key that is about lists.
    """
    texts = list(_texts(tree, False))
    for name in properties:
        token = re.compile(rf"(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9_])")
        if any(token.search(text) for _, text in texts):
            yield name
    for id in {text for about_lists, text in texts if about_lists and text in ids}:
        yield ids[id]


def _texts(tree: Any, about_lists: bool) -> Iterator[tuple[bool, str]]:
    """All texts and numbers, each with whether it stands in something that is about lists."""
    if isinstance(tree, dict):
        about = about_lists or "list" in str(tree.get("property")).lower()
        for key, part in tree.items():
            yield from _texts(part, about or "list" in str(key).lower())
    elif isinstance(tree, list):
        for part in tree:
            yield from _texts(part, about_lists)
    elif isinstance(tree, str | int) and not isinstance(tree, bool):
        yield about_lists, str(tree)
