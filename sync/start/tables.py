"""What is asked about tables that nobody described, wherever they stand, and what makes them no config to start from?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sync.config.faults import one_of
from sync.exit_codes import CommandError, UsageError
from sync.start.access import Ask, asked

if TYPE_CHECKING:
    from connectors.tables.guess import Guess, Question
    from connectors.tables.preview import Preview
    from sync.start.config_text import Answers, Portal

NONE = "-"  # the answer that means: no such column
_ASKED = {"contact": ("id", "email"), "activity": ("contact_id", "occurred_at", "amount", "order_id")}
_NEEDED = {
    "contact": (("id",),),
    "activity": (
        ("contact_id", "contact_email", "lead_id", "company_id", "record_id"),
        ("occurred_at", "date"),
    ),
}


@dataclass(frozen=True)
class Described:
    """What a person says of the files beside what they tell: on the command line, where nobody can be asked."""

    decimal: str | None = None
    date_format: str | None = None
    line_items: str | None = None
    time_zone: str | None = None
    currency: str | None = None
    platform: Path | None = None  # a description of the user's own
    match: str | None = None  # the CRM's field that holds the shop's number of a customer
    # of a database: url, or engine, host ... as its account takes them; a password is a reference
    log_in: Mapping[str, str | None] = field(default_factory=dict)
    schema: str | None = None  # of a database: where customers and orders are, if several schemas hold some
    segments_schema: str | None = None  # of a database: where segments are written


@dataclass
class Found:
    """What a folder or a database holds, and the lines of the config that say where it is."""

    reached: list[str]
    guesses: Sequence[Guess]
    # reads everything once as the config will; None where there is nothing to read
    look: Callable[[Answers], Preview | None]
    notes: list[str] = field(default_factory=list)
    time_zone: str | None = None  # in which its times are written, where they tell
    account: str = "shop"  # as the config calls it
    portal: Portal | None = None  # a CRM that gets the segments of what was found


def settle_questions(questions: Sequence[Question], ask: Ask) -> None:
    """Ask what the tables leave open, or stop with both readings where nobody can be asked."""
    for question in questions:

        def wrong(text: str, question: Question = question) -> str:
            return "" if text in question.answers else question.remedy

        try:
            question.settle(asked(ask, question.text, "", wrong))
        except UsageError as error:
            raise CommandError(str(error)) from None


def ask_columns(guess: Guess, ask: Ask) -> None:
    """Let a person correct which column is which."""
    headers = ", ".join(guess.sample.headers)
    for name in _ASKED.get(guess.stream, ("id",)):
        proposed = guess.columns.get(name, NONE)
        question = f"Column of {guess.sample.name} for {name} ({headers}; {NONE} for none)"
        valid_columns, where = [NONE, *guess.sample.headers], guess.sample.name

        def wrong(text: str, valid: Sequence[str] = valid_columns, where: str = where) -> str:
            return _no_column(text, valid, where)

        header = asked(ask, question, proposed, wrong)
        if header == proposed:
            continue
        guess.columns.pop(name, None)
        if header != NONE:
            guess.columns = {other: column for other, column in guess.columns.items() if column != header} | {
                name: header
            }
            guess.attributes.pop(header, None)


def _no_column(text: str, valid: Sequence[str], where: str) -> str:
    return "" if text in valid else f"{text!r} is not a column of {where}; {one_of(text, valid[1:])}"


def require_contacts(guesses: Sequence[Guess], missing: str, notes: Sequence[str]) -> None:
    """Without contacts and their ids there is nothing to segment. ``missing``: what is said where there are none."""
    if not any(guess.stream == "contact" for guess in guesses):
        raise CommandError("\n".join([missing, *notes]))
    for guess in guesses:
        for names in _NEEDED.get(guess.stream, (("id",),)):
            if not set(names) & guess.columns.keys():
                shown = ", ".join(map(repr, guess.sample.headers))
                raise CommandError(
                    f"{guess.sample.name}: none of the columns {shown} looks like {names[0]}: give it one of these headers, or answer the "
                    "questions of `crm-segments init` on a terminal"
                )


def require_amount(guess: Guess) -> None:
    """Purchases without an amount would be worth nothing: where columns hold money, one of them is it."""
    from connectors.tables.settling import adjusted_column
    from connectors.tables.stream_inference import money_columns

    if guess.stream != "activity":
        return
    if {"amount", "price"} & guess.columns.keys():
        if adjusted := adjusted_column(guess):
            raise CommandError(
                f"{guess.sample.name}: {adjusted!r} is what was left of an order after refunds, which cannot be used together with "
                f'{guess.columns.get("amount")!r}: put the amount given back into a column "refunded", and remove {adjusted!r}'
            )
        return
    columns = money_columns(guess.sample, guess.columns.values())
    if columns:
        shown = ", ".join(map(repr, columns))
        raise CommandError(
            f"{guess.sample.name}: which column is the amount of a purchase? {shown} have such numbers: name the right one "
            '"amount", or answer the questions of `crm-segments init` on a terminal'
        )


def stop_at_nothing(config: Path, preview: Preview, guesses: Sequence[Guess]) -> None:
    """A reading of which nothing counts, or nothing is anybody's, gives everybody the same segment: it is no
    config to start from.
    """
    rows = preview.rows - preview.ownerless
    if not rows:
        return
    notes = "\n".join(note for guess in guesses if guess.stream == "activity" for note in guess.notes)
    lost = [
        f"{number:,} {reason}"
        for counts in (preview.refused, preview.left_out)
        for reason, number in counts.most_common(5)
    ]
    # the config says which: it must be written first
    rates = any(reason.startswith("no rate") for reason in preview.refused)
    if not preview.orders and not rates:
        what = f"none of the {rows:,} rows of activity counts as a purchase: {'; '.join(lost)}"
        remedy = f"{config} is written but cannot be used yet: correct it (crm-segments check says when it is right), or the files"
        raise CommandError("\n".join(filter(None, [what, notes, remedy])))
    if preview.contacts and not preview.matched and preview.unmatched:
        owner = preview.samples[0]["owner"] if preview.samples else "?"
        raise CommandError(
            f"none of the purchases belongs to a contact: their owners look like {owner!r}, which is neither the id "
            "nor the address of any contact.  "
            f"Export contacts and purchases with the same id, or with the e-mail address, or name other columns in {config}"
        )


def read_as(guess: Guess) -> dict[str, Any]:
    """What a file or table was taken for, and how sure that is."""
    sure = (
        f"recognised as {guess.platform}"
        if guess.platform
        else "recognised by the names and cells of its columns: check them"
    )
    return {
        "stream": guess.stream,
        "files": guess.names,
        "sure": sure,
        "amounts": guess.amounts,
        "settings": guess.settings,
        "columns": guess.columns,
    }


def currency_of_samples(guesses: Sequence[Guess]) -> str:
    """The currency that most purchases of the samples are in, by a column, a mark or a header."""
    from connectors.values.currency import currency_of

    columns = [
        guess.sample.columns.get(guess.columns["currency"], ())
        for guess in guesses
        if "currency" in guess.columns
    ]
    cells = [
        code
        for column in columns
        for cell in column
        if cell and (code := currency_of([cell.strip().upper()]))
    ]
    marked = next((guess.currency for guess in guesses if guess.currency), "EUR")
    return max(sorted(set(cells)), key=cells.count, default=marked)


def state_habits(guess: Guess, described: Described) -> None:
    """Take over what a person says of how cells are written."""
    stated = {
        "decimal": described.decimal,
        "line_items": described.line_items if guess.stream == "activity" else None,
    }
    guess.settings |= {key: value for key, value in stated.items() if value is not None}
    if described.date_format is not None:
        guess.settings["date_format"] = [described.date_format]


def relative(path: Path, config: Path) -> str:
    """A path as the config names it: relative where it lies beside or below."""
    whole, start = path.resolve(), config.absolute().parent.resolve()
    return whole.relative_to(start).as_posix() if whole.is_relative_to(start) else str(whole)
