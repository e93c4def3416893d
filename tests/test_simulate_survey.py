"""The tool that draws surveys many times, on a run with its truth."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

TOOL = Path(__file__).parents[1] / "tools" / "simulate_survey.py"
NAMES = ["coverage", "rms_error_percent", "bias_percent", "raw_error_percent", "uniform_rms_error_percent"]


def write_run(folder: Path) -> None:
    """Write a run in which the detector found every second of 120 cows, and their annotations."""
    xy = np.random.default_rng(0).uniform(0, (400, 300), (120, 2)).round(2)
    Image.fromarray(np.zeros((300, 400), np.uint8)).save(folder / "a.png")
    rows = [f"a.png,{x},{y}" for x, y in xy.tolist()]
    (folder / "points.csv").write_text("image,x,y,label\n" + "".join(f"{row},cow\n" for row in rows))
    found = "".join(f"{row},,,0.9,cow\n" for row in rows[::2])
    (folder / "detections.csv").write_text("image,x,y,w,h,score,label\n" + found)
    (folder / "counts.csv").write_text("image,cow,total\na.png,60,60\n")
    (folder / "run.json").write_text(json.dumps({"sources": {"a.png": str(folder / "a.png")}}))


def test_a_run_with_its_truth_has_its_errors_in_percent(tmp_path: Path) -> None:
    """60 of 120 counted is -50 %; forty surveys of 20 of its 48 windows."""
    write_run(tmp_path)
    command = [sys.executable, str(TOOL), "--predictions", str(tmp_path), "--annotations", str(tmp_path / "points.csv")]
    options = ["--windows", "20", "--side", "50", "--repeats", "40", "--json", str(tmp_path / "out.json")]
    subprocess.run([*command, *options], check=True, capture_output=True)
    told = json.loads((tmp_path / "out.json").read_text())
    assert (told["raw_error_percent"], told["truth"], told["windows_there"]) == (pytest.approx(-50), 120, 48)
    assert all(np.isfinite(told[name]) for name in NAMES)
    assert told["rms_error_percent"] < 50
