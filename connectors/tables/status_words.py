"""Which of the words that shops write beside an order mean that it counts?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from connectors.tables.header_matching import CANCELLED, KEPT, MARKED, STATUS, plain, reduced
from connectors.values.text import FALSE, TRUE, words_in

if TYPE_CHECKING:
    from connectors.tables.guess import Guess

_COUNTED = words_in("""
    paid complete completed processing shipped delivered fulfilled closedwon won success successful
    succeeded captured settled partiallyrefunded partlyrefunded partiallypaid partiallyshipped
    partiallyfulfilled authorized authorised approved confirmed invoiced invoicepaid sale done
    finished dispatched readyforpickup pickedup sent bezahlt versendet versandt geliefert
    abgeschlossen erledigt teilerstattet inbearbeitung termine terminee payee paye expediee livree
    pagado completado enviado entregado pagato completato spedito consegnato betaald verzonden
    voltooid afgerond geleverd verwerkt livre expedie paiementaccepte encoursdepreparation partialrefund
    partialpayment remboursementpartiel reembolsoparcial rimborsoparziale gedeeltelijkterugbetaald
    teilweiseerstattet zahlungeingegangen inpayment evaso pagada pagata enpreparacion enproceso procesando
    inlavorazione inverwerking concluido pago entregue betalt sendt levererad betald zaplacone zrealizowane
    wyslane pickedup readytoship
""")
_LEFT_OUT = words_in("""
    cancelled canceled cancel failed failure voided void refunded fullyrefunded trash trashed
    deleted draft checkoutdraft test lost closedlost declined denied rejected chargeback chargedback
    disputed expired abandoned error paymenterror returned unpaid quote quotation storniert
    abgebrochen fehlgeschlagen erstattet rueckerstattet abgelehnt entwurf offen annulee annule
    rembourse remboursee echoue cancelado reembolsado fallido annullato rimborsato fallito
    geannuleerd terugbetaald mislukt unavailable geretourneerd retourniert reso restituito devuelto
    cancelada reembolsada annullata rimborsata avbruten anulowane zwrocone reversed uncollectible notpaid
    writtenoff remboursement retourne erreurdepaiement uninvoiced nonpaye impaye nonpagato nopagado
    nichtbezahlt unbezahlt skipped
""")
_UNCLEAR = words_in("""
    pending pendingpayment onhold hold open new created awaitingpayment awaitingfulfillment
    awaitingcheck paymentreview ausstehend wartend neu enattente pendiente inattesa unfulfilled
    active negotiation queued paymentdue posted overdue partiallyauthorized awaitingshipment
    awaitingpickup awaitingcheckpayment awaitingbankwirepayment enattentedepaiement
    enattentedevirementbancaire pendientedepago enespera inattesadipagamento inafwachting
    wachtopbetaling openstaand aguardandopagamento pendente zahlungausstehend warteaufzahlung
    onbackorder backordered prospecting qualification proposal contractsent inprogress
""")
_ANY_STATUS = re.compile("status|statut|zustand$")
_OTHER_STATUS = re.compile(
    "fulfil|ship|deliver|versand|liefer|livraison|envio|track|mail|tax|customer|kunde|client|member|stock|sync|export|review|risk"
)
_FEW = 20  # different words of a column that tells the kinds of its rows
_KINDS = words_in("""
    type typ tipo art transactiontype eventtype ordertype documenttype recordtype linetype saletype invoicetype activitytype belegart
    belegtyp buchungsart vorgang vorgangsart transaktionsart transaktionstyp typedetransaction typedocument operation
""")
_REFUND = words_in("""
    refund refunded return credit creditnote creditmemo retoure gutschrift rueckgabe storno avoir
    devolucion reso
""")
_SALE = words_in("""
    sale sales payment charge purchase order invoice kauf verkauf rechnung vente venta vendita
""")


def words_asked(guess: Guess) -> list[str]:
    """Headers of columns of purchases whose words are asked for, as far as that can be told before: all files
    are read once for them.
    """
    headers = list(guess.settings.get("status", {})) if guess.platform else list(guess.sample.headers)
    if guess.platform:
        return headers
    asked = [
        header
        for header in headers
        if guess.columns.get("kind", header) == header and _may_tell_kind(guess, header)
    ]
    asked += filter(None, [guess.columns.get("refunded")])
    asked += [header for header in headers if header not in guess.columns.values() and _known_name(header)[1]]
    return list(dict.fromkeys(asked))


def _known_name(header: str) -> tuple[str, bool]:
    """A header's name as it is compared, and whether it may be that of a status."""
    names = (*STATUS, *CANCELLED, *MARKED, *KEPT)
    name = next((name for name in (plain(header), reduced(header)[0]) if name in names), plain(header))
    return name, name in names or _of_order(name)


def decide_status(guess: Guess, words_of: Callable[[str], Mapping[str, int] | None]) -> None:
    """Find the columns that tell whether a row counts, and say which of their words do.

    What is unclear does not count, and is said.
    """
    status: dict[str, dict[str, list[str]]] = guess.settings.pop("status", {})
    for header in guess.sample.headers:
        name, asked = _known_name(header)
        if header in guess.columns.values() or header in status or not asked:
            continue
        words = words_of(header)
        chosen = _cancelled() if name in CANCELLED else _marked(name, words) or _status(guess, header, words)
        if chosen:
            status[header] = chosen
    if status:
        guess.settings["status"] = status


def describe_words(
    guess: Guess, header: str, named: Iterable[str], asked: Sequence[str], words: Mapping[str, int] | None
) -> None:
    """Of a platform's status column: words that it does not know are judged as anybody's are; what is not
    counted is said.
    """
    statuses = guess.settings["status"].get(header)
    if statuses is None or not words:
        return
    listed = {word.strip().casefold() for word in named}
    strange = [word for word in words if word and word.strip().casefold() not in listed]
    if "*" in asked:
        statuses["counted"] += [word for word in strange if meaning_of(word) == "counted"]
    doubtful = {word.casefold() for word in asked} | {
        word.casefold() for word in strange if meaning_of(word) in ("unclear", None)
    }
    shown = [f"{word!r} ({number:,} rows)" for word, number in words.items() if word.casefold() in doubtful]
    if shown:
        what = (
            "is not counted: move it to counted"
            if "*" in asked or not strange
            else "is not counted, or not known: name it in counted"
        )
        guess.notes.append(
            f"{guess.sample.name}: {header} {', '.join(sorted(shown)[:20])} {what} in the config if it should be"
        )


def _of_order(name: str) -> bool:
    """Whether a header names a status, and not one of something else than the order."""
    return bool(_ANY_STATUS.search(name)) and not _OTHER_STATUS.search(name)


def _cancelled() -> dict[str, list[str]]:
    return {"counted": [""], "left_out": ["*"]}


def _marked(name: str, words: Mapping[str, int] | None) -> dict[str, list[str]] | None:
    """A column of yes and no: cancelled, test, won."""
    if words is None or not words or not {word.lower() for word in words} <= {"", *TRUE, *FALSE}:
        return None
    yes, no = list(TRUE), [*FALSE, ""]
    if name in MARKED:
        return {"counted": no, "left_out": yes}
    return {"counted": yes, "left_out": no} if name in KEPT else None


def _status(guess: Guess, header: str, words: Mapping[str, int] | None) -> dict[str, list[str]] | None:
    """Words of which some are known.

    A word that is not known is in no list: rows that say it are refused, with the remedy.
    """
    where = f"{guess.sample.name}, {header}"
    if words is None and _of_order(plain(header)):
        guess.notes.append(
            f"{where}: it holds too many different texts; its rows are refused until the config says which of them count"
        )
        return {"counted": [], "left_out": []}
    if not words:
        return None
    meanings = {word: meaning_of(word) for word in words if word}
    if not any(meaning in ("counted", "left out") for meaning in meanings.values()) and not (
        meanings and _of_order(plain(header))
    ):
        return None
    chosen: dict[str, list[str]] = {"counted": [], "left_out": []}
    for word, meaning in sorted(meanings.items()):
        if meaning == "counted":
            chosen["counted"].append(word)
        elif meaning in ("left out", "unclear"):
            chosen["left_out"].append(word)
    unclear = [word for word, meaning in meanings.items() if meaning == "unclear"]
    unknown = [word for word, meaning in meanings.items() if meaning is None]
    if unclear:
        guess.notes.append(
            f"{where}: {', '.join(map(repr, sorted(unclear)))} is not counted: move it to counted in the config if it should be"
        )
    if unknown:
        shown = ", ".join(map(repr, sorted(unknown)))
        guess.notes.append(
            f"{where}: what {shown} means is not known; rows that say it are refused until the config names it in counted or left_out"
        )
    if "" in words and guess.settings.get("line_items") != "blank":
        guess.notes.append(
            f'{where}: it is empty in {words[""]:,} rows; those are refused until the config names "" in counted or left_out'
        )
    return chosen


def meaning_of(word: str) -> str | None:
    """What a status word is known to mean: counted, left out, unclear, or nothing. What stands in parentheses
    behind it (a pipeline's name) is not looked at.
    """
    text = plain(re.sub(r"\s*\([^()]*\)$", "", word)).removeprefix("wc")
    for meaning, words in (("counted", _COUNTED), ("left out", _LEFT_OUT), ("unclear", _UNCLEAR)):
        if text in words:
            return meaning
    return None


def decide_kind(guess: Guess, words_of: Callable[[str], Mapping[str, int] | None]) -> None:
    """A column that tells refunds from sales by its words, whatever the sign of the amount.

    Rows of other words are refused.
    """
    for header in guess.sample.headers:
        if guess.columns.get("kind", header) != header or not _may_tell_kind(guess, header):
            continue
        words = words_of(header) or {}
        refunds = [word for word in words if plain(word) in _REFUND]
        sales = [word for word in words if plain(word) in _SALE]
        others = sorted(word for word in words if word and word not in (*refunds, *sales))
        if not refunds or (plain(header) not in _KINDS and len(refunds) + len(sales) < len(others)):
            continue
        guess.columns["kind"] = header
        guess.settings["activity_types"] = {
            **dict.fromkeys(refunds, "refund"),
            **dict.fromkeys(sales, "purchase"),
        }
        if others and plain(header) != "kind":
            guess.settings["status"] = {
                header: {"counted": [*sales, *refunds, *([""] if "" in words else [])], "left_out": []}
            }
            shown = ", ".join(map(repr, others[:20]))
            guess.notes.append(
                f"{guess.sample.name}, {header}: what {shown} means is not known; rows that say it are refused until the config names it"
            )
        return


def _may_tell_kind(guess: Guess, header: str) -> bool:
    """By its name, or by the words of its first rows."""
    name, kind_words = plain(header), {*_SALE, *_REFUND}
    if name in (*_KINDS, "kind") and header in (*guess.sample.headers, guess.columns.get("kind")):
        return header == guess.columns.get("kind") or header not in guess.columns.values()
    words = {plain(cell) for cell in guess.sample.columns[header] if cell}
    return (
        header not in guess.columns.values()
        and bool(words)
        and len(words) <= _FEW
        and 2 * len(words & kind_words) > len(words)
    )


def refunded_flag(guess: Guess, words_of: Callable[[str], Mapping[str, int] | None]) -> None:
    """A column of 0 and 1 says whether an order was given back, not how much of it."""
    header = guess.columns.get("refunded", "")
    if header and set(words_of(header) or {"?": 1}) <= {"", "0", "1"}:
        guess.columns.pop("refunded")
        guess.settings["status"] = {
            **guess.settings.get("status", {}),
            header: {"counted": ["0", ""], "left_out": ["1"]},
        }
