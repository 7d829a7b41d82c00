"""Which of our columns is meant by a header that somebody else chose?

Headers are compared without case, accents and punctuation with the words that shops use, and a column counts
only where its cells hold what ours would: dates, numbers, truths, an id of its own for every row.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from functools import lru_cache

import pyarrow as pa

from connectors.values.currency import CODES
from connectors.values.money import Evidence
from connectors.values.text import FALSE, TRUE, words_in
from connectors.values.timestamp_formats import TimeEvidence

_PERSON = """customerno customernumber customerid custid custno contactid contactno clientid clientno memberid memberno userid personid
    householdid kundennummer kundennr kundenid kdnr kontaktid mitgliedsnummer numeroclient idclient codigocliente idcliente codicecliente
    clientnumber customercode customerref customerreference clientref clientreference clientcode noclient nclient clientn
    clienten identifiantclient codeclient referenceclient
    refclient clienteid nocliente
    numerocliente clientecodice klantnummer klantnr klantid debiteurnummer debitorennummer debitorennr kundnummer kundenummer kundeid
    idklienta codcliente idutente buyeruserid buyerid buyerusername shopperid customer client kunde cliente klant"""
RECORDS: Mapping[str, str] = {
    "id": "id " + _PERSON + " recordid leadid leadno companyid accountid accountno firmennummer firmennr",
    "email": "email mail emailaddress emailadresse mailadresse courriel correo correoelectronico adresseemail adressemail emailadres "
    "indirizzoemail postaelettronica correoe epost emailprimary primaryemail email1 contactemail customeremail useremail billingemail",
    "created_at": "createdat created createddate creationdate registeredat registered signupdate customersince angelegtam erstelltam "
    "registriertam kundeseit",
    "changed_at": "changedat updatedat modifiedat lastmodified lastmodifieddate geaendertam",
    "deleted": "deleted isdeleted geloescht",
    "merged_into": "mergedinto",
    "converted_to": "convertedto",
    "name": "name fullname customername contactname kundenname nomcomplet nombrecompleto",
    "first_name": "firstname givenname vorname prenom nombre nome voornaam fornamn fornavn imie",
    "last_name": "lastname surname familyname nachname nom apellido apellidos cognome achternaam familienname efternamn nazwisko "
    "sobrenome",
    "phones": "phone phonenumber telephone mobile mobilephone telefon telefonnummer handy telefono",
    "country": "country countrycode land pays pais paese",
    "company_id": "companyid companyno firmennummer firmennr",
    "objects_to_profiling": "objectstoprofiling donotprofile noprofiling profilingoptout profilingwiderspruch widerspruchprofiling",
    "reachable_email": "reachableemail emailoptin newsletter newsletteroptin emailmarketingoptin emailconsent acceptsemailmarketing "
    "emailmarketingconsent acceptsmarketing marketingoptin optin",
    "opted_out_email": "optedoutemail emailoptout optedoutofemail hasoptedoutofemail unsubscribed unsubscribedfromallemail emailoptedout",
    "reachable_phone": "reachablephone phoneoptin phoneconsent telefonoptin",
    "opted_out_phone": "optedoutphone donotcall phoneoptout",
    "reachable_sms": "reachablesms smsoptin smsconsent acceptssmsmarketing",
    "opted_out_sms": "optedoutsms smsoptout",
    "reachable_post": "reachablepost postoptin postconsent",
}
ACTIVITIES: Mapping[str, str] = {
    "contact_id": _PERSON,
    "contact_email": "contactemail customeremail email emailaddress useremail billingemail buyeremail mail emailadresse courriel correo "
    "adresseemail adressemail emailadres correoelectronico clientemail emailclient emailcliente emailbilling billtoemail orderemail",
    "occurred_at": "occurredat orderdate orderedat date purchasedate purchasedat transactiondate transactiontimestamp timestamp datetime "
    "invoicedate invoicedatetime processedat saledate soldat datesold dateordered orderplaced closedate closedat "
    "bestelldatum auftragsdatum kaufdatum belegdatum rechnungsdatum verkaufsdatum datecommande datedecommande dateachat datevente "
    "datefacture "
    "fechapedido fechacompra fechaventa fechafactura fecha dataordine dataacquisto datavendita datafattura datapedido datacompra data "
    "besteldatum orderdatum aankoopdatum factuurdatum ordredato kjopsdato datazamowienia datecreated dateadd dateadded createdat "
    "created createdon "
    "creationdate boughtat paidat paidon datepaid datepaiement day datum dato",
    "amount": "totalttc montantttc totaltaxincl ordertotal grandtotal totalamount ordervalue orderamount total totalprice amount "
    "amountpaid totalpaid value revenue sales "
    "salesvalue spend netamount bestellwert gesamtbetrag rechnungsbetrag betrag umsatz summe gesamt wert nettobetrag warenwert montant "
    "montanttotal totalcommande montantcommande prixtotal totalpaye importe importetotal totalpedido preciototal montototal "
    "totalpagado monto importo importototale totale totaleordine totalepagato prezzototale totaalbedrag totaal bedrag orderbedrag "
    "totaalprijs factuurbedrag valortotal valorpedido valor gesamtpreis gesamtsumme bruttobetrag endbetrag rechnungssumme "
    "auftragswert belopp totalbelopp belob kwota wartosc saletotal totalsales totalcollected netsales linetotal",
    "price": "unitprice itemprice priceperunit lineitemprice itemcost unitcost price stueckpreis einzelpreis preis prix prixunitaire "
    "preciounitario precio prezzo prezzounitario eenheidsprijs stuksprijs",
    "refunded": "refundedamount amountrefunded refundamount totalrefunded refundtotal refunds amountreturned returnedamount erstattet "
    "erstattungsbetrag erstatteterbetrag montantrembourse importereembolsado importorimborsato",
    "updated_at": "updatedat lastmodified modifiedat lastupdated geaendertam",
    "order_id": "orderid orderno ordernumber ordernr bestellnummer bestellnr auftragsnr auftragsnummer numerocommande commandeid "
    "numeropedido pedidoid numeroordine receiptid receiptno receipt invoiceid invoiceno invoicenumber basketid transactionid "
    "belegnummer belegnr bonnr rechnungsnummer rechnungsnr nocommande numcommande ncommande commanden pedidon ordinen nfacture "
    "idcommande commande "
    "referencecommande refcommande "
    "numerofacture nofacture nopedido npedido idpedido pedido numerofactura noordine nordine idordine numerofattura bestelnummer "
    "bestelnr factuurnummer bestellungid bestellid auftragsid ordrenummer numerzamowienia idzamowienia chargeid saleid",
    "kind": "kind activitytype eventtype vorgang",
    "quantity": "quantity qty units menge anzahl quantite cantidad quantita aantal quantitypurchased itemquantity quantidade antal",
    "product": "product productname productid sku article item artikel produkt artikelnummer artikelnr",
    "category": "category productcategory department kategorie warengruppe categorie",
    "currency": "currency currencycode currencyiso isocurrency curr cur ccy waehrung waehrungscode devise codedevise monnaie moneda "
    "divisa "
    "valuta moeda",
    "channel": "channel kanal",
    "campaign": "campaign campaignid kampagne",
}
_ALIKE = 0.87  # of two words, as difflib measures it
# What these say must not be guessed: a column counts only under one of its names, letter by letter.
_EXACT = (
    "id",
    "contact_id",
    "deleted",
    "objects_to_profiling",
    "amount",
    "price",
    "refunded",
    "order_id",
    "country",
    "name",
    "first_name",
    "last_name",
    "kind",
)
_MONEY = ("amount", "price", "refunded")
_MOST = 0.8  # share of its cells that must be what our column holds
_SIGNS = "$€£¥₹"
_REFUND_STEM = re.compile("refund|erstatt|rembours|reembols|rimbors|terugbetaal")
_NO_AMOUNT = re.compile(
    "(id|no|nr|num|number|nummer|date|datum|at|count|anzahl|qty|quantity|menge|reason|grund|status|tax|fee)$"
)
STATUS = words_in("""
    status orderstatus financialstatus paymentstatus paymentstate orderstate state bestellstatus
    zahlungsstatus auftragsstatus statut statutcommande statutpaiement etat etatcommande etatpaiement
    estado estadopedido estadopago stato statoordine statopagamento bestelstatus betaalstatus situacao
    situacaopedido dealstatus dealstage stage
""")
CANCELLED = words_in("""
    cancelledat canceledat cancellationdate cancelleddate voidedat storniertam stornodatum
""")
MARKED = words_in("""
    cancelled canceled refunded isrefunded iscancelled iscanceled test istest testorder isdraft voided isvoid storniert
""")
KEPT = words_in("""
    iswon won ispaid paid captured bezahlt valid valide valido
""")


def plain(header: str, between: str = "") -> str:
    """A header as small letters and digits, with ``between`` for all else: ``Kunden-Nr.`` is ``kundennr``,
    ``Ä`` is ``ae``.
    """
    text = header.casefold()
    for letter, letters in (("ä", "ae"), ("ö", "oe"), ("ü", "ue")):
        text = text.replace(letter, letters)
    text = re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFKD", text))
    return re.sub(r"[^a-z0-9]+", between, text).strip(between or None)


_FILLERS = frozenset(
    words_in(
        "the of for de la le les du des del della dell di da do der die das den van het een el los utc gmt local formatted"
    )
)
_TAX = frozenset(words_in("tax taxes vat gst iva tva btw mwst ust moms"))
_WITH_TAX = frozenset(
    words_in(
        "ttc brutto bruto lordo lorda tvac inc incl including gross incluida incluido inclusa incluso inclus con inkl comprise"
    )
)
_WITHOUT_TAX = frozenset(
    words_in("ht net netto neto netta ex excl excluding exkl zzgl sans sin esclusa escluso hors")
)


@lru_cache(1 << 14)
def reduced(header: str) -> tuple[str, bool]:
    """A header without words that say nothing of whose or what it is (``N° de la commande`` is ``ncommande``,
    ``Order Total (inc " "tax)`` is ``ordertotal``), an id behind what it belongs to (``id_customer``), and
    whether it says that taxes are not in it.
    """
    words = [word for word in plain(header, " ").split() if word not in _FILLERS]
    net, tax_words = bool(_WITHOUT_TAX & set(words)), _WITH_TAX | _WITHOUT_TAX
    apart = tax_words | _TAX if tax_words & set(words) else tax_words  # "Tax Total" is a tax
    kept = [word for word in words if word not in apart and word.upper() not in CODES] or words
    if kept[0] in ("id", "n"):
        kept = [*kept[1:], kept[0]]
    return "".join(kept), net


def truths(cells: Iterable[str]) -> bool:
    """Whether all cells are truths."""
    texts = {cell.lower() for cell in cells if cell}
    return bool(texts) and texts <= {*TRUE, *FALSE}


def mapped(words: Mapping[str, str], columns: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Our name → the header that is meant by it, the likeliest pairs first. ``columns``: cells by header."""
    pairs = sorted(
        ((-likeness, index, name, header) for name, synonyms in words.items() for index, header in enumerate(columns)
         if (likeness := likeness_of(header, synonyms, name)) and _holds(name, columns[header])
         and not (name in ("id", "contact_id") and names_people(header, columns[header]))),
    )  # fmt: skip
    headers: dict[str, str] = {}
    for *_rank, name, header in pairs:
        if name not in headers and header not in headers.values():
            headers[name] = header
    if words is ACTIVITIES:
        _add_by_cells(headers, columns)
    return {name: headers[name] for name in words if name in headers}


def _add_by_cells(headers: dict[str, str], columns: Mapping[str, Sequence[str]]) -> None:
    """Columns of a name that nobody predicted, which would be added up wrongly if they were passed over: a
    currency, what was given " "back."""
    for header, cells in columns.items():
        given = [cell for cell in cells if cell]
        if header in headers.values() or not given:
            continue
        if "currency" not in headers and all(cell.upper() in CODES or cell in _SIGNS for cell in given):
            headers["currency"] = header
        name = plain(header)
        if (
            "refunded" not in headers
            and _REFUND_STEM.search(name)
            and not _NO_AMOUNT.search(name)
            and _holds("refunded", cells)
        ):
            headers["refunded"] = header


def likeness_of(header: str, synonyms: str, name: str) -> float:
    """How surely a header means ours: as it stands, or reduced to the words that tell.

    Amounts without taxes come after those with.
    """
    whole = _likeness(plain(header), synonyms, name)
    short, net = reduced(header)
    return max(whole, 0.95 * _likeness(short, synonyms, name) - (0.3 if net else 0.0))


@lru_cache(1 << 14)
def _likeness(header: str, synonyms_: str, name: str) -> float:
    synonyms = synonyms_.split()
    if header == plain(name):
        return 2.0
    if header in synonyms:
        return 1.5 - synonyms.index(header) / 1000
    if name in _EXACT or name.startswith(("reachable_", "opted_out_", "consent")):
        return 0.0
    nearest = max(
        (SequenceMatcher(None, header, word).ratio() for word in synonyms if len(word) > 4), default=0.0
    )
    return nearest if nearest >= _ALIKE else 0.0


_NAME = re.compile(r"[^\W\d_]+[.,]? +[^\W\d_]+.*")
_BARE = words_in("customer customers client clients kunde kunden cliente clientes clienti klant klanten")


def names_people(header: str, cells: Sequence[str]) -> bool:
    """Whether cells are names of people, which tell nobody apart: of two words, or under a header that does
    not speak of an id.
    """
    given = [cell for cell in cells if cell]
    named = sum(bool(_NAME.fullmatch(cell)) and not re.search(r"\d", cell) for cell in given)
    marked = sum(bool(re.search(r"[\d@]", cell)) for cell in given)
    return 2 * named > len(given) or (reduced(header)[0] in _BARE and 2 * marked < len(given))


def _holds(name: str, cells: Sequence[str]) -> bool:
    """Whether a column's cells can be what our column holds; a few that cannot are slips."""
    given = [cell for cell in cells if cell]
    if name == "id":
        return bool(given) and len(given) >= _MOST * len(cells) and len(set(given)) >= _MOST * len(given)
    if name.endswith("_at"):
        return times(given).read >= _MOST * len(given) > 0
    if name == "refunded" and not given:
        return True  # what is given back may come later in the file
    if name in ("amount", "quantity", "price", "refunded"):
        return amounts(given).numbers >= _MOST * len(given) > 0
    if name.startswith(("reachable_", "opted_out_")) or name in ("deleted", "objects_to_profiling"):
        return truths(given)
    if name == "currency":
        # a word that is no currency refuses its row, later ones too
        return not (given and all(cell.isdigit() for cell in given))
    if name in ("email", "contact_email"):
        return sum("@" in cell for cell in given) >= _MOST * len(given) > 0
    return bool(given)


def times(cells: Sequence[str]) -> TimeEvidence:
    """What cells say of the format of their times."""
    evidence = TimeEvidence()
    evidence.add(pa.array([cell for cell in cells if cell], pa.string()))
    return evidence


def amounts(cells: Sequence[str]) -> Evidence:
    """What cells say of their decimal sign."""
    evidence = Evidence()
    evidence.add(pa.array([cell for cell in cells if cell], pa.string()))
    return evidence
