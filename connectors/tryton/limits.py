"""Which names of fields does Tryton take? Those of a Python attribute, where its module makes them."""

from connectors.contract import Limits

LIMITS = Limits(r"[a-z][a-z0-9_]{0,62}", "at most 63 small letters, digits and _, starting with a letter")
