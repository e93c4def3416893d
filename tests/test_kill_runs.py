"""What `tools/kill_runs.py` compares killed runs with: a run that found something, as tables without rows are alike."""

import importlib
import signal
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest

TOOLS = Path(__file__).parents[1] / "tools"


@pytest.fixture
def kill_runs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module("kill_runs")


@pytest.mark.parametrize(("rows", "refused"), [(0, True), (1, False)])
def test_a_run_without_objects_is_none_to_compare_with(
    rows: int, refused: bool, kill_runs: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each run writes the same table: without rows it is refused at once; with one, nothing differs."""

    def run(command: tuple[str, ...], log: Path, kill_after: float | None = None, **other: Any) -> Any:
        out = next(Path(each.removeprefix("output=")) for each in command if each.startswith("output="))
        out.mkdir()
        (out / "detections.csv").write_text("image,x,y,w,h,score,label\n" + "a.png,1,2,,,0.5,square\n" * rows)
        return kill_runs.Ended(kill_runs.EXPECTED, 0.0, "", False)

    monkeypatch.setattr(kill_runs, "run", run)
    found = kill_runs.kill_scenario(kill_runs.Workshop(tmp_path, Random(0)), "patch", 0, signal.SIGKILL)
    assert found["objects"] == rows and found["wrong"] == ([kill_runs.NOTHING] if refused else [])
