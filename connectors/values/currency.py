"""Which currency is meant, and how many decimal digits does it have? (ISO 4217, list one)"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

_DIGITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_EXPONENTS = {code: digits for digits, codes in _DIGITS.items() for code in codes.split()}
_CODES = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN
    BZD CAD CDF CHF CLF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL
    GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW
    KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN
    NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK
    SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYI UYU
    UYW UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
"""
CODES = tuple(_CODES.split())
# What people write beside a number, in capital letters. A mark of several currencies means the account's own,
# where that is among them.
_MARKS = {
    "$": "USD CAD AUD NZD SGD HKD MXN ARS CLP COP TWD JMD TTD BBD BSD BZD FJD NAD UYU XCD",
    "US$": "USD", "C$": "CAD", "CA$": "CAD", "A$": "AUD", "AU$": "AUD", "NZ$": "NZD", "S$": "SGD", "HK$": "HKD", "NT$": "TWD",
    "MX$": "MXN", "R$": "BRL", "€": "EUR", "£": "GBP EGP GIP FKP SHP", "¥": "JPY CNY", "CN¥": "CNY", "JP¥": "JPY", "₹": "INR",
    "RS": "INR PKR LKR NPR MUR SCR", "₽": "RUB", "₺": "TRY", "TL": "TRY", "₩": "KRW", "₪": "ILS", "฿": "THB", "₫": "VND", "₴": "UAH",
    "₦": "NGN", "₱": "PHP CUP", "₲": "PYG", "₡": "CRC", "₸": "KZT", "KR": "SEK NOK DKK ISK", "KČ": "CZK", "ZŁ": "PLN", "FT": "HUF",
    "LEI": "RON MDL", "LEI.": "RON", "FR": "CHF XAF XOF", "SFR": "CHF", "ЛВ": "BGN", "EURO": "EUR", "EUR": "EUR", "R": "ZAR", "RM": "MYR",
    "RP": "IDR", "DH": "AED MAD", "KM": "BAM",
}  # fmt: skip


def exponent(currency: str) -> int:
    """Decimal digits of a currency: 2 for EUR, 0 for JPY, 3 for KWD."""
    return _EXPONENTS.get(currency, 2)


def meant(mark: str, own: str) -> str | None:
    """The currency of a mark, in an account whose currency is ``own``; None where it is no mark of a
    currency, or of several others.
    """
    if mark in CODES:
        return mark
    codes = _MARKS.get(mark, "").split()
    if own in codes:
        return own
    return codes[0] if len(codes) == 1 else None


def currency_of(marks: Iterable[str]) -> str | None:
    """The one currency that all marks of a column may be, the usual one first; None where there is none, or
    more than one.
    """
    choices = [[mark] if mark in CODES else _MARKS.get(mark, "").split() for mark in marks]
    if not choices or not all(choices):
        return None
    shared = [code for code in choices[0] if all(code in other for other in choices)]
    return shared[0] if shared else None


def major_units(minor: int, currency: str) -> Decimal:
    """Minor units in major ones, exact and with all digits of the currency: 120450 of EUR is 1204.50."""
    return Decimal(minor).scaleb(-exponent(currency))
