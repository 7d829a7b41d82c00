"""How do the columns of a table become those of the contract?"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from connectors.tables.activities import ActivityPage
from connectors.tables.column_reader import ColumnReader, Columns
from connectors.tables.dialect import Way
from connectors.tables.orders import OrderLines, RepeatedTotals
from connectors.tables.records import Buyers, RecordPage
from connectors.tables.rejects import TableRejects


@dataclass(frozen=True)
class Normaliser:
    """Turns pages of one table into the contract's form.

    ``lines`` and ``watch`` remember orders from page to page, ``buyers`` whom they name.
    """

    way: Way
    lines: OrderLines | None = None
    watch: RepeatedTotals | None = None
    buyers: Buyers | None = None

    def page(
        self,
        columns: Columns,
        attributes: Columns,
        further: Columns,
        lines: pa.Array,
        rejects: TableRejects,
        room: int,
    ) -> pa.Table:
        """One page: columns under our names, attributes under theirs, status columns by header.

        ``room``: rejects to list.
        """
        reader = ColumnReader(self.way, rejects, room, columns, lines)
        if self.way.dialect.stream == "activity":
            return ActivityPage(reader, further, self.lines, self.watch).page()
        return RecordPage(reader, self.buyers).page(attributes)
