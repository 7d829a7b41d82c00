"""The verb that writes people into a file: segment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sync.cli.execution import execute, options_of
from sync.cli.options import CONFIG, Account, Config, Json


def segment(
    name: Annotated[str, typer.Argument(help="Segmentation and segment: rfm.champions.")],
    out: Annotated[Path, typer.Option("--out", help="Write the members to this CSV file.", metavar="FILE")],
    columns: Annotated[
        str,
        typer.Option(
            "--columns",
            help="Columns in their order: id, email, phone, first_name, ... or attributes. Default: id, and what the channel needs.",
            metavar="NAME,NAME",
        ),
    ] = "",
    channel: Annotated[
        str,
        typer.Option(
            "--channel",
            help="email, phone, sms, post or ads: only people who may be reached by it, without the control group.",
            metavar="CHANNEL",
        ),
    ] = "",
    reason: Annotated[
        str,
        typer.Option(
            "--reason",
            help="What a file is for that nobody is contacted by; kept in the journal.",
            metavar="TEXT",
        ),
    ] = "",
    platform: Annotated[
        str,
        typer.Option(
            "--for",
            help="google, meta or linkedin: a file to upload there, hashed, of people who may be reached by ads.",
            metavar="PLATFORM",
        ),
    ] = "",
    plain: Annotated[
        bool, typer.Option("--plain", help="With --for: not hashed; the platform hashes it at the upload.")
    ] = False,
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
) -> None:
    """Write the members of a segment to a CSV file, as far as consent allows; the journal keeps who did."""
    chosen = [column.strip() for column in columns.split(",") if column.strip()]
    execute(
        "segment",
        as_json,
        lambda c, p: c.segment(
            config,
            options_of(account, progress=p),
            name,
            out,
            chosen,
            channel,
            reason,
            platform=platform,
            plain=plain,
        ),
    )
