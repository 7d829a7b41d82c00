"""Does the shape of the code hold: closed rooms, short functions, short files, nothing at the top that does
not belong there?
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = {"connectors", "segmentation", "sync", "tests"}
FILES = sorted(file for room in OURS for file in (ROOT / room).rglob("*.py"))


def imported(file: Path) -> Iterator[str]:
    """Absolute names of all modules that a file imports, also inside functions and by ``import_module`` of a
    literal.
    """
    package = list(file.relative_to(ROOT).parts[:-1])
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*start, *filter(None, [node.module])])
            yield from [f"{module}.{alias.name}" for alias in node.names] if module in OURS else [module]
        elif (
            isinstance(node, ast.Call)
            and ast.unparse(node.func).endswith("import_module")
            and isinstance(node.args[0], ast.Constant)
        ):
            yield str(node.args[0].value)


@pytest.mark.parametrize("room", ["connectors", "segmentation"])
def test_a_room_imports_nothing_of_ours(room: str) -> None:
    foreign = OURS - {room}
    breaches = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in FILES
        if file.is_relative_to(ROOT / room)
        for name in imported(file)
        if name.split(".")[0] in foreign
    ]
    assert not breaches


def test_connectors_import_nothing_of_each_other() -> None:
    breaches = []
    for file in FILES:
        parts = file.relative_to(ROOT).parts
        if parts[0] == "connectors" and len(parts) > 2:
            others = {folder.name for folder in (ROOT / "connectors").iterdir() if folder.is_dir()} - {
                parts[1],
                *("values", "http", "rest", "search_read", "tables"),
            }
            steps = [(name, name.split(".")) for name in imported(file)]
            breaches += [
                f"{file.name} imports {name}"
                for name, path in steps
                if path[0] == "connectors" and set(path[1:2]) & others
            ]
    assert not breaches


# The folders of ``sync``, each above all that it imports; the stages stand in the order of a run.
STAGES = ["pull", "label", "plan", "apply"]
STOREYS = [
    *(
        "config",
        "exit_codes",
        "context",
        "store",
        "account",
        "consent",
        *STAGES,
        "views",
        "report",
        "forget",
        "start",
        "watch",
    ),
    *("pipeline", "per_account", "commands", "demo", "ui", "cli"),
]


def test_data_flows_one_way_through_sync() -> None:
    breaches = []
    for file in FILES:
        parts = [part.removesuffix(".py") for part in file.relative_to(ROOT).parts]
        if parts[0] == "sync" and parts[1] in STOREYS:
            above = set(STOREYS[STOREYS.index(parts[1]) + 1 :])
            ours = [name for name in imported(file) if name.startswith("sync.")]
            breaches += ["/".join(parts) + f" imports {name}" for name in ours if name.split(".")[1] in above]
    assert not breaches


def test_only_the_store_reads_and_writes_rows_of_the_journal() -> None:
    """Everybody else asks its repositories: ``journal.plans.get(7)``."""
    breaches = []
    for file in (ROOT / "sync").rglob("*.py"):
        if not file.is_relative_to(ROOT / "sync" / "store"):
            breaches += [
                f"{file.relative_to(ROOT)}:{node.lineno}"
                for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
                if isinstance(node, ast.Attribute)
                and node.attr in ("rows", "value", "execute", "connection")
                and ast.unparse(node.value).endswith("journal")
            ]
    assert not breaches


def test_sql_that_names_a_stored_table_stands_in_the_store() -> None:
    """Of the journal as of the mirror; what else passes between stages is a relation or an Arrow table."""
    store = ROOT / "sync" / "store"
    created = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?(?:main\.)?(\w+)")
    tables = {
        name for file in store.rglob("*.py") for name in created.findall(file.read_text(encoding="utf-8"))
    }
    assert {"ids", "actual", "written", "plans", "batches", "labels"} <= tables
    named = re.compile(
        rf"\b(?:FROM|JOIN|INTO|UPDATE|TABLE|USING)\s+\"?(?:{'|'.join(tables)}|(?:labels|before)_\w*|features)\b"
    )
    breaches = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in (ROOT / "sync").rglob("*.py")
        if not file.is_relative_to(store)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and named.search(node.value)
    ]
    assert not breaches


def test_only_entry_points_of_stages_and_commands_take_a_session_or_a_context() -> None:
    """All else takes what it needs. The number may fall, and never rise."""
    takers = [
        f"{file.relative_to(ROOT)}: {node.name}"
        for file in (ROOT / "sync").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
        for argument in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        if argument.annotation and ast.unparse(argument.annotation) in ("Session", "Context")
    ]
    assert len(takers) <= 54, "\n".join(takers)


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Imports inside functions, and those for types alone, count."""
    modules = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
        for file in FILES
        if not file.is_relative_to(ROOT / "tests")
    }
    imports = {name: _modules(file, modules) - {name} for name, file in modules.items()}
    circles = []
    while imports:  # whoever imports nothing that is left, is in no circle
        free = {name for name, others in imports.items() if not others & imports.keys()}
        if not free:
            circles = sorted(imports)
            break
        imports = {name: others for name, others in imports.items() if name not in free}
    assert not circles, "in a circle, or above one"


def _modules(file: Path, modules: Mapping[str, Path]) -> set[str]:
    """The modules of ours that a file imports."""
    named = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            within = {f"{node.module}.{alias.name}" for alias in node.names}
            named |= within & modules.keys() or {str(node.module)}
    return named & modules.keys()


def test_the_product_imports_no_test() -> None:
    product = [file for file in FILES if not file.is_relative_to(ROOT / "tests")]
    assert not [file for file in product for name in imported(file) if name.split(".")[0] == "tests"]


def test_no_body_of_a_function_is_longer_than_70_lines() -> None:
    breaches = []
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.body[0].lineno + 1
                if length > 70:
                    breaches.append(f"{file.relative_to(ROOT)}: {node.name} has {length} lines")
    assert not breaches


def test_no_file_is_longer_than_525_lines_and_none_of_the_product_than_450() -> None:
    lengths = {
        file.relative_to(ROOT).as_posix(): len(file.read_text(encoding="utf-8").splitlines())
        for file in FILES
    }
    limits = {file: 525 if file.startswith("tests/") else 450 for file in lengths}
    assert not {file: length for file, length in lengths.items() if length > limits[file]}


def test_every_file_that_contributors_are_sent_to_is_there() -> None:
    text = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = re.findall(r"`((?:connectors|segmentation|sync|tests)/[\w/.]*)`", text)
    assert len(paths) > 30
    assert not [path for path in paths if "NAME" not in path and not (ROOT / path).exists()]


def test_every_module_of_the_product_states_its_question() -> None:
    assert not [
        str(file.relative_to(ROOT))
        for file in FILES
        if not file.is_relative_to(ROOT / "tests")
        and not ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    ]


def test_the_package_holds_the_three_rooms_and_one_command() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == [
        "connectors",
        "segmentation",
        "sync",
    ]
    assert project["project"]["scripts"] == {"crm-segments": "sync.cli:main"}
