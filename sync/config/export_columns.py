"""What may the lists of an account hold of their members, where its CRM keeps lists as files?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sync.config import faults
from sync.config.faults import Fault
from sync.config.settings import AccountSettings

KEY = "export_columns"
PERSON = ("email", "phone", "name", "first_name", "last_name", "country")


def export_faults(account: AccountSettings, tables: Mapping[str, Mapping[str, Any]]) -> Iterator[Fault]:
    """Columns that no contact of the account has. ``tables``: all accounts, as the file has them."""
    joined = [
        f"{source}.{name}"
        for source in account.attributes_from
        for name in (tables.get(source, {}).get("attributes") or {})
    ]
    valid = [*PERSON, *account.attributes, *joined]
    for index, name in enumerate(getattr(account.settings, KEY, ())):
        if name not in valid:
            what = f"{name!r} is no column of a member; {faults.one_of(name, valid)}"
            yield Fault(("accounts", account.name, KEY, index), what)
