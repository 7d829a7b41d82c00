"""The reference of JSON answers: every key that ``--json`` prints, and what it means."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.documentation.markdown import code, page, table

_ABOUT = """
With `--json` a command prints one JSON object on standard output and nothing else, for refusals too. Keys are stable:
further ones may come, none changes its meaning without a line in the [changelog](../changelog.md). The functions of the
[Python API](python.md) return the same.

In the keys below, `*` stands for a name (an account, a segmentation, a segment, a field or list, a stream), `[]` for an
element of a list, and `**` for everything below. A verb answers with the parts that belong to it.
"""


@cache
def meanings() -> Mapping[str, Mapping[str, str]]:
    """Part of an answer → pattern of keys → what it means."""
    return tomllib.loads((Path(__file__).parent / "answer_keys.toml").read_text(encoding="utf-8"))


def text() -> str:
    """The page."""
    parts = [
        f"## {title}\n\n" + table(("Key", "Meaning"), [(code(key), meaning) for key, meaning in keys.items()])
        for title, keys in meanings().items()
    ]
    return page("JSON answers", _ABOUT, *parts)


def paths(answer: Any, above: str = "") -> Iterator[str]:
    """Every path of an answer that leads to a value: ``plan.trips[].guard``."""
    if isinstance(answer, Mapping):
        for key, value in answer.items():
            yield from paths(value, f"{above}.{_escaped(key)}" if above else _escaped(key))
    elif isinstance(answer, list):
        for value in answer:
            yield from paths(value, f"{above}[]")
    else:
        yield above


def untold(found: Iterable[str]) -> set[str]:
    """Those of the paths that no pattern of the reference takes."""
    patterns = [pattern for keys in meanings().values() for pattern in keys]
    return {path for path in found if not any(_takes(pattern, path) for pattern in patterns)}


def _escaped(key: str) -> str:
    """A name with dots in it is one step of a path."""
    return key.replace(".", "·")


def _takes(pattern: str, path: str) -> bool:
    wanted, steps = pattern.split("."), path.split(".")
    if wanted[-1] == "**":
        wanted = wanted[:-1]
        steps = steps[: len(wanted)]
    return len(wanted) == len(steps) and all(
        one == "*" or one == step for one, step in zip(wanted, steps, strict=True)
    )
