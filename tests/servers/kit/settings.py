"""How is a stand-in set? Knobs that may be changed while it serves, and the command line that starts it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar


class Settings:
    """Base of the dataclass of all knobs."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def update(self, settings: Mapping[str, Any]) -> None:
        """Turn some knobs. ValueError: there is none of a name."""
        names = [field.name for field in fields(self)]
        for name, value in settings.items():
            if name not in names:
                raise ValueError(f"no such knob: {name}; there are {', '.join(names)}")
            setattr(self, name, value)


def parser(crm: str, about: str, knobs: type[Settings]) -> argparse.ArgumentParser:
    """The options that every stand-in has: port, seed, latency, speed, faults and all knobs."""
    options = argparse.ArgumentParser(prog=f"python -m tests.servers.{crm}", description=about)
    options.add_argument("--port", type=int, default=0, help="0: any free one")
    options.add_argument("--seed", type=int, default=7)
    options.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    options.add_argument("--speed", type=float, default=1.0, help="how fast the CRM's clock runs")
    options.add_argument("--faults", type=Path, help="a script of faults")
    names = ", ".join(field.name for field in fields(knobs))
    options.add_argument("--knob", action="append", default=[], metavar="NAME=VALUE", help=f"one of {names}")
    return options


def knobs_of(texts: list[str]) -> dict[str, Any]:
    """``--knob`` as it was given: a value is JSON, or else a text."""
    knobs = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            knobs[name] = json.loads(value)
        except ValueError:
            knobs[name] = value
    return knobs
