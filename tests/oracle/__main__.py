"""Record what the product does, or compare it with a recording: see ``tests.oracle``."""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from pytest import MonkeyPatch

from connectors.files import utf8_file
from tests.oracle.comparing import Difference, differences, renames
from tests.oracle.normal import Tree
from tests.oracle.scenes import SCENES


def main() -> int:
    """Exit code 1 where something differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description="What does the product do?")
    parser.add_argument("action", choices=("record", "compare"))
    parser.add_argument("file", type=Path, help="the recording: JSON, compressed by gzip")
    parser.add_argument("--small", action="store_true", help="the size that the tests compare")
    parser.add_argument(
        "--only", nargs="+", choices=SCENES, default=list(SCENES), metavar="SCENE", help=", ".join(SCENES)
    )
    parser.add_argument("--show", type=int, default=20, help="differences that are printed of each scene")
    chosen = parser.parse_args()
    if chosen.action == "record":
        kept = read(chosen.file) if chosen.file.exists() and len(chosen.only) < len(SCENES) else {}
        write(chosen.file, {**kept, **recorded(chosen.only, chosen.small)})
        return 0
    recording, differing = read(chosen.file), 0
    for name in chosen.only:
        if name not in recording:
            sys.exit(f"{chosen.file} has no scene {name}: it has {', '.join(recording)}")
        shown = list(islice(_differences(name, recording[name], chosen.small), chosen.show))
        print(f"{name}: {'equal' if not shown else f'the first {len(shown)} differences'}", flush=True)
        print("".join(f"  {difference}\n" for difference in shown), end="", flush=True)
        differing += bool(shown)
    return int(differing > 0)


def _differences(name: str, recording: Tree, small: bool) -> Iterator[Difference]:
    return differences({name: recording}, recorded([name], small), renames())


def recorded(names: Sequence[str], small: bool) -> dict[str, Tree]:
    """What the product does in these scenes."""
    scenes = {}
    for name in names:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="oracle-") as folder, MonkeyPatch.context() as patch:
            patch.setenv("XDG_CACHE_HOME", f"{folder}/cache")
            # how young a file is depends on how quick the machine is
            patch.setattr(utf8_file, "_SETTLED", 0.0)
            scenes[name] = SCENES[name](Path(folder).resolve() / name, small)
        print(f"{name}: played in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return json.loads(json.dumps(scenes))  # type: ignore[no-any-return]


def read(path: Path) -> dict[str, Tree]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return json.load(file)  # type: ignore[no-any-return]


def write(path: Path, recording: dict[str, Tree]) -> None:
    """The same bytes for the same recording."""
    text = json.dumps(recording, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


if __name__ == "__main__":
    sys.exit(main())
