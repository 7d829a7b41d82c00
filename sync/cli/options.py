"""Which options do several verbs share?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[Path, typer.Option("--config", help="The config file.", show_default=True)]
Account = Annotated[
    str | None, typer.Option("--account", help="Only this account. Default: every account that is written.")
]
Json = Annotated[
    bool, typer.Option("--json", help="Print JSON with stable keys, and nothing else, on standard output.")
]
Allow = Annotated[
    list[str] | None,
    typer.Option("--allow", help="Let this guard pass (repeatable); needs --reason.", metavar="GUARD"),
]
Reason = Annotated[str | None, typer.Option("--reason", help="Why; kept in the journal.")]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", help="The last local day that counts, instead of the config's.", metavar="DATE"),
]
Names = Annotated[list[str] | None, typer.Argument(help="Only these segmentations.")]
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
CONFIG = Path("config.toml")
