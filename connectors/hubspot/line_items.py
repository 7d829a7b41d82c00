"""What was bought with a deal? Its line items, each with its part of the deal's amount.

The deal's amount is what counts: discounts and taxes of the whole deal are spread over the lines by their own
amounts, so that the lines sum to the deal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from connectors.hubspot.shapes import RECORDS
from connectors.values.api_columns import numbers, texts
from connectors.values.home_amounts import divided

if TYPE_CHECKING:
    from connectors.hubspot.session import Portal

BATCH = 100
_PROPERTIES = ("name", "hs_sku", "hs_product_type", "quantity", "price", "amount")
_MOST = 1 << 40  # of a weight


class LineItems:
    """The line items of one portal."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def lines(self, table: pa.Table, deals: Sequence[str], links: Mapping[str, Sequence[str]]) -> pa.Table:
        """A row for each line item in place of each row of a deal; ``deals``: of each row.

        A deal without any keeps its rows.
        """
        wanted = list(dict.fromkeys(item for deal in dict.fromkeys(deals) for item in links.get(deal, ())))
        if not wanted:
            return table
        items = self._read(wanted)
        units = table["amount_minor"].to_pylist()
        places: list[int] = []
        amounts: list[int | None] = []
        rows: list[tuple[str | None, str | None, float | None]] = []
        for index, deal in enumerate(deals):
            sold = [items[item] for item in links.get(deal, ()) if item in items]
            worth, total = [line[3] for line in sold], units[index]
            places += [index] * max(len(sold), 1)
            rows += [line[:3] for line in sold] or [(None, None, None)]
            amounts += divided(total, worth) if sold and total is not None else [total] * max(len(sold), 1)
        lines = table.take(pa.array(places, pa.int64()))
        lines = lines.set_column(
            lines.column_names.index("amount_minor"), "amount_minor", pa.array(amounts, pa.int64())
        )
        product, category, quantity = zip(*rows, strict=True)
        lines = lines.append_column("quantity", pa.array(quantity, pa.float64()))
        return lines.append_column("product", pa.array(product, pa.string())).append_column(
            "category", pa.array(category, pa.string())
        )

    def _read(self, ids: Sequence[str]) -> dict[str, tuple[str | None, str | None, float | None, int]]:
        """Product, category, quantity and weight of each line item."""
        chunks = [list(ids[start : start + BATCH]) for start in range(0, len(ids), BATCH)]
        results = [line for chunk in self._portal.many(self._batch, chunks) for line in chunk]
        column = {
            name: texts((line.get("properties") or {}).get(name) for line in results) for name in _PROPERTIES
        }
        price, quantity, amount = (
            numbers(column[name]).to_pylist() for name in ("price", "quantity", "amount")
        )
        weights = [_weight(a, p, q) for a, p, q in zip(amount, price, quantity, strict=True)]
        names = [
            name or sku
            for name, sku in zip(column["name"].to_pylist(), column["hs_sku"].to_pylist(), strict=True)
        ]
        kinds = column["hs_product_type"].to_pylist()
        return {
            str(line["id"]): row
            for line, row in zip(results, zip(names, kinds, quantity, weights, strict=True), strict=True)
        }

    def _batch(self, ids: list[str]) -> list[dict[str, Any]]:
        body = {"properties": list(_PROPERTIES), "inputs": [{"id": id} for id in ids]}
        answer = self._portal.ask(
            "POST", self._portal.path("objects", "line_items", "batch", "read"), body=body, shape=RECORDS
        )
        line_items: list[dict[str, Any]] = answer["results"]
        return line_items


def _weight(amount: float | None, price: float | None, quantity: float | None) -> int:
    worth = amount if amount is not None else (price or 0.0) * (1.0 if quantity is None else quantity)
    return min(max(round(worth * 100), 0), _MOST)
