"""Verbs that keep a daily run going: watch."""

from __future__ import annotations

from typing import Annotated

import typer

from sync.cli.execution import execute
from sync.cli.options import CONFIG, Config, Json


def watch(
    config: Config = CONFIG,
    as_json: Json = False,
    trial: Annotated[
        bool, typer.Option("--test", help="Send a test message to every alert channel.")
    ] = False,
) -> None:
    """Send alerts if a run failed, did not happen, or looks unusual. Call it from your scheduler every hour."""
    execute("watch", as_json, lambda c, _p: c.watch(config, None, trial))
