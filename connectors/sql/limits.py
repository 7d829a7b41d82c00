"""Which names of fields does a database take? They name views of ours, whose names no server may cut off."""

from __future__ import annotations

from connectors.contract import Limits

LIMITS = Limits("[A-Za-z][A-Za-z0-9_]{0,49}", "at most 50 letters (A-Z), digits and _, a letter first")
