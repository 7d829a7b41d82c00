"""What must a person fix before a run?"""

from __future__ import annotations

import os
from datetime import date
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.contract import Problem
from connectors.errors import ConnectorError
from connectors.files.fields import Fields
from connectors.files.folder import Folder, unusable
from connectors.files.lists import Lists
from connectors.files.preview import look
from connectors.files.reading import Reading
from connectors.tables.column_mapping import Place
from connectors.tables.preview import Preview
from connectors.tables.settings import TABLES

# share of a stream's rows that may be refused, and number up to which a share says nothing
REFUSED, MANY_REFUSED = (0.005, 3)


def problems(folder: Folder) -> list[Problem]:
    """Everything that is wrong with a folder and its settings. Changes nothing."""
    faults = [*_zone(folder), *_rates(folder)]
    path = folder.path
    if not path.is_dir():
        return [*faults, unusable(path, f"set path in [accounts.{folder.account.name}]")]
    if not os.access(path, os.R_OK | os.X_OK):
        faults.append(Problem(f"{path} cannot be read", "allow this user to read and list the folder"))
    if any(not field.retired for field in folder.account.fields) and not os.access(path, os.W_OK):
        faults.append(
            Problem(f"{path} cannot be written", "allow this user to write segments.csv and lists/ there")
        )
    places = []
    for stream in TABLES:
        try:
            places += [(stream, layout) for layout in _places(folder, stream, faults)]
        except ConnectorError as error:
            faults.append(_problem(error))
    faults += _unmapped(folder, places)
    for ask in (Fields(folder).all, Lists(folder).all):
        try:
            ask()
        except ConnectorError as error:
            faults.append(_problem(error))
    return faults


def looked(folder: Folder) -> tuple[list[Problem], list[str]]:
    """What a reading of all files to their end finds: what no plan could stand on, and what a person should know."""
    try:
        preview = look(folder.account)
    except ConnectorError as error:
        return [_problem(error)], []
    notes = [
        f"{number:,} cells of contacts are not known: {name} is not in its order "
        f"({', '.join(folder.account.attributes[name].order)[:200]})"
        for name, number in preview.unordered.most_common()
    ]
    return _reading_problems(folder, preview), notes


def _reading_problems(folder: Folder, preview: Preview) -> list[Problem]:
    faults: list[Problem] = []
    setting = f"[{folder.setting('activity')}]"
    for stream, rows, refused in (
        ("activity", preview.rows, preview.refused),
        ("contact", preview.contact_rows, preview.contact_refused),
    ):
        number = sum(refused.values())
        if number and ((number >= MANY_REFUSED and number > REFUSED * rows) or 2 * number >= rows):
            reasons = "; ".join(f"{count:,} rows: {reason}" for reason, count in refused.most_common(3))
            what = f"{number:,} of {rows:,} rows of {TABLES[stream]} are rejected: {reasons}"
            faults.append(
                Problem(
                    what, f"correct the export, or the settings of its format in [{folder.setting(stream)}]"
                )
            )
    if preview.rows and not preview.orders and not preview.revenue:
        faults.append(
            Problem(
                f"no row of {TABLES['activity']} counts as a purchase",
                f"see {setting} for columns and status words",
            )
        )
    lost = preview.unmatched + preview.ownerless
    if preview.rows and 2 * preview.unmatched > preview.rows:
        what = f"{lost:,} of {preview.rows:,} rows of {TABLES['activity']} belong to no contact in the files"
        faults.append(
            Problem(
                what,
                f"map the column with the customer's id or address (contact_id, contact_email) in {setting}",
            )
        )
    configured = folder.account.settings.id_type
    if preview.id_type != configured and preview.matched_as_configured < preview.matched:
        what = f"ids match {preview.matched:,} rows as {preview.id_type!r}, and {preview.matched_as_configured:,} as {configured!r}"
        faults.append(Problem(what, f'set id_type = "{preview.id_type}" in [accounts.{folder.account.name}]'))
    return faults


def _places(folder: Folder, stream: str, faults: list[Problem]) -> list[Place]:
    places = []
    needed = stream == "contact" or (
        stream == "activity" and all(field.retired for field in folder.account.fields)
    )
    for part, path in (folder.required(stream) if needed else folder.files(stream)).items():
        try:
            places.append(Reading(folder, stream).place(part, path))
        except ConnectorError as error:
            faults.append(_problem(error))
    return places


def _unmapped(folder: Folder, places: list[tuple[str, Place]]) -> list[Problem]:
    """Mapped columns and attributes that no file has."""
    faults = []
    for stream in TABLES:
        here = [layout for label, layout in places if label == stream]
        for name, header in folder.dialect(stream).columns.items() if here else ():
            if not any(name in layout.columns for layout in here):
                shown = ", ".join(repr(label) for label in here[0].headers[:30])
                what = f"{header!r}, mapped to {name}, is in no file of {TABLES[stream]}; there are {shown}"
                faults.append(Problem(what, f"fix [{folder.setting(stream)}.columns] {name}"))
    records = [layout for stream, layout in places if stream != "activity"]
    for name, attribute in folder.account.attributes.items() if records else ():
        if not any(name in layout.attributes for layout in records):
            shown = ", ".join(repr(label) for label in records[0].headers[:30])
            what = f"attribute {name}: no file of records has a column {attribute.field!r}; there are {shown}"
            faults.append(Problem(what, f"fix [accounts.{folder.account.name}.attributes] {name}"))
    return faults


def _zone(folder: Folder) -> list[Problem]:
    zone = folder.account.time_zone
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        remedy = f'set time_zone in [accounts.{folder.account.name}] to a name such as "Europe/Berlin"'
        return [Problem(f"time_zone {zone!r} is not known", remedy)]
    return []


def _rates(folder: Folder) -> list[Problem]:
    faults = []
    for currency, days in folder.account.rates.items():
        for day in days:
            try:
                date.fromisoformat(day)
            except ValueError:
                remedy = f"write days of [accounts.{folder.account.name}.rates] like 2024-01-31"
                faults.append(Problem(f"rates of {currency}: {day!r} is not a date", remedy))
    return faults


def _problem(error: ConnectorError) -> Problem:
    """The messages of our errors end with what to do, behind a colon."""
    what, _, remedy = str(error).rpartition(": ")
    return Problem(what or remedy, remedy if what else "fix the file or the setting that it names")
