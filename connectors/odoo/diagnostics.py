"""What must a person fix before a run on Odoo: the log-in, an app that is missing, a wrong name?"""

from __future__ import annotations

from collections.abc import Iterator

from connectors.contract import Problem
from connectors.errors import AccessError, RequestError
from connectors.odoo.activities import home_currency
from connectors.odoo.server import Odoo
from connectors.rest.diagnostics import no_way_in, rate_missing

_MODELS = {
    "orders": ("sale.order", "Sales"),
    "invoices": ("account.move", "Invoicing"),
    "leads": ("crm.lead", "CRM"),
}


def problems(server: Odoo) -> list[Problem]:
    """Everything that is wrong, at once."""
    account = server.account
    try:
        home = home_currency(server)
        what = f"the company counts in {home}, the account in {account.currency}"
        return [*_absent(server), *rate_missing(account, home, what)]
    except AccessError as error:
        return [no_way_in(error)]
    except RequestError as error:
        return [Problem(str(error), "then run `crm-segments check` again")]


def _absent(server: Odoo) -> Iterator[Problem]:
    account, used = server.account, server.account.activity_types
    there = server.fields_of("res.partner")
    if not there:
        yield Problem("Odoo shows no contacts to this user", "give the user the right to contacts")
        return
    model, app = _MODELS[account.settings.purchases]
    if (used is None or used & {"purchase", "refund"}) and not server.fields_of(model):
        name = account.settings.purchases
        yield Problem(
            f"Odoo shows no {name} to this user",
            f"install the app {app} and give the user the right to it, or set purchases",
        )
    for name, wanted in account.attributes.items():
        if wanted.field not in there:
            yield Problem(
                f"attribute {name}: a contact has no field {wanted.field}",
                "name a field as Odoo's developer mode shows it",
            )
