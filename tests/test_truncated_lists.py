"""Lists of defects that are cut off: refused, or read as far as they go, by the commands that open images."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tests.commands import call
from tests.imagery.wafers.klarf_writer import Defect, Listed, statements, write
from tests.test_whole_commands import TINY

torch.set_num_threads(1)

CUT = "1 of 16 images: cut off, and read as far as it goes, such as"


def listed(centre: bool, seed: int) -> Listed:
    """Sixty defects in the middle of a wafer of 300 mm, or at its edge, on dies of 5 x 4 mm."""
    chance = np.random.default_rng(seed)
    radius = chance.uniform(0, 40, 60) if centre else chance.uniform(120, 145, 60)
    angle = chance.uniform(0, 2 * np.pi, 60)
    x, y = radius * np.cos(angle) * 1e3 + 2500, radius * np.sin(angle) * 1e3 + 2000
    col, row = np.floor(x / 5000), np.floor(y / 4000)
    places = zip(x - 5000 * col, y - 4000 * row, col.astype(int), row.astype(int), strict=True)
    return Listed(f"W{seed}", [Defect(float(a), float(b), int(c), int(d)) for a, b, c, d in places])


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen wafers in two folders, the last of which ends in its list of defects."""
    root = tmp_path_factory.mktemp("lists")
    rows = []
    for number in range(16):
        text = statements([listed(number % 2 == 0, number)])
        name = f"w{number:02}.klarf"
        write(root / name, text[: text.index(" 50 ")] if number == 15 else text)
        split = "val" if number in (12, 13) else "train"
        rows.append({"image": name, "label": ("centre", "edge")[number % 2], "split": split})
    pd.DataFrame(rows).to_csv(root / "labels.csv", index=False)
    return root


def training(lists: Path, output: Path) -> tuple[str, ...]:
    given = (f"data.root={lists}", f"data.annotations={lists / 'labels.csv'}", f"output={output}")
    return (*TINY, *given, "data.wafers.side=48", "trainer.max_epochs=1")


@pytest.fixture(scope="module")
def model(lists: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("model")
    done = call("train", *training(lists, output), "data.truncated=keep")
    assert done.code == 0, done.log
    assert done.log.count(CUT) == 1 and "whole defects before: 49" in done.log
    return output / "model.safetensors"


def test_training_refuses_a_list_that_is_cut_off_and_says_the_setting(lists: Path, tmp_path: Path) -> None:
    done = call("train", *training(lists, tmp_path))
    assert done.code == 2 and done.log.count("w15.klarf") == 1, done.log
    assert "it was cut off; copy it again, or truncated=keep (with data.root, data.truncated=keep) reads" in done.log


def test_a_run_refuses_or_keeps_it_and_what_follows_does_as_the_run(lists: Path, model: Path, tmp_path: Path) -> None:
    """The model is trained with `keep`, and it is no property of the model: a run says it anew."""
    given = (f"model={model}", f"images={lists}/*.klarf", f"output={tmp_path / 'counts'}")
    done = call("predict", *given)
    assert done.code == 3
    told = [line for line in done.log.splitlines() if "it was cut off" in line]
    assert len(told) == 1 and told[0].count(str(lists)) == 1, done.log
    failures = pd.read_csv(tmp_path / "counts/failures.csv")
    assert failures["image"].tolist() == ["w15.klarf"]
    assert failures["error"][0].count("w15.klarf") == 1 and "cut off" in failures["error"][0]
    assert "truncated" not in json.loads((tmp_path / "counts/run.json").read_text())["settings"]

    done = call("predict", *given, "truncated=keep", "overwrite=true")
    assert done.code == 0 and done.log.count(CUT) == 1, done.log
    run = json.loads((tmp_path / "counts/run.json").read_text())
    assert run["settings"]["truncated"] == "keep" and any(CUT in note for note in run["notes"])
    assert len(pd.read_csv(tmp_path / "counts/counts.csv")) == 16

    truth = f"annotations={lists / 'labels.csv'}"
    done = call("evaluate", f"predictions={tmp_path / 'counts'}", truth, f"output={tmp_path / 'e'}")
    assert done.code == 0, done.log
    assert json.loads((tmp_path / "e/scores.json").read_text())["images"] == 16


def test_a_model_is_scored_on_such_a_list_where_that_is_asked_for(lists: Path, model: Path, tmp_path: Path) -> None:
    data = (f"data.root={lists}", f"data.annotations={lists / 'labels.csv'}", f"output={tmp_path}")
    done = call("evaluate", f"model={model}", *data, "split=all")
    assert done.code == 2 and "w15.klarf" in done.log and "data.truncated=keep" in done.log
    done = call("evaluate", f"model={model}", *data, "split=all", "data.truncated=keep")
    assert done.code == 0 and done.log.count(CUT) == 1, done.log
