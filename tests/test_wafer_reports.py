"""Reports of classifiers of whole images, from the command line: figures of classes, and wafers by lot and zone."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.commands import call
from tests.test_whole_commands import PATTERNS, TINY, wafers


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Maps of one pattern each, and a model that learned them."""
    root = tmp_path_factory.mktemp("one")
    (root / "maps").mkdir()
    data = wafers(root / "maps", [{"centre"}, {"edge"}, {"none"}], 18)
    given = (f"data.root={data}", f"data.annotations={data / 'labels.csv'}")
    done = call("train", *TINY, *given, "data.labels.negative=[none]", f"output={root / 'model'}")
    assert done.code == 0, done.log
    return root


def test_a_model_of_whole_images_has_figures_of_its_classes(one: Path, tmp_path: Path) -> None:
    """Of three maps of each class in the lot for the test, those of one class are called something else: unknown."""
    labels = pd.read_csv(one / "maps/labels.csv")
    labels["label"] = labels["label"].replace("edge", "spiral")
    labels.to_csv(tmp_path / "labels.csv", index=False)
    data = (f"data.root={one / 'maps'}", f"data.annotations={tmp_path / 'labels.csv'}")
    model, output = f"model={one / 'model/model.safetensors'}", f"output={tmp_path / 'e'}"
    done = call("evaluate", model, *data, output, "split=test")
    assert done.code == 2 and "spiral" in done.log
    done = call("evaluate", model, *data, output, "split=test", "unknown=[spiral]")
    assert done.code == 0, done.log
    scores = json.loads((tmp_path / "e/scores.json").read_text(encoding="utf-8"))
    place = tmp_path / "e/classes"
    assert scores["images"] == 6 and 0 <= scores["unknown_auroc"] <= 1
    assert pd.read_csv(place / "unknown.csv")["unknown"].tolist() == [3]
    confusion = pd.read_csv(place / "confusion.csv", keep_default_na=False)
    wanted = {"none": 3, "centre": 3, "edge": 0, "unknown": 3}
    assert dict(zip(confusion["true"], confusion["examples"], strict=True)) == wanted
    assert (place / "roc.png").exists() and (place / "index.html").exists()


def test_wafers_are_reported_by_lot_and_their_failing_dies_add_up(one: Path, tmp_path: Path) -> None:
    counts = tmp_path / "counts"
    model = f"model={one / 'model/model.safetensors'}"
    assert call("predict", model, f"images={one / 'maps'}", f"output={counts}").code == 0
    table = f"lots={one / 'maps/labels.csv'}"
    done = call("report", f"predictions={counts}", table, "zones.values=[2,2]", "zones.diameter_mm=200")
    assert done.code == 0, done.log
    lots = pd.read_csv(counts / "lots/lots.csv")
    assert lots["lot"].tolist() == [f"lot{i}" for i in range(6)] and lots["wafers"].tolist() == [9] * 6
    found = pd.read_csv(counts / "counts.csv")
    for name in (*PATTERNS, "total", "unknown"):
        assert lots[name].sum() == found[name].sum()
    failing = sum(int((np.asarray(Image.open(path)) == 2).sum()) for path in (one / "maps").glob("*.png"))
    zones = pd.read_csv(counts / "lots/zones.csv", keep_default_na=False)
    for by in ("ring", "angle", "ring and angle"):
        assert zones[(zones["by"] == by) & (zones["wafer"] != "")]["defects"].sum() == failing
    assert lots["defects"].sum() == failing
    done = call("predict", model, f"images={one / 'maps'}", f"output={counts}", "overwrite=true")
    assert done.code == 0 and not (counts / "lots").exists()


def test_patterns_of_which_an_image_has_several_have_figures_each(tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    data = wafers(tmp_path / "maps", [{"centre"}, {"edge"}, {"centre", "edge"}, set()], 12)
    given = (f"data.root={data}", f"data.annotations={data / 'labels.csv'}")
    done = call("train", *TINY, "net.labels=many", *given, f"output={tmp_path / 'model'}")
    assert done.code == 0, done.log
    model = f"model={tmp_path / 'model/model.safetensors'}"
    done = call("evaluate", model, *given, "split=test", f"output={tmp_path / 'e'}")
    assert done.code == 0, done.log
    by_class = pd.read_csv(tmp_path / "e/classes/classes.csv")
    assert dict(zip(by_class["class"], by_class["examples"], strict=True)) == {"centre": 4, "edge": 4}
    examples = pd.read_csv(tmp_path / "e/classes/classified.csv", keep_default_na=False)
    assert examples["true"].value_counts().to_dict() == {"centre": 2, "edge": 2, "centre+edge": 2, "none": 2}
