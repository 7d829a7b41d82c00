"""By which further columns may people be grouped, and of which type is each?"""

from __future__ import annotations

from collections.abc import Sequence

from connectors.tables.header_matching import amounts, times, truths
from connectors.tables.sample import Sample

_OWN_TO_ALL = 0.9  # share of different texts from which on a column names people rather than groups of them


def attribute_types(sample: Sample, taken: set[str]) -> dict[str, str]:
    """Header → type of the columns that are not ``taken``.

    One that says something else of nearly everyone is none.
    """
    types_by_header = {}
    for header, cells in sample.columns.items():
        given = [cell for cell in cells if cell]
        if header in taken or not given:
            continue
        kind = _type(given)
        if kind == "text" and len(given) > 20 and len(set(given)) > _OWN_TO_ALL * len(given):
            continue
        types_by_header[header] = kind
    return types_by_header


def _type(cells: Sequence[str]) -> str:
    if any(
        cell.lstrip("'").isdigit() and len(cell.lstrip("'")) > 1 and cell.lstrip("'")[0] == "0"
        for cell in cells
    ):
        return "text"  # a postcode, an article number
    if any(cell[0] in "'+" for cell in cells):
        return "text"
    if truths(cells) and not all(cell in "01" for cell in cells):
        return "bool"
    numbers = amounts(cells)
    if numbers.numbers == numbers.cells and not numbers.marks and numbers.decimal:
        return "number"
    moments = times(cells)
    return "date" if moments.read == moments.cells and moments.formats() else "text"
