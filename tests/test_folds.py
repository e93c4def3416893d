"""Cross-validation end to end: `-m` over folds, each run with its test, and the summary of them."""

import json
import re
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from omegaconf import OmegaConf

from detect.nets.modelfile import load_model
from tests.commands import Called, call
from tests.conftest import plant, scatter

torch.set_num_threads(1)

TINY = (
    "net=patch",
    "net.backbone=test_resnet",
    "net.weights=none",
    "net.stride=8",
    "net.patch_size=24",
    "net.margin=8",
    "data.sampling.samples=48",
    "data.sampling.crop=48",
    "data.loading.batch_size=8",
    "data.matching.radius=10",
    "data.split.val_from=parts",
    "data.split.guard=8",
    "trainer.max_epochs=2",
    "trainer.patience=9",
    "augment=none",
    "runtime=torch",
    "finetune.lr=0.01",
    "finetune.backbone_lr=0.01",
)


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three images of 192 pixels with three discs each; the last one is held back by the split column."""
    root = tmp_path_factory.mktemp("discs")
    rows = []
    for i in range(3):
        places = scatter(i, 3, 192)
        plant(root / f"{i}.png", places, i, 192)
        rows += [
            {"image": f"{i}.png", "x": x, "y": y, "label": "disc", "split": "test" if i == 2 else ""} for x, y in places
        ]
    pd.DataFrame(rows).to_csv(root / "points.csv", index=False)
    return root


def test_one_command_trains_and_tests_every_fold_and_one_sums_up(discs: Path, tmp_path: Path) -> None:
    data = (f"data.root={discs}", f"data.annotations={discs / 'points.csv'}")
    runs = tmp_path / "runs"
    done = call("train", "-m", *data, *TINY, "data.split.fold=1/2,2/2", "trainer.test=true", f"output={runs}")
    assert done.code == 0, done.log
    assert sorted(path.name for path in runs.iterdir() if path.is_dir()) == ["fold-1-2", "fold-2-2"]
    for k in (1, 2):
        scores = json.loads((runs / f"fold-{k}-2/test/scores.json").read_text())
        assert list(scores["per_image"]) == [f"{k - 1}.png"] and (scores["split"], scores["radius"]) == ("test", 10)
        record = load_model(runs / f"fold-{k}-2/model.safetensors")[1].training
        assert (record["fold"], record["test"], record["left_out"]) == (f"{k}/2", [f"{k - 1}.png"], ["2.png"])

    model = (f"model={runs / 'fold-1-2/model.safetensors'}", *data, "runtime=torch")
    for name, more, images in (
        ("own", (), ["0.png"]),
        ("named", ("data.split.test=[2.png]",), ["2.png"]),
        ("train", ("split=train",), ["1.png"]),
    ):
        done = call("evaluate", *model, *more, f"output={tmp_path / name}")
        assert done.code == 0, done.log
        assert list(json.loads((tmp_path / name / "scores.json").read_text())["per_image"]) == images
    done = call("evaluate", *model, "data.split.fold=1/2", f"output={tmp_path / 'no'}")
    assert done.code == 2 and "data.split.fold is for training" in done.log

    done = call("folds", f"runs={runs}", f"output={tmp_path / 'summary'}")
    assert done.code == 0 and "2 runs, scores of the test images" in done.log, done.log
    table = pd.read_csv(tmp_path / "summary/runs.csv")
    assert table["fold"].tolist() == ["1/2", "2/2"] and (table["hits"] + table["misses"] == 3).all()
    summary = pd.read_csv(tmp_path / "summary/summary.csv").set_index("score")
    assert summary.loc["recall", "mean"] == pytest.approx(table["recall"].mean())
    assert summary.loc["recall", "pooled"] == pytest.approx(table["hits"].sum() / 6)
    errors = (table["false_alarms"] - table["misses"]).abs()
    assert summary.loc["count_mae", "pooled"] == pytest.approx(errors.mean()) and "count_mae" in done.log
    confusion = pd.read_csv(tmp_path / "summary/confusion.csv").set_index(["true", "found"])["number"]
    assert confusion["disc", "disc"] == table["hits"].sum()
    assert confusion["background", "disc"] == table["false_alarms"].sum()


def test_a_run_that_fails_does_not_stop_the_others_and_a_test_needs_images(discs: Path, tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("image,x,y,label\n0.png,50,50,disc\n1.png,50,50,disc\n")
    data = (f"data.root={discs}", f"data.annotations={tmp_path / 'points.csv'}", f"output={tmp_path / 'runs'}")
    done = call(
        "train",
        "-m",
        *data,
        *TINY,
        "data.split.val=[1.png]",
        "data.split.val_from=images",
        "trainer.test=true",
        "seed=0,1",
    )
    assert done.code == 2 and "2 of 2 runs failed" in done.log
    assert done.log.count("trainer.test=true needs images for the test") == 2


def test_copies_on_two_sides_stop_a_training(discs: Path, tmp_path: Path) -> None:
    plant(tmp_path / "0.png", [(50, 50)], 0)
    (tmp_path / "1.png").write_bytes((tmp_path / "0.png").read_bytes())
    (tmp_path / "points.csv").write_text("image,x,y,label\n0.png,50,50,disc\n1.png,50,50,disc\n")
    data = (f"data.root={tmp_path}", f"data.annotations={tmp_path / 'points.csv'}", f"output={tmp_path / 'run'}")
    done = call("train", *data, "data.split.val=[1.png]", "net.weights=none")
    assert done.code == 2 and "0.png (train) and 1.png (val) are the same image" in done.log


def write_run(
    folder: Path, scores: dict[str, float] | None = None, test: dict[str, float] | None = None, **own: object
):
    """A run's folder with settings and scores, without a training."""
    folder.mkdir(parents=True)
    config = {"seed": own.get("seed", 0), "output": str(folder), "trainer": {"max_epochs": 1}}
    config |= {"data": {"fold": own.get("fold"), "test": [], "val": []}, "net": {"stride": own.get("stride", 8)}}
    OmegaConf.save(OmegaConf.create(config), folder / "config.yaml")
    for path, values, split in ((folder / "scores.json", scores, "val"), (folder / "test/scores.json", test, "test")):
        if values is not None:
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps({**values, "split": split}))


def summed(runs: Path, *more: str) -> Called:
    return call("folds", f"runs={runs}", *more)


def test_runs_are_grouped_by_what_is_no_fold_or_seed_and_unfinished_ones_are_named(tmp_path: Path) -> None:
    """Strides 8 and 16 with two seeds each: means of 0.2 and 0.4, and of 0.6 and 0.9."""
    for stride, seed, value in ((8, 0, 0.2), (8, 1, 0.4), (16, 0, 0.6), (16, 1, 0.9)):
        write_run(tmp_path / f"{stride}-{seed}", {"accuracy": value}, stride=stride, seed=seed)
    write_run(tmp_path / "stopped")
    done = summed(tmp_path)
    assert done.code == 0 and "stopped has no scores.json" in done.log and "scores of the val images" in done.log
    summary = pd.read_csv(tmp_path / "summary.csv").set_index("setting")
    np.testing.assert_allclose(summary["mean"], [0.75, 0.3])
    assert list(summary.index) == ["net.stride=16", "net.stride=8"]


def test_test_and_validation_are_not_mixed_and_a_missing_fold_is_said(tmp_path: Path) -> None:
    write_run(tmp_path / "a", {"f1": 0.5}, {"f1": 0.3}, fold="1/3")
    write_run(tmp_path / "b", {"f1": 0.7}, fold="2/3")
    done = summed(tmp_path)
    assert done.code == 2 and "b (1 of 2 runs) has no test/scores.json" in done.log
    done = summed(tmp_path, "split=val")
    assert done.code == 0 and "no fold 3/3; the means are without it" in done.log
    assert pd.read_csv(tmp_path / "summary.csv")["mean"].tolist() == [0.6]
    assert summed(tmp_path, "split=all").code == 2 and summed(tmp_path / "a/test").code == 2


def test_one_batch_is_learned_by_heart_whatever_the_experiment_says_of_epochs(discs: Path, tmp_path: Path) -> None:
    """An experiment is composed after the trainer's group; the check counts its own steps and does not augment."""
    data = (f"data.root={discs}", f"data.annotations={discs / 'points.csv'}")
    small = [each for each in TINY if not each.startswith(("trainer.max", "augment"))]
    done = call(
        "train", *data, *small, "trainer=overfit", "trainer.overfit=60", "trainer.max_epochs=2", "augment=heavy"
    )
    assert done.code == 0 and "one batch of 8" in done.log and ": learned" in done.log, done.log
    done = call("train", *data, *small, "trainer=overfit", "trainer.overfit=2", "finetune.lr=1e-6")
    assert done.code == 3 and "NOT learned" in done.log, done.log


def test_the_rate_finder_draws_a_curve_of_new_weights(
    discs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = (f"data.root={discs}", f"data.annotations={discs / 'points.csv'}")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))  # TMPDIR is full
    done = call("find_lr", *data, *TINY, "finetune=scratch", "span.steps=20", f"output={tmp_path / 'rates'}")
    assert done.code in (0, 3), done.log
    curve = pd.read_csv(tmp_path / "rates/find_lr.csv")
    assert 3 < len(curve) <= 20 and curve["factor"].is_monotonic_increasing
    assert (tmp_path / "rates/find_lr.png").stat().st_size > 0


@pytest.mark.parametrize(
    ("seed", "scores", "named"),
    [
        ("many", {}, r"config.yaml: seed='many'"),
        ("null", {}, r"config.yaml: seed=None"),
        (".inf", {}, r"config.yaml: seed=inf"),
        ("0", {"f1": "high"}, r"scores.json: f1='high'"),
        ("0", {"radius": [3]}, r"scores.json: radius=\[3\]"),
        ("0", {"objects": -3}, r"scores.json: objects=-3"),
        ("0", {"confusion": {"labels": ["a"], "matrix": [[1, 2]]}}, r"scores.json: confusion="),
    ],
)
def test_runs_of_others_are_checked(tmp_path: Path, seed: str, scores: dict[str, object], named: str) -> None:
    (tmp_path / "run").mkdir()
    config = f"seed: {seed}\ndata: {{split: {{fold: 1/999999999, test: 3}}}}\ntrainer: {{}}\n"
    (tmp_path / "run/config.yaml").write_text(config)
    (tmp_path / "run/scores.json").write_text(json.dumps({"f1": 0.5, **scores}))
    done = call("folds", f"runs={tmp_path}", f"output={tmp_path / 'out'}")
    assert done.code == 2 and re.search(named, done.log), done.log


def test_scores_without_a_split_are_summed_up(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/config.yaml").write_text("seed: 1\ndata: {split: {fold: 1/99999999999}}\ntrainer: {}\n")
    (tmp_path / "run/scores.json").write_text(json.dumps({"f1": 0.5}))
    done = call("folds", f"runs={tmp_path}", f"output={tmp_path / 'out'}")
    assert done.code == 0 and "1 runs" in done.log, done.log
