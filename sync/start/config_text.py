"""The config that ``init`` writes, as a person would have written it.

Strings are written as JSON, which TOML reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sync.start.access import ACCESS

if TYPE_CHECKING:
    from connectors.tables.guess import Guess


@dataclass(frozen=True)
class Portal:
    """A CRM in the cloud that gets the segments, while its purchases come from another account."""

    crm: str
    access: Sequence[str]  # lines that say how it is reached
    account: str
    home: Mapping[str, str] = field(default_factory=dict)  # what it told of itself
    match: str = (
        ""  # its field that holds the id of the other account's contacts; "": found by e-mail address
    )


@dataclass
class Answers:
    """All that the text of a config is made of."""

    crm: str
    access: Sequence[str]  # lines that say where the CRM is, and how it is reached
    time_zone: str
    currency: str
    kinds: Sequence[str]
    guesses: Sequence[Guess]
    notes: list[str] = field(default_factory=list)
    as_of: str = "yesterday"
    id_type: str = "text"
    home: Mapping[str, str] = field(default_factory=dict)  # what a CRM in the cloud told of itself
    account: str = "shop"  # as the config calls it
    portal: Portal | None = None  # where segments are written, if not here

    @property
    def written(self) -> str:
        """The CRM that segments are written to."""
        return self.portal.crm if self.portal else self.crm


_GUESSED = {"files": ": a guess at your files", "sql": ": a guess at your tables"}


def text_of(answers: Answers) -> str:
    """The config as a person would have written it. Strings are written as JSON, which TOML reads."""
    lines = [
        f"# Written by `crm-segments init`{_GUESSED.get(answers.crm, '')}. Read it, correct it, then run"
        " `crm-segments check`.",
        "# Every setting there is, with its reason: `crm-segments config example`.",
        "",
        'state_dir = "state"            # remembers what was written, and why: back it up',
        f'as_of = {quoted(answers.as_of)}            # the last day that counts: "yesterday", or a date, to pin it: 2024-01-31',
        "",
        f"[accounts.{answers.account}]",
        f"crm = {quoted(answers.crm)}",
        *answers.access,
        *_home_lines(answers.crm, answers.home, answers.time_zone, answers.currency),
    ]
    common, own = _habits(answers.guesses)
    lines += [f"{key} = {_literal(value)}{about}" for key, value, about in _shown(common)]
    if answers.id_type != "text":
        lines.append(
            f"id_type = {quoted(answers.id_type)}    # how the ids of customers and of their orders are compared"
        )
    lines += _attribute_lines(answers.guesses, answers.account)
    for guess in answers.guesses:
        lines += _table_lines(guess, own[guess.stream], answers.account)
    if answers.portal:
        lines += _portal_lines(answers.portal, answers.account)
    for kind in answers.kinds:
        lines += _segmentation_lines(kind, answers.written)
    return "\n".join(lines) + "\n"


def _portal_lines(portal: Portal, source: str) -> list[str]:
    """The account that is written to, and by what the contacts of the other one are found there."""
    by, attribute = '"email"    # by what its contacts are found here', list[str]()
    if portal.match:
        by = '{ own = "shop_number", other = "id" }    # by what its contacts are found here'
        attribute = ["", f"[accounts.{portal.account}.attributes]", f"shop_number = {quoted(portal.match)}"]
    return [
        "",
        f"[accounts.{portal.account}]",
        f"crm = {quoted(portal.crm)}",
        *portal.access,
        *_home_lines(portal.crm, portal.home),
        "activity = []    # nothing is read of what people did in this CRM itself, such as deals",
        f"activity_from = [{quoted(source)}]    # purchases come from there; segments are written here",
        f"match = {by}",
        *attribute,
    ]


def _home_lines(crm: str, home: Mapping[str, str], time_zone: str = "", currency: str = "") -> list[str]:
    """Time zone and currency. A CRM in the cloud has its own, which are taken unless somebody says otherwise."""
    lines = []
    for key, value, theirs in (
        ("time_zone", time_zone, "days are counted"),
        ("currency", currency, "money is added up"),
    ):
        if value:
            lines.append(f"{key} = {quoted(value)}")
        elif crm in ACCESS:
            own_value = home.get(key)
            lines.append(
                f"# {key} is the account's own{f', {own_value}' if own_value else ''}; set it here where {theirs} otherwise"
            )
    return lines


_LISTS = {
    "files": 'lists = "static"    # a file of members for each segment; "none" for no lists',
    "tables": 'lists = "static"    # members are written to list_members; "none" for no lists',
    "cloud": 'lists = "dynamic"    # the CRM fills them by the field; "static": crm-segments writes the members; "none" for no lists',
}
_KIND_OF_LISTS = {"files": "files", "sql": "tables"}
_ABOUT = {
    "delimiter": "between cells, also of what is written",
    "encoding": "of the files' text",
    "skip_lines": "title lines above the header",
    "decimal": "in amounts and other numbers",
    "date_format": "how days and times are written",
}


def _shown(habits: Mapping[str, Any]) -> list[tuple[str, Any, str]]:
    return [(key, habits[key], f"    # {about}") for key, about in _ABOUT.items() if key in habits]


def _habits(guesses: Sequence[Guess]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """How cells are written: what all files have in common, and what each has of its own."""
    each: dict[str, dict[str, Any]] = {}
    for guess in guesses:
        each[guess.stream] = {key: value for key, value in guess.table().items() if key in _ABOUT}
    common = {
        key: value
        for key, value in next(iter(each.values()), {}).items()
        if all(settings.get(key) == value for settings in each.values())
    }
    return common, {
        stream: {key: value for key, value in settings.items() if key not in common}
        for stream, settings in each.items()
    }


def _attribute_lines(guesses: Sequence[Guess], account: str) -> list[str]:
    from connectors.tables.column_mapping import RECORD_NAMES
    from connectors.tables.header_matching import plain

    taken = {*RECORD_NAMES, "record_type"}
    lines = []
    for header, kind in {
        header: kind for guess in guesses for header, kind in guess.attributes.items()
    }.items():
        name = plain(header, "_")
        name = name if name[:1].isalpha() else f"a{name}"
        while name in taken:
            name += "_"
        taken.add(name)
        lines.append(
            f"{name} = "
            + (quoted(header) if kind == "text" else f"{{ field = {quoted(header)}, type = {quoted(kind)} }}")
        )
    about = "   # what rules may use = its column; type: text | number | date | bool | ordered (with order = [...]) | set"
    return ["", f"[accounts.{account}.attributes]{about}", *lines] if lines else []


def _table_lines(guess: Guess, habits: Mapping[str, Any], account: str) -> list[str]:
    from connectors.tables.settings import TABLES

    table = f"accounts.{account}.{TABLES[guess.stream]}"
    named = {name: header for name, header in guess.columns.items() if header.casefold() != name}
    lines = [f"# {guess.sample.name}: {guess.platform}" if guess.platform else f"# {guess.sample.name}"]
    if guess.amounts:
        lines.append(f"# Amounts are {guess.amounts}.")
    settings = guess.table()
    if "files" in settings:
        patterns = settings["files"]
        lines.append(f"files = {_literal(patterns[0] if len(patterns) == 1 else patterns)}")
    lines += [f"{key} = {_literal(value)}{about}" for key, value, about in _shown(habits)]
    further = {key: value for key, value in settings.items() if key not in (*_ABOUT, "files", "columns")}
    lines += [
        f"{key} = {_literal(value)}{_ABOUT_FURTHER.get(key, '')}"
        for key, value in further.items()
        if not isinstance(value, dict)
    ]
    lines = ["", f"[{table}]", *lines] if len(lines) > 1 or guess.platform else []
    if named:
        lines += [
            "",
            f"[{table}.columns]   # name here = header there",
            *(f"{name} = {quoted(header)}" for name, header in named.items()),
        ]
    for key, value in further.items():
        if isinstance(value, dict):
            lines += [
                "",
                f"[{table}.{key}]{_ABOUT_FURTHER.get(key, '')}",
                *(f"{_key(name)} = {_literal(inner)}" for name, inner in value.items()),
            ]
    return lines


_ABOUT_FURTHER = {
    "of_orders": "    # there is no file of contacts: whoever ordered is one",
    "line_items": '    # "repeat": the total stands on every row of an order, "blank": on its first, "own": each row has its own amount',
    "status": '   # which words count; a word in neither list is refused, "*" is every other word',
    "words": "   # what the words of a column mean",
    "constants": "   # what all rows of a file say",
    "activity_types": "   # their word = the word here",
    "refunded_pattern": "    # where the amounts stand in the text of refunded",
    "changed_at": "    # when a row was last written: only newer ones are read again",
    "deleted": "    # rows that are gone",
    "join": "    # further columns of each row, from other files",
}


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else quoted(name)


def _literal(value: Any) -> str:
    """A value as TOML."""
    if isinstance(value, Mapping):
        return (
            "{ " + ", ".join(f"{_key(key)} = {_literal(element)}" for key, element in value.items()) + " }"
            if value
            else "{}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_literal, value)) + "]"
    if isinstance(value, str) and "\n" in value and "'''" not in value:
        return f"'''\n{value}\n'''"
    return json.dumps(value, ensure_ascii=False)


def _segmentation_lines(kind: str, crm: str) -> list[str]:
    from segmentation.kinds import kind_named

    suggestion = kind_named(kind).suggestion
    name, title = suggestion.name or kind, suggestion.title or kind.capitalize()
    lines = [
        "",
        "[[segmentations]]",
        f"name = {quoted(name)}    # stored; never change it",
        f"title = {quoted(title)}    # shown; change it at will",
        f"kind = {quoted(kind)}    # {suggestion.about}".rstrip(" #"),
        f'field = "seg_{name}"    # the column that holds the segment',
        _LISTS[_KIND_OF_LISTS.get(crm, "cloud")],
        'extra_fields = ["reason", "since"]    # why, and since when',
    ]
    return [*lines, *suggestion.lines]


def quoted(text: str) -> str:
    """A text as TOML."""
    return json.dumps(text, ensure_ascii=False)
