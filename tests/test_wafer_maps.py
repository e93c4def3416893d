"""Others' data sets of wafer maps, as `tools/wafer_maps.py` converts them, train as any others do."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from detect.nets.modelfile import load_model
from tests.commands import call
from tests.test_whole_commands import TINY, die_map
from tools import wafer_maps

torch.set_num_threads(1)


def mixed(path: Path, number: int) -> Path:
    """An archive as MixedWM38's: maps of 52 x 52 with codes 0 to 3, of one pattern, another, or both."""
    maps, there = np.zeros((number, 52, 52), np.int32), np.zeros((number, 8), np.int32)
    for i in range(number):
        patterns = [name for at, name in enumerate(("centre", "edge")) if i >> at & 1]
        codes = die_map({*patterns}, i)
        maps[i, : len(codes), : len(codes)] = codes
        there[i, [wafer_maps.MIXED.index({"centre": "Center", "edge": "Edge-Ring"}[name]) for name in patterns]] = 1
    maps[0, 40, 40] = 3
    np.savez_compressed(path, maps, there)
    return path


def convert(monkeypatch: pytest.MonkeyPatch, *given: str) -> None:
    monkeypatch.setattr(sys, "argv", ["wafer_maps.py", *given])
    wafer_maps.main()


def test_maps_of_several_patterns_are_converted_and_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 32 maps, in turn of none, one, the other and both, 16 have each pattern."""
    convert(monkeypatch, str(mixed(tmp_path / "Wafer_Map_Datasets.npz", 32)), str(tmp_path / "maps"))
    assert "1 dies have codes above 2" in capsys.readouterr().out
    labels = tmp_path / "maps/labels.csv"
    assert pd.read_csv(labels)["label"].value_counts().to_dict() == {"Center": 16, "Edge-Ring": 16}
    data = (f"data.root={tmp_path / 'maps'}", f"data.annotations={labels}", f"output={tmp_path / 'run'}")
    done = call("train", *TINY, *data, "net.labels=many", "trainer.max_epochs=1")
    assert done.code == 0, done.log
    _, card = load_model(tmp_path / "run/model.safetensors")
    assert card.classes == ("Center", "Edge-Ring") and card.head.labels == "many"
    assert "macro_f1" in json.loads((tmp_path / "run/scores.json").read_text())
    done = call("train", *TINY, *data, "overwrite=true")
    assert done.code == 2 and "net.labels=many" in done.log


def test_an_archive_that_needs_a_pickle_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An array of objects is a pickle inside the archive."""
    np.savez(tmp_path / "objects.npz", np.array([{"map": 1}], dtype=object), np.zeros((1, 8)))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        convert(monkeypatch, str(tmp_path / "objects.npz"), str(tmp_path / "out"))
    with pytest.raises(SystemExit, match="--trust-pickle"):
        convert(monkeypatch, str(tmp_path / "LSWMD.pkl"), str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
