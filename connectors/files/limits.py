"""Which names and texts does a folder of files take?

Columns of ``segments.csv`` that tell whose row it is are no fields.
"""

from __future__ import annotations

from connectors.contract import Limits

LIMITS = Limits(r"(?!(id|record_type)$).+", "id and record_type tell whose row it is")
