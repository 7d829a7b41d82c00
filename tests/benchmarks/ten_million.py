"""What does each kind of segmentation cost on ten million contacts, from their activity to a file of labels?

    python -m tests.benchmarks.ten_million --contacts 10000000 --folder DIR

Contacts and their purchases (four each on average, three in ten have none) are made by DuckDB in the mirror
itself: no pull. Then features, the fit and the labels of each kind, a second labelling a week later, and
``label --out``, all in one process: per stage its CPU seconds, and the peak of resident memory while it
lasted.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from sync.account.session import Session, locked
from sync.config.config import load
from sync.context import Context
from sync.label.label import label
from sync.store.mirror import Mirror
from sync.views import label_file

AS_OF = date(2025, 6, 30)
WEEK = timedelta(days=7)
KINDS = ("rules", "abc", "rfm", "lifecycle", "clusters", "offers", "response", "potential")
_BARS = "bars: no stage above 4 GB at 10,000,000; a minute of CPU per kind is the aim"
_CONFIG = f"""\
as_of = {AS_OF}
memory_limit = "{{memory}}"
[accounts.shop]
crm = "files"
path = "crm"
[accounts.shop.attributes]
region = "region"
"""
_KIND = '[[segmentations]]\nname = "{0}"\nkind = "{0}"\nfield = "seg_{0}"\n{1}\n'
_RULES = """\
[[segmentations.segments]]
key = "big_in_the_north"
when = { all = [ { attribute = "region", is = "north" }, { feature = "net_revenue_365", at_least = 200 } ] }
[[segmentations.segments]]
key = "bought"
when = { did = "purchase" }
[[segmentations.segments]]
key = "silent"
when = { did_not = "purchase" }
"""
_OPTIONS = {
    "rules": _RULES,
    "offers": f"categories = [{', '.join(repr(f'category {n}') for n in range(12))}]".replace("'", '"'),
    "response": "within_days = 60",
}
# How often a contact buys, since when and for how long falls off steeply, and differs from contact to
# contact.
_CONTACTS = """
    SELECT i + 1 AS record, CASE WHEN hash(i, 1) % 10 < 3 THEN 0 ELSE 1 + floor(-10 * ln(1 - u2) * u3)::INTEGER END AS purchases,
           1 + floor(1000 * u4)::INTEGER AS age, u5 AS lasting, exp(2 + 2.5 * u6) AS spending
    FROM (SELECT i, {uniforms} FROM range({contacts}) AS numbers(i))
"""
_PURCHASES = """
    INSERT INTO activity BY NAME
    SELECT record, 1 AS part, hash('id', record, n) AS key, true AS named, false AS shadowed, 'purchase' AS kind, day,
           day::TIMESTAMP AS occurred_at, (100 * spending * exp((hash(record, n, 8) % 1000) / 500.0 - 1))::BIGINT AS amount,
           'category ' || CASE WHEN hash(record, n, 9) % 3 = 0 THEN hash(record, n, 10) % 12 ELSE record % 12 END AS category
    FROM (SELECT record, n, spending,
                 DATE '{as_of}' - age
                 + floor(age * least(1, 1.6 * lasting) * (n > 0)::INTEGER * (hash(record, n, 7) % 10007) / 10007.0)::INTEGER AS day
          FROM (SELECT *, unnest(range(purchases)) AS n FROM contacts WHERE record BETWEEN {first} AND {last}))
"""
_STEP = 2_000_000  # contacts whose purchases are made at once


def main() -> int:
    """Make (once), fit, label, print; exit code 1 where the bar of memory is missed."""
    options = _options()
    folder: Path = options.folder.resolve()
    config = _lay_out(folder, options.contacts, options.memory, options.kinds.split(","))
    meter = Meter()
    for as_of in (AS_OF, AS_OF + WEEK):
        print(f"as of {as_of}", flush=True)
        with locked(load(config)) as journal:
            session = Session.begin(Context(load(config), "shop", day=as_of, progress=meter), journal)
            label(session)
            if as_of == AS_OF and options.out:
                meter("label --out", 0, 0)
                rows, _ = label_file.write(session, folder / "labels.csv")
                meter(f"{rows:,} rows in the file", 0, 0)
            session.close()
        meter("", 0, 0)
    print(_BARS)
    return int(meter.highest > 4e9 and options.contacts <= 10_000_000)


class Meter:
    """A listener to progress that prints what each stage has cost when the next one begins."""

    def __init__(self) -> None:
        self.highest = 0
        self._stage, self._begun, self._wall = "", time.process_time(), time.monotonic()
        _forget_peak()

    def __call__(self, stage: str, _done: int, _total: int) -> None:
        if stage == self._stage:
            return
        cpu, wall, peak = time.process_time(), time.monotonic(), _peak()
        if self._stage:
            self.highest = max(self.highest, peak)
            print(
                f"{self._stage:44} {cpu - self._begun:8.1f} CPU-s {wall - self._wall:8.1f} s {peak / 1e9:6.2f} GB",
                flush=True,
            )
        self._stage, self._begun, self._wall = stage, cpu, wall
        _forget_peak()


def _peak() -> int:
    """Most bytes of this process that were resident since ``_forget_peak``."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _lay_out(folder: Path, contacts: int, memory: str, kinds: Sequence[str]) -> Path:
    """config.toml beside a state whose mirror holds the contacts and nothing that was derived; what is made
    once is kept.
    """
    state = folder / "state"
    kept = folder / f"made-{contacts}.duckdb"
    (folder / "crm").mkdir(parents=True, exist_ok=True)
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir()
    if not kept.exists():
        _make(state / "mirror.duckdb", contacts, memory)
        shutil.copy(state / "mirror.duckdb", kept)
    else:
        shutil.copy(kept, state / "mirror.duckdb")
    config, segmentations = (
        folder / "config.toml",
        "".join(_KIND.format(kind, _OPTIONS.get(kind, "")) for kind in kinds),
    )
    config.write_text(_CONFIG.format(memory=memory) + segmentations, encoding="utf-8")
    return config


def _make(path: Path, contacts: int, memory: str) -> None:
    mirror = Mirror(path, memory)
    account = mirror.account("shop")
    account.run('ALTER TABLE records ADD COLUMN "attribute.region" VARCHAR')
    account.run(
        f"INSERT INTO ids SELECT i + 1, 'contact', printf('C%08d', i + 1) FROM range({contacts}) AS numbers(i)"
    )
    account.run(
        f"""INSERT INTO records BY NAME SELECT i + 1 AS record, 1 AS part, TIMESTAMPTZ '2020-01-01' AS created_at,
            ['north', 'south', 'east', 'west'][i % 4 + 1] AS "attribute.region" FROM range({contacts}) AS numbers(i)"""
    )
    uniforms = ", ".join(f"(hash(i, {n}) % 1000003) / 1000003.0 AS u{n}" for n in range(2, 7))
    account.run(f"CREATE TEMP TABLE contacts AS {_CONTACTS.format(contacts=contacts, uniforms=uniforms)}")
    for first in range(1, contacts + 1, _STEP):
        account.run(_PURCHASES.format(as_of=AS_OF, first=first, last=first + _STEP - 1))
    account.run("INSERT INTO parts VALUES (1, 'activity', 'made', true, 0)")
    for stamp in ("order_lines", "refunds"):
        account.set_stamp(stamp, "no")
    account.touched()
    print(f"{contacts:,} contacts, {account.value('SELECT count(*) FROM activity'):,} purchases")
    mirror.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.ten_million", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--contacts", type=int, default=10_000_000)
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(".benchmarks/ten_million"),
        help="contacts that were made there are used again",
    )
    parser.add_argument("--memory", default="2GB", help="memory_limit of the config")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--no-out", dest="out", action="store_false", help="leave label --out away")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
