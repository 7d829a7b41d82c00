"""What is the same in the lists of every CRM?"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from connectors.contract import Page, RemoteList
from connectors.schemas import MEMBER_SCHEMA


def member_page(remote: RemoteList, ids: Sequence[str], position: str, part: str) -> Page:
    """All members of a list, as the one page of a part (MEMBER_SCHEMA)."""
    columns = [pa.array([remote.record_type] * len(ids), pa.string()), pa.array(ids, pa.string())]
    return Page(pa.table(columns, schema=MEMBER_SCHEMA), position, part, whole=True, first=True)
