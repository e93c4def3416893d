"""End to end with the grid head: train, predict, evaluate; boxes and points."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from detect.labels.formats.detections_csv import read_detections
from detect.labels.regions import inside_regions
from detect.nets.modelfile import load_model, save_model
from tests.commands import Called, call
from tests.engines import write
from tests.grids import lively_grid

torch.set_num_threads(1)

TINY = (
    "net=grid",
    "net.backbone=test_resnet",
    "net.weights=none",
    "net.deepest=8",
    "net.width=16",
    "data.sampling.crop=64",
    "data.sampling.samples=48",
    "data.loading.batch_size=4",
    "trainer.max_epochs=2",
    "trainer.ema=null",
    "finetune.lr=0.01",
    "finetune.backbone_lr=0.01",
    "data.matching.iou=0.3",
)


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three images of 128 x 128 with bright squares of 20 pixels, and `boxes.csv`; the last one is for the test."""
    root = tmp_path_factory.mktemp("squares")
    rows = []
    for i in range(3):
        rng = np.random.default_rng(i)
        pixels = rng.normal(80, 8, (128, 128, 3))
        for x in (10, 50, 90):
            y = int(rng.integers(5, 100))
            pixels[y : y + 20, x : x + 20] = 230
            box = {"xmin": x, "ymin": y, "xmax": x + 20, "ymax": y + 20}
            rows.append({"image": f"{i}.png", **box, "label": "square", "split": ("train", "val", "test")[i]})
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(root / f"{i}.png")
    pd.DataFrame(rows).to_csv(root / "boxes.csv", index=False)
    return root


def test_train_then_predict_then_evaluate(squares: Path, tmp_path: Path) -> None:
    """Two epochs teach little; what counts is that every file is there, and that they agree with one another."""
    data = (f"data.root={squares}", f"data.annotations={squares / 'boxes.csv'}")
    done = call("train", *data, f"output={tmp_path / 'run'}", *TINY)
    assert done.code == 0, done.log
    assert "boxes at a stride of 8 pixels" in done.log
    assert done.log.count("false alarms in the training images join the backgrounds") == 1  # of two moments, two epochs
    metrics = pd.read_csv(tmp_path / "run/metrics.csv")
    assert {f"{side}/{term}" for side in ("train", "val") for term in ("loss", "objectness", "box")} <= set(metrics)
    assert len(metrics) == 2 and {"val/f1", "val/separation"} <= set(metrics)
    net, card = load_model(tmp_path / "run/model.safetensors")
    scores = json.loads((tmp_path / "run/scores.json").read_text())
    assert card.head.boxes and card.classes == ("square",) and card.nms_iou is not None and card.halo_auto is not None
    assert (scores["iou"], scores["split"]) == (0.3, "val") and {"map50", "map", "f1"} <= set(scores)
    assert (tmp_path / "run/curves.png").exists() and (tmp_path / "run/validation/1.jpg").exists()

    save_model(tmp_path / "eager.safetensors", net, replace(card, threshold=0.0))
    done = call(
        "predict",
        f"model={tmp_path / 'eager.safetensors'}",
        f"images={squares / '2.png'}",
        f"output={tmp_path / 'out'}",
    )
    assert done.code == 0, done.log
    by_predictions, by_model = (
        call("evaluate", *which, f"output={tmp_path / name}", "iou=0.3")
        for name, which in {
            "a": (f"predictions={tmp_path / 'out'}", f"annotations={squares / 'boxes.csv'}"),
            "b": (f"model={tmp_path / 'eager.safetensors'}", *data),
        }.items()
    )
    assert (by_predictions.code, by_model.code) == (0, 0), by_predictions.log + by_model.log
    first, second = (json.loads((tmp_path / name / "scores.json").read_text()) for name in "ab")
    for name in ("f1", "found", "objects", "map50", "map", "count_bias_percent"):
        assert first[name] == pytest.approx(second[name], abs=1e-3), name
    assert scores["chosen_on"] == "named validation images" and scores["seen_in_training"] == []
    for each in (first, second):
        assert (
            each["seen_in_training"] == each["chosen_on_images"] == [] and each["per_image"]["2.png"]["seen"] is False
        )

    done = call("evaluate", f"model={tmp_path / 'eager.safetensors'}", *data, f"output={tmp_path / 'all'}", "split=all")
    every = json.loads((tmp_path / "all/scores.json").read_text())
    assert (every["seen_in_training"], every["chosen_on_images"]) == (["0.png"], ["1.png"])
    assert {name: each["seen"] for name, each in every["per_image"].items()} == {
        "0.png": True,
        "1.png": False,
        "2.png": False,
    }


def predicted(model: Path, images: Path, output: Path, *more: str) -> Called:
    options = ("runtime=torch", "halo=exact")
    return call("predict", f"model={model}", f"images={images}", f"output={output}", *options, *more)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A folder with a random net that finds boxes or points, two images, and what it finds in them."""

    @cache
    def folder_of(kind: str) -> Path:
        folder = tmp_path_factory.mktemp(kind)
        net, card = lively_grid(24.0 if kind == "boxes" else None, 8)
        save_model(folder / "model.safetensors", net, replace(card, threshold=0.6))
        (folder / "images").mkdir()
        for i in range(2):
            write(folder / "images" / f"{i}.png", 120, 100 + i, seed=i)
        done = predicted(folder / "model.safetensors", folder / "images", folder / "out")
        assert done.code == 0, done.log
        return folder

    return folder_of


@pytest.fixture
def boxes(made: Callable[[str], Path]) -> Path:
    return made("boxes")


both = pytest.mark.parametrize("kind", ["boxes", "points"])


@both
def test_predict_writes_sizes_of_boxes_and_none_of_points(made: Callable[[str], Path], kind: str) -> None:
    """Law 9: rows add up to counts, over classes and images."""
    folder = made(kind)
    table = pd.read_csv(folder / "out/detections.csv")
    counts = pd.read_csv(folder / "out/counts.csv")
    assert list(table.columns) == ["image", "x", "y", "w", "h", "score", "label"]
    assert len(table) == counts["total"].sum() > 10 and (counts["a"] + counts["b"] == counts["total"]).all()
    assert (table.groupby(["image", "label"]).size().sum()) == counts[["a", "b"]].to_numpy().sum()
    if kind == "boxes":
        assert (table[["w", "h"]] > 0).all().all()
        inside = (table["x"] - table["w"] / 2 >= -1e-3) & (table["x"] + table["w"] / 2 <= 101 + 1e-3)
        assert inside.all()
    else:
        assert table[["w", "h"]].isna().all().all()
    assert (table["score"] >= 0.6).all()
    run = json.loads((folder / "out/run.json").read_text())
    assert run["model"]["kind"] == "grid"
    assert (run["model"]["nms_iou"], run["model"]["radius"]) == ((0.5, 0.0) if kind == "boxes" else (None, 4.0))
    page = (folder / "out/report.html").read_text()
    assert ("IoU 0.5" in page) is (kind == "boxes")
    assert len(list((folder / "out/heatmaps").iterdir())) == 2


@both
def test_a_run_that_goes_on_and_other_tiles_write_the_same(
    made: Callable[[str], Path], kind: str, tmp_path: Path
) -> None:
    """Law 4 in files; the same command again finds all done; views are another setting."""
    folder = made(kind)
    model, images = folder / "model.safetensors", folder / "images"
    wanted = read_detections(folder / "out/detections.csv", ("a", "b"))
    again = predicted(model, images, folder / "out")
    assert again.code == 0 and "2 of 2 images are done" in again.log
    assert predicted(model, images, tmp_path / "tiles", "tile=160").code == 0
    found = read_detections(tmp_path / "tiles/detections.csv", ("a", "b"))
    for name, table in wanted.items():
        np.testing.assert_allclose(found[name].xy, table.xy, atol=0.01)
        assert found[name].names == table.names and (table.wh is None) is (kind == "points")
        if table.wh is not None:
            np.testing.assert_allclose(found[name].wh, table.wh, atol=0.01)
    other = predicted(model, images, folder / "out", "tta=flips")
    assert other.code == 2 and "tta: 'none' then, 'flips' now" in other.log


def annotate(found: dict, path: Path, every: int = 1, *, extra: int = 0) -> int:
    """Write detections as annotations, or every second one, and as many boxes far away as asked for; their number."""
    rows = []
    for image, table in found.items():
        for i, (x1, y1, x2, y2) in enumerate(table.boxes_xyxy):
            if i % every == 0:
                label = table.names[i]
                rows.append({"image": image, "xmin": x1, "ymin": y1, "xmax": x2, "ymax": y2, "label": label})
    away = {"xmin": 90_000.0, "ymin": 0.0, "xmax": 90_010.0, "ymax": 10.0}
    for i in range(extra):
        shifted = {**away, "xmin": away["xmin"] + 20 * i, "xmax": away["xmax"] + 20 * i}
        rows.append({**rows[i % len(rows)], **shifted})
    pd.DataFrame(rows).to_csv(path, index=False)
    return len(rows)


def scores_of(folder: Path, table: Path, output: Path, *more: str) -> dict:
    done = call("evaluate", f"predictions={folder / 'out'}", f"annotations={table}", f"output={output}", *more)
    assert done.code == 0, done.log
    return json.loads((output / "scores.json").read_text())


def test_predictions_that_are_the_truth_score_one_and_half_missed_as_they_should(boxes: Path, tmp_path: Path) -> None:
    """As many objects again where nothing was found: recall 1/2, F1 2/3; precision 1 up to a recall of a half.

    The objects added are of the classes of the first ones in turn, so that each class has half missed if it is one.
    """
    found = read_detections(boxes / "out/detections.csv", ("a", "b"))
    number = annotate(found, tmp_path / "all.csv")
    scores = scores_of(boxes, tmp_path / "all.csv", tmp_path / "a", "iou=0.5")
    assert (scores["f1"], scores["precision"], scores["recall"], scores["f1_classwise"]) == (1, 1, 1, 1)
    assert scores["map50"] == scores["map"] == pytest.approx(1) and scores["mean_iou"] == pytest.approx(1)
    assert (scores["count_mae"], scores["iou"], scores["radius"], scores["found"]) == (0, 0.5, None, number)
    assert scores["f1_points"] == 1 and scores["radius_points"] >= 1
    assert (
        0 < scores["map_from_score"] < 0.6
    )  # candidates below the threshold are kept, and average precision is of all
    assert annotate(found, tmp_path / "twice.csv", extra=number) == 2 * number
    scores = scores_of(boxes, tmp_path / "twice.csv", tmp_path / "b", "iou=0.5")
    assert (scores["precision"], scores["recall"], scores["f1"]) == (1, 0.5, pytest.approx(2 / 3))
    assert scores["map50"] == pytest.approx(51 / 101) and scores["count_bias_percent"] == -50
    plain = scores_of(boxes, tmp_path / "all.csv", tmp_path / "c", "radius=2")
    assert (plain["f1"], plain["radius"], plain["iou"], plain["map50"]) == (1, 2, None, pytest.approx(1))


def test_an_image_where_nothing_is_annotated_counts_as_alarms(boxes: Path, tmp_path: Path) -> None:
    """A row with the image alone; all that was found there is false."""
    found = read_detections(boxes / "out/detections.csv", ("a", "b"))
    annotate({"0.png": found["0.png"]}, tmp_path / "t.csv")
    with (tmp_path / "t.csv").open("a") as file:
        file.write("1.png,,,,,\n")
    scores = scores_of(boxes, tmp_path / "t.csv", tmp_path / "s", "iou=0.5")
    one, other = len(found["0.png"]), len(found["1.png"])
    assert (scores["recall"], scores["precision"]) == (1, one / (one + other))
    assert scores["per_image"]["1.png"]["true"] == 0


@both
def test_an_iou_of_points_is_wrong_use(made: Callable[[str], Path], kind: str, tmp_path: Path) -> None:
    """On either side: points that were found, or points that were annotated."""
    folder = made(kind)
    (tmp_path / "points.csv").write_text("image,x,y,label\n0.png,5,5,a\n")
    out = (f"predictions={folder / 'out'}", f"annotations={tmp_path / 'points.csv'}", f"output={tmp_path / 's'}")
    done = call("evaluate", *out, "iou=0.5")
    assert done.code == 2 and "iou=0.5 is for boxes on both sides" in done.log
    assert call("evaluate", *out).code == 0
    assert "map50" not in json.loads((tmp_path / "s/scores.json").read_text())


def test_predictions_are_scored_without_what_the_model_ignores_and_with_its_look_alikes(
    boxes: Path, tmp_path: Path
) -> None:
    """The truth is what was found, but that the last object is `rock` and the first one's box a region `unsure`.

    The last is then a false alarm, and what has its centre in the region is neither hit nor alarm.
    """
    folder = tmp_path / "out"
    shutil.copytree(boxes / "out", folder)
    found = read_detections(folder / "detections.csv", ("a", "b"))
    table = tmp_path / "t.csv"
    annotate(found, table)
    rows = table.read_text().splitlines()
    rows[1] = rows[1].rpartition(",")[0] + ",unsure"
    rows[-1] = rows[-1].rpartition(",")[0] + ",rock"
    table.write_text("\n".join(rows) + "\n")
    facts = json.loads((folder / "run.json").read_text())
    assert facts["model"]["labels"] == {"negative_labels": [], "ignore_labels": [], "label_names": {}}
    facts["model"]["labels"] = {"negative_labels": ["rock"], "ignore_labels": ["unsure"], "label_names": {}}
    (folder / "run.json").write_text(json.dumps(facts))
    which = (f"predictions={folder}", f"annotations={table}", f"output={tmp_path / 's'}", "iou=0.99")
    done = call("evaluate", *which)
    assert done.code == 0 and "data.labels.negative=[rock], as in training" in done.log
    scores = json.loads((tmp_path / "s/scores.json").read_text())
    first = next(iter(found.values()))
    within = inside_regions(first.xy, first.boxes_xyxy[:1])
    inside = int(within.sum())
    assert inside >= 1 and (len(found) > 1 or not within[-1])
    left = sum(map(len, found.values())) - inside
    assert scores["recall"] == 1 and scores["precision"] == pytest.approx((left - 1) / left)


def test_a_run_of_an_earlier_version_takes_labels_from_the_model_that_counted_and_from_no_other(
    boxes: Path, tmp_path: Path
) -> None:
    """The last of all that was found is `rock` in the truth: a look-alike for the model, so nothing is missed.

    With another file in its place nothing is known of rocks, and one object is missed by its class's name.
    """
    net, card = load_model(boxes / "model.safetensors")
    training = {**card.training, "negative_labels": ["rock"]}
    model = tmp_path / "model.safetensors"
    save_model(model, net, replace(card, training=training))
    assert predicted(model, boxes / "images", tmp_path / "out").code == 0
    facts = json.loads((tmp_path / "out/run.json").read_text())
    del facts["model"]["labels"], facts["model"]["training_images"]
    (tmp_path / "out/run.json").write_text(json.dumps(facts))
    annotate(read_detections(tmp_path / "out/detections.csv", ("a", "b")), tmp_path / "t.csv")
    rows = (tmp_path / "t.csv").read_text().splitlines()
    rows[-1] = rows[-1].rpartition(",")[0] + ",rock"
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    which = (f"predictions={tmp_path / 'out'}", f"annotations={tmp_path / 't.csv'}", "iou=0.99")

    def scored(name: str) -> tuple[str, dict[str, float]]:
        done = call("evaluate", *which, f"output={tmp_path / name}")
        assert done.code == 0, done.log
        return done.log, json.loads((tmp_path / name / "scores.json").read_text())

    log, scores = scored("asked")
    assert "data.labels.negative=[rock], as in training" in log
    assert (scores["objects"], scores["found"], scores["recall"]) == (len(rows) - 2, len(rows) - 1, 1)
    save_model(model, net, replace(card, training={**training, "negative_labels": ["sand"]}))
    log, scores = scored("another")
    assert "is not the file that counted" in log and "rock" in scores["per_class"]
    assert (scores["objects"], scores["recall_classwise"]) == (len(rows) - 1, pytest.approx(1 - 1 / (len(rows) - 1)))
    model.unlink()
    log, again = scored("gone")
    assert "its model cannot be asked" in log and again["objects"] == scores["objects"]


def test_points_of_labels_that_the_model_ignores_are_no_objects(made: Callable[[str], Path], tmp_path: Path) -> None:
    """One more point than was found, of a label that training ignored: neither missed nor a region."""
    found = read_detections(made("points") / "out/detections.csv", ("a", "b"))
    rows = [
        f"{image},{x},{y},{name}"
        for image, table in found.items()
        for (x, y), name in zip(table.xy, table.names, strict=True)
    ]
    (tmp_path / "t.csv").write_text("\n".join(["image,x,y,label", *rows, "0.png,3,3,unsure"]) + "\n")
    which = (f"predictions={made('points') / 'out'}", f"annotations={tmp_path / 't.csv'}", f"output={tmp_path / 's'}")
    done = call("evaluate", *which, "data.labels.ignored=[unsure]")
    assert done.code == 0 and "unsure are points here and no regions to ignore" in done.log, done.log
    scores = json.loads((tmp_path / "s/scores.json").read_text())
    assert scores["objects"] == scores["found"] == sum(map(len, found.values())) and scores["f1"] == 1


def test_a_model_is_scored_on_labelled_images_without_what_is_ignored(boxes: Path, tmp_path: Path) -> None:
    """The truth is what the model finds at its threshold, but that a region of unknown content lies over the first.

    Average precision is of all scores down to 0.02: alarms below the threshold rank last and take nothing from it.
    """
    found = read_detections(boxes / "out/detections.csv", ("a", "b"))
    annotate(found, tmp_path / "t.csv")
    x, y = found["0.png"].xy[0]
    with (tmp_path / "t.csv").open("a") as file:
        file.write(f"0.png,{max(x - 2, 0)},{max(y - 2, 0)},{x + 2},{y + 2},unsure\n")
    model = (
        "evaluate",
        f"model={boxes / 'model.safetensors'}",
        f"data.root={boxes / 'images'}",
        "split=all",
        "iou=0.5",
    )
    options = (f"data.annotations={tmp_path / 't.csv'}", "halo=exact", "runtime=torch")
    done = call(*model, *options, f"output={tmp_path / 's'}", "data.labels.ignored=[unsure]")
    assert done.code == 0, done.log
    scores = json.loads((tmp_path / "s/scores.json").read_text())
    number = sum(len(table) for table in found.values())
    assert (scores["f1"], scores["precision"], scores["recall"]) == (1, 1, 1)
    assert number - 3 <= scores["objects"] == scores["found"] < number
    assert scores["map50"] == pytest.approx(1) and scores["map"] == pytest.approx(1)
    assert 0.02 <= scores["map_from_score"] < 0.5


def test_a_grid_cannot_classify_a_folder_of_patches(boxes: Path, tmp_path: Path) -> None:
    (tmp_path / "patches/test/a").mkdir(parents=True)
    Image.new("RGB", (32, 32)).save(tmp_path / "patches/test/a/0.png")
    done = call(
        "evaluate",
        f"model={boxes / 'model.safetensors'}",
        f"data.root={tmp_path / 'patches'}",
        f"output={tmp_path / 's'}",
    )
    assert done.code == 2 and "cannot classify a folder of patches" in done.log
