"""A stand-in for Odoo 17 on loopback, behind ``/jsonrpc``: models with ``search_read``, ``write`` and the refusals that a
real one gives, and no more. What it does not have, it refuses.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DATABASE, USER, KEY = "shop", "sync", "an-api-key"
Row = dict[str, Any]
_STAMPS = {"create_date": "datetime", "write_date": "datetime"}


def _fields(**types: Any) -> dict[str, Row]:
    """``name="char"``, or ``name=("many2one", MODEL)``."""
    made: dict[str, Row] = {}
    for name, kind in {**types, **_STAMPS, "id": "integer"}.items():
        type_, relation = kind if isinstance(kind, tuple) else (kind, "")
        made[name] = {"type": type_, "string": name, "relation": relation}
    return made


_MODELS: dict[str, dict[str, Row]] = {
    "res.partner": _fields(
        name="char", email="char", email_normalized="char", phone="char", city="char", active="boolean",
        is_blacklisted="boolean", country_id=("many2one", "res.country"), company_id=("many2one", "res.company"),
    ),
    "res.company": _fields(
        name="char", partner_id=("many2one", "res.partner"), currency_id=("many2one", "res.currency")
    ),
    "res.currency": _fields(name="char"),
    "res.country": _fields(name="char", code="char"),
    "sale.order": _fields(
        name="char", state="selection", date_order="datetime", amount_untaxed="monetary", email="char",
        partner_id=("many2one", "res.partner"), currency_id=("many2one", "res.currency"),
    ),
    "sale.order.line": _fields(
        order_id=("many2one", "sale.order"), product_id=("many2one", "product.product"), name="text",
        product_uom_qty="float", price_subtotal="monetary", display_type="selection",
    ),
    "mailing.list": _fields(name="char", active="boolean"),
    "mailing.contact": _fields(name="char", email="char", email_normalized="char", list_ids=("many2many", "mailing.list")),
    "mailing.subscription": _fields(
        contact_id=("many2one", "mailing.contact"), list_id=("many2one", "mailing.list"), opt_out="boolean"
    ),
    "ir.model": _fields(model="char", name="char"),
    "ir.model.fields": _fields(
        name="char", model_id=("many2one", "ir.model"), model="char", ttype="selection", state="selection",
        field_description="char", help="text", selection_ids=("one2many", "ir.model.fields.selection"),
    ),
    "ir.model.fields.selection": _fields(field_id=("many2one", "ir.model.fields"), value="char", name="char", sequence="integer"),
    "ir.filters": _fields(name="char", model_id="char", domain="text", user_id=("many2one", "res.users")),
}  # fmt: skip


class Refused(Exception):
    """``odoo.exceptions.NAME``."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass
class Database:
    """What it holds. The clock moves by a second with every write: stamps have whole seconds."""

    now: datetime = datetime(2026, 11, 22, 15, tzinfo=UTC)
    models: dict[str, dict[str, Row]] = field(
        default_factory=lambda: {m: dict(f) for m, f in _MODELS.items()}
    )
    rows: dict[str, dict[int, Row]] = field(default_factory=lambda: {model: {} for model in _MODELS})
    company: int = 0  # the only company whose partners the user may see and write; 0: all
    administrator: bool = True
    calls: list[tuple[str, str]] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.make("ir.model", model="res.partner", name="Contact")
        self.make("res.currency", name="EUR")
        self.make("res.country", name="Germany", code="DE")
        owner = self.make("res.partner", name="The shop")
        self.make("res.company", name="The shop", partner_id=owner, currency_id=1)

    # What people do

    def make(self, model: str, /, **values: Any) -> int:
        """A new record."""
        with self.lock:
            self.now += timedelta(seconds=1)
            id, stamp = max(self.rows[model], default=0) + 1, self.now.strftime("%Y-%m-%d %H:%M:%S")
            blank: Row = {
                name: [] if about["type"].endswith("2many") else False
                for name, about in self.models[model].items()
            }
            blank |= {"active": True} if "active" in blank else {}
            self.rows[model][id] = {**blank, "id": id, "create_date": stamp, "write_date": stamp}
            self.edit(model, id, **values)
            return id

    def edit(self, model: str, id: int, /, **values: Any) -> None:
        """A record is changed."""
        with self.lock:
            row = self.rows[model].get(id)
            if row is None:
                raise Refused("MissingError", "Record does not exist or has been deleted.")
            for name, value in values.items():
                self._set(model, row, name, value)
            if "email_normalized" in row:
                row["email_normalized"] = str(row["email"]).strip().lower() if row["email"] else False
            self.now += timedelta(seconds=1)
            row["write_date"] = self.now.strftime("%Y-%m-%d %H:%M:%S")

    def delete(self, model: str, id: int) -> None:
        """A record is deleted for good, and its subscriptions with it."""
        with self.lock:
            self.rows[model].pop(id, None)
            if model == "ir.model.fields":
                self._publish()

    def _set(self, model: str, row: Row, name: str, value: Any) -> None:
        about = self.models[model].get(name)
        if about is None:
            raise Refused("ValueError", f"Invalid field {name!r} on model {model!r}")
        if (
            about["type"] == "selection"
            and value
            and value not in dict(about.get("selection") or {value: ""})
        ):
            raise Refused("ValueError", f"Wrong value for {model}.{name}: {value!r}")
        if name == "list_ids":
            for verb, id, *_ in value:
                self._subscribe(row["id"], id, verb == 4)
        elif name == "selection_ids":
            for _verb, _none, option in value:
                self.make("ir.model.fields.selection", field_id=row["id"], **option)
        else:
            row[name] = float(value) if about["type"] == "float" and value is not False else value

    def _subscribe(self, contact: int, list_id: int, member: bool) -> None:
        rows = self.rows["mailing.subscription"]
        there = [id for id, row in rows.items() if (row["contact_id"], row["list_id"]) == (contact, list_id)]
        if member and not there:
            self.make("mailing.subscription", contact_id=contact, list_id=list_id)
        for id in () if member else there:
            rows.pop(id)

    def _publish(self) -> None:
        """Manual fields are fields of the partner from now on."""
        partner = self.models["res.partner"]
        for name in [name for name in partner if name.startswith("x_")]:
            del partner[name]
        for made in self.rows["ir.model.fields"].values():
            made["model"] = "res.partner"
            options = [
                o for o in self.rows["ir.model.fields.selection"].values() if o["field_id"] == made["id"]
            ]
            about = {"type": made["ttype"], "string": made["field_description"], "relation": ""}
            shown = [[o["value"], o["name"]] for o in sorted(options, key=lambda o: o["sequence"])]
            partner[made["name"]] = about | ({"selection": shown} if made["ttype"] == "selection" else {})
            for row in self.rows["res.partner"].values():
                row.setdefault(made["name"], False)

    # The API

    def execute(self, model: str, method: str, arguments: list[Any], context: Row) -> Any:
        """One call of ``execute_kw``."""
        self.calls.append((model, method))
        if model not in self.models:
            raise Refused("KeyError", f"'{model}'")
        if model == "ir.model.fields" and method in ("create", "unlink") and not self.administrator:
            raise Refused("AccessError", "You are not allowed to create 'Fields' (ir.model.fields) records.")
        with self.lock:
            answer: Any = getattr(self, f"_{method}")(model, context, *arguments)
            return answer

    def _fields_get(self, model: str, _context: Row, _names: Any, attributes: list[str]) -> Row:
        return {
            name: {k: v for k, v in about.items() if k in attributes}
            for name, about in self.models[model].items()
        }

    def _found(self, model: str, context: Row, domain: list[Any]) -> list[Row]:
        rows = [row for _, row in sorted(self.rows[model].items()) if self._seen(model, row)]
        named = [clause[0] for clause in domain if isinstance(clause, list)]
        if context.get("active_test", True) and "active" in self.models[model] and "active" not in named:
            rows = [row for row in rows if row["active"]]
        return [row for row in rows if self._matches(model, row, domain)]

    def _seen(self, model: str, row: Row) -> bool:
        return model != "res.partner" or not self.company or row["company_id"] in (self.company, False)

    def _matches(self, model: str, row: Row, domain: list[Any]) -> bool:
        """Polish notation: clauses that no sign joins all hold."""

        def holds(rest: list[Any]) -> bool:
            clause = rest.pop(0)
            if clause in ("|", "&"):
                sides = holds(rest), holds(rest)
                return any(sides) if clause == "|" else all(sides)
            return self._holds(model, row, clause)

        rest, results = list(domain), []
        while rest:
            results.append(holds(rest))
        return all(results)

    def _holds(self, model: str, row: Row, clause: list[Any]) -> bool:
        name, operator, wanted = clause
        first, _, further = name.partition(".")
        if first not in self.models[model]:
            raise Refused("ValueError", f"Invalid field {model}.{first} in leaf {clause!r}")
        value = row[first]
        if further:
            relation = self.models[model][first]["relation"]
            return bool(value) and self._holds(
                relation, self.rows[relation][value], [further, operator, wanted]
            )
        match operator:
            case "=":
                return bool(value == wanted)
            case "!=":
                return bool(value != wanted)
            case "in":
                return value in wanted
            case "not in":
                return value not in wanted
            case ">":
                return value is not False and bool(value > wanted)
            case ">=":
                return value is not False and bool(value >= wanted)
        raise Refused("ValueError", f"Invalid operator {operator!r}")

    def _search_read(
        self,
        model: str,
        context: Row,
        domain: list[Any],
        names: list[str],
        offset: int,
        limit: int | None,
        order: str,
    ) -> list[Row]:
        rows = self._found(model, context, domain)
        by, direction = order.split()
        rows.sort(key=lambda row: row[by], reverse=direction == "DESC")
        wrong = [name for name in names if name not in self.models[model]]
        if wrong:
            raise Refused("ValueError", f"Invalid field {wrong[0]!r} on model {model!r}")
        rows = rows[offset : None if limit is None else offset + limit]
        return [
            {"id": row["id"], **{name: self._shown(model, name, row[name]) for name in names}} for row in rows
        ]

    def _shown(self, model: str, name: str, value: Any) -> Any:
        about = self.models[model][name]
        if about["type"] != "many2one" or not value:
            return value
        known = self.rows.get(about["relation"], {}).get(value, {})
        return [value, known.get("name") or f"{about['relation']},{value}"]

    def _search(self, model: str, context: Row, domain: list[Any]) -> list[int]:
        return [row["id"] for row in self._found(model, context, domain)]

    def _search_count(self, model: str, context: Row, domain: list[Any]) -> int:
        return len(self._found(model, context, domain))

    def _create(self, model: str, _context: Row, values: list[Row]) -> list[int]:
        if model == "ir.model.fields" and not all(each["name"].startswith("x_") for each in values):
            raise Refused("ValidationError", "Custom fields must have a name that starts with 'x_'!")
        made = [self.make(model, **each) for each in values]
        if model.startswith("ir.model.fields"):
            self._publish()
        return made

    def _write(self, model: str, _context: Row, ids: list[int], values: Row) -> bool:
        for id in ids:  # all of them or none
            if id not in self.rows[model]:
                raise Refused(
                    "MissingError", f"Record does not exist or has been deleted. (Record: {model}({id},))"
                )
            if not self._seen(model, self.rows[model][id]):
                raise Refused(
                    "AccessError",
                    "Due to security restrictions, you are not allowed to modify 'Contact' records.",
                )
        for id in ids:
            self.edit(model, id, **values)
        if model.startswith("ir.model.fields"):
            self._publish()
        return True

    def _unlink(self, model: str, _context: Row, ids: list[int]) -> bool:
        for id in ids:
            self.delete(model, id)
        return True


@dataclass
class Server:
    """A database that is served."""

    database: Database
    url: str

    @property
    def settings(self) -> dict[str, Any]:
        """What an account of it says in the config."""
        return {"api_url": self.url, "database": DATABASE, "user": USER, "api_key": KEY}


@contextmanager
def serving(database: Database) -> Iterator[Server]:
    """The database behind a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer, status = (
                (_answered(database, body["params"]), 200) if self.path == "/jsonrpc" else ({}, 404)
            )
            content = json.dumps({"jsonrpc": "2.0", "id": body.get("id"), **answer}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Server(database, f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()


def _answered(database: Database, params: Row) -> Row:
    arguments = params["args"]
    try:
        if params["service"] == "common":
            if params["method"] == "version":
                return {
                    "result": {"server_version": "17.0", "server_version_info": [17, 0, 0, "final", 0, ""]}
                }
            return {"result": 2 if arguments[:3] == [DATABASE, USER, KEY] else False}
        name, user, key, model, method, positional, named = arguments
        if (name, user, key) != (DATABASE, 2, KEY):
            raise Refused("AccessDenied", "Access Denied")
        return {"result": database.execute(model, method, positional, named["context"])}
    except Refused as refused:
        name = "builtins" if refused.name in ("KeyError", "ValueError") else "odoo.exceptions"
        data = {"name": f"{name}.{refused.name}", "message": str(refused), "arguments": [str(refused)]}
        return {"error": {"code": 200, "message": "Odoo Server Error", "data": data}}
