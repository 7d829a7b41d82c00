"""Verbs from a first config to a daily run: init, config, login, check, setup, schedule, demo."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sync.cli import completion
from sync.cli.execution import asking, execute, fail, options_of
from sync.cli.options import CONFIG, Account, Config, Json, Reconcile, Totals

if TYPE_CHECKING:
    from sync.context import Progress


def init(
    config: Config = CONFIG,
    crm: Annotated[
        str | None,
        typer.Option(
            "--crm",
            help="files, hubspot, salesforce or sql; asked for on a terminal. Default: files.",
            autocompletion=completion.one_of("files", "hubspot", "salesforce", "sql"),
        ),
    ] = None,
    path: Annotated[
        Path | None,
        typer.Option(
            "--path",
            help="files: the folder of exports. sql: the file of a database. hubspot, salesforce: exports of a shop with the orders.",
            metavar="PATH",
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            "--url", help="sql: where the database URL is stored, such as env:DATABASE_URL.", metavar="REF"
        ),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option("--engine", help="sql, in place of --url: postgres, mysql, sqlite, duckdb ..."),
    ] = None,
    host: Annotated[str | None, typer.Option("--host", help="sql, with --engine: the host name.")] = None,
    port: Annotated[str | None, typer.Option("--port", help="sql, with --engine: the port.")] = None,
    user: Annotated[str | None, typer.Option("--user", help="sql, with --engine: the user name.")] = None,
    password: Annotated[
        str | None,
        typer.Option(
            "--password", help="sql, with --engine: where it is stored, such as env:NAME.", metavar="REF"
        ),
    ] = None,
    database: Annotated[
        str | None, typer.Option("--database", help="sql, with --engine: the name of the database.")
    ] = None,
    sslmode: Annotated[
        str | None, typer.Option("--sslmode", help="sql: disable, require, verify-ca or verify-full.")
    ] = None,
    schema: Annotated[
        str | None,
        typer.Option("--schema", help="sql: the schema of customers and orders, if several have them."),
    ] = None,
    segments_schema: Annotated[
        str | None,
        typer.Option("--segments-schema", help="sql: the schema to write segments to.", metavar="NAME"),
    ] = None,
    segmentations: Annotated[
        str | None,
        typer.Option(
            "--segmentations",
            help="Kinds of segmentation, with commas between them. Default: rfm,abc.",
            metavar="KINDS",
            autocompletion=completion.kinds,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing config.")] = False,
    api_url: Annotated[
        str | None,
        typer.Option("--api-url", help="hubspot, salesforce: the API address."),
    ] = None,
    client_id: Annotated[
        str | None, typer.Option("--client-id", help="salesforce: consumer key of the connected app.")
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(
            "--secret-env",
            help="hubspot, salesforce: the environment variable with the token, or a reference that `login` tells.",
            metavar="NAME",
        ),
    ] = None,
    decimal: Annotated[
        str | None,
        typer.Option("--decimal", help='files: the decimal sign, "." or ",".', metavar="SIGN"),
    ] = None,
    date_format: Annotated[
        str | None,
        typer.Option(
            "--date-format", help='files: how dates are written, such as "%d/%m/%Y".', metavar="FORMAT"
        ),
    ] = None,
    line_items: Annotated[
        str | None,
        typer.Option(
            "--line-items",
            help="files: amounts of orders of several rows: own, repeat or blank.",
            metavar="SHAPE",
        ),
    ] = None,
    time_zone: Annotated[
        str | None, typer.Option("--time-zone", help="Time zone, such as Europe/Berlin.", metavar="ZONE")
    ] = None,
    currency: Annotated[
        str | None, typer.Option("--currency", help="Currency, such as EUR.", metavar="CODE")
    ] = None,
    platform: Annotated[
        Path | None,
        typer.Option(
            "--platform", help="Your own description of a platform's exports or tables.", metavar="FILE"
        ),
    ] = None,
    match: Annotated[
        str | None,
        typer.Option(
            "--match",
            help="hubspot, salesforce, with --path: the field that holds the shop's customer number. Default: found by e-mail address.",
            metavar="FIELD",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing; accept every proposal.")] = False,
    as_json: Json = False,
) -> None:
    """Create a config with comments, from options or by asking you. It recognises the exports of common shops."""
    asking = not as_json and not yes and sys.stdin.isatty()
    access = {"api_url": api_url, "client_id": client_id, "secret": secret}
    described: dict[str, Any] = {
        "decimal": decimal,
        "date_format": date_format,
        "line_items": line_items,
        "time_zone": time_zone,
        "currency": currency,
        "platform": platform,
        "match": match,
        "schema": schema,
        "segments_schema": segments_schema,
        "log_in": {
            "url": url,
            "engine": engine,
            "host": host,
            "port": port,
            "user": user,
            "password": password,
            "database": database,
            "sslmode": sslmode,
        },
    }

    def ask(question: str, default: str) -> str:
        return str(typer.prompt(question, default=default, err=True)) if asking else default

    execute(
        "init",
        as_json,
        lambda c, _p: c.init(config, crm, path, segmentations, force, ask, access, described),
    )


def config(
    what: Annotated[
        str,
        typer.Argument(
            help="example: print a config with every setting and its reason.",
            metavar="example",
            autocompletion=completion.one_of("example"),
        ),
    ],
    as_json: Json = False,
) -> None:
    """Print an example of a config, with every setting there is and the reason for it."""
    if what != "example":
        raise typer.BadParameter(f"There is no {what!r} of a config; write `crm-segments config example`.")
    execute("config", as_json, lambda c, _p: c.example())


def login(
    crm: Annotated[
        str,
        typer.Argument(
            help="hubspot or salesforce.",
            metavar="CRM",
            autocompletion=completion.one_of("hubspot", "salesforce"),
        ),
    ],
    account: Annotated[
        str | None,
        typer.Argument(
            help="Account of the config. Default: its only one of this CRM.",
            metavar="ACCOUNT",
            autocompletion=completion.accounts,
        ),
    ] = None,
    config: Config = CONFIG,
    api_url: Annotated[
        str | None, typer.Option("--api-url", help="Without a config: the API address.")
    ] = None,
    client_id: Annotated[
        str | None,
        typer.Option("--client-id", help="salesforce, without a config: consumer key of the app."),
    ] = None,
    no_check: Annotated[
        bool, typer.Option("--no-check", help="Store it without trying whether the CRM takes it.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Replace what the keyring holds without asking.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Store the token or secret of an account in the keyring of your system. It says how to make one, and never
    shows it.
    """
    from sync.cli import secrets

    asking_person = not as_json and sys.stdin.isatty()

    def ask(question: str, default: str) -> str:
        return str(typer.prompt(question, default=default, err=True)) if asking_person else default

    def replace(references: str) -> bool:
        question = f"The keyring holds {references} already. Replace it?"
        return yes or (asking_person and typer.confirm(question, err=True))

    access = {"api_url": api_url, "client_id": client_id}
    execute(
        "login",
        as_json,
        lambda c, _p: c.login(
            config,
            crm,
            account,
            secrets.reader(),
            access,
            not no_check,
            ask,
            replace,
            secrets.teller(as_json),
        ),
    )


def check(
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    reconcile: Reconcile = None,
    total: Totals = None,
) -> None:
    """Check config, credentials, permissions and files, and list every problem. It can also compare months with
    your own totals.
    """
    execute(
        "check",
        as_json,
        lambda c, p: c.check(config, options_of(account, progress=p), reconcile, total or ()),
    )


def setup(
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    yes: Annotated[bool, typer.Option("--yes", help="Create what is shown without asking.")] = False,
    export: Annotated[
        Path | None,
        typer.Option("--export", help="Create nothing; write the steps into this folder.", metavar="DIR"),
    ] = None,
    adopt: Annotated[
        list[str] | None,
        typer.Option(
            "--adopt",
            help="Take over this field or list although crm-segments did not create it.",
            metavar="NAME",
        ),
    ] = None,
    new_names: Annotated[
        bool,
        typer.Option(
            "--new-names",
            help="Create fields under the names that a changed prefix or field_name gives, beside the old ones.",
        ),
    ] = False,
) -> None:
    """Preview the fields and lists to create in the CRM; create them once you confirm."""
    execute(
        "setup",
        as_json,
        lambda c, p: c.setup(
            config,
            options_of(account, progress=p),
            asking("setup", yes, as_json),
            adopt or (),
            export,
            new_names,
        ),
    )


def schedule(
    config: Config = CONFIG,
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            help="Only cron, systemd, kubernetes or airflow.",
            autocompletion=completion.one_of("cron", "systemd", "kubernetes", "airflow"),
        ),
    ] = None,
    at: Annotated[str, typer.Option("--at", help="Time of day.", metavar="HH:MM")] = "02:30",
    max_age: Annotated[float | None, typer.Option("--max-age", hidden=True)] = None,
    as_json: Json = False,
) -> None:
    """Print what cron, systemd, Kubernetes or Airflow need for a daily run, and to watch over it."""
    if max_age is not None:
        fail("--max-age is no_good_run_hours in [alerts] of the config now", 2, as_json)
    execute("schedule", as_json, lambda c, _p: c.schedule(config, None, kind, at))


def demo(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A new folder for everything that the demo creates.")
    ] = Path("crm-segments-demo"),
    as_json: Json = False,
    full: Annotated[
        bool,
        typer.Option("--full", help="All eight segmentations and their scorecards; takes a minute or two."),
    ] = False,
    show_report: Annotated[
        bool, typer.Option("--open", help="Open the report in the browser at the end.")
    ] = False,
) -> None:
    """See the whole loop on 2,469 real households. Needs no account."""

    def work(_commands: Any, progress: Progress) -> dict[str, Any]:
        from sync.demo.play import demo as play

        answer = play(directory, progress, (lambda _text: None) if as_json else typer.echo, full)
        if show_report and typer.launch(answer["report"]):
            fail(f"No browser could be started; open {answer['report']} yourself", 1, as_json)
        return answer

    execute("demo", as_json, work)
