"""Which messages can an error of the product have? Read from the code, with … in place of what differs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
# What a person is told of: exceptions that end a command, problems of a check, faults of a config, guards that trip.
TELLING = re.compile(
    r"(?:.*Error|Problem|Fault|Trip|Refused|Denied|Misbehaved|TooLittle|TooNew|UnknownVersion|JournalDamaged|JournalTooNew|"
    r"SetupNeeded|ApprovalNeeded|GuardTripped|RetryLater|BadParameter|Unable|MirrorFault|MissingColumn|fail)$"
)
_REJECTS = ("row", "cell", "refuse")  # methods that refuse a row or a cell of what was read, for a reason
REJECT = "reject"
# Nobody meets these at a terminal: the CRM of the tests, frames and models that a program hands over wrongly.
_UNSEEN = (
    "connectors/memory",
    "segmentation/frames",
    "segmentation/protocol",
    "segmentation/previous_labels",
)
# Faults of a program that calls us, which nobody sees at a terminal; what stops inside before it is told in other words.
_INSIDE = ("TypeError", "AssertionError", "NotImplementedError", "KeyError", "StopIteration")
_MANY = 4  # letters: what has fewer is no sentence


@dataclass(frozen=True, order=True)
class Message:
    """A message, where it is made, and by which class."""

    text: str
    module: str  # such as connectors/files/folder.py
    raised: str  # name of the class


@cache
def messages() -> tuple[Message, ...]:
    """All of them, by module and text."""
    found = {
        message
        for room in ("connectors", "segmentation", "sync")
        for file in sorted((ROOT / room).rglob("*.py"))
        if not file.relative_to(ROOT).as_posix().startswith(_UNSEEN)
        for message in _in_module(file)
    }
    return tuple(sorted(found, key=lambda message: (message.module, message.text)))


def overlooked() -> set[str]:
    """Names of exceptions of ours that the code raises with a text, and that are not read here."""
    found = set()
    for room in ("connectors", "segmentation", "sync"):
        for file in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                    name = ast.unparse(node.exc.func).rpartition(".")[2]
                    if name[:1].isupper() and isinstance(node.exc.args[0], ast.JoinedStr | ast.Constant):
                        found.add(name)
    return {name for name in found if not TELLING.match(name)} - {
        "Exit",
        "ArrowInvalid",
    }  # caught where they are raised


def _in_module(file: Path) -> Iterator[Message]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    module, sources = file.relative_to(ROOT).as_posix(), _Sources(tree)
    for function, node in _walked(tree, None):
        if isinstance(node, ast.Call) and (name := _class_of(node)) and node.args:
            for text in _texts_of(node, function, sources):
                if len(re.sub(r"[^A-Za-z]", "", text)) > _MANY:
                    yield Message(text, module, name)


def _class_of(call: ast.Call) -> str:
    owner, _, name = ast.unparse(call.func).rpartition(".")
    if name in _REJECTS and owner.endswith(("sieve", "rejects")):
        return REJECT
    return name if TELLING.match(name) and name not in _INSIDE and not name.startswith("_") else ""


def _texts_of(call: ast.Call, function: ast.AST | None, sources: _Sources) -> list[str]:
    """The text of each argument that is one; what is wrong and the remedy of a problem are one sentence each."""
    told = [text for argument in call.args for text in sources.texts(argument, function)]
    return [" ".join(text.split()) for text in told]


def _walked(node: ast.AST, function: ast.AST | None) -> Iterator[tuple[ast.AST | None, ast.AST]]:
    """Every node, with the function that it stands in."""
    for child in ast.iter_child_nodes(node):
        yield function, child
        inner = child if isinstance(child, ast.FunctionDef) else function
        yield from _walked(child, inner)


class _Sources:
    """What names and functions of a module stand for, where they stand for texts."""

    def __init__(self, tree: ast.Module) -> None:
        self.constants = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        self.functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}

    def texts(self, node: ast.AST, function: ast.AST | None, depth: int = 2) -> list[str]:
        """The texts that an expression may be, … in place of what is not known."""
        if isinstance(node, ast.Constant):
            return [node.value] if isinstance(node.value, str) else []
        if isinstance(node, ast.JoinedStr):
            return ["".join(self._piece(part) for part in node.values)]
        if isinstance(node, ast.IfExp):
            return self.texts(node.body, function, depth) + self.texts(node.orelse, function, depth)
        if isinstance(node, ast.BoolOp):
            return [text for value in node.values for text in self.texts(value, function, depth)]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, right = (self.texts(side, function, depth) or ["…"] for side in (node.left, node.right))
            return [left[0] + right[0]]
        if depth and isinstance(node, ast.Name):
            return self._assigned(node.id, function, depth - 1)
        if depth and isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self._returned(node.func.id, depth - 1)
        return []

    def _piece(self, part: ast.AST) -> str:
        if isinstance(part, ast.Constant):
            return str(part.value)
        if isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name):
            constant = self.constants.get(part.value.id)
            if isinstance(constant, ast.Constant) and isinstance(constant.value, str):
                return constant.value
        return "…"

    def _assigned(self, name: str, function: ast.AST | None, depth: int) -> list[str]:
        values = [
            node.value
            for node in (ast.walk(function) if function else ())
            if isinstance(node, ast.Assign | ast.NamedExpr)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name) and target.id == name
        ]
        values = values or [self.constants[name]] if name in self.constants or values else []
        return [text for value in values for text in self.texts(value, function, depth)]

    def _returned(self, name: str, depth: int) -> list[str]:
        function = self.functions.get(name)
        returns = [
            node.value
            for node in (ast.walk(function) if function else ())
            if isinstance(node, ast.Return) and node.value is not None
        ]
        return [text for value in returns for text in self.texts(value, function, depth)]
