"""Do the commands of a page do what it shows?

In a ``console`` block, a line that begins with ``$ `` is a command, and what follows is its output. All commands of a
page run one after the other, in its scene (``tests.documentation.scenes``). What comes after a ``|`` is the shell's. A
block below ``<!-- append: FILE -->`` is put at the end of that file.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pytest import MonkeyPatch
from typer.testing import CliRunner

from sync import commands
from sync.cli import app
from sync.local_time import local_time
from tests.documentation.reference import DOCS
from tests.documentation.scenes import NOW, SCENES, Scene

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_APPENDED = re.compile(r"^<!-- append: ([\w.]+) -->\n+```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SCENE = re.compile(r"<!-- scene: (\w+) -->")
# of an output: what hangs on the day, on the machine or on chance → what a page shows
_PASSING = {
    r"\b20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+\+00:00)?": f"{NOW:%Y-%m-%dT%H:%M:%S}",
    r"\b20[2-9]\d-\d\d-\d\d \d\d:\d\d CES?T\b": local_time(NOW, "Europe/Berlin"),
    r"^# There is no program at .*\n": "",
    r"[\d,]+ of them left today": "649,900 of them left today",
}
_WIDTH = "110"  # columns of the terminal


@dataclass(frozen=True)
class Step:
    """A command and what it prints."""

    command: str
    output: str


def pages() -> Iterator[Path]:
    """The pages that have a scene."""
    for path in sorted(DOCS.rglob("*.md")):
        if _SCENE.search(path.read_text(encoding="utf-8")):
            yield path


def shown(path: Path) -> list[Step]:
    """The commands of a page with the output that it shows."""
    return [step for block in _BLOCK.findall(path.read_text(encoding="utf-8")) for step in _steps(block)]


def played(path: Path) -> list[Step]:
    """The same with the output that they have."""
    match = _SCENE.search(path.read_text(encoding="utf-8"))
    assert match is not None, f"{path} has no scene"
    with SCENES[match[1]]() as scene, MonkeyPatch.context() as patch:
        patch.chdir(scene.folder)
        patch.setenv("COLUMNS", _WIDTH)
        patch.setenv("XDG_CACHE_HOME", str(scene.folder / ".cache"))
        patch.setattr(commands, "Options", partial(commands.Options, clock=lambda: NOW))
        patch.setattr(commands, "init", partial(commands.init, clock=lambda: NOW))
        return list(_all_played(path.read_text(encoding="utf-8"), scene, patch))


def _all_played(text: str, scene: Scene, patch: MonkeyPatch) -> Iterator[Step]:
    blocks = sorted([*_BLOCK.finditer(text), *_APPENDED.finditer(text)], key=lambda block: block.start())
    for block in blocks:
        if block.re is _APPENDED:
            _append(scene, block[1], block[2])
            continue
        for step in _steps(block[1]):
            yield Step(step.command, _play(step.command, scene, patch))


def _append(scene: Scene, name: str, text: str) -> None:
    for shown_text, other in scene.stands.items():
        text = text.replace(shown_text, other)
    with (scene.folder / name).open("a", encoding="utf-8") as file:
        file.write(f"\n{text}")


def write() -> None:
    """Show in every page what its commands print."""
    for path in pages():
        text = _with_outputs(path.read_text(encoding="utf-8"), iter(played(path)))
        path.write_text(text, encoding="utf-8")


def _with_outputs(text: str, outputs: Iterator[Step]) -> str:
    return _BLOCK.sub(lambda block: _written(block[1], outputs), text)


def _steps(block: str) -> Iterator[Step]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield Step(command.strip(), output.rstrip("\n"))


def _written(block: str, outputs: Iterator[Step]) -> str:
    parts = [next(outputs) for _ in _steps(block)]
    return "```console\n" + "".join(f"$ {step.command}\n{_ended(step.output)}" for step in parts) + "```"


def _ended(output: str) -> str:
    return f"{output}\n" if output else ""


def _play(command: str, scene: Scene, patch: MonkeyPatch) -> str:
    words, _, piped = command.partition(" | ")
    if words.startswith("export "):
        name, _, _secret = words.removeprefix("export ").partition("=")
        patch.setenv(name, scene.secrets[name])
        return ""
    if words.startswith("crm-segments "):
        output = _called(shlex.split(words, comments=True)[1:], scene)
        output = _shell(piped, scene.folder, output) if piped else output
    else:
        output = _shell(command, scene.folder)
    return _as_shown(output, scene)


def _as_shown(output: str, scene: Scene) -> str:
    """Without what differs from machine to machine and from day to day."""
    own = {
        str(scene.folder): "/opt/shop",
        str(Path(sys.executable).parent): "/opt/shop/.venv/bin",
        **scene.shown,
    }
    for text, other in own.items():
        output = output.replace(text, other)
    for pattern, other in _PASSING.items():
        output = re.sub(pattern, other, output, flags=re.MULTILINE)
    return "\n".join(line.rstrip() for line in output.rstrip("\n").split("\n"))


def _called(words: list[str], scene: Scene) -> str:
    result = CliRunner().invoke(app, [*words, *scene.further.get(words[0], ())])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def _shell(command: str, folder: Path, given: str | None = None) -> str:
    done = subprocess.run(
        ["sh", "-c", command], cwd=folder, input=given, capture_output=True, text=True, check=True
    )
    return done.stdout
