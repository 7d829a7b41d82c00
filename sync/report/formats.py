"""How is a number said to people?"""

from __future__ import annotations

from dataclasses import dataclass

UNKNOWN = "\u2013"


def count(number: float | None) -> str:
    """``1,204``; what is not known is a dash."""
    return UNKNOWN if number is None else f"{number:,.0f}"


def percent(share: float | None) -> str:
    """``12.3%``; a share that is not known is a dash."""
    if share is None:
        return UNKNOWN
    return f"{share:.0%}" if share >= 0.995 or share == 0 else f"{share:.1%}"


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
