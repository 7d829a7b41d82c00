"""What does a folder of exports hold that nobody has described yet?

A file whose header a platform's description knows is read as that says. Of others, the headers and their
cells decide, for a person to read and correct: how numbers and times are written is proven on whole files,
and what stays open is a question, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path

from connectors.contract import Account, Attribute
from connectors.errors import ConnectorError
from connectors.files.column_profile import scan
from connectors.files.file_guess import FileGuess
from connectors.files.file_sniffer import FileSample, read_sample, whole_encoding
from connectors.files.folder import Folder
from connectors.files.platform import Platform, PlatformTable, recognise
from connectors.files.reading import Reading
from connectors.files.settings import LISTS, SEGMENTS, ActivityTable, RecordTable, Settings
from connectors.files.xlsx_reader import SUFFIXES
from connectors.tables.attribute_types import attribute_types
from connectors.tables.guess import Question
from connectors.tables.header_matching import ACTIVITIES, RECORDS, mapped, plain
from connectors.tables.settings import TABLES
from connectors.tables.settling import settle_amount, settle_decimal, settle_lines, settle_times
from connectors.tables.status_words import (
    decide_kind,
    decide_status,
    describe_words,
    refunded_flag,
    words_asked,
)
from connectors.tables.stream_inference import HINTS, streams_of, why_left_out
from connectors.values.currency import currency_of

_TEXTS = (".csv", ".txt", ".tsv", ".parquet", *SUFFIXES)


def infer(path: Path, platforms: Sequence[Platform]) -> tuple[list[FileGuess], list[str]]:
    """What the files of a folder seem to be, contacts first, at most one guess a stream; and which files were
    left out, and why.
    """
    samples, notes = [], []
    for file in sorted(path.iterdir()):
        if _is_export(file):
            try:
                sample = read_sample(file)
            except ConnectorError as error:
                notes.append(f"left out: {error}")
                continue
            if sample is not None:
                samples.append(sample)
    groups: dict[str, list[list[FileSample]]] = {}
    kinds = {sample.name: _recognised(sample, platforms, notes) for sample in samples}
    streams = streams_of(samples)
    for sample in samples:
        stream = kinds[sample.name][1].stream if kinds[sample.name] else streams[sample.name]  # type: ignore[index]
        if stream:
            _add(groups.setdefault(stream, []), sample, kinds)
    joins = [
        pattern
        for _platform, table in filter(None, kinds.values())
        for join in table.settings.get("join", ())
        for pattern in join["files"]
    ]
    notes += [
        f"{sample.name}: of its sheets {', '.join(map(repr, sample.other_sheets))} have other tables, which are not read: save each as a "
        "file of its own if you need it"
        for sample in samples
        if sample.other_sheets
    ]
    guesses = [
        _guess(path, stream, groups[stream], samples, kinds, joins) for stream in TABLES if stream in groups
    ]
    taken = {name for guess in guesses for name in guess.names}
    unused = [
        sample.name for sample in samples if sample.name not in taken and not _matches(sample.name, joins)
    ]
    notes += [
        f"{name} is left out: {why_left_out(next(sample for sample in samples if sample.name == name))}"
        for name in unused
        if not any(name in note for guess in guesses for note in guess.notes)
    ]
    return guesses, notes


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(name.casefold(), pattern.split("|")[0].casefold()) for pattern in patterns)


def _is_export(path: Path) -> bool:
    return (
        path.is_file()
        and path.suffix.lower() in _TEXTS
        and path.name not in (SEGMENTS, LISTS)
        and path.name[0] not in ".~"
    )


_Known = Mapping[str, tuple[Platform, PlatformTable] | None]


def _recognised(
    sample: FileSample, platforms: Sequence[Platform], notes: list[str]
) -> tuple[Platform, PlatformTable] | None:
    tables = recognise(sample.headers, platforms)
    if len(tables) > 1:
        notes.append(
            f"{sample.name} may be {' or '.join(f'{p.title}: {t.title}' for p, t in tables)}: its columns are recognised by their names"
        )
    return tables[0] if len(tables) == 1 else None


def _add(groups: list[list[FileSample]], sample: FileSample, kinds: _Known) -> None:
    """Files of one form stand together: of one kind of a platform's exports, or with the same headers."""
    for group in groups:
        first = group[0]
        same = kinds[first.name] is kinds[sample.name] is None and sorted(first.headers) == sorted(
            sample.headers
        )
        platforms = kinds[first.name], kinds[sample.name]
        if same or (platforms[0] and platforms[1] and platforms[0][1] is platforms[1][1]):
            group.append(sample)
            return
    groups.append([sample])


def _guess(
    path: Path,
    stream: str,
    groups: Sequence[Sequence[FileSample]],
    everything: Sequence[FileSample],
    kinds: _Known,
    joins: Sequence[str],
) -> FileGuess:
    """The likeliest files of a stream: those of a platform that is known, else by their name, else the
    largest.
    """

    def rank(group: Sequence[FileSample]) -> tuple[bool, bool, bool, int]:
        name = plain(group[0].name)
        hinted = any(hint in name for hint in HINTS[stream])
        return (
            kinds[group[0].name] is not None,
            name.startswith(TABLES[stream]),
            hinted,
            sum(sample.size for sample in group),
        )

    best = max(groups, key=rank)
    sample = max(best, key=lambda file: (len(file.headers), file.size))
    guess = FileGuess(stream, sample, [file.name for file in best], files=_patterns(stream, best, everything))
    guess.encoding = next((encoding for file in best if (encoding := whole_encoding(path / file.name))), None)
    guess.notes = [
        f"{file.name} looks like {TABLES[stream]} too, but its columns differ: it is left out"
        for group in groups
        if group is not best
        for file in group
        if not _matches(file.name, joins)
    ]
    if (described := kinds[sample.name]) is not None:
        _take_description(guess, *described)
    else:
        guess.columns = mapped(ACTIVITIES if stream == "activity" else RECORDS, sample.columns)
        if stream == "activity":
            settle_amount(guess)
        elif "id" not in guess.columns and "email" in guess.columns:
            guess.columns = {"id": guess.columns["email"], **guess.columns}
            guess.notes.append(
                f"{sample.name}: it has no column of ids, so the address {guess.columns['email']!r} is the id"
            )
    if stream != "activity":
        guess.attributes = attribute_types(guess.sample, set(guess.columns.values()))
    return guess


def _patterns(stream: str, samples: Sequence[FileSample], everything: Sequence[FileSample]) -> list[str]:
    """Names of files, with a star for numbers where that takes in no other file.

    None: they have the usual names.
    """
    names = [sample.name for sample in samples]
    others = [sample.name for sample in everything if sample not in samples]
    usual = TABLES[stream] + ("*" if stream == "activity" else "")
    suffixes = (".csv", ".parquet", ".xlsx")
    if all(any(fnmatch(name.casefold(), usual + suffix) for suffix in suffixes) for name in names):
        return []
    starred = {
        re.sub(r"\d+", "*", name) if stream == "activity" or len(names) > 1 else name for name in names
    }
    clash = any(
        fnmatch(other.casefold(), pattern.casefold()) for pattern in starred for other in [*others, SEGMENTS]
    )
    return sorted(names if clash else starred)


def _take_description(guess: FileGuess, platform: Platform, table: PlatformTable) -> None:
    resolved = table.resolved(guess.sample.headers)
    guess.columns = dict(resolved.columns)
    guess.settings = dict(table.settings)
    guess.platform, guess.amounts = f"{platform.title}, {table.title}", table.amounts
    if isinstance(resolved, ActivityTable) and resolved.status:
        guess.settings["status"] = {header: entry.model_dump() for header, entry in resolved.status.items()}
    if isinstance(resolved, RecordTable) and resolved.words:
        guess.settings["words"] = {name: entry.model_dump() for name, entry in resolved.words.items()}
    guess.described = table


# -- what whole files prove ----------------------------------------------------------------------------------


def settings_of(path: Path, guesses: Sequence[FileGuess]) -> Settings:
    """The settings that the guesses amount to."""
    return Settings.model_validate(
        {"path": str(path), **{TABLES[guess.stream]: guess.table() for guess in guesses}}
    )


def settle(path: Path, guess: FileGuess) -> list[Question]:
    """Prove on all cells how the files are written; questions for what they leave open. Changes the guess."""
    attributes = {header: Attribute(header, kind) for header, kind in guess.attributes.items()}  # type: ignore[arg-type]
    folder = Folder(Account("shop", "files", settings_of(path, [guess]), attributes=attributes))
    dialect = folder.dialect(guess.stream)
    reading = Reading(folder, guess.stream)
    try:
        places = {
            part: (file, reading.place(part, file)) for part, file in folder.files(guess.stream).items()
        }
    except ConnectorError:
        return []  # a column is missing: that is said where columns are asked for
    order = (
        guess.columns.get("order_id")
        if guess.stream == "activity" and "line_items" not in guess.settings
        else None
    )
    seen = scan(folder, guess.stream, places, words_asked(guess) if guess.stream == "activity" else (), order)
    guess.proof, numbers, moments = seen.proof, seen.proof.numbers, seen.proof.times
    questions = []
    if not dialect.decimal and numbers.cells:
        questions += settle_decimal(guess, numbers)
    if not dialect.date_format:
        questions += settle_times(guess, moments)
    if guess.stream == "activity":
        if 2 * numbers.marked > numbers.cells:  # marks on a few rows alone are those of foreign amounts
            guess.currency = guess.currency or currency_of(numbers.marks) or ""
        if not guess.platform:
            decide_kind(guess, seen.words)
            refunded_flag(guess, seen.words)
            questions += settle_lines(guess, seen.cells.pages, seen.single)
            decide_status(guess, seen.words)
        elif guess.described is not None:
            _judge_words(guess, guess.described, seen.words)
    return questions


def _judge_words(
    guess: FileGuess, table: PlatformTable, words_of: Callable[[str], Mapping[str, int] | None]
) -> None:
    for header, described in table.status.items():
        spelt = next(
            (key for key in guess.settings.get("status", {}) if key.casefold() == header.casefold()), header
        )
        known_words = [*described.counted, *described.left_out, *described.asked]
        if described.asked and table.settings.get("join"):
            shown = ", ".join(map(repr, described.asked))
            guess.notes.append(
                f"{guess.sample.name}: {header} {shown} is not counted: move it to counted in the config if it should be"
            )
        describe_words(guess, spelt, known_words, described.asked, words_of(spelt))
