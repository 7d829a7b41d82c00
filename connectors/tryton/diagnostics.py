"""What must a person fix before a run on Tryton: the log-in, a module that is missing, a right, a wrong name?"""

from __future__ import annotations

from collections.abc import Iterator

from connectors.contract import Problem
from connectors.errors import AccessError, RequestError
from connectors.rest.diagnostics import no_way_in, rate_missing
from connectors.search_read.server import Refused
from connectors.tryton.parties import LOOKED_UP
from connectors.tryton.server import Tryton

_PURCHASES = {
    "sales": ("sale.sale", "sale"),
    "invoices": ("account.invoice", "account_invoice"),
    "opportunities": ("sale.opportunity", "sale_opportunity"),
}
_LANGUAGE = ("language", "lang")


def problems(server: Tryton) -> list[Problem]:
    """Everything that is wrong, at once."""
    try:
        company = server.company()
        return [*_absent(server), *_rights(server), *_currency(server, company)]
    except AccessError as error:
        return [no_way_in(error)]
    except Refused:
        raise
    except RequestError as error:
        return [Problem(str(error), "then run `crm-segments check` again")]


def _absent(server: Tryton) -> Iterator[Problem]:
    account, used = server.account, server.account.activity_types
    if not server.fields_of("party.party"):
        yield Problem(
            "Tryton shows no parties to this user", "activate the module party, or give the user the right"
        )
        return
    model, module = _PURCHASES[account.settings.purchases]
    if (used is None or used & {"purchase", "refund"}) and not server.fields_of(model):
        name = account.settings.purchases
        yield Problem(
            f"Tryton has no {name}",
            f"activate the module {module}, or set purchases in the config to what it has",
        )
    there = {*server.fields_of("party.party"), *LOOKED_UP, *_LANGUAGE}
    for name, wanted in account.attributes.items():
        if wanted.field not in there:
            yield Problem(
                f"attribute {name}: a party has no field {wanted.field}",
                f"name a field of the party, or one of {', '.join((*LOOKED_UP, 'language'))}",
            )


def _rights(server: Tryton) -> Iterator[Problem]:
    """Models that cannot be read show it at once; nothing is written."""
    for model in ("party.party", "party.category", "ir.note"):
        try:
            server.count(model, [["id", "=", 0]])
        except (AccessError, Refused) as error:
            yield Problem(
                f"{model} cannot be read: {error}", "give the user of the account the group that may"
            )


def _currency(server: Tryton, company: dict[str, object]) -> list[Problem]:
    about = company.get("currency.")
    code = str(about.get("code") or "") if isinstance(about, dict) else ""
    return rate_missing(
        server.account, code, f"the company counts in {code}, the account in {server.account.currency}"
    )
