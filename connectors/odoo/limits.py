"""Which names of fields does Odoo take? A manual field begins with x_, which the connector puts before other names."""

from connectors.contract import Limits

LIMITS = Limits(r"[a-z][a-z0-9_]{0,59}", "at most 60 small letters, digits and _, starting with a letter")
