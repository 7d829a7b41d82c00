"""Which fields and lists in the CRM are ours, and in which form were they made?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sync.store.journal.database import Repository

_OBJECT = "account = ? AND kind = ? AND record_type = ? AND key = ?"


@dataclass(frozen=True)
class MadeObject:
    """A field or list of ours in the CRM."""

    kind: str  # field | list
    record_type: str
    key: str  # a field's name, or a list's key
    remote: str  # what the CRM calls it
    adopted: bool  # somebody else made it
    run: int  # that made it
    form: dict[str, Any]  # what was asked for when it was made, and which kind of list it became
    since: int  # when it was made, in the order of batches

    @property
    def segmentation(self) -> str:
        """Whose it is; "" of a field that an earlier version made and that left the config before this one."""
        owner: str = self.form.get("segmentation", "")
        return owner or (self.key.partition(".")[0] if self.kind == "list" else "")

    @property
    def retired(self) -> dict[str, Any]:
        """What became of it when it was retired (``run``, ``outcome``); nothing where it was not."""
        retired: dict[str, Any] = self.form.get("retired") or {}
        return retired

    @property
    def left(self) -> str:
        """When a plan first saw that no segmentation of the config writes it (ISO); "" where none did."""
        left: str = self.form.get("left", "")
        return left


class Objects(Repository):
    """Fields and lists of ours, by kind, record type and key."""

    def of(self, account: str) -> list[MadeObject]:
        """All of an account's that stand in the CRM."""
        sql = """SELECT kind, record_type, key, remote, adopted, run, form, since FROM objects
                 WHERE account = ? AND remote IS NOT '' ORDER BY kind, record_type, key"""
        return [
            MadeObject(
                **{
                    **row,
                    "adopted": bool(row["adopted"]),
                    "form": json.loads(row["form"] or "{}"),
                    "since": row["since"] or 0,
                }
            )
            for row in self._database.rows(sql, account)
        ]

    def lists_of(self, account: str) -> dict[str, str]:
        """The lists of an account: key → what the CRM calls it."""
        sql = """SELECT key, remote FROM objects WHERE account = ? AND kind = 'list' AND remote IS NOT ''
                 ORDER BY record_type, key"""
        return {row["key"]: row["remote"] for row in self._database.rows(sql, account)}

    def save(
        self,
        account: str,
        kind: str,
        record_type: str,
        key: str,
        remote: str,
        adopted: bool,
        run: int,
        form: Mapping[str, Any],
        new: bool,
    ) -> None:
        """Remember that a field or list is ours. ``new``: it holds nothing of what was written before."""
        database, where = self._database, (account, kind, record_type, key)
        since = database.value(f"SELECT since FROM objects WHERE {_OBJECT}", *where)
        columns = (remote, int(adopted), run, json.dumps(form), database.next() if new else since)
        database.execute(
            "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", *where, *columns
        )

    def note(self, account: str, row: MadeObject, **notes: Any) -> None:
        """Remember more about one of ours; None: forget it. Nothing is written where it is known."""
        form = {**row.form, **notes}
        form = {name: value for name, value in form.items() if value is not None or name not in notes}
        if form != row.form:
            where = (account, row.kind, row.record_type, row.key)
            self._database.execute(f"UPDATE objects SET form = ? WHERE {_OBJECT}", json.dumps(form), *where)

    def intend(
        self,
        account: str,
        kind: str,
        record_type: str,
        key: str,
        run: int,
        form: Mapping[str, Any],
        new: bool,
    ) -> None:
        """Remember, before it is made, that a field or list is about to be made in this form; ``save`` ends
        that.

        What we did not make so far has a row without ``remote`` until then.
        """
        database, where = self._database, (account, kind, record_type, key)
        with database.transaction():
            old_form = database.value(f"SELECT form FROM objects WHERE {_OBJECT}", *where)
            meant = json.dumps({**json.loads(old_form or "{}"), "making": {"form": form, "new": new}})
            sql = "INSERT OR IGNORE INTO objects VALUES (?, ?, ?, ?, '', 0, ?, ?, NULL)"
            database.execute(sql, *where, run, meant)
            database.execute(f"UPDATE objects SET form = ? WHERE {_OBJECT}", meant, *where)

    def intended(self, account: str) -> dict[tuple[str, str, str], dict[str, Any]]:
        """What a set-up that was cut off was about to make: (kind, record type, key) → its ``form``, and
        whether it is ``new``.
        """
        sql = "SELECT kind, record_type, key, form FROM objects WHERE account = ?"
        forms = {
            (row["kind"], row["record_type"], row["key"]): json.loads(row["form"] or "{}")
            for row in self._database.rows(sql, account)
        }
        return {key: form["making"] for key, form in forms.items() if "making" in form}
