"""Where do two recordings differ, but for words that were renamed in between?"""

from __future__ import annotations

import fnmatch
import json
import math
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.oracle.normal import Tree

RENAMES = Path(__file__).parent / "renames.toml"
_CLOSE = 1e-6  # what numbers may differ by, as a share: the same sum in another order
_LONG = 300


class Difference(NamedTuple):
    """Where, what was recorded (under its new name), and what it is now."""

    place: str
    recorded: str
    now: str

    def __str__(self) -> str:
        return f"{self.place}\n    recorded: {self.recorded}\n    now:      {self.now}"


@dataclass(frozen=True)
class Rename:
    """One entry of renames.toml."""

    was: str
    now: str
    where: str = "*"  # places, as a pattern
    part: bool = False  # also as a part of a text; else only a whole key or text
    pattern: bool = False  # ``was`` is a regular expression; as a part

    def __call__(self, text: str) -> str:
        if self.pattern:
            return re.sub(self.was, self.now, text)
        if self.part:
            return text.replace(self.was, self.now)
        return self.now if text == self.was else text


def renames(path: Path = RENAMES) -> list[Rename]:
    """The entries of the file, in their order."""
    return [Rename(**entry) for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("rename", ())]


def differences(recorded: Tree, now: Tree, renamed: Sequence[Rename] = ()) -> Iterator[Difference]:
    """What differs, from the top; ``renamed`` is applied to what was recorded."""
    yield from _compared("", _renamed(recorded, renamed, ""), now)


# -- renaming ------------------------------------------------------------------------------------------------


def _renamed(tree: Tree, renamed: Sequence[Rename], path: str) -> Tree:
    if not renamed:
        return tree
    here = [each for each in renamed if each.where == "*" or fnmatch.fnmatchcase(path, each.where)]
    if isinstance(tree, dict):
        named = {_word(key, here): (key, value) for key, value in tree.items()}
        return {name: _renamed(value, renamed, _under(path, key)) for name, (key, value) in named.items()}
    if isinstance(tree, list):
        return [_renamed(each, renamed, path) for each in tree]
    return _word(tree, here) if isinstance(tree, str) else tree


def _word(text: str, here: Sequence[Rename]) -> str:
    for rename in here:
        text = rename(text)
    return text


def _under(path: str, key: str) -> str:
    return f"{path}/{key}" if path else key


# -- comparing -----------------------------------------------------------------------------------------------


def _compared(path: str, recorded: Tree, now: Tree) -> Iterator[Difference]:
    if isinstance(recorded, dict) and isinstance(now, dict):
        if list(recorded) == ["unordered"] == list(now):
            yield from _as_heaps(path, recorded["unordered"], now["unordered"])
        elif list(recorded) == ["columns", "rows"] == list(now):
            yield from _tables(path, recorded, now)
        else:
            yield from _mappings(path, recorded, now)
    elif isinstance(recorded, list) and isinstance(now, list):
        yield from _sequences(path, recorded, now)
    elif not _same(recorded, now):
        yield Difference(path, _shown(recorded), _shown(now))


def _mappings(path: str, recorded: dict[str, Tree], now: dict[str, Tree]) -> Iterator[Difference]:
    for key in sorted({*recorded, *now}):
        if key not in now:
            yield Difference(_under(path, key), _shown(recorded[key]), "(not there)")
        elif key not in recorded:
            yield Difference(_under(path, key), "(not there)", _shown(now[key]))
        else:
            yield from _compared(_under(path, key), recorded[key], now[key])


def _sequences(path: str, recorded: list[Tree], now: list[Tree]) -> Iterator[Difference]:
    if len(recorded) != len(now):
        yield Difference(f"{path} (length)", str(len(recorded)), str(len(now)))
    for number, (before, after) in enumerate(zip(recorded, now, strict=False)):
        yield from _compared(f"{path}[{number}]", before, after)


def _tables(path: str, recorded: dict[str, Tree], now: dict[str, Tree]) -> Iterator[Difference]:
    """Two tables: their columns, then their rows with the names of the columns."""
    yield from _sequences(f"{path} (columns)", recorded["columns"], now["columns"])
    yield from _compared(path, *(_with_names(table) for table in (recorded, now)))


def _with_names(table: dict[str, Tree]) -> Tree:
    rows, columns = table["rows"], table["columns"]
    if isinstance(rows, dict):
        return {"unordered": [dict(zip(columns, row, strict=True)) for row in rows["unordered"]]}
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _as_heaps(path: str, recorded: list[Tree], now: list[Tree]) -> Iterator[Difference]:
    """Two heaps: what is in one alone is set beside what resembles it most in the other."""
    left, right = sorted(map(_key, recorded)), sorted(map(_key, now))
    if left == right:
        return
    only_before, only_now = _without(left, right), _without(right, left)
    if len(recorded) != len(now):
        yield Difference(f"{path} (number)", str(len(recorded)), str(len(now)))
    for before in only_before:
        partner = _nearest(before, only_now)
        if partner is None:
            yield Difference(path, _shown(json.loads(before)), "(not there)")
            continue
        only_now.remove(partner)
        yield from _compared(f"{path}{_name(json.loads(before))}", json.loads(before), json.loads(partner))
    for after in only_now:
        yield Difference(path, "(not there)", _shown(json.loads(after)))


def _key(tree: Tree) -> str:
    return json.dumps(_sorted(tree), sort_keys=True, ensure_ascii=False)


def _sorted(tree: Tree) -> Tree:
    """The same with heaps in an order of their own."""
    if isinstance(tree, dict):
        if list(tree) == ["unordered"]:
            return {"unordered": sorted((_sorted(each) for each in tree["unordered"]), key=_key)}
        return {key: _sorted(value) for key, value in tree.items()}
    return [_sorted(each) for each in tree] if isinstance(tree, list) else tree


def _without(these: list[str], those: list[str]) -> list[str]:
    left = list(those)
    only = []
    for each in these:
        if each in left:
            left.remove(each)
        else:
            only.append(each)
    return only


def _nearest(text: str, candidates: list[str]) -> str | None:
    """The candidate that shares most with the text; None where there is none."""
    words = set(re.findall(r"\w+", text))
    return max(candidates, key=lambda other: len(words & set(re.findall(r"\w+", other))), default=None)


def _name(tree: Tree) -> str:
    """What tells an entry of a heap from the others, for people."""
    if not isinstance(tree, dict):
        return ""
    named = (
        tree.get(key)
        for key in ("account", "segmentation", "method", "path", "plan", "batch", "run", "key", "as_of", "id")
    )
    return "[" + " ".join(str(each) for each in named if isinstance(each, str | int)) + "]"


def _same(recorded: Tree, now: Tree) -> bool:
    numbers = isinstance(recorded, int | float) and isinstance(now, int | float)
    if numbers and isinstance(recorded, bool) == isinstance(now, bool):
        return math.isclose(recorded, now, rel_tol=_CLOSE, abs_tol=1e-12)
    return bool(recorded == now)


def _shown(tree: Tree) -> str:
    text = json.dumps(tree, ensure_ascii=False)
    return text if len(text) <= _LONG else f"{text[:_LONG]} ... ({len(text):,} characters)"
