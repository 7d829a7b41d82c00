"""What do the tables of a database hold? ``init`` asks, with what the catalogue and the tables themselves tell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from connectors.contract import Account
from connectors.errors import ConnectorError
from sync.config.secret import FORMS, SecretError, is_reference, secret
from sync.exit_codes import CommandError, UsageError
from sync.start.access import Ask, asked
from sync.start.config_text import quoted
from sync.start.tables import (
    Described,
    Found,
    ask_columns,
    relative,
    require_amount,
    require_contacts,
    settle_questions,
    state_habits,
)

if TYPE_CHECKING:
    from connectors.sql.catalogue import TableEntry
    from connectors.sql.engines.base import Engine
    from connectors.sql.schema_inference import Choice
    from connectors.tables.guess import Guess
    from connectors.tables.preview import Preview
    from sync.start.config_text import Answers

ACCOUNT = "warehouse"
_SECRETS = ("url", "password")
_LOOK_BACK = 1440  # minutes: a loader stamps a row long before it commits it
_ABOUT = {"url": "only its name stands here", "password": "only its name stands here"}


def found_in_database(config: Path, path: Path | None, ask: Ask, described: Described) -> Found:
    """The tables of a database. CommandError where they do not tell what is needed."""
    from connectors.sql.address import address_of
    from connectors.sql.engines.base import engine_of
    from connectors.sql.schema_inference import guesses_of
    from connectors.sql.settings import LogIn

    written = _log_in(config, path, ask, described)
    resolved = _resolved(written, config.absolute().parent)
    try:
        account = Account(ACCOUNT, "sql", LogIn.model_validate(resolved), config.absolute().parent)
        engine = engine_of(address_of(account), account.settings.statement_timeout_minutes)
        engine.begin()
        try:
            choice = _chosen(engine, described, ask)
            guesses = guesses_of(engine, choice)
        finally:
            engine.end()
    except ValidationError as error:
        raise UsageError(
            "; ".join(fault["msg"].removeprefix("Value error, ") for fault in error.errors())
        ) from None
    except ConnectorError as error:
        raise CommandError(str(error)) from None
    for guess in guesses:
        state_habits(guess, described)
        if not guess.platform:
            ask_columns(guess, ask)
            require_amount(guess)
        settle_questions(guess.questions, ask)
    where = f"in {choice.shown}"
    require_contacts(
        guesses,
        f"no table {where} looks like contacts: name one in the config ([accounts.{ACCOUNT}.contacts] table), "
        "or let this user read it",
        [],
    )
    notes = (
        []
        if any(guess.stream == "activity" for guess in guesses)
        else [
            f"no table {where} looks like purchases: name one in the config ([accounts.{ACCOUNT}.activities] table)"
        ]
    )
    return Found(
        _lines(written, guesses, described),
        guesses,
        lambda answers: _look(resolved, guesses, answers, config.absolute().parent),
        notes,
        account=ACCOUNT,
    )


def _log_in(config: Path, path: Path | None, ask: Ask, described: Described) -> dict[str, Any]:
    """The keys of the account that name the database, as the config holds them."""
    given = {key: value for key, value in described.log_in.items() if value}
    if path is not None:
        given["path"] = relative(path, config)
    if not given:
        question = f"Where is the database URL stored ({FORMS})?"
        given["url"] = asked(ask, question, "env:DATABASE_URL", _not_a_reference)
    for key in _SECRETS:
        if wrong := _not_a_reference(given[key]) if key in given else "":
            raise UsageError(f"--{key}: {wrong}")
    return {key: int(value) if key == "port" and value.isdigit() else value for key, value in given.items()}


def _not_a_reference(text: str) -> str:
    if is_reference(text):
        return ""
    return f"a secret must not stand in the config: put it into a variable and name that (valid:  {FORMS})"


def _resolved(written: dict[str, Any], folder: Path) -> dict[str, Any]:
    try:
        return {key: secret(value, folder) if key in _SECRETS else value for key, value in written.items()}
    except SecretError as error:
        raise CommandError(str(error)) from None


def _chosen(engine: Engine, described: Described, ask: Ask) -> Choice:
    """The tables that are taken; where several sets could be, a person says which."""
    from connectors.sql.catalogue import catalogue_of
    from connectors.sql.landed import load, load_file
    from connectors.sql.schema_inference import choices

    platforms = [*([load_file(described.platform)] if described.platform else []), *load()]
    tables = _of_schema(catalogue_of(engine), described.schema)
    named = [
        table for table in tables if table.schema == engine.address.database
    ]  # MySQL: the url names a schema
    likely = [choice for choice in choices(engine, named, platforms) if choice.is_whole] if named else []
    likely = likely or choices(engine, tables, platforms)
    if not likely:
        shown = ", ".join(table.shown for table in tables[:20]) + (" ..." if len(tables) > 20 else "")
        raise CommandError(
            f"none of the {len(tables):,} tables that this user may read looks like contacts or purchases ({shown}): "
            f"name them in the config ([accounts.{ACCOUNT}.contacts] table), as `crm-segments config example` shows"
        )
    if len(likely) == 1:
        return likely[0]
    names = [choice.shown for choice in likely]
    remedy = f"several sets of tables fit, {'; '.join(names)}: name the schema of one with --schema"

    def wrong(text: str) -> str:
        fitting = [choice for choice in likely if text in (choice.shown, choice.schema)]
        return "" if len(fitting) == 1 else remedy

    try:
        answer = asked(ask, f"Tables ({', '.join(names)})", "", wrong)
    except UsageError as error:
        raise CommandError(str(error)) from None
    return next(choice for choice in likely if answer in (choice.shown, choice.schema))


def _of_schema(tables: Sequence[TableEntry], schema: str | None) -> list[TableEntry]:
    """The tables of the schema that a person names; all, where they name none."""
    from sync.config.faults import one_of

    if not tables:
        raise CommandError(
            "this user may not read any table of the database: ask an administrator for GRANT SELECT"
        )
    if schema is None:
        return list(tables)
    here = [table for table in tables if table.schema.casefold() == schema.casefold()]
    if not here:
        there = list(dict.fromkeys(table.schema for table in tables))
        raise UsageError(
            f"--schema: this user may not read any table of a schema {schema!r}; {one_of(schema, there)}"
        )
    return here


def _lines(written: dict[str, Any], guesses: Sequence[Guess], described: Described) -> list[str]:
    """The lines of the account that say how the database is reached and read."""
    lines = []
    for key, value in written.items():
        about = f"    # {_ABOUT[key]}" if key in _ABOUT else ""
        lines.append(f"{key} = {quoted(value) if isinstance(value, str) else value}{about}")
    if any(guess.platform and "changed_at" in guess.settings for guess in guesses):
        lines.append(
            f"look_back_minutes = {_LOOK_BACK}    # a loader stamps rows before it commits them: so far back is read again"
        )
    schema = described.segments_schema
    if schema:
        lines.append("writable = true    # also where another account takes its purchases from here")
    about = "    # segments are written to separate tables in this schema"
    lines.append(f"{'' if schema else '# '}segments_schema = {quoted(schema or 'crm_segments')}{about}")
    return lines


def _look(
    resolved: dict[str, Any], guesses: Sequence[Guess], answers: Answers, folder: Path
) -> Preview | None:
    """Read everything once as the config will."""
    from connectors.sql.preview import look
    from connectors.sql.settings import Settings
    from connectors.tables.settings import TABLES

    if not {"contact", "activity"} <= {guess.stream for guess in guesses}:
        return None
    tables = {TABLES[guess.stream]: guess.table() for guess in guesses}
    settings = Settings.model_validate({**resolved, **tables})
    return look(
        Account(ACCOUNT, "sql", settings, folder, time_zone=answers.time_zone, currency=answers.currency)
    )
