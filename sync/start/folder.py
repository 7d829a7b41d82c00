"""What do the exports of a folder hold? ``init`` asks, with what the files themselves tell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

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
    from connectors.files.file_guess import FileGuess
    from connectors.tables.guess import Guess, Question
    from connectors.tables.preview import Preview
    from sync.start.config_text import Answers


def found_in_folder(
    config: Path, path: Path | None, ask: Ask, described: Described, buyers: bool = False
) -> Found:
    """The exports of a folder. CommandError where they do not tell what is needed.

    ``buyers``: without a file of contacts, whoever ordered is one.
    """
    from connectors.files.platform import load, load_file
    from connectors.files.schema_inference import infer

    folder = _folder(path, ask)
    platforms = [*([load_file(described.platform)] if described.platform else []), *load()]
    guesses, notes = infer(folder, platforms)
    for guess in guesses:
        state_habits(guess, described)
        if not guess.platform:
            ask_columns(guess, ask)
            require_amount(guess)
        settle_questions(_open_questions(folder, guess), ask)
    if buyers and not any(guess.stream == "contact" for guess in guesses):
        guesses = _with_buyers(guesses)
    require_contacts(
        guesses,
        f"no file in {folder} looks like contacts: put contacts.csv there, with one row per customer and a column with their id. If they "
        f"are in a CRM, name it: crm-segments init --crm hubspot --path {folder}",
        notes,
    )
    if not any(guess.stream == "activity" for guess in guesses):
        _stop_at_purchases_left_out(notes)
        notes.append(
            f"no file in {folder} looks like purchases: put activities.csv there (contact_id, occurred_at, amount)"
        )
    about = "where its exports are" if buyers else "segments.csv and lists/ are written here"
    reached = [f"path = {quoted(relative(folder, config))}    # {about}"]
    return Found(
        reached, guesses, lambda answers: _look(folder, guesses, answers), notes, _zone_of_files(guesses)
    )


def _with_buyers(guesses: list[FileGuess]) -> list[FileGuess]:
    """The orders stand for the contacts too."""
    from connectors.files.folder import DEFAULT_FILES

    orders = next((guess for guess in guesses if guess.stream == "activity"), None)
    contacts = orders.buyers(DEFAULT_FILES["activity"]) if orders else None
    return [contacts, *guesses] if contacts else guesses


def _folder(path: Path | None, ask: Ask) -> Path:
    """The folder that is named, or asked for."""
    from connectors.files.folder import unusable

    def wrong(text: str) -> str:
        if Path(text).is_dir():
            return ""
        problem = unusable(Path(text), "name the folder with --path")
        return f"{problem.what}: {problem.remedy}"

    try:
        return Path(
            asked(
                ask if path is None else lambda _q, _p: str(path),
                "Folder of the exports",
                "exports",
                wrong,
            )
        )
    except UsageError as error:
        raise CommandError(str(error)) from None


def _open_questions(folder: Path, guess: FileGuess) -> list[Question]:
    """Proves how the files are written; what they leave open."""
    from connectors.files.schema_inference import settle

    return settle(folder, guess)


def _look(folder: Path, guesses: Sequence[FileGuess], answers: Answers) -> Preview | None:
    """Read everything once as the config will."""
    from connectors.contract import Account
    from connectors.files.preview import look
    from connectors.files.schema_inference import settings_of

    if not {"contact", "activity"} <= {guess.stream for guess in guesses}:
        return None
    settings = settings_of(folder.resolve(), guesses)
    proof = next(guess.proof for guess in guesses if guess.stream == "activity")
    return look(
        Account("shop", "files", settings, time_zone=answers.time_zone, currency=answers.currency), proof
    )


def _stop_at_purchases_left_out(notes: Sequence[str]) -> None:
    """Purchases that are there but left out are more than a note, where there are no others."""
    from connectors.tables.stream_inference import OWNERLESS, SUBSCRIPTIONS, UNTOLD

    nobody = [note for note in notes if any(reason in note for reason in (OWNERLESS, SUBSCRIPTIONS, UNTOLD))]
    if nobody:
        raise CommandError("\n".join(nobody))


def _zone_of_files(guesses: Sequence[Guess]) -> str | None:
    """The zone in which purchases are written, where their times or their header tell."""
    from connectors.files.preview import zone_of

    for guess in guesses:
        header = guess.columns.get("occurred_at") if guess.stream == "activity" else None
        if header is None or header not in guess.sample.columns:
            continue
        if "utc" in header.lower():
            return "UTC"
        return zone_of(guess.sample.columns[header])
    return None
