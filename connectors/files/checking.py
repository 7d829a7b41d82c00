"""What must a person mend before a run?"""

from __future__ import annotations

import os
from datetime import date
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.contract import Problem
from connectors.errors import ConnectorError
from connectors.files.fields import Fields
from connectors.files.lists import Lists
from connectors.files.names import Place
from connectors.files.reading import Reading
from connectors.files.session import TABLES, Folder


def problems(folder: Folder) -> list[Problem]:
    """Everything that is wrong with a folder and its settings. Changes nothing."""
    found = [*_zone(folder), *_rates(folder)]
    path = folder.path
    if not path.is_dir():
        what = f"{path} is {'no folder' if path.exists() else 'not there'}"
        return [*found, Problem(what, f"set path in [accounts.{folder.account.name}]")]
    if not os.access(path, os.R_OK | os.X_OK):
        found.append(Problem(f"{path} cannot be read", "give us the right to read and list the folder"))
    if folder.account.fields and not os.access(path, os.W_OK):
        found.append(Problem(f"{path} cannot be written", "give us the right to write segments.csv and lists/ there"))
    places = []
    for stream in TABLES:
        try:
            places += [(stream, place) for place in _places(folder, stream, found)]
        except ConnectorError as error:
            found.append(_problem(error))
    found += _unmapped(folder, places)
    for look in (Fields(folder).all, Lists(folder).all):
        try:
            look()
        except ConnectorError as error:
            found.append(_problem(error))
    return found


def _places(folder: Folder, stream: str, found: list[Problem]) -> list[Place]:
    places = []
    needed = stream == "contact" or (stream == "activity" and not folder.account.fields)
    for part, path in (folder.required(stream) if needed else folder.files(stream)).items():
        try:
            places.append(Reading(folder, stream).place(part, path))
        except ConnectorError as error:
            found.append(_problem(error))
    return places


def _unmapped(folder: Folder, places: list[tuple[str, Place]]) -> list[Problem]:
    """Mapped columns and attributes that no file has."""
    found = []
    for stream in TABLES:
        here = [place for one, place in places if one == stream]
        for name, header in folder.dialect(stream).columns.items() if here else ():
            if not any(name in place.columns for place in here):
                shown = ", ".join(repr(one) for one in here[0].headers[:30])
                what = f"{header!r}, mapped to {name}, is in no file of {TABLES[stream]}; there are {shown}"
                found.append(Problem(what, f"mend [{folder.setting(stream)}.columns] {name}"))
    records = [place for stream, place in places if stream != "activity"]
    for name, attribute in folder.account.attributes.items() if records else ():
        if not any(name in place.attributes for place in records):
            shown = ", ".join(repr(one) for one in records[0].headers[:30])
            what = f"attribute {name}: no file of records has a column {attribute.field!r}; there are {shown}"
            found.append(Problem(what, f"mend [accounts.{folder.account.name}.attributes] {name}"))
    return found


def _zone(folder: Folder) -> list[Problem]:
    zone = folder.account.time_zone
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        remedy = f'set time_zone in [accounts.{folder.account.name}] to a name such as "Europe/Berlin"'
        return [Problem(f"time_zone {zone!r} is not known", remedy)]
    return []


def _rates(folder: Folder) -> list[Problem]:
    found = []
    for currency, days in folder.account.rates.items():
        for day in days:
            try:
                date.fromisoformat(day)
            except ValueError:
                remedy = f"write days of [accounts.{folder.account.name}.rates] like 2024-01-31"
                found.append(Problem(f"rates of {currency}: {day!r} is no day", remedy))
    return found


def _problem(error: ConnectorError) -> Problem:
    """The messages of our errors end with what to do, behind a colon."""
    what, _, remedy = str(error).rpartition(": ")
    return Problem(what or remedy, remedy if what else "mend the file or the setting that it names")
