"""How is a number said to people?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

UNKNOWN = "\u2013"


def count(number: float | None) -> str:
    """``1,204``; what is not known is a dash."""
    return UNKNOWN if number is None else f"{number:,.0f}"


def percent(share: float | None) -> str:
    """``12.3%``; ``100%`` and ``0%`` are said of nothing less and nothing more. What is not known is a dash."""
    if share is None:
        return UNKNOWN
    if share in (0, 1):
        return f"{share:.0%}"
    return "<0.1%" if 0 < share < 0.0005 else f"{min(share, 0.999) if share < 1 else share:.1%}"


def day(when: date | None) -> str:
    """``30 November 2026``."""
    return UNKNOWN if when is None else f"{when.day} {when:%B %Y}"


def change(number: int | None) -> str:
    """``+12``; what cannot be compared is a dash."""
    return UNKNOWN if number is None else f"{number:+,}" if number else "0"


def signed(share: float) -> str:
    """``+1.2%``."""
    return f"{share:+.1%}"


def figure(number: float | None) -> str:
    """``0.855``: of a measure that has no unit."""
    return UNKNOWN if number is None else f"{number:.3f}"


def days(number: float | None) -> str:
    """``12 days``."""
    return UNKNOWN if number is None else f"{number:,.0f} day{'s' * (round(number) != 1)}"


@dataclass(frozen=True)
class Money:
    """Amounts in minor units of a currency, as people read them."""

    currency: str
    exponent: int

    def whole(self, amount: float | None) -> str:
        """``4,170,230 EUR``."""
        return UNKNOWN if amount is None else f"{amount / 10**self.exponent:,.0f} {self.currency}"

    def brief(self, amount: float | None) -> str:
        """In few letters, without its currency: ``4.17 M``."""
        if amount is None:
            return UNKNOWN
        whole = amount / 10**self.exponent
        for size, letter in ((1e9, "bn"), (1e6, "M")):
            if abs(whole) >= size:
                return f"{whole / size:,.2f} {letter}"
        return f"{whole:,.0f}"

    def mean(self, amount: int | None, number: int | None) -> str:
        """An amount divided by a number: ``41 EUR``."""
        return UNKNOWN if amount is None or not number else self.whole(amount / number)
