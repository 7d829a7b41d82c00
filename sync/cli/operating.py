"""Verbs that keep a daily run going: watch, backup, restore."""

from __future__ import annotations

from pathlib import Path
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


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write, such as backup.tar.gz.")],
    config: Config = CONFIG,
    as_json: Json = False,
) -> None:
    """Save what must be kept (plans, changes, models, consent) to one file. It works during a run, too."""
    execute("backup", as_json, lambda c, _p: c.backup(config, file))


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that backup wrote.")],
    config: Config = CONFIG,
    as_json: Json = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Set the present journal aside under another name.")
    ] = False,
) -> None:
    """Bring back what backup saved. The next run shows what has changed in the CRM since."""
    execute("restore", as_json, lambda c, _p: c.restore(config, file, replace))
