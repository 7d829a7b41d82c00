"""How does somebody get a first config? Written from flags, or by asking, with what the files themselves
tell.

The text is loaded before it is kept, so a config that ``init`` writes is one that the other commands take.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sync.config import renames
from sync.config.faults import ConfigError, one_of
from sync.context import utc_now
from sync.exit_codes import CommandError
from sync.start.access import ACCESS, Ask, asked, home_of
from sync.start.access import lines as access_lines
from sync.start.config_text import Answers, text_of
from sync.start.database import found_in_database
from sync.start.folder import found_in_folder
from sync.start.shop import exports_of_shop, found_in_shop
from sync.start.tables import Described, Found, currency_of_samples, read_as, stop_at_nothing

if TYPE_CHECKING:
    from connectors.tables.preview import Preview

STALE_DAYS = 3  # a newest row that is older pins the day: guard max_stale_days would stop every plan
_CHOICE = ("files", *ACCESS, "sql")  # for which a first config can be written


def init(
    config: Path, crm: str | None = None, path: Path | None = None, segmentations: str | None = None, force: bool = False,
    ask: Ask = lambda _question, proposed: proposed, access: Mapping[str, str | None] | None = None, described: Described | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> dict[str, Any]:  # fmt: skip
    """Write a commented config for a folder of exports, a database, or a CRM in the cloud. What is not given is asked
    for, and asked again where the answer is wrong. ``access``: api_url, client_id, and secret (the name of an
    environment variable).

    CommandError where a config is there already (without ``force``), or where the files do not tell what is needed.
    """
    if config.exists() and not force:
        raise CommandError(
            f"{config} exists already: choose another file with --config, or replace it with --force"
        )
    described = described or Described()
    if any(described.log_in.values()):
        crm = crm or "sql"
    crm = _chosen("CRM", crm, f"CRM ({', '.join(_CHOICE)})", "files", _CHOICE, ask)[0]
    found = _found(config, crm, path, ask, access or {}, described)
    from segmentation.kinds import KINDS

    question = f"Segmentations, separated by commas ({', '.join(KINDS)})"
    kinds = _chosen("segmentation", segmentations, question, "rfm,abc", KINDS, ask)
    home = dict[str, str]()
    if crm in ACCESS and not found.portal:
        zone, currency = described.time_zone or "", described.currency or ""
        home, home_notes = home_of(crm, found.reached)
        found.notes += home_notes
    else:
        zone, currency = _home_of_tables(ask, described, found)
    guesses = found.guesses
    notes = [note for guess in guesses for note in guess.notes] + found.notes
    answers = Answers(
        "files" if found.portal else crm, found.reached, zone, currency, kinds or ["rfm"], guesses, notes,
        home=home, account=found.account, portal=found.portal,
    )  # fmt: skip
    preview = _look(found, answers, clock())
    _keep(config, text_of(answers))
    if preview is not None:
        stop_at_nothing(config, preview, guesses)
    return {
        "exit_code": 0, "config": str(config), "crm": crm, "columns": {guess.stream: guess.columns for guess in guesses},
        "attributes": {name: kind for guess in guesses for name, kind in guess.attributes.items()},
        "segmentations": answers.kinds, "notes": answers.notes, "currency": answers.currency or home.get("currency", ""),
        "time_zone": answers.time_zone or home.get("time_zone", ""),
        "as_of": answers.as_of, "read_as": [read_as(guess) for guess in guesses], "preview": preview and preview.as_dict(),
    }  # fmt: skip


def _found(
    config: Path,
    crm: str,
    path: Path | None,
    ask: Ask,
    access: Mapping[str, str | None],
    described: Described,
) -> Found:
    """Where the account is, and what its tables are taken for. A CRM in the cloud has none, but a shop beside it
    may have some.
    """
    if crm == "sql":
        return found_in_database(config, path, ask, described)
    if crm in ACCESS and (exports := exports_of_shop(path, ask)):
        return found_in_shop(config, crm, exports, ask, access, described)
    if crm in ACCESS:
        return Found(access_lines(crm, access, ask), [], lambda _answers: None, account=ACCESS[crm].account)
    return found_in_folder(config, path, ask, described)


def _home_of_tables(ask: Ask, described: Described, found: Found) -> tuple[str, str]:
    """Time zone and currency of exports or of a database, which a person confirms."""
    proposed = described.time_zone or (found.time_zone or _zone())
    zone = asked(ask, "Time zone", proposed, _known_zone)
    stated = described.currency or currency_of_samples(found.guesses)
    return zone, ask("Currency", stated)


def _look(found: Found, answers: Answers, now: datetime) -> Preview | None:
    """Read everything once as the config will; what that tells of ids and of the last day goes into the
    config.
    """
    from connectors.errors import ConnectorError

    try:
        preview = found.look(answers)
    except ConnectorError as error:
        raise CommandError(str(error)) from None
    if preview is None:
        return None
    answers.id_type = preview.id_type
    today = now.astimezone(ZoneInfo(answers.time_zone)).date()
    if preview.last_day is not None and (today - preview.last_day).days - 1 > STALE_DAYS:
        answers.as_of = preview.last_day.isoformat()
        answers.notes.append(
            f"the newest row is of {preview.last_day}, {(today - preview.last_day).days:,} days ago: as_of is set to that day. "
            'For segments as of today, export again and set as_of = "yesterday"'
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
        return f"{strange!r} is not a known {what}; {one_of(strange, valid)}"

    answer = asked(ask if given is None else lambda _q, _p: given, question, given or proposed, wrong)
    return words(answer)


def _known_zone(zone: str) -> str:
    from zoneinfo import available_timezones

    return (
        ""
        if zone in available_timezones()
        else f"{zone!r} is not a time zone; use an IANA name such as Europe/Berlin"
    )


def _zone() -> str:
    """The time zone of this machine, where it has a name."""
    from zoneinfo import available_timezones

    name = os.environ.get("TZ") or os.path.realpath("/etc/localtime").rpartition("zoneinfo/")[2]
    return name if name in available_timezones() and name != "Etc/UTC" else "UTC"


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
            f"these answers do not make a valid config: {what}. Nothing was written; try other answers."
        ) from None
    finally:
        trial.unlink(missing_ok=True)
