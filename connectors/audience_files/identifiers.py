"""How does each ad platform write an address, a number or a name before it hashes it?

One hash for all platforms is wrong: each finds only the people whose identifiers were written its own way. What
cannot be written so is left out: None. Sources:
  google    https://developers.google.com/google-ads/api/docs/remarketing/audience-segments/customer-match/get-started
            (prepare the data), https://support.google.com/google-ads/answer/7659867 (files)
  meta      https://developers.facebook.com/docs/marketing-api/audiences/guides/custom-audiences#hash
  linkedin  https://learn.microsoft.com/en-us/linkedin/marketing/matched-audiences/create-and-manage-segment-users
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import cache

_GMAIL = ("gmail.com", "googlemail.com")
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_LANGUAGES = ("en", "de", "fr", "es", "it", "nl", "pt", "pl", "sv", "da")  # in which a country may be named
_ALSO = {
    "uk": "GB",
    "england": "GB",
    "scotland": "GB",
    "wales": "GB",
    "usa": "US",
    "u.s.": "US",
    "u.s.a.": "US",
}


def hashed(identifier: str) -> str:
    """SHA-256 in lower-case hexadecimal digits, as all of them ask for."""
    return hashlib.sha256(identifier.encode()).hexdigest()


def google_email(address: str) -> str | None:
    """Lower case, all blanks out; of Gmail addresses dots and what follows a + before the @ as well."""
    written = "".join(address.split()).lower()
    local, _, domain = written.rpartition("@")
    if domain in _GMAIL:
        written = f"{local.partition('+')[0].replace('.', '')}@{domain}"
    return written if _ADDRESS.fullmatch(written) else None


def trimmed_email(address: str) -> str | None:
    """Lower case, no blanks around; Gmail addresses are like all others (Meta, LinkedIn)."""
    written = address.strip().lower()
    return written if _ADDRESS.fullmatch(written) else None


def international_phone(number: str, country: str | None) -> str | None:
    """E.164 with its + (Google). A number that begins with neither + nor 00 is one of ``country`` (ISO 3166, two letters)."""
    import phonenumbers

    try:
        parsed = phonenumbers.parse(re.sub(r"^\s*00", "+", number), country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


def phone_digits(number: str, country: str | None) -> str | None:
    """The digits of ``international_phone`` alone, which begin with the country's code (Meta)."""
    written = international_phone(number, country)
    return written and written.lstrip("+0")


def google_name(name: str) -> str | None:
    """Lower case, no blanks around."""
    return name.strip().lower() or None


def meta_name(name: str) -> str | None:
    """Lower case, no blanks around, no punctuation; letters keep their accents."""
    letters = "".join(letter for letter in name.lower() if not unicodedata.category(letter).startswith("P"))
    return letters.strip() or None


def meta_post_code(code: str, country: str | None) -> str | None:
    """Lower case, without blanks and dashes; of the United States the first five digits."""
    written = re.sub(r"[\s-]", "", code.lower())
    return (written[:5] if country == "US" else written) or None


def country_code(country: str) -> str | None:
    """Two letters (ISO 3166) of a country that people name by its code or in one of ten languages."""
    return _codes().get(country.strip().casefold())


@cache
def _codes() -> dict[str, str]:
    """Names and codes of countries → two letters; where two are called the same, the first of the alphabet."""
    from babel import Locale
    from babel.core import get_global

    codes: dict[str, str] = {}
    for language in _LANGUAGES:
        for code, name in sorted(Locale(language).territories.items()):
            if re.fullmatch("[A-Z]{2}", code) and code not in ("EU", "EZ", "UN", "XA", "XB", "ZZ"):
                codes.setdefault(name.casefold(), code)
                codes.setdefault(code.casefold(), code)
    for three, codes_now in get_global("territory_aliases").items():
        if re.fullmatch("[A-Z]{3}", three) and len(codes_now) == 1:
            codes.setdefault(three.casefold(), codes_now[0])
    return codes | _ALSO
