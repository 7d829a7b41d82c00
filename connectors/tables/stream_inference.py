"""Which file is what: contacts, leads, companies, activity, or nothing that we read?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from connectors.tables.header_matching import ACTIVITIES, RECORDS, amounts, mapped, plain, reduced, times
from connectors.tables.sample import Sample
from connectors.tables.settings import TABLES

HINTS = {
    "company": ("compan", "firm", "organi"),
    "lead": ("lead", "interessent"),
    "activity": (
        "activit",
        "order",
        "receipt",
        "sale",
        "purchase",
        "transaction",
        "invoice",
        "payment",
        "deal",
        "opportunit",
        "bestell",
        "umsatz",
        "umsaetz",
        "beleg",
        "rechnung",
        "commande",
        "pedido",
        "ordini",
        "ordine",
        "retail",
        "charge",
        "bestel",
        "auftra",
        "factur",
        "faktur",
        "fattur",
        "vente",
        "venta",
        "vendit",
        "ordre",
        "zamow",
        "sold",
    ),
    "contact": (
        "contact",
        "customer",
        "client",
        "kund",
        "people",
        "person",
        "member",
        "subscriber",
        "user",
        "profile",
        "kontakt",
        "audience",
        "clientes",
        "klant",
        "klient",
    ),
}
OWNERLESS = "it looks like purchases, but no column tells whose they are"
SUBSCRIPTIONS = "it looks like subscriptions, which are no purchases"
UNTOLD = "it may be purchases, but its columns do not tell whose they are, when and how much"
_RECURRING = frozenset(
    [
        "currentperiodend",
        "currentperiodstart",
        "nextbillingdate",
        "nextbillingat",
        "nextchargedate",
        "nextchargescheduledat",
        "nextorderdate",
        "nextpaymentdate",
        "billinginterval",
        "orderintervalfrequency",
        "currenttermend",
        "trialend",
    ]
)


def streams_of(samples: Sequence[Sample]) -> dict[str, str]:
    """The stream of each file.

    Of files with the same headers the largest that tells decides: a small one may hold too little.
    """
    streams = {sample.name: _stream(sample) for sample in samples}
    for sample in samples:
        alike = [
            file for file in samples if streams[file.name] and sorted(file.headers) == sorted(sample.headers)
        ]
        if not streams[sample.name] and alike:
            streams[sample.name] = streams[max(alike, key=lambda file: file.size).name]
    return streams


def _stream(sample: Sample) -> str:
    """By its usual name, else by what its columns hold and its name hints at; "" for neither contacts nor
    activity.
    """
    if any(reduced(header)[0] in _RECURRING for header in sample.headers):
        return ""  # what somebody subscribes to is not what was paid
    name = plain(Path(sample.name).stem)
    usual = next((stream for stream, table in TABLES.items() if name.startswith(table)), None)
    if usual:
        return usual
    hinted = next(
        (stream for stream in ("company", "lead") if any(hint in name for hint in HINTS[stream])), None
    )
    deeds, people = mapped(ACTIVITIES, sample.columns), mapped(RECORDS, sample.columns)
    hints = {stream: any(hint in name for hint in HINTS[stream]) for stream in ("activity", "contact")}
    owned = bool({"contact_id", "contact_email"} & deeds.keys())
    bought = sum(
        key in deeds for key in ("order_id", "occurred_at", "amount", "price", "quantity", "product")
    )
    person = sum(
        key in people
        for key in (
            "email",
            "name",
            "first_name",
            "last_name",
            "phones",
            "reachable_email",
            "opted_out_email",
        )
    )
    worth = "amount" in deeds or {"price", "quantity"} <= deeds.keys()
    if owned and "occurred_at" in deeds and (worth or hints["activity"]):
        unique = "id" in people or "email" in people
        if not (unique and hints["contact"] and not hints["activity"]) and (
            bought + 2 * hints["activity"] > person or "order_id" in deeds
        ):
            return "activity"
    if hinted:
        return hinted
    if hints["activity"] and not hints["contact"] and (worth or "order_id" in deeds):
        return ""  # purchases of which no column says whose they are
    return "contact" if "id" in people or "email" in people else ""


def why_left_out(sample: Sample) -> str:
    """Why a file is of no stream, with what to do about it."""
    if any(reduced(header)[0] in _RECURRING for header in sample.headers):
        return f"{SUBSCRIPTIONS}: export the invoices, charges or orders"
    deeds, shown = mapped(ACTIVITIES, sample.columns), ", ".join(map(repr, sample.headers[:20]))
    if {"occurred_at", "amount"} <= deeds.keys() and not {"contact_id", "contact_email"} & deeds.keys():
        return f"{OWNERLESS} by an id or an e-mail address (its columns are {shown}): export it with such a column"
    if money_columns(sample) and any(times(cells).is_time for cells in sample.columns.values()):
        return f"{UNTOLD} ({shown}): name those columns contact_id (or contact_email), occurred_at and amount"
    return "it looks like neither contacts nor purchases"


def money_columns(sample: Sample, used: Collection[str] = ()) -> list[str]:
    """Headers of columns that may be an amount: of no other use, with decimals or a mark beside their
    numbers.
    """
    headers = []
    for header, cells in sample.columns.items():
        given = [cell for cell in cells if cell]
        evidence = amounts(given)
        exact = evidence.point or evidence.comma or evidence.both or evidence.marks
        if (
            header not in used
            and given
            and evidence.numbers >= 0.8 * len(given)
            and exact
            and not times(given).is_time
        ):
            headers.append(header)
    return headers
