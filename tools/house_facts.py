"""Facts of the package's shape that its maintainers watch, as a table in Markdown.

    python tools/house_facts.py [--root CHECKOUT] [--names] [--no-run]

What is counted, where a name alone does not say it:

- Command: a module at the root of `detect/` that binds `main`.
- Room: a folder of the package; its files are the modules directly in it, without `__init__`.
- Choice by head: a `match` on something called `head` or `net` (the last word of the subject), or with a case of a
  head's class or name; an `isinstance` of such a thing, or with a head's class; a comparison with a head's name
  (`x == "grid"`, `x in ("patch", "grid")`), or of `.grid` with None. A head's class is named after one (`Patch`,
  `Grid`, `Whole`, with `Head`, `Spec`, `Net`, `Detector`, `Classifier`, `Card` or `Settings`).
- Default that stands twice: the field of a dataclass or the parameter of a function that has the name of a setting in
  `conf/` (the last part: `lr` of `finetune.lr`) and its value as default. None, and what `conf/` says of experiments,
  transforms and hydra itself, do not count.
- Parameters: all but self and cls, with `*args` and `**kwargs`.
- Lines: all of a file's; of a function from `def` to its end. Files of a docstring alone are left out.
- Files that run: those of the package with a function (not a module's or a class's own body) that is called between
  the call of `detect.predict` for one small image and the moment at which `counts.csv` is there.

With `--root` another checkout is measured; a dash stands where its commands cannot be run.
"""

import argparse
import ast
import json
import re
import statistics
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import OmegaConf

HEADS = ("patch", "grid", "whole")
HEAD_CLASS = re.compile(r"(Patch|Grid|Whole)(Image)?(Head|Spec|Net|Detector|Classifier|Card|Settings)")
HEAD_SUBJECT = re.compile(r"(^|[._])(head|net)$")
MANY_PARAMETERS = 8
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """A file of the package: its path below the package, its lines and its syntax tree."""

    path: Path
    lines: int
    tree: ast.Module

    @property
    def functions(self) -> Iterator[Function]:
        """Every function and method, nested ones too."""
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))

    @property
    def documented_only(self) -> bool:
        """Whether there is nothing but a docstring."""
        return all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in self.tree.body)


@dataclass(frozen=True)
class Fact:
    """A line of the table, with the names behind its value."""

    name: str
    value: str
    names: Sequence[str] = ()


def read_modules(package: Path) -> list[Module]:
    """Read every file of a package, sorted by path."""
    modules = []
    for path in sorted(package.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        modules.append(Module(path.relative_to(package), text.count("\n"), ast.parse(text)))
    return modules


def bound_names(tree: ast.Module) -> set[str]:
    """Names that a module's own statements bind: functions, classes and assignments, no imports."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, Function | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


def no_commands(modules: Sequence[Module]) -> list[str]:
    """Modules at the root of the package that are no command."""
    roots = [module for module in modules if len(module.path.parts) == 1 and module.path.stem != "__init__"]
    return [module.path.name for module in roots if "main" not in bound_names(module.tree)]


def room_sizes(modules: Sequence[Module]) -> Counter[str]:
    """Files of each room, the root without a name."""
    return Counter(str(module.path.parent) for module in modules if module.path.stem != "__init__")


def repeated_basenames(modules: Sequence[Module]) -> dict[str, list[str]]:
    """Basenames of more than one file, each with the files' paths."""
    places: dict[str, list[str]] = defaultdict(list)
    for module in modules:
        if module.path.stem != "__init__":
            places[module.path.name].append(module.path.as_posix())
    return {name: paths for name, paths in places.items() if len(paths) > 1}


def exported_names(tree: ast.Module) -> list[str]:
    """Names that an `__init__` hands on: those of `__all__`, or else what it imports by name."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            return [str(ast.literal_eval(each)) for each in getattr(node.value, "elts", ())]
    return [each.asname or each.name for node in tree.body if isinstance(node, ast.ImportFrom) for each in node.names]


def parameters(node: Function) -> list[str]:
    """Names of a function's parameters, without self and cls."""
    given = node.args
    names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    names = names[1:] if names[:1] in (["self"], ["cls"]) else names
    return names + [each.arg for each in (given.vararg, given.kwarg) if each is not None]


def head_choices(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield the kind (`match`, `isinstance` or `comparison`) and line of every choice by a head."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Match):
            if HEAD_SUBJECT.search(ast.unparse(node.subject)) or any(map(_is_of_a_head, node.cases)):
                yield "match", node.lineno
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance" and len(node.args) == 2:
            thing, kind = map(ast.unparse, node.args)
            if HEAD_SUBJECT.search(thing) or any(map(HEAD_CLASS.fullmatch, re.findall(r"\w+", kind))):
                yield "isinstance", node.lineno
        elif isinstance(node, ast.Compare) and _compares_a_head(node):
            yield "comparison", node.lineno


def _is_of_a_head(case: ast.match_case) -> bool:
    patterns = list(ast.walk(case.pattern))
    classes = [ast.unparse(each.cls).split(".")[-1] for each in patterns if isinstance(each, ast.MatchClass)]
    values = [each.value for each in patterns if isinstance(each, ast.Constant)]
    return any(map(HEAD_CLASS.fullmatch, classes)) or any(value in HEADS for value in values)


def _compares_a_head(node: ast.Compare) -> bool:
    sides = [node.left, *node.comparators]
    constants = [each.value for side in sides for each in ast.walk(side) if isinstance(each, ast.Constant)]
    by_name = any(value in HEADS for value in constants if isinstance(value, str))
    return by_name or (None in constants and any(ast.unparse(side).endswith(".grid") for side in sides))


def settings_of(folder: Path) -> dict[str, list[object]]:
    """Read the values that `conf/` gives to each setting, by the last part of its name."""
    values: dict[str, list[object]] = defaultdict(list)
    for path in sorted(folder.rglob("*.yaml")):
        if "experiment" not in path.parts:
            _gather(OmegaConf.to_container(OmegaConf.load(path)), values)
    return values


def _gather(tree: object, values: dict[str, list[object]]) -> None:
    if not isinstance(tree, dict):
        return
    for name, value in tree.items():
        if name in ("defaults", "transforms", "hydra"):
            continue
        if isinstance(value, dict):
            _gather(value, values)
        elif value is not None:
            values[str(name)].append(value)


def defaults(module: Module) -> Iterator[tuple[str, ast.expr, int]]:
    """Yield name, default and line of every dataclass field and function parameter that has one."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef) and any("dataclass" in ast.unparse(each) for each in node.decorator_list):
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and field.value is not None:
                    yield field.target.id, field.value, field.lineno
        elif isinstance(node, Function):
            given = [*node.args.posonlyargs, *node.args.args]
            for each, value in zip(reversed(given), reversed(node.args.defaults), strict=False):
                yield each.arg, value, node.lineno
            for each, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
                if default is not None:
                    yield each.arg, default, node.lineno


def repeated_defaults(modules: Sequence[Module], settings: dict[str, list[object]]) -> dict[str, list[str]]:
    """Places (file and line) of each setting whose default stands in code too."""
    places: dict[str, list[str]] = defaultdict(list)
    for module in modules:
        for name, node, line in defaults(module):
            try:
                value = ast.literal_eval(node)
            except ValueError:
                continue
            alike = list(value) if isinstance(value, tuple) else value
            if any(alike == one and isinstance(alike, bool) == isinstance(one, bool) for one in settings.get(name, ())):
                places[name].append(f"{module.path.as_posix()}:{line}")
    return places


def spread(lengths: Sequence[int]) -> str:
    """Write median, 90th percentile (the smallest length that nine tenths do not exceed) and maximum."""
    ordered = sorted(lengths)
    return f"{statistics.median(ordered):g} / {ordered[-(-9 * len(ordered) // 10) - 1]} / {ordered[-1]}"


RECORD_CALLS = """
import inspect, json, os, sys, threading
from importlib import import_module

package, table, record = sys.argv[1:4]
sys.argv = ["detect.predict", *sys.argv[4:]]
main = import_module("detect.predict").main
files = set()

def note(frame, event, argument):
    code = frame.f_code
    if code.co_filename.startswith(package) and code.co_flags & inspect.CO_OPTIMIZED:
        files.add(code.co_filename[len(package) + 1 :])
        if os.path.exists(table) and not os.path.exists(record):
            with open(record, "w") as target:
                json.dump(sorted(files), target)
            threading.setprofile(None)
            sys.setprofile(None)

threading.setprofile(note)
sys.setprofile(note)
main()
"""


def files_that_run(root: Path) -> list[str] | None:
    """Files with a function that `detect.predict` calls until `counts.csv` is written; None where it cannot be run."""
    from small_run import predict_settings, run_python, train_small_model

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = train_small_model(root, folder)
        if model is None:
            return None
        record = folder / "files.json"
        given = [str(root / "detect"), str(folder / "out/counts.csv"), str(record)]
        done = run_python(root, "-c", RECORD_CALLS, *given, *predict_settings(folder, model))
        if not record.is_file():
            sys.stderr.write(f"detect.predict did not run in {root}:\n{done.stderr}")
            return None
        return [str(file) for file in json.loads(record.read_text())]


def static_facts(root: Path) -> list[Fact]:
    """Measure what can be read off the files of a checkout."""
    modules = read_modules(root / "detect")
    loose, sizes = no_commands(modules), room_sizes(modules)
    room, largest = sizes.most_common(1)[0]
    choices = [(kind, f"{m.path.as_posix()}:{line}") for m in modules for kind, line in head_choices(m.tree)]
    kinds = Counter(kind for kind, _ in choices)
    twice = repeated_defaults(modules, settings_of(root / "conf"))
    faces = {m.path.as_posix(): exported_names(m.tree) for m in modules if m.path.stem == "__init__"}
    face = max(faces, key=lambda path: len(faces[path]))
    many = [
        f"{m.path.as_posix()}:{node.name}"
        for m in modules
        for node in m.functions
        if len(parameters(node)) >= MANY_PARAMETERS
    ]
    functions = [(node.end_lineno or node.lineno) - node.lineno + 1 for m in modules for node in m.functions]
    files = [module.lines for module in modules if not module.documented_only]
    same = repeated_basenames(modules)
    return [
        Fact("root modules that are no command", str(len(loose)), loose),
        Fact("files in the largest room", f"{largest} ({'the root' if room == '.' else room})"),
        Fact(
            "choices by head: match, isinstance, comparison",
            f"{len(choices)}: {kinds['match']}, {kinds['isinstance']}, {kinds['comparison']}",
            [f"{place} {kind}" for kind, place in choices],
        ),
        Fact("settings whose default stands twice", str(len(twice)), [f"{k} {' '.join(v)}" for k, v in twice.items()]),
        Fact("names exported by the largest `__init__`", f"{len(faces[face])} ({face})", faces[face]),
        Fact("lines of a function: median / p90 / max", spread(functions)),
        Fact("lines of a file: median / p90 / max", spread(files)),
        Fact(f"functions with {MANY_PARAMETERS} parameters or more", str(len(many)), many),
        Fact("basenames that occur twice", str(len(same)), [" ".join(paths) for paths in same.values()]),
        Fact("files, functions", f"{len(files)}, {len(functions)}"),
    ]


def main() -> None:
    """Print the table, and with `--names` what is behind each number."""
    parser = argparse.ArgumentParser(description="facts of the package's shape")
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[1], help="the checkout to measure")
    parser.add_argument("--names", action="store_true", help="print the names behind the numbers too")
    parser.add_argument("--no-run", action="store_true", help="leave out what a command has to run for")
    given = parser.parse_args()
    root = given.root.resolve()
    facts = static_facts(root)
    if not given.no_run:
        ran = files_that_run(root)
        value = "-" if ran is None else str(len(ran))
        facts.append(Fact("files that run for one image, until counts.csv is there", value, ran or ()))
    print("| fact | value |\n|---|---|")
    for fact in facts:
        print(f"| {fact.name} | {fact.value} |")
    for fact in facts:
        if given.names and fact.names:
            print(f"\n{fact.name}:", *fact.names, sep="\n- ")


if __name__ == "__main__":
    main()
