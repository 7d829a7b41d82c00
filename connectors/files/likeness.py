"""Which of our columns is meant by a header that somebody else chose?

Headers are compared without case, accents and punctuation with the words that shops use, and a column counts only where its cells
hold what ours would: dates, numbers, truths, an id of its own for every row.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from difflib import SequenceMatcher

from connectors.files.text import FALSE, TRUE

_PERSON = """customerno customernumber customerid custid custno contactid contactno clientid clientno memberid memberno userid personid
    householdid kundennummer kundennr kundenid kdnr kontaktid mitgliedsnummer numeroclient idclient codigocliente idcliente codicecliente"""
RECORDS: Mapping[str, str] = {
    "id": "id " + _PERSON + " recordid leadid leadno companyid accountid accountno firmennummer firmennr",
    "email": "email mail emailaddress emailadresse mailadresse courriel correo correoelectronico",
    "created_at": "createdat created createddate creationdate registeredat registered signupdate customersince angelegtam erstelltam "
    "registriertam kundeseit",
    "changed_at": "changedat updatedat modifiedat lastmodified lastmodifieddate geaendertam",
    "deleted": "deleted isdeleted geloescht",
    "merged_into": "mergedinto",
    "converted_to": "convertedto",
    "company_id": "companyid companyno firmennummer firmennr",
    "objects_to_profiling": "objectstoprofiling donotprofile noprofiling profilingoptout profilingwiderspruch widerspruchprofiling",
    "reachable_email": "reachableemail emailoptin newsletter newsletteroptin marketingoptin emailconsent acceptsmarketing optin",
    "reachable_phone": "reachablephone phoneoptin phoneconsent telefonoptin",
    "reachable_sms": "reachablesms smsoptin smsconsent",
    "reachable_post": "reachablepost postoptin postconsent",
}
ACTIVITIES: Mapping[str, str] = {
    "contact_id": _PERSON,
    "occurred_at": "occurredat orderdate orderedat date purchasedate purchasedat transactiondate transactiontimestamp timestamp datetime "
    "invoicedate boughtat day datum bestelldatum kaufdatum belegdatum rechnungsdatum datecommande fecha",
    "amount": "amount total value totalamount ordertotal ordervalue grandtotal revenue sales salesvalue spend netamount price betrag "
    "umsatz summe gesamt gesamtbetrag wert bestellwert nettobetrag warenwert preis montant importe importo",
    "order_id": "orderid orderno ordernumber receiptid receiptno receipt invoiceid invoiceno basketid transactionid bestellnummer "
    "bestellnr belegnummer belegnr bonnr rechnungsnummer rechnungsnr auftragsnr numerocommande",
    "kind": "kind activitytype eventtype vorgang",
    "quantity": "quantity qty units menge anzahl quantite",
    "product": "product productname productid sku article item artikel produkt artikelnummer artikelnr",
    "category": "category productcategory department kategorie warengruppe categorie",
    "currency": "currency currencycode waehrung devise",
    "channel": "channel kanal",
    "campaign": "campaign campaignid kampagne",
}
FORMATS = tuple(
    day + clock
    for day in ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%Y/%m/%d", "%d.%m.%y", "%m/%d/%y")
    for clock in ("", " %H:%M", " %H:%M:%S")
)
ISO = ""  # the date format that needs no setting
_ALIKE = 0.87  # of two words, as difflib measures it
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_COMMA = re.compile(r"[+-]?\d+(,\d+)?")


def plain(header: str, between: str = "") -> str:
    """A header as small letters and digits, with ``between`` for all else: ``Kunden-Nr.`` is ``kundennr``, ``Ä`` is ``ae``."""
    text = header.casefold()
    for letter, letters in (("ä", "ae"), ("ö", "oe"), ("ü", "ue")):
        text = text.replace(letter, letters)
    text = re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFKD", text))
    return re.sub(r"[^a-z0-9]+", between, text).strip(between or None)


def date_format(cells: Iterable[str]) -> str | None:
    """The format that all cells are dates in; None where there is none, or no cell."""
    texts = {cell for cell in cells if cell}
    if not texts:
        return None
    if all(_is_iso(text) for text in texts):
        return ISO
    return next((one for one in FORMATS if all(_fits(text, one) for text in texts)), None)


def _is_iso(text: str) -> bool:
    try:
        return bool(datetime.fromisoformat(text))
    except ValueError:
        return False


def _fits(text: str, pattern: str) -> bool:
    try:
        return bool(datetime.strptime(text, pattern))
    except ValueError:
        return False


def decimal(cells: Iterable[str]) -> str | None:
    """The decimal sign of a column of numbers: "." also where all are whole. None where some cell is no number, or all are empty."""
    texts = {cell for cell in cells if cell}
    if texts and all(_NUMBER.fullmatch(text) for text in texts):
        return "."
    return "," if texts and all(_COMMA.fullmatch(text) for text in texts) else None


def truths(cells: Iterable[str]) -> bool:
    """Whether all cells are truths."""
    texts = {cell.lower() for cell in cells if cell}
    return bool(texts) and texts <= {*TRUE, *FALSE}


def mapped(words: Mapping[str, str], columns: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Our name → the header that is meant by it, the likeliest pairs first. ``columns``: cells by header."""
    pairs = sorted(
        ((-likeness, place, name, header) for name, synonyms in words.items() for place, header in enumerate(columns)
         if (likeness := _likeness(plain(header), synonyms.split(), name)) and _holds(name, columns[header])),
    )  # fmt: skip
    found: dict[str, str] = {}
    for *_rank, name, header in pairs:
        if name not in found and header not in found.values():
            found[name] = header
    return {name: found[name] for name in words if name in found}


def _likeness(header: str, synonyms: Sequence[str], name: str) -> float:
    if header == plain(name):
        return 2.0
    if header in synonyms:
        return 1.5 - synonyms.index(header) / 100
    nearest = max((SequenceMatcher(None, header, word).ratio() for word in synonyms if len(word) > 4), default=0.0)
    return nearest if nearest >= _ALIKE else 0.0


def _holds(name: str, cells: Sequence[str]) -> bool:
    """Whether a column's cells can be what our column holds."""
    given = [cell for cell in cells if cell]
    if name == "id":
        return len(given) == len(cells) and len(set(cells)) == len(cells)
    if name.endswith("_at"):
        return date_format(given) is not None
    if name in ("amount", "quantity"):
        return decimal(given) is not None
    if name.startswith("reachable_") or name in ("deleted", "objects_to_profiling"):
        return truths(given)
    if name == "currency":
        return bool(given) and all(re.fullmatch("[A-Z]{3}", cell) for cell in given)
    return bool(given)
