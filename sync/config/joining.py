"""Which accounts give an account their activity or their attributes, and by what are their contacts found?

An attribute of another account has the name of that account before it, ``shop.tier``: it is never taken for
one of the account's own, nor for that of a third account.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sync.config import faults
from sync.config.faults import Fault
from sync.config.settings import AccountSettings, Match
from sync.config.toml_lines import KeyPath

_KEYS = ("activity_from", "attributes_from")
_OF_EVERYBODY = ("id", "email")  # what every contact may be found by


def joined_by_any(tables: Iterable[Mapping[str, Any]]) -> set[str]:
    """Names of the accounts that some account draws from, as the file has them."""
    lists = [table.get(key) for table in tables for key in _KEYS]
    return {
        source for listed in lists if isinstance(listed, list) for source in listed if isinstance(source, str)
    }


def joining_faults(account: AccountSettings, tables: Mapping[str, Mapping[str, Any]]) -> Iterator[Fault]:
    """All that is wrong with what an account draws from others. ``tables``: all accounts, as the file has them."""
    path: KeyPath = ("accounts", account.name)
    others = [name for name in tables if name != account.name]
    for key in _KEYS:
        for index, source in enumerate(getattr(account, key)):
            if source not in others:
                yield Fault(
                    (*path, key, index), f"{source!r} is not another account; {faults.one_of(source, others)}"
                )
    yield from _attribute_faults(account, tables, path)
    yield from _match_faults(account, tables, path)


def _attribute_faults(
    account: AccountSettings, tables: Mapping[str, Mapping[str, Any]], path: KeyPath
) -> Iterator[Fault]:
    """Accounts whose attributes nobody could name in a rule."""
    from segmentation.rules.parser import COLUMNS

    for index, source in enumerate(account.attributes_from):
        names = _attributes(tables.get(source, {}))
        where = (*path, "attributes_from", index)
        if source in tables and not names:
            what = f"account {source} has no attributes; add [accounts.{source}.attributes] with those that rules may use"
            yield Fault(where, what)
        for name in names:
            if f"{source}.{name}" in COLUMNS:
                what = f"{source}.{name} is a field that every contact has; give the account another name"
                yield Fault(where, what)


def _match_faults(
    account: AccountSettings, tables: Mapping[str, Mapping[str, Any]], path: KeyPath
) -> Iterator[Fault]:
    """Keys of contacts that there are not, and accounts that are not joined."""
    for name, match in account.match.items():
        where: KeyPath = (*path, "match", *([name] if name else ()))
        if name and name not in account.joined:
            what = f"{name!r} is in neither activity_from nor attributes_from; {faults.one_of(name, account.joined)}"
            yield Fault(where, what)
            continue
        yield from _side(account.name, match.own, tables, _side_path(where, match, "own"))
        named = [name] if name else [source for source in account.joined if source not in account.match]
        for source in named:
            yield from _side(source, match.other, tables, _side_path(where, match, "other"))


def _side_path(where: KeyPath, match: Match, side: str) -> KeyPath:
    return where if match.own == match.other else (*where, side)


def _side(account: str, key: str, tables: Mapping[str, Mapping[str, Any]], where: KeyPath) -> Iterator[Fault]:
    if account not in tables:
        return
    attributes = _attributes(tables[account])
    valid = [*_OF_EVERYBODY, *attributes]
    if key not in valid:
        yield Fault(where, f"{key!r} is not an attribute of account {account}; {faults.one_of(key, valid)}")
    elif isinstance(attributes.get(key), Mapping) and attributes[key].get("type") == "set":
        yield Fault(where, f"{key!r} of account {account} is a set; match by one value")


def _attributes(table: Mapping[str, Any]) -> Mapping[str, Any]:
    attributes = table.get("attributes")
    return attributes if isinstance(attributes, Mapping) else {}


def with_joined_attributes(accounts: Mapping[str, AccountSettings]) -> dict[str, AccountSettings]:
    """The accounts, each with the attributes of those that its ``attributes_from`` names."""
    return {name: _joined(account, accounts) for name, account in accounts.items()}


def _joined(account: AccountSettings, accounts: Mapping[str, AccountSettings]) -> AccountSettings:
    joined = {
        f"{source}.{name}": attribute
        for source in account.attributes_from
        if source in accounts
        for name, attribute in accounts[source].attributes.items()
    }
    return account.model_copy(update={"joined_attributes": joined}) if joined else account
