"""The reference of the command line: every verb with its arguments and options."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import typer

from sync.cli import app
from sync.cli.program import Verbs
from tests.documentation.markdown import code, page, sentence, table

_ABOUT = """
Every verb of `crm-segments`, as `crm-segments VERB --help` tells it. Options that stand with every verb are told
[at the end](#shared-options); `--config`, `--verbose` and `--log-format` may also stand before the verb, and
`crm-segments --version` tells the version. What a verb answers with `--json` is told in [JSON answers](json.md), how it ends in
[exit codes](exit-codes.md).
"""
_CRMS = "files|hubspot|salesforce|sql"
_SHARED = ("config", "account", "as_json", "verbose", "log_format", "help")


def verbs() -> dict[str, Any]:
    """The commands by their names, in the order of the help."""
    group: Any = typer.main.get_command(app)
    return dict(group.commands)


def text() -> str:
    """The page."""
    commands = verbs()
    names = "\n".join(
        f"- {title}: " + " · ".join(f"[`{name}`](#{name})" for name in names)
        for title, names in Verbs.groups.items()
    )
    sections = [_verb(name, command) for name, command in commands.items()]
    return page("Command line", _ABOUT + "\n" + names, *sections, _shared(commands))


def _verb(name: str, command: Any) -> str:
    own = [each for each in command.params if each.name not in _SHARED and not each.hidden]
    arguments = [parameter for parameter in own if parameter.param_type_name == "argument"]
    usage = " ".join(["crm-segments", name, *map(_placeholder, arguments), *(["[OPTIONS]"])])
    told = inspect.cleandoc(command.help or "").replace("\f", "")
    parts = [f"## {name}", *(" ".join(part.split()) for part in told.split("\n\n")), f"```text\n{usage}\n```"]
    if command.epilog:
        title, _, example = command.epilog.partition(": ")
        parts.append(f"{title}: {code(example)}")
    if own:
        parts.append(table(("", "Default", "What it does"), [_row(parameter) for parameter in own]))
    return "\n\n".join(parts)


def _row(parameter: Any) -> tuple[str, str, str]:
    return code(_named(parameter)), _default(parameter), _told(parameter.help or "")


def _told(text: str) -> str:
    """The help of an option. It may begin with the CRMs that it is for, which stay as the config spells them."""
    about = re.match(rf"(?:{_CRMS})(?:(?:, | or )(?:{_CRMS}))*", text)
    if about is None:
        return sentence(text)
    names = re.sub(_CRMS, lambda name: code(name[0]), about[0])
    return names + text[about.end() :] + ("" if text.endswith(".") else ".")


def _named(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return _placeholder(parameter)
    value = "" if parameter.is_flag else f" {parameter.metavar or _value(parameter)}"
    return ", ".join(parameter.opts) + value


def _placeholder(parameter: Any) -> str:
    shown = (parameter.metavar or str(parameter.name).upper()).strip("[]")
    return shown if parameter.required else f"[{shown}]"


def _value(parameter: Any) -> str:
    return {int: "N", float: "NUMBER", Path: "FILE"}.get(parameter.bare_type, "TEXT")


def _default(parameter: Any) -> str:
    if parameter.default in (None, False, ()) or callable(parameter.default):
        return ""
    return code(str(parameter.default))


def _shared(commands: dict[str, Any]) -> str:
    parameters = {parameter.name: parameter for command in commands.values() for parameter in command.params}
    rows = [_row(parameters[name]) for name in _SHARED if name in parameters]
    return "## Shared options\n\n" + table(("", "Default", "What it does"), rows)
