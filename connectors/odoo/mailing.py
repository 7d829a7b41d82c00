"""How do lists stand in Odoo? Static ones as mailing lists; dynamic ones as saved filters that everybody sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from connectors.contract import ListSpec, RemoteList
from connectors.errors import RequestError
from connectors.odoo.fields import column
from connectors.odoo.server import Odoo
from connectors.search_read.mailing_lists import Entry, MailingLists
from connectors.search_read.server import Row

_FILTER = "filter-"  # begin of the ids of saved filters
_SUBSCRIPTIONS = ("mailing.subscription", "mailing.contact.subscription")  # from 17 on, and before


class OdooLists(MailingLists):
    """Mailing lists and saved filters."""

    model = "mailing.list"
    _server: Odoo

    # Saved filters

    def all(self) -> list[RemoteList]:
        rows = self._server.search_read(
            "ir.filters", [["model_id", "=", "res.partner"], ["user_id", "=", False]], ["name"]
        )
        keys = {id: key for key, id in self._ids.items()}
        filters = [_filter(row, keys.get(f"{_FILTER}{row['id']}", "")) for row in rows]
        return [*(super().all() if self._server.fields_of(self.model) else ()), *filters]

    def ensure(self, spec: ListSpec) -> RemoteList:
        if spec.kind != "dynamic":
            return super().ensure(spec)
        values = {"name": spec.label or spec.key, "domain": _domain(spec)}
        known = str(spec.id or self._ids.get(spec.key, "")).removeprefix(_FILTER)
        rows = (
            self._server.search_read("ir.filters", [["id", "=", int(known)]], ["name", "domain"])
            if known.isdigit()
            else []
        )
        if not rows:
            shared = [
                ["model_id", "=", "res.partner"],
                ["user_id", "=", False],
                ["name", "=", values["name"]],
            ]
            if self._server.count("ir.filters", shared):
                raise RequestError(
                    f'There is a saved filter named "{values["name"]}" that crm-segments did not create: rename one of them, or '
                    f"take it over with `crm-segments setup --adopt {spec.key}`"
                )
            made = self._server.create(
                "ir.filters", [{**values, "model_id": "res.partner", "user_id": False}]
            )
            rows = [{"id": made[0], **values}]
        elif any(rows[0][name] != value for name, value in values.items()):
            self._server.write("ir.filters", [([rows[0]["id"]], values)])
        remote = _filter(rows[0] | values, spec.key)
        self._ids[spec.key] = remote.id
        return remote

    def delete(self, remote: RemoteList) -> None:
        """Delete a saved filter, or archive a mailing list."""
        if remote.kind != "dynamic":
            super().delete(remote)
        elif ids := self._server.ids("ir.filters", [["id", "=", int(remote.id.removeprefix(_FILTER))]]):
            self._server.call("ir.filters", "unlink", ids, writes=True)

    def changed(self, specs: Sequence[ListSpec]) -> dict[str, str]:
        """Saved filters whose domain is not the one that we would give them."""
        wanted = {int(spec.id.removeprefix(_FILTER)): spec for spec in specs if spec.id.startswith(_FILTER)}
        rows = self._server.search_read("ir.filters", [["id", "in", [*wanted]]], ["domain"]) if wanted else []
        differing = [wanted[row["id"]] for row in rows if row["domain"] != _domain(wanted[row["id"]])]
        return {spec.key: "its filter was changed in Odoo" for spec in differing}

    def sizes(self, specs: Sequence[ListSpec]) -> dict[str, int]:
        dynamic = [spec for spec in specs if spec.kind == "dynamic"]
        only_active = [["active", "=", True]]
        return {
            spec.key: self._server.count("res.partner", [*_clauses(spec), *only_active]) for spec in dynamic
        }

    # Members of mailing lists

    def addresses(self) -> dict[str, list[str]]:
        pages = self._server.paged("res.partner", [], ["email_normalized"])
        return {
            str(row["id"]): [str(row["email_normalized"]).lower()] if row["email_normalized"] else []
            for rows in pages
            for row in rows
        }

    def entries(self, list_id: int, emails: Sequence[str] | None) -> list[Entry]:
        model = next((name for name in _SUBSCRIPTIONS if self._server.fields_of(name)), _SUBSCRIPTIONS[0])
        domain: list[Any] = [["list_id", "=", list_id]]
        if emails is not None:
            domain.append(["contact_id.email_normalized", "in", list(emails)])
        pages = self._server.paged(model, domain, ["contact_id", "opt_out"])
        subscribed = {
            self._server.reference(row["contact_id"]): not row["opt_out"] for rows in pages for row in rows
        }
        known = [["id", "in", list(subscribed)]]
        contacts = (
            row for rows in self._server.paged("mailing.contact", known, ["email_normalized"]) for row in rows
        )
        return [
            Entry(row["id"], str(row["email_normalized"] or "").lower(), subscribed[row["id"]])
            for row in contacts
        ]

    def add(self, list_id: int, emails: Sequence[str]) -> None:
        there = self._server.search_read(
            "mailing.contact", [["email_normalized", "in", list(emails)]], ["email_normalized"]
        )
        known = {str(row["email_normalized"]).lower(): row["id"] for row in there}
        if known:
            self._server.write("mailing.contact", [(list(known.values()), {"list_ids": [[4, list_id]]})])
        new = [
            {"name": email, "email": email, "list_ids": [[4, list_id]]}
            for email in emails
            if email not in known
        ]
        if new:
            self._server.create("mailing.contact", new)

    def remove(self, list_id: int, entries: Sequence[Entry]) -> None:
        self._server.write(
            "mailing.contact", [([entry.id for entry in entries], {"list_ids": [[3, list_id]]})]
        )


def _clauses(spec: ListSpec) -> list[list[Any]]:
    """Who has the segment; of a campaign list, who has an address and is on no blacklist."""
    reachable = [["email", "!=", False], ["is_blacklisted", "=", False]] if spec.channel == "email" else []
    return [[column(spec.field), "=", spec.value], *reachable]


def _domain(spec: ListSpec) -> str:
    return repr([tuple(clause) for clause in _clauses(spec)])


def _filter(row: Row, key: str) -> RemoteList:
    return replace(
        RemoteList(f"{_FILTER}{row['id']}", key, str(row["name"]), "dynamic"), record_type="contact"
    )
