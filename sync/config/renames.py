"""Which keys, kinds and verbs had another name in an earlier version?

The one list of them. A config that says an old name is refused with the new one and its line; the command
line does the same for verbs. What was stored under the old names is carried over by ``sync.store``; a digest
of a config is taken under the first names (``first_names``), so that a rename changes no digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.config.faults import Fault
from sync.config.toml_lines import KeyPath

ANY = "*"
_SEGMENTATION = ("segmentations", ANY)

# table → key of an earlier version → key of this one
KEYS: Mapping[tuple[str, ...], Mapping[str, str]] = {
    ("accounts", ANY): {
        "written": "writable",
        "reserve": "quota_reserve",
        "objection": "profiling_opt_out_property",
        "subscription": "email_subscription",
        "sweep_days": "full_sync_days",
    },
    ("accounts", ANY, "activities"): {"kinds": "activity_types"},
    _SEGMENTATION: {
        "label": "title",
        "companions": "extra_fields",
        "campaign": "reachable_only",
        "band": "dead_band",
        "silence": "recency_patience",
        "most": "max_clusters",
        "by": "segment_by",
        "absent": "churn",
        "campaigns": "campaign_pattern",
        "kinds": "activity_types",
    },
    (*_SEGMENTATION, "segments", ANY): {"label": "title"},
    (*_SEGMENTATION, "groups", ANY): {"label": "title"},
}
# kinds of segmentation
KINDS: Mapping[str, str] = {"value": "abc"}
VERBS: Mapping[str, str] = {"card": "evaluate"}


def present_names(tree: Any, collected: list[Fault], path: KeyPath = ()) -> Any:
    """A tree of the config under the names of this version; each old name in it is a fault in ``collected``.

    The new name is read in its place, so that what else is wrong with the table is told too.
    """
    if isinstance(tree, list):
        return [present_names(part, collected, (*path, index)) for index, part in enumerate(tree)]
    if not isinstance(tree, dict):
        return tree
    renamed = _keys_at(path)
    table: dict[str, Any] = {}
    for key, value in tree.items():
        if key in renamed:
            collected.append(Fault((*path, key), f"is now called {renamed[key]}; rename it"))
            if renamed[key] in tree:
                continue
        table[renamed.get(key, key)] = present_names(value, collected, (*path, key))
    kind = table.get("kind")
    if _generic(path) == _SEGMENTATION and isinstance(kind, str) and kind in KINDS:
        collected.append(
            Fault((*path, "kind"), f'{kind!r} is now called {KINDS[kind]!r}; write kind = "{KINDS[kind]}"')
        )
        table["kind"] = KINDS[kind]
    return table


def first_names(tree: Any, path: KeyPath) -> Any:
    """The table at ``path``, or a part of one, under the names that its keys had in the first version."""
    if isinstance(tree, list | tuple):
        return [first_names(part, (*path, index)) for index, part in enumerate(tree)]
    if not isinstance(tree, dict):
        return tree
    firsts = {new: old for old, new in _keys_at(path).items()}
    return {firsts.get(key, key): first_names(value, (*path, key)) for key, value in tree.items()}


def first_kind(kind: str) -> str:
    """The name that a kind of segmentation had in the first version."""
    return next((old for old, new in KINDS.items() if new == kind), kind)


def _keys_at(path: KeyPath) -> Mapping[str, str]:
    return KEYS.get(_generic(path), {})


def _generic(path: KeyPath) -> tuple[str, ...]:
    """A path with ``*`` for names and numbers of the user's own."""
    return tuple(ANY if isinstance(step, int) or depth == 1 else step for depth, step in enumerate(path))
