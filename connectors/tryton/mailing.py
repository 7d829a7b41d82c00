"""How do Tryton's mailing lists (module ``marketing_email``) hold addresses?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.search_read.mailing_lists import Entry, MailingLists
from connectors.tryton.server import Tryton

_MARK = "crm-segments keeps this list: "


class TrytonLists(MailingLists):
    """Mailing lists; a note on each of ours says which one it is. Who unsubscribed is an entry that is not active."""

    model = "marketing.email.list"
    _server: Tryton

    def marked(self) -> Mapping[str, int]:
        domain = [["resource", "like", f"{self.model},%"], ["message", "like", f"{_MARK}%"]]
        notes = self._server.search_read("ir.note", domain, ["resource", "message"])
        return {
            note["message"].removeprefix(_MARK): int(note["resource"].partition(",")[2]) for note in notes
        }

    def mark(self, list_id: int, key: str) -> None:
        self._server.create("ir.note", [{"resource": f"{self.model},{list_id}", "message": f"{_MARK}{key}"}])

    def addresses(self) -> dict[str, list[str]]:
        known: dict[str, list[str]] = {}
        for rows in self._server.paged(
            "party.party", [], ["contact_mechanisms.type", "contact_mechanisms.value"]
        ):
            for row in rows:
                mails = [
                    each
                    for each in row.get("contact_mechanisms.") or ()
                    if each["type"] == "email" and each["value"]
                ]
                known[str(row["id"])] = [str(each["value"]).strip().lower() for each in mails]
        return known

    def entries(self, list_id: int, emails: Sequence[str] | None) -> list[Entry]:
        domain = [["list_", "=", list_id], *([["email", "in", list(emails)]] if emails is not None else [])]
        pages = self._server.paged("marketing.email", domain, ["email", "active"])
        return [Entry(row["id"], row["email"].lower(), bool(row["active"])) for rows in pages for row in rows]

    def add(self, list_id: int, emails: Sequence[str]) -> None:
        self._server.create("marketing.email", [{"email": email, "list_": list_id} for email in emails])

    def remove(self, list_id: int, entries: Sequence[Entry]) -> None:
        self._server.delete("marketing.email", [entry.id for entry in entries])
