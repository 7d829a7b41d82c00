"""Are the accounts and segmentations of a config right, each by itself and beside the others?

The common keys of a table are judged by ``sync.config.settings``; all others belong to the CRM's connector or
to the kind of segmentation, and are judged by the model of that room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import UnionType
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, SecretStr, ValidationError

import connectors
from connectors import settings_model
from sync.config import faults
from sync.config.export_columns import export_faults
from sync.config.faults import Fault
from sync.config.joining import joined_by_any, joining_faults, with_joined_attributes
from sync.config.learning import learning_faults
from sync.config.names import naming_faults
from sync.config.rules import rule_faults
from sync.config.secret import FORMS, is_reference
from sync.config.settings import AccountSettings, SegmentationSettings
from sync.config.titles import title_faults
from sync.config.toml_lines import KeyPath

_M = TypeVar("_M", bound=BaseModel)


def validated(
    model: type[_M], tree: dict[str, Any], prefix: KeyPath, collected: list[Fault], also: Iterable[str] = ()
) -> _M | None:
    """The model of a table that stands at ``prefix``, or None and its faults in ``collected``.

    ``also``: keys judged elsewhere.
    """
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        collected.extend(faults.of_model(model, error, tree, prefix, also))
        return None


def _tables(
    value: object, path: KeyPath, shape: str, collected: list[Fault]
) -> list[tuple[Any, dict[str, Any]]]:
    """The tables under a key, each with its step; what is no table is a fault."""
    steps = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    )
    if steps is None or isinstance(value, dict) != (shape == "dict"):
        right = f"[{path[0]}.NAME]" if shape == "dict" else f"[[{path[0]}]]"
        collected.append(Fault(path, f"must be made of tables; write {right}"))
        return []
    pairs = list(steps)
    collected.extend(
        Fault((*path, step), "is not a table") for step, table in pairs if not isinstance(table, dict)
    )
    return [(step, table) for step, table in pairs if isinstance(table, dict)]


def read_accounts(tree: object, collected: list[Fault]) -> dict[str, AccountSettings]:
    """Every account that is right, by name; the faults of the others go to ``collected``."""
    tables = dict(_tables(tree, ("accounts",), "dict", collected))
    if not tables and tree == {}:
        collected.append(
            Fault(
                ("accounts",),
                "there is no account; add a table such as [accounts.shop] with crm and its settings",
            )
        )
    sources = joined_by_any(tables.values())
    accounts = {}
    for name, table in tables.items():
        account = _account(name, table, name not in sources, collected)
        if account:
            accounts[name] = account
            collected.extend(joining_faults(account, tables))
            collected.extend(export_faults(account, tables))
    return with_joined_attributes(accounts)


def _account(
    name: str, table: dict[str, Any], writable: bool, collected: list[Fault]
) -> AccountSettings | None:
    path = ("accounts", name)
    common = {key: table[key] for key in _common(AccountSettings) if key in table}
    own = {key: table[key] for key in table if key not in common}
    crm = table.get("crm")
    settings: BaseModel | None = None
    if crm in connectors.CRMS:
        model = settings_model(str(crm))
        settings = validated(model, own, path, collected, also=_common(AccountSettings))
        what = f"is a secret, which must not stand in the config; write a reference: {FORMS}"
        collected.extend(Fault((*path, key), what) for key in _literal_secrets(own, model))
    elif crm is not None:
        collected.append(
            Fault((*path, "crm"), f"{crm!r} is an unknown CRM; {faults.one_of(crm, connectors.CRMS)}")
        )
    return validated(
        AccountSettings, {"writable": writable, **common, "name": name, "settings": settings}, path, collected
    )


def _common(model: type[BaseModel]) -> list[str]:
    """The keys that the user may write in every such table."""
    return [key for key, field in model.model_fields.items() if not field.exclude]


def secret_keys(model: type[BaseModel]) -> list[str]:
    """The keys of a connector's settings that hold secrets: by their type, or text by its name."""
    return [
        key
        for key, field in model.model_fields.items()
        if _is(SecretStr, field.annotation) or (faults.SECRET_KEY.search(key) and _is(str, field.annotation))
    ]


def _is(type_: type, annotation: Any) -> bool:
    return annotation is type_ or (isinstance(annotation, UnionType) and type_ in get_args(annotation))


def _literal_secrets(tree: dict[str, Any], model: type[BaseModel]) -> list[str]:
    return [
        key for key in secret_keys(model) if isinstance(tree.get(key), str) and not is_reference(tree[key])
    ]


def read_segmentations(
    tree: object, accounts: Mapping[str, AccountSettings], collected: list[Fault]
) -> list[SegmentationSettings]:
    """Every segmentation that is right; the faults of the others, and between them, go to ``collected``."""
    paths = [
        (("segmentations", step), table)
        for step, table in _tables(tree, ("segmentations",), "list", collected)
    ]
    read = [(path, settings) for path, table in paths if (settings := _segmentation(table, path, collected))]
    written = [name for name, account in accounts.items() if account.writable]
    collected.extend(_clashes(read))
    for path, settings in read:
        for index, name in enumerate(settings.accounts):
            if name not in written and accounts:
                what = f"{name!r} is not a writable account; {faults.one_of(name, written)}"
                collected.append(Fault((*path, "accounts", index), what))
    collected.extend(rule_faults(read, accounts))
    collected.extend(learning_faults(read, accounts))
    collected.extend(title_faults(read, accounts))
    collected.extend(naming_faults(read, accounts))
    return [settings for _, settings in read]


def _clashes(read: Sequence[tuple[KeyPath, SegmentationSettings]]) -> list[Fault]:
    collected = []
    names: Counter[str] = Counter()
    targets: dict[str, str] = {}
    for path, settings in read:
        names[settings.name] += 1
        if names[settings.name] == 2:
            collected.append(
                Fault(
                    (*path, "name"),
                    f"{settings.name!r} is already the name of another segmentation; names must be unique",
                )
            )
        for extra_field, target in settings.fields.items():
            if target in targets:
                what = f"field {target!r} is also written by segmentation {targets[target]!r}; a field belongs to only one"
                collected.append(Fault((*path, "extra_fields" if extra_field else "field"), what))
            targets.setdefault(target, settings.name)
    return collected


def _numbered() -> str:
    """Which kinds give numbers, and which."""
    from segmentation.kinds import KINDS

    known = {name: getattr(kind, "known_numbers", ()) for name, kind in KINDS.items()}
    return "these do: " + "; ".join(f"{name} ({', '.join(own)})" for name, own in known.items() if own)


def _segmentation(
    table: dict[str, Any], path: KeyPath, collected: list[Fault]
) -> SegmentationSettings | None:
    from segmentation.kinds import KINDS

    common = {key: table[key] for key in _common(SegmentationSettings) if key in table}
    own = {key: table[key] for key in table if key not in common}
    kind = table.get("kind")
    options: BaseModel | None = None
    if kind in KINDS and "numbers" in own and "numbers" not in KINDS[str(kind)].model_fields:
        del own["numbers"]
        collected.append(Fault((*path, "numbers"), f"kind {kind} gives no numbers; {_numbered()}"))
    if kind in KINDS:
        options = validated(KINDS[str(kind)], own, path, collected, also=_common(SegmentationSettings))
    elif kind is not None:
        collected.append(
            Fault((*path, "kind"), f"{kind!r} is not a kind of segmentation; {faults.one_of(kind, KINDS)}")
        )
    return validated(SegmentationSettings, {**common, "options": options}, path, collected)
