"""Which options do several verbs share?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sync.cli import completion

Config = Annotated[Path, typer.Option("--config", help="The config file.", show_default=True)]
Account = Annotated[
    str | None,
    typer.Option(
        "--account",
        help="Only this account. Default: every writable account.",
        autocompletion=completion.accounts,
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print JSON with stable keys, and nothing else, to standard output.")
]
Allow = Annotated[
    list[str] | None,
    typer.Option(
        "--allow",
        help="Let this guard pass (repeatable); needs --reason.",
        metavar="GUARD",
        autocompletion=completion.guards,
    ),
]
Reason = Annotated[str | None, typer.Option("--reason", help="Why the guard may pass; kept in the journal.")]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", help="The last day that counts, in place of the config's.", metavar="DATE"),
]
Names = Annotated[
    list[str] | None,
    typer.Argument(
        help="Only these segmentations.", metavar="NAMES", autocompletion=completion.segmentations
    ),
]
Composition = Annotated[
    list[str] | None,
    typer.Option(
        "--composition",
        help="Show who is in each segment by this attribute; repeat for more.",
        metavar="ATTRIBUTE",
    ),
]
Reconcile = Annotated[
    Path | None,
    typer.Option("--reconcile", help="Compare with this CSV file: month,orders,net_revenue.", metavar="FILE"),
]
Totals = Annotated[
    list[str] | None,
    typer.Option("--total", help="Compare with this month (repeatable).", metavar="MONTH=ORDERS/REVENUE"),
]
CONFIG = completion.CONFIG
