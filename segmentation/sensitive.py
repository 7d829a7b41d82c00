"""Which attributes of people does nobody learn from unless told to by name?"""

from __future__ import annotations

import re
from collections.abc import Iterable

# Special categories of Article 9 of the GDPR, and what equal-treatment law adds; parts of names, in any case.
_WORDS = (
    *(
        "age",
        "aged",
        "birth",
        "birthday",
        "birthdate",
        "dob",
        "gender",
        "sex",
        "sexual",
        "orientation",
        "pregnant",
        "pregnancy",
    ),
    *(
        "health",
        "medical",
        "diagnosis",
        "disability",
        "disabled",
        "ethnic",
        "ethnicity",
        "race",
        "racial",
        "nationality",
    ),
    *(
        "religion",
        "religious",
        "faith",
        "belief",
        "political",
        "politics",
        "party",
        "union",
        "biometric",
        "genetic",
    ),
    *(
        "geschlecht",
        "alter",
        "geburtstag",
        "geburtsdatum",
        "geburtsjahr",
        "gesundheit",
        "krankheit",
        "behinderung",
        "schwanger",
    ),
    *("konfession", "glaube", "ethnie", "partei", "gewerkschaft", "sexe", "naissance", "sexo", "nacimiento"),
)


def sensitive(name: str) -> bool:
    """Does a name speak of what people must not be judged by?"""
    parts = re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    return any(part in _WORDS for part in parts)


def unasked(names: Iterable[str]) -> list[str]:
    """Faults of attributes that are sensitive and were not switched on by name."""
    return [
        f"attribute {name!r} is sensitive: leave it out, or, where you may use it, move it to sensitive = [{name!r}]"
        for name in names
        if sensitive(name)
    ]
