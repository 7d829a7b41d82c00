"""Every endpoint of the stand-in org answers something that is not an answer: does it end in 75 or 1 with a
sentence, and in no label?

    python -m tests.salesforce_foreign                 every endpoint, every kind of body (some minutes)
    python -m tests.salesforce_foreign "describe" half  only endpoints and kinds that hold these texts

A case is an org whose set-up is done (or is about to be), one endpoint that answers so for ever, and a
command. Afterwards the org is well again, and the state must end like one on which nothing went wrong.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest

from tests.org_shop import Shop, hasten, shop_of
from tests.servers.salesforce.foreign import KINDS

SIZES = {"rest": 40, "bulk": 2_010}
SETTINGS: dict[str, dict[str, Any]] = {
    "rest": {"lists": "static", "account": 'activity = ["opportunities", "tasks", "events", "campaigns"]'},
    "bulk": {"lists": "none", "reads": 2_000, "writes": 200},
    "views": {"lists": "dynamic"},
}


@dataclass(frozen=True, order=True)
class Endpoint:
    """Calls of a method to paths that a pattern fits, made by a command in a setting."""

    way: str
    command: str
    method: str
    pattern: str


def endpoint(way: str, command: str, entry: dict[str, Any]) -> Endpoint:
    """The endpoint of a logged call: ids are any ids; a query is known by the object that it reads."""
    path, _, query = str(entry["path"]).partition("?")
    pattern = re.sub(
        r"(?<=/)(?=\w*\d)[A-Za-z0-9]{15,18}(-\d+)?(?=/|$)",
        r"\\w{15,18}(-\\d+)?",
        re.escape(path).replace(r"\-", "-"),
    )
    table = re.search(r"FROM (\w+)", unquote_plus(query))
    return Endpoint(
        way, command, entry["method"], pattern + (rf"\?.*FROM\+{table[1]}(\+|&|$)" if table else r"(\?|$)")
    )


def endpoints(folder: Path) -> Iterator[Endpoint]:
    """All that set-up, check and run ask, in each of the ways."""
    for way, settings in SETTINGS.items():
        with shop_of(folder / f"quiet-{way}", SIZES.get(way, 40), False, settings) as shop:
            seen = set()
            for command in ("check", "setup", "run"):
                shop.org.log.clear()
                shop.org.login.expire()
                assert shop.code(command) in (0, 2), shop.said
                for entry in shop.org.log:
                    asked = endpoint(way, command, entry)
                    if (asked.method, asked.pattern) not in seen:
                        seen.add((asked.method, asked.pattern))
                        yield asked


def case(folder: Path, asked: Endpoint, kind: str, wanted: Any) -> str:
    """What is wrong with the end of one case; "": nothing."""
    with shop_of(folder, SIZES.get(asked.way, 40), asked.command == "run", SETTINGS[asked.way]) as shop:
        blank = shop.fields()
        shop.strikes(
            {
                "match": {"method": asked.method, "path": asked.pattern},
                "do": "foreign",
                "body": kind,
                "times": 10**6,
            }
        )
        shop.org.login.expire()
        try:
            code = shop.code(asked.command)
        except Exception:  # the traceback that must not be
            return traceback.format_exc(limit=-6)
        summary = str(shop.said)
        if code not in (0, 1, 75) and not (asked.command == "check" and code == 2):
            return f"exit code {code}: {summary[:300]}"
        if asked.command == "run" and code != 0 and not _partly(shop, blank, wanted[0]):
            return f"exit code {code}, and labels that nobody wanted"
        if asked.command == "run" and code == 0 and shop.end() != wanted:
            return f"exit code 0, and another end: {summary[:300]}"
        return _healed(shop, wanted)


def _healed(shop: Shop, wanted: Any) -> str:
    shop.rests()
    try:
        if shop.code("setup") != 0:
            return f"set-up afterwards: {shop.said}"
        if shop.finish() != 0:
            return f"the run afterwards: {shop.said}"
    except Exception:  # the traceback that must not be
        return "afterwards " + traceback.format_exc(limit=-6)
    return "" if shop.fields() == wanted[0] and shop.members() == wanted[2] else "another end afterwards"


def _partly(shop: Shop, blank: Any, wanted: Any) -> bool:
    """Whether each value is the one before or the one that a quiet run gives."""
    return all(
        value in (blank[id].get(name), wanted[id][name])
        for id, values in shop.fields().items()
        for name, value in values.items()
    )


def ends(folder: Path) -> dict[str, Any]:
    """By way, the end of a run in which nothing goes wrong."""
    ends_by_way = {}
    for way, settings in SETTINGS.items():
        with shop_of(folder / f"end-{way}", SIZES.get(way, 40), True, settings) as shop:
            assert shop.code() == 0, shop.said
            ends_by_way[way] = shop.end()
    return ends_by_way


def main() -> int:
    """All cases that the arguments name; how many went wrong."""
    words = sys.argv[1:]
    bad = total = 0
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        hasten(patch, Path(folder), 500.0)
        wanted = ends(Path(folder))
        for asked in sorted(endpoints(Path(folder))):
            for kind in KINDS:
                name = f"{asked.way} {asked.command} {asked.method} {asked.pattern} {kind}"
                if not all(word in name for word in words):
                    continue
                total, begun = total + 1, time.monotonic()
                wrong = case(Path(folder) / f"case-{total}", asked, kind, wanted[asked.way])
                bad += bool(wrong)
                if wrong or words:
                    print(
                        f"{time.monotonic() - begun:5.1f} s  {name}\n  {wrong or 'as it should be'}",
                        flush=True,
                    )
    print(f"{total} cases, {bad} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
