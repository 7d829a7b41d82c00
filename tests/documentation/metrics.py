"""The reference of metrics: features, the lines of the scorecard, what forecasts are judged by, log lines."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tests.documentation.markdown import code, page, table

_ABOUT = """
What is computed, and how it is judged. A definition is the formula that the code uses; where it comes from, and when
not to use a kind, is told in [kinds of segmentation](../kinds/index.md).
"""
_LINES = """
`crm-segments evaluate` judges each segmentation on days that its model had not seen. ✓ or yes: passes. ✗ or NO: fails.
Nothing: for information. A line that fails may propose a refit; none is made by itself.
"""
_LOG = """
`--verbose` prints one line on standard error for each account and stage, `--log-format json` prints it as JSON. A
line holds no name, address or cell. Keys: `time` (UTC), `level`, `account`, `run`, `stage` (such as pull, label, plan,
apply), `outcome` (`done`, or the class of the error), `seconds`, and the numbers of the stage's [answer](json.md) by
dotted key. The last line of a command has the outcome `ended`, with `exit_code`, `calls.read` and `calls.write`.
"""


@cache
def meanings() -> Mapping[str, Mapping[str, str]]:
    """Group → name → what it means."""
    return tomllib.loads((Path(__file__).parent / "metric_names.toml").read_text(encoding="utf-8"))


def text() -> str:
    """The page."""
    told = meanings()
    return page(
        "Metrics",
        _ABOUT,
        '## Features\n\nRules name them (`{ feature = "orders_365", at_least = 3 }`), and models learn from them.\n\n'
        + _named(told["features"]),
        "## The scorecard\n" + _LINES + "\n" + _named(told["scorecard"]),
        "## Figures\n\n" + _named(told["figures"]),
        "## Log lines\n" + _LOG,
    )


def _named(told: Mapping[str, str]) -> str:
    return table(("Name", "Meaning"), [(code(name), meaning) for name, meaning in told.items()])
