"""End to end with the head of whole images: train, predict, evaluate, folds; one pattern an image, and many."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from detect.learning.checkpoints import Checkpoints
from detect.nets.heads.specs import WholeHead
from detect.nets.modelfile import load_model
from tests.commands import LostError, call

torch.set_num_threads(1)

TINY = (
    "net=whole",
    "net.backbone=lenet5",
    "net.weights=none",
    "net.stride=4",
    "net.side=24",
    "finetune=scratch",
    "augment=wafer",
    "data.normalisation=mean_std",
    "data.loading.batch_size=8",
    "trainer.max_epochs=6",
    "trainer.precision=32-true",
)
PATTERNS = ("centre", "edge")


def die_map(patterns: set[str], seed: int) -> np.ndarray:
    """A map of a round wafer, of codes 0 outside, 1 good and 2 bad, of a side between 18 and 24."""
    rng = np.random.default_rng(seed)
    side = int(rng.integers(18, 25))
    y, x = np.mgrid[:side, :side] + 0.5 - side / 2
    far = np.hypot(x, y) / (side / 2)
    bad = rng.random((side, side)) < 0.03
    bad |= ("centre" in patterns) & (far < 0.45) & (rng.random((side, side)) < 0.9)
    bad |= ("edge" in patterns) & (far > 0.75) & (rng.random((side, side)) < 0.9)
    return np.where(far > 1, 0, np.where(bad, 2, 1)).astype(np.uint8)


def wafers(root: Path, sets: list[set[str]], number: int) -> Path:
    """Maps of each set of patterns in six lots, the last of which is for the test, and `labels.csv`."""
    rows = []
    for kind, patterns in enumerate(sets):
        for i in range(number):
            name = f"{kind}-{i}.png"
            Image.fromarray(die_map(patterns, 1000 * kind + i)).save(root / name)
            lot = i * 6 // number
            for label in sorted(patterns) or [""]:
                split = {4: "val", 5: "test"}.get(lot, "train")
                rows.append({"image": name, "label": label, "split": split, "group": f"lot{lot}"})
    pd.DataFrame(rows).to_csv(root / "labels.csv", index=False)
    return root


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wafers(tmp_path_factory.mktemp("single"), [{"centre"}, {"edge"}, {"none"}], 24)


@pytest.fixture(scope="module")
def trained(single: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("run")
    data = (f"data.root={single}", f"data.annotations={single / 'labels.csv'}", "data.labels.negative=[none]")
    done = call("train", *data, f"output={run}", "trainer.test=true", *TINY)
    assert done.code == 0, done.log
    return run


def test_a_training_has_its_sides_its_sureness_and_its_scores(trained: Path) -> None:
    _, card = load_model(trained / "model.safetensors")
    assert card.classes == PATTERNS and card.outputs == ("none", *PATTERNS) and card.halo == 0
    assert card.training["groups"] == [f"lot{i}" for i in range(4)]
    assert [len(card.training[side]) for side in ("train", "val", "test")] == [48, 12, 12]
    scores, tested = (json.loads((trained / file).read_text()) for file in ("scores.json", "test/scores.json"))
    assert scores["temperature"] > 0 and scores["known_from"] == card.threshold == 0
    assert isinstance(card.head, WholeHead) and card.head.known == 48 and scores["familiar_within"] > 0
    assert scores["macro_f1"] > 0.5 and tested["images"] == 12 and 0 <= tested["unknown_share"] <= 1
    assert (trained / "validation/confusion.png").exists()


def test_prediction_says_one_pattern_an_image_or_none_or_unknown(single: Path, trained: Path, tmp_path: Path) -> None:
    model = f"model={trained / 'model.safetensors'}"
    done = call("predict", model, f"images={single}", f"output={tmp_path / 'counts'}", "tta=d4", "threshold=0.6")
    assert done.code == 0, done.log
    counts = pd.read_csv(tmp_path / "counts/counts.csv").set_index("image")
    assert set(counts["total"]) <= {0, 1} and set(counts["unknown"]) <= {0, 1}
    assert not ((counts["total"] == 1) & (counts["unknown"] == 1)).any()
    found = pd.read_csv(tmp_path / "counts/detections.csv").set_index("image")
    for name, row in found.iterrows():
        width, height = Image.open(single / str(name)).size
        assert [row.x, row.y, row.w, row.h] == pytest.approx([width / 2, height / 2, width, height], abs=1e-3)
        assert row.score >= 0.6
    known = call(
        "evaluate",
        f"predictions={tmp_path / 'counts'}",
        f"annotations={single / 'labels.csv'}",
        f"output={tmp_path / 'e'}",
    )
    assert known.code == 0, known.log
    scores = json.loads((tmp_path / "e/scores.json").read_text())
    assert scores["images"] == 72 and scores["unknown"] == counts["unknown"].sum()
    assert scores["confusion"]["labels"] == [*PATTERNS, "none", "none found", "unknown"]
    labels = pd.read_csv(single / "labels.csv", keep_default_na=False).set_index("image")["label"]
    right = sum(
        counts.loc[name, label] == 1 if label != "none" else counts.loc[name, ["total", "unknown"]].sum() == 0
        for name, label in labels.items()
    )
    assert scores["accuracy"] == pytest.approx(right / 72)


def test_a_run_and_an_evaluation_tell_the_same_images_to_be_unknown(
    single: Path, trained: Path, tmp_path: Path
) -> None:
    """Of the twelve that validate none is, as a twentieth of them is less than one; noise that fills the map is."""
    images, model = tmp_path / "images", f"model={trained / 'model.safetensors'}"
    images.mkdir()
    labels = pd.read_csv(single / "labels.csv", keep_default_na=False)
    rows = [{"image": row.image, "label": row.label, "split": row.split} for row in labels.itertuples()]
    for row in rows:
        (images / row["image"]).write_bytes((single / row["image"]).read_bytes())
    rng = np.random.default_rng(0)
    for i in range(6):
        Image.fromarray(rng.integers(0, 256, (24, 24), np.uint8)).save(images / f"noise{i}.png")
        rows.append({"image": f"noise{i}.png", "label": "noise", "split": "train"})
    pd.DataFrame(rows).to_csv(tmp_path / "labels.csv", index=False)
    done = call("predict", model, f"images={images}", f"output={tmp_path / 'counts'}", "write=[tables]")
    assert done.code == 0, done.log
    unknown = pd.read_csv(tmp_path / "counts/counts.csv").set_index("image")["unknown"]
    assert unknown[[row["image"] for row in rows if row["split"] == "val"]].sum() == 0
    data = (f"data.root={images}", f"data.annotations={tmp_path / 'labels.csv'}", "unknown=[noise]", "split=all")
    done = call("evaluate", model, *data, f"output={tmp_path / 'e'}")
    assert done.code == 0, done.log
    scores = json.loads((tmp_path / "e/scores.json").read_text())
    noise = unknown[unknown.index.str.startswith("noise")]
    assert scores["unknown"] == unknown.sum() and scores["unknown_rate"] == pytest.approx(noise.mean())
    assert noise.mean() == 1 and scores["unknown_auroc"] > 0.99


def test_a_training_lost_and_resumed_ends_as_one_that_was_not(
    single: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = (f"data.root={single}", f"data.annotations={single / 'labels.csv'}", *TINY, "trainer.max_epochs=3")
    assert call("train", *given, f"output={tmp_path / 'whole'}").code == 0
    real = Checkpoints.on_train_epoch_end

    def lost(self: Checkpoints, trainer: Any, module: Any) -> None:
        real(self, trainer, module)
        if trainer.current_epoch == 1:
            raise LostError

    with monkeypatch.context() as patch, pytest.raises(LostError):
        patch.setattr(Checkpoints, "on_train_epoch_end", lost)
        call("train", *given, f"output={tmp_path / 'lost'}")
    done = call("train", *given, f"output={tmp_path / 'lost'}", "resume=true")
    assert done.code == 0, done.log
    one, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "lost"))
    assert one == other


def test_neither_tiles_nor_batches_change_what_is_found(single: Path, trained: Path, tmp_path: Path) -> None:
    model, tables = f"model={trained / 'model.safetensors'}", []
    for tile in (24, 240):
        folder = tmp_path / str(tile)
        done = call("predict", model, f"images={single}", f"output={folder}", f"tile={tile}", "write=[tables]")
        assert done.code == 0, done.log
        tables.append(pd.read_csv(folder / "detections.csv"))
    assert tables[0].drop(columns="score").equals(tables[1].drop(columns="score"))
    assert np.allclose(tables[0]["score"], tables[1]["score"], atol=1e-4)


def test_another_threshold_counts_as_a_run_with_it_would(single: Path, trained: Path, tmp_path: Path) -> None:
    model, images = f"model={trained / 'model.safetensors'}", f"images={single}"
    for name, threshold in (("low", 0.4), ("high", 0.8)):
        assert call("predict", model, images, f"output={tmp_path / name}", f"threshold={threshold}").code == 0
    done = call("report", f"predictions={tmp_path / 'low'}", "threshold=0.8")
    assert done.code == 0, done.log
    low, high = ((tmp_path / name / "counts.csv").read_text() for name in ("low", "high"))
    assert low == high


@pytest.mark.parametrize("option", ["tta=scales", "rescale=2", "adapt=[batchnorm]", "threshold=survey"])
def test_what_is_for_objects_in_images_is_refused(option: str, single: Path, trained: Path, tmp_path: Path) -> None:
    done = call("predict", f"model={trained / 'model.safetensors'}", f"images={single}", f"output={tmp_path}/c", option)
    assert done.code == 2 and ("as a whole, as a square of 24 pixels" in done.log or "whole image" in done.log)


def test_many_patterns_are_found_each_by_itself(tmp_path: Path) -> None:
    root = tmp_path / "many"
    root.mkdir()
    wafers(root, [{"centre"}, {"edge"}, {"centre", "edge"}, set()], 18)
    data = (f"data.root={root}", f"data.annotations={root / 'labels.csv'}")
    refused = call("train", *data, f"output={tmp_path / 'no'}", *TINY)
    assert refused.code == 2 and "net.labels=many" in refused.log
    done = call("train", *data, f"output={tmp_path / 'run'}", *TINY, "net.labels=many", "trainer.max_epochs=10")
    assert done.code == 0, done.log
    scores = json.loads((tmp_path / "run/scores.json").read_text())
    assert set(scores["per_class"]) == set(PATTERNS) and scores["macro_f1"] > 0.6
    model, counts = f"model={tmp_path / 'run/model.safetensors'}", tmp_path / "counts"
    done = call("predict", model, f"images={root}", f"output={counts}", "tta=flips", "tta_combine=vote")
    assert done.code == 0, done.log
    table = pd.read_csv(counts / "counts.csv")
    assert set(table["total"]) <= {0, 1, 2} and "unknown" not in table
    done = call("evaluate", f"predictions={counts}", f"annotations={root / 'labels.csv'}", f"output={tmp_path / 'e'}")
    assert done.code == 0, done.log
    assert "confusion" not in json.loads((tmp_path / "e/scores.json").read_text())


def test_a_folder_with_a_sub_folder_a_class_trains_too_and_a_fold_is_tested(single: Path, tmp_path: Path) -> None:
    root = tmp_path / "folders"
    for row in pd.read_csv(single / "labels.csv", keep_default_na=False).itertuples():
        (root / str(row.label)).mkdir(parents=True, exist_ok=True)
        (root / str(row.label) / str(row.image)).write_bytes((single / str(row.image)).read_bytes())
    done = call(
        "train", f"data.root={root}", "data.split.fold=2/3", "trainer.test=true", f"output={tmp_path / 'run'}", *TINY
    )
    assert done.code == 0, done.log
    _, card = load_model(tmp_path / "run/model.safetensors")
    assert card.classes == ("centre", "edge", "none") and len(card.training["test"]) == 24
    assert json.loads((tmp_path / "run/test/scores.json").read_text())["images"] == 24
    done = call("folds", f"runs={tmp_path / 'run'}")
    assert done.code == 0, done.log


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (("net=patch",), "net=whole"),
        (("net=whole", "data.scale=2"), "net.side sets the size"),
        (("net=whole", "net.side=4"), "net.side"),
        (("net=whole", "data.split.val=[lot9]"), "lot9"),
    ],
)
def test_settings_that_do_not_go_with_whole_images_are_told(
    settings: tuple[str, ...], told: str, single: Path, tmp_path: Path
) -> None:
    data = (f"data.root={single}", f"data.annotations={single / 'labels.csv'}")
    done = call("train", *data, f"output={tmp_path / 'run'}", *settings)
    assert done.code == 2 and told in done.log
