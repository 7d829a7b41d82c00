"""How do the columns of an export become those of the contract?"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch

import pyarrow as pa

from connectors.files.activities import ActivityPage
from connectors.files.column_reader import ColumnReader, Columns, Way, constant
from connectors.files.orders import OrderLines, RepeatedTotals
from connectors.files.records import RecordPage
from connectors.files.rejects import FileRejects


@dataclass(frozen=True)
class Normaliser:
    """Turns pages of one file into the contract's form.

    ``lines`` and ``watch`` remember orders from page to page.
    """

    way: Way
    part: str
    lines: OrderLines | None = None
    watch: RepeatedTotals | None = None

    def page(
        self,
        columns: Columns,
        attributes: Columns,
        further: Columns,
        lines: pa.Array,
        rejects: FileRejects,
        room: int,
    ) -> pa.Table:
        """One page: columns under our names, attributes under theirs, status columns by header.

        ``room``: rejects to list.
        """
        reader = ColumnReader(self.way, rejects, room, self._with_constants(columns, len(lines)), lines)
        if self.way.dialect.stream == "activity":
            return ActivityPage(reader, further, self.lines, self.watch).page()
        return RecordPage(reader).page(attributes)

    def _with_constants(self, columns: Columns, count: int) -> Columns:
        filled = dict(columns)
        for pattern, values in self.way.dialect.table.constants.items():
            if fnmatch(self.part.casefold(), pattern.casefold()):
                added = {name: value for name, value in values.items() if name not in columns}
                filled |= {name: pa.chunked_array([constant(value, count)]) for name, value in added.items()}
        return filled
