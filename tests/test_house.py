"""Laws of the package's structure, read off its files without importing them."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.heavy import HEAVY, heavy_first
from tools.house_facts import read_modules, repeated_defaults, settings_of

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "detect"
PATHS = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
HEADS = {"patch", "grid", "whole"}
"""A head has one name in every room, so these basenames occur more than once."""

MOST_FILES, MOST_NAMES, MOST_PARAMETERS = 15, 30, 8

Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = Function | ast.ClassDef


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse((PACKAGE / path).read_text(encoding="utf-8"), filename=str(path))


@cache
def functions() -> list[tuple[str, Function]]:
    """Every function and method of the package, with its file and name."""
    every = ((path, node) for path in PATHS for node in ast.walk(tree(path)))
    return [(f"{path}:{node.name}", node) for path, node in every if isinstance(node, Function)]


def bound(module: ast.Module) -> set[str]:
    """Names that a module's own statements bind, imports left out."""
    names = {node.name for node in module.body if isinstance(node, Documented)}
    assigned = [target for node in module.body if isinstance(node, ast.Assign) for target in node.targets]
    return names | {target.id for target in assigned if isinstance(target, ast.Name)}


def test_the_root_holds_commands_only() -> None:
    modules = [path for path in PATHS if len(path.parts) == 1 and path.stem != "__init__"]
    assert modules
    assert [str(path) for path in modules if "main" not in bound(tree(path))] == []


def test_no_room_has_more_than_fifteen_files() -> None:
    files = defaultdict(list)
    for path in PATHS:
        if path.stem != "__init__" and len(path.parts) > 1:
            files[str(path.parent)].append(path.name)
    assert {room: names for room, names in files.items() if len(names) > MOST_FILES} == {}


def test_every_room_is_a_package() -> None:
    """A folder without `__init__` would be a namespace, which other packages may write into."""
    rooms = {path.parent for path in PATHS}
    assert [str(room) for room in rooms if room / "__init__.py" not in PATHS] == []


def handed_on(module: ast.Module) -> set[str]:
    """Names that an `__init__` hands on: what it imports, defines, or lists in `__all__` or another table of names."""
    imported = {
        each.asname or each.name
        for node in ast.walk(module)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for each in node.names
    }
    tables = [node.value for node in module.body if isinstance(node, ast.Assign | ast.AnnAssign) and node.value]
    listed = {
        each.value
        for table in tables
        if isinstance(table, ast.List | ast.Tuple | ast.Set | ast.Dict)
        for each in (table.keys if isinstance(table, ast.Dict) else table.elts)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }
    return imported | bound(module) | listed


@pytest.mark.parametrize("path", [path for path in PATHS if path.stem == "__init__"], ids=str)
def test_no_init_hands_on_more_than_thirty_names(path: Path) -> None:
    assert len(handed_on(tree(path))) <= MOST_NAMES


def test_no_basename_occurs_twice_but_for_the_heads() -> None:
    places = defaultdict(list)
    for path in PATHS:
        if path.stem not in {"__init__", *HEADS}:
            places[path.stem].append(str(path))
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def test_no_module_or_room_is_called_utils_or_the_like() -> None:
    vague = {"utils", "util", "common", "helpers", "helper", "base", "misc", "tools"}
    assert [str(path) for path in PATHS if vague & {*path.parts, path.stem}] == []


def public(module: ast.Module) -> Iterator[Documented]:
    """A module's public functions and classes, and the public methods of those."""
    for node in module.body:
        if isinstance(node, Documented) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from (each for each in node.body if isinstance(each, Function) and not each.name.startswith("_"))


@pytest.mark.parametrize("word", ["Give", "Say", "Tell", "Let", "Decide", "Lay", "Put", "Take"])
def test_no_docstring_of_a_function_begins_with(word: str) -> None:
    """Docstrings begin with the plain verbs of programs: Return, Read, Write, Check, Make, Yield."""
    found = [name for name, node in functions() if re.match(rf"{word}s?\b", ast.get_docstring(node) or "")]
    assert found == []


def test_no_layout_is_kept_from_the_formatter() -> None:
    mark = "# fmt: " + "skip"
    sources = [path for room in ("detect", "tools", "tests") for path in sorted((ROOT / room).rglob("*.py"))]
    assert [str(path.relative_to(ROOT)) for path in sources if mark in path.read_text(encoding="utf-8")] == []


def test_settings_with_a_default_in_code_too_do_not_become_more() -> None:
    """A default stands in conf; beside it only the Python face's, and values of constructors that change nothing."""
    found = set(repeated_defaults(read_modules(PACKAGE), settings_of(ROOT / "conf")))
    face, neutral = {"device", "runtime", "tta"}, {"dropout", "drop_path", "scale", "seed"}
    assert found == face | neutral


def test_settings_name_no_classes_of_the_code() -> None:
    """Settings are numbers and words of the field; which class they fill is the program's affair."""
    files = sorted((ROOT / "conf").rglob("*.yaml"))
    assert files
    assert [str(path.relative_to(ROOT)) for path in files if "_target_" in path.read_text(encoding="utf-8")] == []


def parameters(node: Function) -> int:
    """Number of parameters, self and cls left out."""
    given = node.args
    names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    extra = [each for each in (given.vararg, given.kwarg) if each is not None]
    return len(names) - (names[:1] in (["self"], ["cls"])) + len(extra)


def test_no_function_has_more_than_eight_parameters() -> None:
    assert [name for name, node in functions() if parameters(node) > MOST_PARAMETERS] == []


def test_files_of_tests_that_take_long_are_there_and_any_other_comes_behind_them(tmp_path: Path) -> None:
    """A file that was renamed would begin last, and one of another folder may be run beside them."""
    assert [heavy_first(ROOT / name) for name in HEAVY if (ROOT / name).is_file()] == list(range(len(HEAVY)))
    assert heavy_first(tmp_path / "test_a.py") == heavy_first(Path(__file__)) == len(HEAVY)
