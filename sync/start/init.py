"""How does somebody get a first config? Written from flags, or by asking, with what the files themselves tell.

The text is loaded before it is kept, so a config that ``init`` writes is one that the other commands take.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors import CRMS
from sync.config.faults import ConfigError, one_of
from sync.start.access import ACCESS, Ask, asked
from sync.start.access import lines as access_lines
from sync.stops import Stop, Usage

if TYPE_CHECKING:
    from connectors.files.guessing import Guess

NONE = "-"  # the answer that means: no such column
_ASKED = {"contact": ("id", "email"), "activity": ("contact_id", "occurred_at", "amount", "order_id")}
_NEEDED = {"contact": ("id",), "activity": ("contact_id", "occurred_at")}
_ACCOUNT = "shop"
_SEGMENTATIONS = {
    "rfm": ("Buying habits", "recency, frequency and money in named groups"),
    "value": ("Customer value", "who brings 80% of net revenue, who up to 95%, who the rest"),
    "lifecycle": ("Life cycle", "from prospect over active to lost and won back"),
    "rules": ("Audience", "rules of your own, the first that fits wins"),
}


@dataclass
class _Answers:
    """All that the text of a config is made of."""

    crm: str
    access: Sequence[str]  # lines that say where the CRM is, and how it is reached
    time_zone: str
    currency: str
    kinds: Sequence[str]
    guesses: Sequence[Guess]
    notes: list[str] = field(default_factory=list)


def init(
    config: Path, crm: str | None = None, path: Path | None = None, segmentations: str | None = None, force: bool = False,
    ask: Ask = lambda _question, proposed: proposed, access: Mapping[str, str | None] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Write a commented config for a folder of exports, or for a CRM in the cloud. What is not given is asked for, and asked again
    where the answer is wrong. ``access``: api_url, client_id, and secret (the name of an environment variable).

    Stop where a config is there already (without ``force``), or where the files do not tell what is needed.
    """
    if config.exists() and not force:
        raise Stop(f"{config} is there already: name another file with --config, or replace it with --force")
    crm = _chosen("CRM", crm, f"Which CRM ({', '.join(CRMS)})?", "files", CRMS, ask)[0]
    notes: list[str] = []
    if crm in ACCESS:
        guesses: Sequence[Guess] = []
        reached = access_lines(crm, access or {}, ask)
    else:
        folder, guesses = _folder(path, ask)
        reached = [f"path = {_quoted(_relative(folder, config))}    # segments.csv and lists/ are written here"]
        if not any(found.stream == "activity" for found in guesses):
            notes.append(f"no file in {folder} looks like purchases: put activities.csv there (contact_id, occurred_at, amount)")
    from segmentation.label import KINDS

    question = f"Which segmentations, with commas between them ({', '.join(KINDS)})?"
    kinds = _chosen("segmentation", segmentations, question, "rfm,value", KINDS, ask)
    answers = _Answers(
        crm,
        reached,
        asked(ask, "In which time zone are days counted?", _zone(), _known_zone),
        ask("In which currency is money added?", _currency(guesses)),
        kinds or ["rfm"],
        guesses,
        [note for found in guesses for note in found.notes] + notes,
    )
    _keep(config, text_of(answers))
    columns = {found.stream: found.columns for found in guesses}
    attributes = {name: kind for found in guesses for name, kind in found.attributes.items()}
    return {
        "exit_code": 0, "config": str(config), "crm": crm, "columns": columns, "attributes": attributes,
        "segmentations": answers.kinds, "notes": answers.notes,
    }  # fmt: skip


def _folder(path: Path | None, ask: Ask) -> tuple[Path, Sequence[Guess]]:
    """The folder of exports, and what its files are."""

    def wrong(said: str) -> str:
        folder = Path(said)
        return "" if folder.is_dir() else f"{folder} is {'no folder' if folder.exists() else 'not there'}: name the folder with --path"

    try:
        folder = Path(asked(ask if path is None else lambda _q, _p: str(path), "In which folder are the exports?", "exports", wrong))
    except Usage as error:
        raise Stop(str(error)) from None
    from connectors.files.guessing import guess

    guesses = guess(folder)
    for found in guesses:
        _ask_columns(found, ask)
    _require_contacts(folder, guesses)
    return folder, guesses


def _chosen(what: str, given: str | None, question: str, proposed: str, valid: Sequence[str] | Mapping[str, Any], ask: Ask) -> list[str]:
    """Words with commas between them, each of them one that we know; a flag is judged, an answer asked again."""

    def words(said: str) -> list[str]:
        return list(dict.fromkeys(word.strip() for word in said.split(",") if word.strip()))

    def wrong(said: str) -> str:
        return next((f"{word!r} is no {what} that we know; {one_of(word, valid)}" for word in words(said) if word not in valid), "")

    answer = asked(ask if given is None else lambda _q, _p: given, question, given or proposed, wrong)
    return words(answer)


def _known_zone(said: str) -> str:
    from zoneinfo import available_timezones

    return "" if said in available_timezones() else f"{said!r} is no time zone; write an IANA name such as Europe/Berlin"


def _ask_columns(found: Guess, ask: Ask) -> None:
    """Let a person correct which column is which."""
    headers = ", ".join(found.sample.headers)
    for name in _ASKED.get(found.stream, ("id",)):
        proposed = found.columns.get(name, NONE)
        question = f"Which column of {found.sample.name} is {name} ({headers}; {NONE} for none)?"
        known, where = [NONE, *found.sample.headers], found.sample.name
        header = asked(ask, question, proposed, lambda said, known=known, where=where: _no_column(said, known, where))  # type: ignore[misc]
        if header == proposed:
            continue
        found.columns.pop(name, None)
        if header != NONE:
            found.columns = {other: one for other, one in found.columns.items() if one != header} | {name: header}
            found.attributes.pop(header, None)


def _no_column(said: str, known: Sequence[str], where: str) -> str:
    return "" if said in known else f"{said!r} is no column of {where} that we know; {one_of(said, known[1:])}"


def _require_contacts(folder: Path, guesses: Sequence[Guess]) -> None:
    """Without contacts and their ids there is nothing to segment."""
    if not any(found.stream == "contact" for found in guesses):
        raise Stop(f"no file in {folder} looks like contacts: put contacts.csv there, with one row a customer and a column with their id")
    for found in guesses:
        for name in _NEEDED.get(found.stream, ("id",)):
            if name not in found.columns:
                shown = ", ".join(map(repr, found.sample.headers))
                raise Stop(
                    f"{found.sample.name}: none of the columns {shown} looks like {name}: give it one of these headers, or answer the "
                    "questions of `crm-segments init` on a terminal"
                )


def _relative(folder: Path, config: Path) -> str:
    """The folder as the config names it: relative where it lies beside or below."""
    whole, start = folder.resolve(), config.absolute().parent.resolve()
    return whole.relative_to(start).as_posix() if whole.is_relative_to(start) else str(whole)


def _zone() -> str:
    """The time zone of this machine, where it has a name."""
    from zoneinfo import available_timezones

    place = os.environ.get("TZ") or os.path.realpath("/etc/localtime").rpartition("zoneinfo/")[2]
    return place if place in available_timezones() and place != "Etc/UTC" else "UTC"


def _currency(guesses: Sequence[Guess]) -> str:
    """The currency that most purchases of the samples are in."""
    cells = [cell for found in guesses if "currency" in found.columns for cell in found.sample.columns[found.columns["currency"]] if cell]
    return max(sorted(set(cells)), key=cells.count, default="EUR")


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
        raise Stop(f"these answers make no config: {what}. Nothing was written; answer otherwise.") from None
    finally:
        trial.unlink(missing_ok=True)


# -- the text ----------------------------------------------------------------------------------------------


def text_of(answers: _Answers) -> str:
    """The config as a person would have written it. Strings are written as JSON, which TOML reads."""
    lines = [
        f"# Written by `crm-segments init`{'' if answers.crm in ACCESS else ': a guess at your files'}. Read it, mend it, then run"
        " `crm-segments check`.",
        "# Every setting there is, with its reason: config.example.toml.",
        "",
        'state_dir = "state"            # our memory of what was written, and why: back it up',
        'as_of = "yesterday"            # the last day that counts; or a date, to pin it: 2024-01-31',
        "",
        f"[accounts.{ACCESS[answers.crm].account if answers.crm in ACCESS else _ACCOUNT}]",
        f"crm = {_quoted(answers.crm)}",
        *answers.access,
        f"time_zone = {_quoted(answers.time_zone)}",
        f"currency = {_quoted(answers.currency)}",
    ]
    common, own = _habits(answers.guesses)
    lines += [f"{key} = {_quoted(value)}{about}" for key, value, about in _shown(common)]
    lines += _attribute_lines(answers.guesses)
    for found in answers.guesses:
        lines += _table_lines(found, own[found.stream])
    for kind in answers.kinds:
        lines += _segmentation_lines(kind, answers.crm)
    return "\n".join(lines) + "\n"


_LISTS = {
    "files": 'lists = "static"    # a file of members for each segment; "none" for no lists',
    "cloud": 'lists = "dynamic"    # the CRM fills them by the field; "static": we write members; "none" for no lists',
}
_ABOUT = {
    "delimiter": "between cells, also of what is written",
    "encoding": "of the files' text",
    "decimal": "in amounts and other numbers",
    "date_format": "how days and times are written",
}


def _shown(habits: Mapping[str, str]) -> list[tuple[str, str, str]]:
    return [(key, habits[key], f"    # {about}") for key, about in _ABOUT.items() if key in habits]


def _habits(guesses: Sequence[Guess]) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """How cells are written: what all files have in common, and what each has of its own."""
    each: dict[str, dict[str, str]] = {}
    for found in guesses:
        habits = {"encoding": found.sample.encoding, "decimal": found.decimal, "date_format": found.date_format}
        each[found.stream] = {key: value for key, value in habits.items() if value}
        if found.sample.delimiter not in (None, ","):
            each[found.stream]["delimiter"] = str(found.sample.delimiter)
    common = {key: value for key, value in next(iter(each.values()), {}).items() if all(one.get(key) == value for one in each.values())}
    return common, {stream: {key: value for key, value in one.items() if key not in common} for stream, one in each.items()}


def _attribute_lines(guesses: Sequence[Guess]) -> list[str]:
    from connectors.files.likeness import plain
    from connectors.files.names import RECORD_NAMES

    taken = {*RECORD_NAMES, "record_type"}
    lines = []
    for header, kind in {header: kind for found in guesses for header, kind in found.attributes.items()}.items():
        name = plain(header, "_")
        name = name if name[:1].isalpha() else f"a{name}"
        while name in taken:
            name += "_"
        taken.add(name)
        lines.append(f"{name} = " + (_quoted(header) if kind == "text" else f"{{ field = {_quoted(header)}, type = {_quoted(kind)} }}"))
    about = "   # what rules may use = its column; type: text | number | date | bool | ordered (with order = [...]) | set"
    return ["", f"[accounts.{_ACCOUNT}.attributes]{about}", *lines] if lines else []


def _table_lines(found: Guess, habits: Mapping[str, str]) -> list[str]:
    from connectors.files.session import TABLES

    table = f"accounts.{_ACCOUNT}.{TABLES[found.stream]}"
    named = {name: header for name, header in found.columns.items() if header.casefold() != name}
    lines = [f"{key} = {_quoted(value)}{about}" for key, value, about in _shown(habits)]
    if found.files:
        lines.insert(0, f"files = {_quoted(found.files[0]) if len(found.files) == 1 else json.dumps(found.files, ensure_ascii=False)}")
    lines = ["", f"[{table}]", *lines] if lines else []
    columns = [f"{name} = {_quoted(header)}" for name, header in named.items()]
    return [*lines, "", f"[{table}.columns]   # our name = their header", *columns] if columns else lines


def _segmentation_lines(kind: str, crm: str) -> list[str]:
    label, about = _SEGMENTATIONS.get(kind, (kind.capitalize(), ""))
    lines = [
        "",
        "[[segmentations]]",
        f"name = {_quoted(kind)}    # stored; never change it",
        f"label = {_quoted(label)}    # shown; change it at will",
        f"kind = {_quoted(kind)}    # {about}".rstrip(" #"),
        f'field = "seg_{kind}"    # the column that holds the segment',
        _LISTS["cloud" if crm in ACCESS else "files"],
        'companions = ["reason", "since"]    # why, and since when',
    ]
    if kind == "rules":
        lines += [
            "",
            "[[segmentations.segments]]",
            'key = "recent"',
            'label = "Bought lately"',
            'when = { did = "purchase", within_days = 90 }',
        ]
    return lines


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
