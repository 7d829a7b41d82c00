"""The reference of the Python API: every command as a function, with its arguments and what it promises."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

from sync import commands
from sync.commands import Options
from tests.documentation.markdown import code, page, table

_ABOUT = """
Every verb of the command line is a function of `sync.commands`. It takes a config (its path, or what
`sync.config.config.load` gives) and `Options`, and returns what [`--json` prints](json.md): a dictionary with stable
keys.

```python
from sync import commands

planned = commands.plan("config.toml")
number = planned["plan"]["plan"]
if planned["plan"]["changes"] and not planned["plan"]["trips"]:
    commands.apply("config.toml", number=number)
```

What ends a command early is an exception: `sync.exit_codes.CommandError` (its classes are told in
[exit codes](exit-codes.md)), `sync.config.config.ConfigError`, or `connectors.errors.ConnectorError`. With several
accounts, what ends the work for one of them stands in its answer, and the others go on.
`sync.commands.exit_code(error)` gives the exit code of an exception.

Nothing is printed. One log line for each account and stage goes to the logger `crm_segments`
([metrics](metrics.md#log-lines)). The package ships its types (`py.typed`).
"""


def functions() -> dict[str, Callable[..., Any]]:
    """The commands by their names."""
    named = {name: getattr(commands, name) for name in commands.__all__}
    return {name: function for name, function in named.items() if inspect.isfunction(function)}


def text() -> str:
    """The page."""
    parts = [_function(name, function) for name, function in functions().items()]
    return page("Python API", _ABOUT, _options(), "## Functions", *parts)


def _options() -> str:
    rows = [
        (code(field.name), code(str(field.type)), _OPTIONS[field.name])
        for field in dataclasses.fields(Options)
    ]
    return "## Options\n\n`sync.commands.Options`: what all commands share.\n\n" + table(
        ("Field", "Type", "Meaning"), rows
    )


_OPTIONS = {
    "account": "Only this account. None: every account that is written.",
    "allow": "Guards that may pass, each with the reason.",
    "as_of": "The last day that counts, instead of the config's.",
    "progress": "Is called with what is done, and how far it is.",
    "clock": "Tells the time; for tests.",
    "open": "Opens an account; for tests.",
}


def _function(name: str, function: Callable[..., Any]) -> str:
    signature = str(inspect.signature(function)).replace("'", "").replace("<function <lambda>", "<function")
    told = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    return "\n\n".join(
        [
            f"### {name}",
            f"```python\n{name}{_shortened(signature)}\n```",
            *(" ".join(part.split()) for part in told),
        ]
    )


def _shortened(signature: str) -> str:
    """Without the addresses of default functions."""
    import re

    return re.sub(r"<function[^>]*>", "...", signature)
