"""How does somebody get a first config? Written from flags, or by asking, with what the files themselves
tell.

The text is loaded before it is kept, so a config that ``init`` writes is one that the other commands take.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sync.config import renames
from sync.config.faults import ConfigError, one_of
from sync.context import utc_now
from sync.exit_codes import CommandError, UsageError
from sync.start.access import ACCESS, Ask, asked, home_of
from sync.start.access import lines as access_lines
from sync.start.config_text import Answers, quoted, text_of

if TYPE_CHECKING:
    from connectors.files.guess import Guess, Question
    from connectors.files.preview import Preview

STALE_DAYS = 3  # a newest row that is older pins the day: guard max_stale_days would stop every plan
NONE = "-"  # the answer that means: no such column
_ASKED = {"contact": ("id", "email"), "activity": ("contact_id", "occurred_at", "amount", "order_id")}
_NEEDED = {
    "contact": (("id",),),
    "activity": (
        ("contact_id", "contact_email", "lead_id", "company_id", "record_id"),
        ("occurred_at", "date"),
    ),
}


_CHOICE = ("files", *ACCESS)  # for which a first config can be written


@dataclass(frozen=True)
class Described:
    """What a person says of the files beside what they tell: on the command line, where nobody can be asked."""

    decimal: str | None = None
    date_format: str | None = None
    line_items: str | None = None
    time_zone: str | None = None
    currency: str | None = None
    platform: Path | None = None  # a description of the user's own


def init(
    config: Path, crm: str | None = None, path: Path | None = None, segmentations: str | None = None, force: bool = False,
    ask: Ask = lambda _question, proposed: proposed, access: Mapping[str, str | None] | None = None, described: Described | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> dict[str, Any]:  # fmt: skip
    """Write a commented config for a folder of exports, or for a CRM in the cloud. What is not given is asked
    for, and asked again where the answer is wrong. ``access``: api_url, client_id, and secret (the name of an
    environment variable).

    CommandError where a config is there already (without ``force``), or where the files do not tell what is needed.
    """
    if config.exists() and not force:
        raise CommandError(
            f"{config} is there already: name another file with --config, or replace it with --force"
        )
    if crm == "sql":
        raise CommandError(
            'init does not look into a database yet: write [accounts.NAME] crm = "sql" as config.example.toml shows'
        )
    crm = _chosen("CRM", crm, f"Which CRM ({', '.join(_CHOICE)})?", "files", _CHOICE, ask)[0]
    notes: list[str] = []
    guesses: Sequence[Guess] = []
    described, preview, folder, home = described or Described(), None, Path(), dict[str, str]()
    if crm in ACCESS:
        reached = access_lines(crm, access or {}, ask)
    else:
        folder, guesses, notes = _folder(path, ask, described)
        reached = [
            f"path = {quoted(_relative(folder, config))}    # segments.csv and lists/ are written here"
        ]
        if not any(guess.stream == "activity" for guess in guesses):
            _stop_at_purchases_left_out(notes)
            notes.append(
                f"no file in {folder} looks like purchases: put activities.csv there (contact_id, occurred_at, amount)"
            )
    from segmentation.kinds import KINDS

    question = f"Which segmentations, with commas between them ({', '.join(KINDS)})?"
    kinds = _chosen("segmentation", segmentations, question, "rfm,abc", KINDS, ask)
    if crm in ACCESS:
        zone, currency = described.time_zone or "", described.currency or ""
        home, home_notes = home_of(crm, reached)
        notes += home_notes
    else:
        zone, currency = _home_of_files(ask, described, folder, guesses)
    answers = Answers(
        crm,
        reached,
        zone,
        currency,
        kinds or ["rfm"],
        guesses,
        [note for guess in guesses for note in guess.notes] + notes,
        home=home,
    )
    if guesses:
        preview = _look(folder, answers, clock())
    _keep(config, text_of(answers))
    if preview is not None:
        _stop_at_nothing(config, preview, guesses)
    return {
        "exit_code": 0, "config": str(config), "crm": crm, "columns": {guess.stream: guess.columns for guess in guesses},
        "attributes": {name: kind for guess in guesses for name, kind in guess.attributes.items()},
        "segmentations": answers.kinds, "notes": answers.notes, "currency": answers.currency or home.get("currency", ""),
        "time_zone": answers.time_zone or home.get("time_zone", ""),
        "as_of": answers.as_of, "read_as": [_read_as(guess) for guess in guesses], "preview": preview and preview.as_dict(),
    }  # fmt: skip


def _home_of_files(ask: Ask, described: Described, folder: Path, guesses: Sequence[Guess]) -> tuple[str, str]:
    """Time zone and currency of exports, which a person confirms."""
    proposed = described.time_zone or (_zone_of_files(folder, guesses) or _zone())
    zone = asked(ask, "In which time zone are days counted?", proposed, _known_zone)
    return zone, ask("In which currency is money added?", described.currency or _currency(guesses))


def _read_as(guess: Guess) -> dict[str, Any]:
    """What a file was taken for, and how sure that is."""
    sure = (
        f"recognised as {guess.platform}"
        if guess.platform
        else "taken by the names and cells of its columns: see that they are right"
    )
    return {
        "stream": guess.stream,
        "files": guess.names,
        "sure": sure,
        "amounts": guess.amounts,
        "settings": guess.settings,
        "columns": guess.columns,
    }


def _folder(path: Path | None, ask: Ask, described: Described) -> tuple[Path, Sequence[Guess], list[str]]:
    """The folder of exports, and what its files are."""

    def wrong(text: str) -> str:
        folder = Path(text)
        return (
            ""
            if folder.is_dir()
            else f"{folder} is {'no folder' if folder.exists() else 'not there'}: name the folder with --path"
        )

    try:
        folder = Path(
            asked(
                ask if path is None else lambda _q, _p: str(path),
                "In which folder are the exports?",
                "exports",
                wrong,
            )
        )
    except UsageError as error:
        raise CommandError(str(error)) from None
    from connectors.files.platform import load, load_file
    from connectors.files.schema_inference import infer

    platforms = [*([load_file(described.platform)] if described.platform else []), *load()]
    guesses, notes = infer(folder, platforms)
    for guess in guesses:
        _state(guess, described)
        if not guess.platform:
            _ask_columns(guess, ask)
            _require_amount(guess)
        _settle(folder, guess, ask)
    _require_contacts(folder, guesses, notes)
    return folder, guesses, notes


def _state(guess: Guess, described: Described) -> None:
    """Take over what a person says of the files."""
    stated = {
        "decimal": described.decimal,
        "line_items": described.line_items if guess.stream == "activity" else None,
    }
    guess.settings |= {key: value for key, value in stated.items() if value is not None}
    if described.date_format is not None:
        guess.settings["date_format"] = [described.date_format]


def _settle(folder: Path, guess: Guess, ask: Ask) -> None:
    """Prove how the files are written; where they leave it open, ask, or stop with both readings where nobody
    can be asked.
    """
    from connectors.files.schema_inference import settle

    for question in settle(folder, guess):

        def wrong(text: str, question: Question = question) -> str:
            return "" if text in question.answers else question.remedy

        try:
            question.settle(asked(ask, question.text, "", wrong))
        except UsageError as error:
            raise CommandError(str(error)) from None


def _look(folder: Path, answers: Answers, now: datetime) -> Preview | None:
    """Read everything once as the config will; what that tells of ids and of the last day goes into the
    config.
    """
    from connectors.contract import Account
    from connectors.errors import ConnectorError
    from connectors.files.preview import look
    from connectors.files.schema_inference import settings_of

    if not {"contact", "activity"} <= {guess.stream for guess in answers.guesses}:
        return None
    settings = settings_of(folder.resolve(), answers.guesses)
    try:
        proof = next(guess.proof for guess in answers.guesses if guess.stream == "activity")
        preview = look(
            Account("shop", "files", settings, time_zone=answers.time_zone, currency=answers.currency), proof
        )
    except ConnectorError as error:
        raise CommandError(str(error)) from None
    answers.id_type = preview.id_type
    today = now.astimezone(ZoneInfo(answers.time_zone)).date()
    if preview.last_day is not None and (today - preview.last_day).days - 1 > STALE_DAYS:
        answers.as_of = preview.last_day.isoformat()
        answers.notes.append(
            f"the newest row is of {preview.last_day}, {(today - preview.last_day).days:,} days ago: as_of is set to that day. "
            'Renew the export, and set as_of = "yesterday", for segments as of today'
        )
    return preview


def _chosen(
    what: str,
    given: str | None,
    question: str,
    proposed: str,
    valid: Sequence[str] | Mapping[str, Any],
    ask: Ask,
) -> list[str]:
    """Words with commas between them, each of them one that we know; a flag is judged, an answer asked again."""

    def words(text: str) -> list[str]:
        return list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))

    def wrong(text: str) -> str:
        strange = next((word for word in words(text) if word not in valid), None)
        if strange is None:
            return ""
        if strange in renames.KINDS:
            return f"{strange!r} is now called {renames.KINDS[strange]!r}"
        return f"{strange!r} is no {what} that we know; {one_of(strange, valid)}"

    answer = asked(ask if given is None else lambda _q, _p: given, question, given or proposed, wrong)
    return words(answer)


def _known_zone(zone: str) -> str:
    from zoneinfo import available_timezones

    return (
        ""
        if zone in available_timezones()
        else f"{zone!r} is no time zone; write an IANA name such as Europe/Berlin"
    )


def _ask_columns(guess: Guess, ask: Ask) -> None:
    """Let a person correct which column is which."""
    headers = ", ".join(guess.sample.headers)
    for name in _ASKED.get(guess.stream, ("id",)):
        proposed = guess.columns.get(name, NONE)
        question = f"Which column of {guess.sample.name} is {name} ({headers}; {NONE} for none)?"
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
    return (
        "" if text in valid else f"{text!r} is no column of {where} that we know; {one_of(text, valid[1:])}"
    )


def _require_contacts(folder: Path, guesses: Sequence[Guess], notes: Sequence[str]) -> None:
    """Without contacts and their ids there is nothing to segment."""
    if not any(guess.stream == "contact" for guess in guesses):
        what = f"no file in {folder} looks like contacts: put contacts.csv there, with one row a customer and a column with their id"
        raise CommandError("\n".join([what, *notes]))
    for guess in guesses:
        for names in _NEEDED.get(guess.stream, (("id",),)):
            if not set(names) & guess.columns.keys():
                shown = ", ".join(map(repr, guess.sample.headers))
                raise CommandError(
                    f"{guess.sample.name}: none of the columns {shown} looks like {names[0]}: give it one of these headers, or answer the "
                    "questions of `crm-segments init` on a terminal"
                )


def _stop_at_purchases_left_out(notes: Sequence[str]) -> None:
    """Purchases that are there but left out are more than a note, where there are no others."""
    from connectors.files.stream_inference import OWNERLESS, SUBSCRIPTIONS, UNTOLD

    nobody = [note for note in notes if any(reason in note for reason in (OWNERLESS, SUBSCRIPTIONS, UNTOLD))]
    if nobody:
        raise CommandError("\n".join(nobody))


def _require_amount(guess: Guess) -> None:
    """Purchases without an amount would be worth nothing: where columns hold money, one of them is it."""
    from connectors.files.schema_inference import adjusted_column
    from connectors.files.stream_inference import money_columns

    if guess.stream != "activity":
        return
    if {"amount", "price"} & guess.columns.keys():
        if adjusted := adjusted_column(guess):
            raise CommandError(
                f"{guess.sample.name}: {adjusted!r} tells what was left of an order after refunds, which cannot be read beside "
                f'{guess.columns.get("amount")!r}: put what was given back into a column "refunded", and take {adjusted!r} out'
            )
        return
    columns = money_columns(guess.sample, guess.columns.values())
    if columns:
        shown = ", ".join(map(repr, columns))
        raise CommandError(
            f"{guess.sample.name}: which column is the amount of a purchase? {shown} hold such numbers: name the right one "
            '"amount", or answer the questions of `crm-segments init` on a terminal'
        )


def _stop_at_nothing(config: Path, preview: Preview, guesses: Sequence[Guess]) -> None:
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
        remedy = f"{config} is written, but is no config to run: correct it there (crm-segments check tells when it is right), or the files"
        raise CommandError("\n".join(filter(None, [what, notes, remedy])))
    if preview.contacts and not preview.matched and preview.unmatched:
        owner = preview.samples[0]["owner"] if preview.samples else "?"
        raise CommandError(
            f"none of the purchases belongs to a contact: owners are like {owner!r}, which is the id or the address of no contact. "
            f"Export contacts and purchases with the same id, or with the e-mail address, or name other columns in {config}"
        )


def _relative(folder: Path, config: Path) -> str:
    """The folder as the config names it: relative where it lies beside or below."""
    whole, start = folder.resolve(), config.absolute().parent.resolve()
    return whole.relative_to(start).as_posix() if whole.is_relative_to(start) else str(whole)


def _zone() -> str:
    """The time zone of this machine, where it has a name."""
    from zoneinfo import available_timezones

    name = os.environ.get("TZ") or os.path.realpath("/etc/localtime").rpartition("zoneinfo/")[2]
    return name if name in available_timezones() and name != "Etc/UTC" else "UTC"


def _zone_of_files(folder: Path, guesses: Sequence[Guess]) -> str | None:
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


def _currency(guesses: Sequence[Guess]) -> str:
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


def _keep(config: Path, text: str) -> None:
    """Put the file in place once it has been loaded."""
    from sync.config.config import load

    trial = config.with_name(f".{config.name}.new")
    try:
        config.parent.mkdir(parents=True, exist_ok=True)
        trial.write_text(text, encoding="utf-8")
        load(trial)
        os.replace(trial, config)
    except ConfigError as error:
        what = "; ".join(fault.what for fault in error.faults)
        raise CommandError(
            f"these answers make no config: {what}. Nothing was written; answer otherwise."
        ) from None
    finally:
        trial.unlink(missing_ok=True)
