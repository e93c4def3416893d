"""What a command imports before it answers help or a wrong setting, and what counting one image imports.

A process tells what it has imported; times are measured by `tools/bench_start.py`.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from detect.nets.modelfile import save_model
from tests.engines import lively, write

ROOT = Path(__file__).parents[1]
COMMANDS = sorted(path.stem for path in (ROOT / "detect").glob("*.py") if path.stem != "__init__")
HEAVY = {
    "albumentations",
    "cv2",
    "matplotlib",
    "openvino",
    "pandas",
    "pytorch_lightning",
    "rasterio",
    "scipy",
    "sklearn",
    "timm",
    "torch",
    "torchvision",
}

ANSWERS = """
import contextlib, importlib, io, json, sys

import detect

heavy, commands = set(json.loads(sys.argv[1])), json.loads(sys.argv[2])
seen = {"import detect": [None, sorted(heavy & sys.modules.keys())]}
from hydra.core.global_hydra import GlobalHydra

for name in commands:
    for argument in ("--help", "nonsense=1"):
        sys.argv = [f"detect.{name}", argument]
        GlobalHydra.instance().clear()
        code = 0
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            try:
                importlib.import_module(f"detect.{name}").main()
            except SystemExit as stop:
                code = stop.code or 0
            except Exception as error:
                code = repr(error)
        seen[f"{name} {argument}"] = [code, sorted(heavy & sys.modules.keys())]
print(json.dumps(seen))
"""
"""Imports `detect`, then asks every command for help and gives it a wrong setting, all in one process."""

PREDICT = """
import json, sys

sys.argv = ["detect.predict", *sys.argv[1:]]
from detect.predict import main

try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
print(json.dumps(sorted(sys.modules)))
"""


Answers = dict[str, tuple[int | str | None, list[str]]]
"""By what was asked: the exit code, or the error that nobody caught, and the heavy modules that are there after it."""


def told(program: str, *arguments: str) -> object:
    """What a Python program prints last, as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def answers() -> Answers:
    found = told(ANSWERS, json.dumps(sorted(HEAVY)), json.dumps(COMMANDS))
    assert isinstance(found, dict)
    return found


def test_importing_the_package_imports_nothing_heavy(answers: Answers) -> None:
    assert answers["import detect"][1] == []


@pytest.mark.parametrize(("argument", "code"), [("--help", 0), ("nonsense=1", 2)])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_answers_without_heavy_imports(answers: Answers, command: str, argument: str, code: int) -> None:
    """Neither for help nor for a wrong setting; what a command before it imported is there too."""
    assert list(answers[f"{command} {argument}"]) == [code, []]


@pytest.fixture(scope="module")
def imported_to_predict(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Modules that are there when `detect.predict` has counted one image with the usual settings."""
    folder = tmp_path_factory.mktemp("one")
    save_model(folder / "model.safetensors", *lively())
    image = write(folder / "a.png", 150, 170)
    found = told(PREDICT, f"model={folder / 'model.safetensors'}", f"images={image}", f"output={folder / 'out'}")
    assert (folder / "out/report.html").is_file() and isinstance(found, list)
    return found


def test_counting_imports_nothing_of_learning(imported_to_predict: list[str]) -> None:
    """OpenCV, in a twentieth of a second, is there to mirror pixels."""
    learning = {"albumentations", "matplotlib.pyplot", "pytorch_lightning", "sklearn", "detect.samples.augment"}
    light = {"detect.learning", "detect.learning.hyperparameters"}  # numbers alone, which settings are checked by
    found = {name for name in imported_to_predict if name in learning or name.startswith("detect.learning")}
    assert found - light == set()


REVIEW = """
import json, sys
from pathlib import Path
from detect.assembly.surveys.reviewing import explainer

explainer(Path("run"), None)
print(json.dumps(sorted(sys.modules)))
"""


def test_a_review_imports_no_network_before_it_is_asked_to_explain() -> None:
    found = told(REVIEW)
    assert isinstance(found, list)
    assert {"torch", "timm", "torchvision", "captum", "openvino"} & set(found) == set()
