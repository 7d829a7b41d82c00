"""Verbs that read a CRM and label, and write nothing to it: pull, train, evaluate, label."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sync.cli.execution import execute, options_of
from sync.cli.options import CONFIG, Account, Allow, AsOf, Composition, Config, Json, Names, Reason


def pull(
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    allow: Allow = None,
    reason: Reason = None,
) -> None:
    """Read new data from the CRM."""
    execute("pull", as_json, lambda c, p: c.pull(config, options_of(account, allow, reason, progress=p)))


def train(
    names: Names = None,
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    as_of: AsOf = None,
    propose: Annotated[
        bool,
        typer.Option(
            "--propose", help="Only show what new models would change, and how many customers would move."
        ),
    ] = False,
) -> None:
    """Retrain models and cut-offs; they stay fixed between trainings."""
    execute(
        "train",
        as_json,
        lambda c, p: c.train(config, options_of(account, as_of=as_of, progress=p), names or (), propose),
    )


def evaluate(
    names: Names = None,
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    as_of: AsOf = None,
    composition: Composition = None,
) -> None:
    """Show quality scorecards: back-test accuracy, drift and campaign effect."""
    execute(
        "evaluate",
        as_json,
        lambda c, p: c.evaluate(
            config, options_of(account, as_of=as_of, progress=p), names or (), composition or ()
        ),
    )


def label(
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    as_of: AsOf = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Write ids, purchases, segments and scores to this CSV file.", metavar="FILE"
        ),
    ] = None,
    horizon: Annotated[
        int | None,
        typer.Option(
            "--horizon",
            min=1,
            max=3660,
            help="Add forecasts over so many days, and train for them what the config has not.",
            metavar="DAYS",
        ),
    ] = None,
    reason: Annotated[
        str,
        typer.Option(
            "--reason",
            help="What the file is for; kept in the journal. Needed where ids are addresses.",
            metavar="TEXT",
        ),
    ] = "",
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Show how many customers have each attribute, what each rule matches, and rules that never match.",
        ),
    ] = False,
) -> None:
    """Put every customer into segments, and write nothing to the CRM."""
    execute(
        "label",
        as_json,
        lambda c, p: c.label(
            config, options_of(account, as_of=as_of, progress=p), out, explain, horizon, reason
        ),
    )
