"""Which names of fields does the CRM in memory take?"""

from connectors.contract import Limits

LIMITS = Limits(r"[A-Za-z]\w{0,99}", "at most 100 letters, digits and _, a letter first")
