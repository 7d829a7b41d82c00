"""What do purchases come to, read as somebody proposes? The same reading that a run does, kept nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from connectors.contract import Account
from connectors.files.file_reader import ahead
from connectors.files.folder import Folder
from connectors.files.format_detection import Proof, judge, prove
from connectors.files.reading import Reading
from connectors.files.utf8_file import stamp_of
from connectors.tables.distinct_ids import DistinctIds
from connectors.tables.preview import Owners, Preview, PreviewPart, match_owners, see_contacts
from connectors.values.text import words_in

_FILES = 2  # that are read at a time


def look(account: Account, proof: Proof | None = None) -> Preview:
    """Read everything and add it up. ``proof``: what is known already of how the purchases are written."""
    folder, preview = Folder(account), Preview()
    ids, emails = see_contacts(Reading(folder, "contact").pages(None), preview)
    files = folder.required("activity")
    reading = _Purchases(folder, proof, files)
    zone = ZoneInfo(account.time_zone)
    orders, own_ids, owners = DistinctIds(), DistinctIds(), Owners()
    in_parts = 0
    with ThreadPoolExecutor(_FILES) as pool:  # of several files one is read while another one is
        try:
            for part in pool.map(
                lambda name: reading.part(name, files[name], zone, alone=len(files) == 1), files
            ):
                preview.add(part.preview)
                in_parts += part.orders.count()
                orders.take(part.orders)
                own_ids.take(part.own_ids)
                owners.take(part.owners)
        finally:
            reading.stopped = True  # after an error nobody waits for the other files
    different = orders.count()
    preview.orders += different
    preview.overlapping = in_parts - different
    preview.repeated -= own_ids.count()
    match_owners(preview, account.settings.id_type, ids, emails, owners.table())
    return preview


class _Purchases(Reading):
    """Reads files of purchases each by itself, all of them as they are written together."""

    def __init__(self, folder: Folder, proof: Proof | None, files: Mapping[str, Path]) -> None:
        super().__init__(folder, "activity")
        self.stopped = False
        places = {part: (path, self.place(part, path)) for part, path in files.items()}
        if proof is not None and proof.holds_for(places):
            self._habits = judge(folder, self._dialect, places, proof.numbers, proof.times)
        else:
            self._habits = prove(folder, self._dialect, places)

    def part(self, name: str, path: Path, zone: ZoneInfo, alone: bool) -> PreviewPart:
        """What one file comes to. ``alone``: no other file is read meanwhile, so the next page is."""
        part = PreviewPart(zone)
        pages = (page for page, _ in self._file(name, path, stamp_of(path), None))
        for page in ahead(pages) if alone else pages:
            if self.stopped:
                break
            part.add(page)
        part.owners.unite()
        part.orders.count()
        return part


# -- the time zone that offsets tell
# ---------------------------------------------------------------------------

_ZONES = words_in("""
    UTC Europe/London Europe/Berlin Europe/Athens Europe/Moscow Europe/Istanbul America/New_York
    America/Chicago America/Denver America/Phoenix America/Los_Angeles America/Anchorage
    Pacific/Honolulu America/Halifax America/Sao_Paulo America/Bogota America/Mexico_City
    America/Santiago Africa/Johannesburg Africa/Lagos Asia/Dubai Asia/Karachi Asia/Kolkata
    Asia/Dhaka Asia/Bangkok Asia/Shanghai Asia/Singapore Asia/Tokyo Australia/Perth
    Australia/Brisbane Australia/Adelaide Australia/Sydney Pacific/Auckland
""")


_AGREE = 0.9  # share of the times that a zone must explain: shops move, and clocks are set late


def zone_of(times: Iterable[str]) -> str | None:
    """The zone whose clocks show the offsets that ISO-like times are written with: the usual one of those
    that fit; None: there is none.
    """
    pairs: dict[datetime, int] = {}  # a moment that is told twice counts once
    for text in times:
        parsed = _with_offset(text)
        if parsed is not None:
            pairs[parsed] = int((parsed.utcoffset() or timedelta()).total_seconds())
    fits = {name: sum(_offset(name, moment) == offset for moment, offset in pairs.items()) for name in _ZONES}
    best = max(_ZONES, key=lambda name: fits[name])
    return best if pairs and fits[best] >= _AGREE * len(pairs) else None


def _offset(zone: str, moment: datetime) -> int:
    return int((moment.astimezone(ZoneInfo(zone)).utcoffset() or timedelta()).total_seconds())


def _with_offset(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.replace(" UTC", "+00:00").replace(" +", "+").replace(" -", "-"))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
