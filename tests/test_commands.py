"""End to end: train, predict, evaluate, report; bad input with clear messages and the right exit codes."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import rasterio
import torch
from PIL import Image

from detect.imagery.resolution import Resolution
from detect.inference import engine as engines
from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.labels.formats.detections_csv import read_detections
from detect.nets.facts.probabilities import Calibration
from detect.nets.modelfile import load_model, save_model
from detect.reporting.pictures import scene_errors
from tests.commands import call
from tests.conftest import SMALL, plant, scatter


def predict(trained: Path, images: Path, output: Path, *more: str):
    return call("predict", f"model={trained / 'model.safetensors'}", f"images={images}", f"output={output}", *more)


def test_train_writes_what_it_promises(trained):
    names = {
        "model.safetensors",
        "checkpoints",
        "config.yaml",
        "metrics.csv",
        "scores.json",
        "curves.png",
        "validation",
    }
    assert names <= {path.name for path in trained.iterdir()}
    assert list(pd.read_csv(trained / "metrics.csv")["epoch"]) == [0, 1]
    assert json.loads((trained / "scores.json").read_text())["split"] == "val"


def test_predict_counts_the_planted_discs_and_every_file_adds_up(trained, planted, tmp_path):
    done = predict(trained, planted / "images", tmp_path / "out")
    assert done.code == 0, done.log
    counts = pd.read_csv(tmp_path / "out/counts.csv")
    table = pd.read_csv(tmp_path / "out/detections.csv")
    run = json.loads((tmp_path / "out/run.json").read_text())
    assert list(counts["image"]) == ["0.png", "1.png", "2.png", "3.png"]
    assert (counts["disc"] == counts["total"]).all()
    assert (
        counts["total"].sum()
        == len(table)
        == sum(len(d) for d in read_detections(tmp_path / "out/detections.csv").values())
    )
    assert abs(counts["total"].sum() - 40) <= 4  # ten planted in each of four images
    assert run["images"] == {"done": 4, "failed": 0}
    assert (tmp_path / "out/failures.csv").read_text().strip() == "image,error"
    assert len(list((tmp_path / "out/heatmaps").iterdir())) == 4
    assert "3.png" in (tmp_path / "out/report.html").read_text()


def test_evaluate_predictions_and_model_agree(trained, planted, tmp_path):
    predict(trained, planted / "images/3.png", tmp_path / "out")
    points = planted / "points.csv"
    one = call(
        "evaluate", f"predictions={tmp_path / 'out'}", f"annotations={points}", f"output={tmp_path / 'a'}", "radius=10"
    )
    two = call(
        "evaluate",
        f"model={trained / 'model.safetensors'}",
        f"data.root={planted}",
        f"data.annotations={points}",
        f"output={tmp_path / 'b'}",
        "radius=10",
    )
    assert (one.code, two.code) == (0, 0), one.log + two.log
    first, second = (json.loads((tmp_path / name / "scores.json").read_text()) for name in "ab")
    assert {k: first[k] for k in ("f1", "found", "objects")} == {k: second[k] for k in ("f1", "found", "objects")}
    assert first["f1"] > 0.8
    assert first["not_predicted"] == ["0.png", "1.png", "2.png"]
    for name in "ab":
        assert Image.open(tmp_path / name / "errors/1.jpg").width == 320
    again = call("report", f"predictions={tmp_path / 'out'}", f"scores={tmp_path / 'a' / 'scores.json'}")
    assert again.code == 0, again.log


def dots_and_what_was_found(root: Path) -> tuple[str, str]:
    """36 dots 14 pixels apart, and as many detections: 12 on the dots, 24 beside them by 6 pixels."""
    rows = [(100 + 14 * (i % 6), 100 + 14 * (i // 6)) for i in range(36)]
    (root / "dots.csv").write_text("image,x,y,label\n" + "".join(f"1.png,{x},{y},dot\n" for x, y in rows))
    found = [(x + 6 * (i >= 12), y) for i, (x, y) in enumerate(rows)]
    (root / "found").mkdir()
    (root / "found/counts.csv").write_text("image,dot,total\n1.png,36,36\n")
    (root / "found/detections.csv").write_text(
        "image,x,y,w,h,score,label\n" + "".join(f"1.png,{x},{y},,,0.9,dot\n" for x, y in found)
    )
    return f"predictions={root / 'found'}", f"annotations={root / 'dots.csv'}"


@pytest.mark.parametrize(("given", "radius", "f1"), [((), 5.6, 1 / 3), (("radius=30",), 30, 1)])
def test_evaluation_goes_by_the_labels_unless_a_radius_is_given_and_writes_which(tmp_path, given, radius, f1):
    """0.4 of 14 is 5.6: 12 of 36 detections are right. Within 30 all are, of which the log warns."""
    done = call("evaluate", *dots_and_what_was_found(tmp_path), f"output={tmp_path / 'e'}", *given)
    scores = json.loads((tmp_path / "e/scores.json").read_text())
    assert done.code == 0 and (scores["radius"], scores["f1"]) == (radius, pytest.approx(f1)), done.log
    assert f"radius {radius:g} px: {scores['radius_from']}" in done.log
    assert ("radius=5.6" in done.log) is bool(given)


def test_objects_in_ignored_regions_do_not_set_the_radius(tmp_path):
    """Within the region are all but two dots, 70 pixels apart: 0.4 of that is 28."""
    which = dots_and_what_was_found(tmp_path)
    (tmp_path / "regions.csv").write_text("image,xmin,ymin,xmax,ymax\n1.png,99,100,200,200\n1.png,101,99,169,101\n")
    with (tmp_path / "dots.csv").open("a") as file:
        file.write("1.png,20,20,dot\n1.png,90,20,dot\n")
    done = call(
        "evaluate", *which, f"output={tmp_path / 'e'}", f"data.labels.ignored_regions={tmp_path / 'regions.csv'}"
    )
    assert done.code == 0, done.log
    assert json.loads((tmp_path / "e/scores.json").read_text())["radius"] == 28


def test_what_is_found_in_a_crowd_of_the_annotations_is_no_false_alarm(tmp_path):
    """Two boxes are found and labelled; two more are found where COCO has a crowd, in which nobody told them apart."""
    (tmp_path / "found").mkdir()
    (tmp_path / "found/counts.csv").write_text("image,dot,total\n1.png,4,4\n")
    places = [(20, 20), (60, 20), (120, 120), (150, 150)]
    (tmp_path / "found/detections.csv").write_text(
        "image,x,y,w,h,score,label\n" + "".join(f"1.png,{x},{y},10,10,0.9,dot\n" for x, y in places)
    )
    boxes = [*((x - 5, y - 5, 10, 10, 0) for x, y in places[:2]), (100, 100, 80, 80, 1)]
    content = {
        "images": [{"id": 1, "file_name": "1.png", "width": 200, "height": 200}],
        "categories": [{"id": 1, "name": "dot"}],
        "annotations": [
            {"id": i, "image_id": 1, "category_id": 1, "bbox": box[:4], "iscrowd": box[4]}
            for i, box in enumerate(boxes, 1)
        ],
    }
    (tmp_path / "crowd.json").write_text(json.dumps(content))
    which = f"predictions={tmp_path / 'found'}", f"annotations={tmp_path / 'crowd.json'}"
    done = call("evaluate", *which, f"output={tmp_path / 'e'}")
    assert done.code == 0, done.log
    scores = json.loads((tmp_path / "e/scores.json").read_text())
    assert (scores["objects"], scores["found"], scores["precision"]) == (2, 2, 1)


def test_a_model_is_judged_by_the_radius_of_its_training_and_an_older_one_by_the_labels(trained, planted, tmp_path):
    """The discs are far apart: half of the patch of 32. A record of 7 goes before that, a given 9 before the record."""
    net, card = load_model(trained / "model.safetensors")
    trained_by = json.loads((trained / "scores.json").read_text())
    record = card.training["matching"]
    assert (record["radius_file_px"], record["how"]) == (trained_by["radius"], trained_by["radius_from"])
    assert trained_by["radius"] == 16 and f"radius 16 px: {record['how']}" in card.training["notes"]
    older = {key: value for key, value in card.training.items() if key != "matching"}
    for name, training, given, wanted in (
        ("older", older, (), 16),
        ("own", {**older, "matching": {**record, "radius_file_px": 7.0}}, (), 7),
        ("given", {**older, "matching": {**record, "radius_file_px": 7.0}}, ("radius=9",), 9),
    ):
        save_model(tmp_path / "model.safetensors", net, replace(card, training=training))
        data = (f"data.root={planted}", f"data.annotations={planted / 'points.csv'}", f"output={tmp_path / name}")
        done = call("evaluate", f"model={tmp_path / 'model.safetensors'}", *data, *given)
        assert done.code == 0, done.log
        assert json.loads((tmp_path / name / "scores.json").read_text())["radius"] == wanted
    counted = tmp_path / "counted"
    assert predict(tmp_path, planted / "images/0.png", counted).code == 0
    truth = (f"annotations={planted / 'points.csv'}", f"output={counted}")
    assert call("evaluate", f"predictions={counted}", *truth).code == 0
    assert json.loads((counted / "scores.json").read_text())["radius"] == 7, "its predictions are judged alike"


def test_evaluation_draws_what_was_missed_and_what_is_false(trained, planted, tmp_path):
    """At a threshold of 1 nothing is found; against points far from every disc all that is found is false."""
    assert predict(trained, planted / "images/3.png", tmp_path / "none", "threshold=1").code == 0
    assert predict(trained, planted / "images/3.png", tmp_path / "all").code == 0
    (tmp_path / "far.csv").write_text("image,x,y,label\n3.png,1,1,disc\n")
    found = pd.read_csv(tmp_path / "all/counts.csv")["total"].sum()
    for name, truth, sheets in (
        ("none", planted / "points.csv", {"1_missed.jpg"}),
        ("all", tmp_path / "far.csv", {"1_missed.jpg", "1_false_alarms.jpg"}),
    ):
        output = tmp_path / f"scores_{name}"
        done = call(
            "evaluate", f"predictions={tmp_path / name}", f"annotations={truth}", f"output={output}", "radius=9"
        )
        assert done.code == 0, done.log
        assert {path.name for path in (output / "errors").iterdir()} == {"1.jpg", "index.csv", *sheets}
    scores = json.loads((tmp_path / "scores_all/scores.json").read_text())
    assert scores["confusion"]["matrix"][-1][0] == found > 0


def test_evaluation_goes_on_where_an_image_is_damaged(trained, planted, tmp_path):
    """The header of a file cut in half can be read, its pixels cannot; the other image has its picture."""
    images = tmp_path / "images"
    shutil.copytree(planted / "images", images)
    assert predict(trained, images, tmp_path / "out").code == 0
    whole = (images / "2.png").read_bytes()
    (images / "2.png").write_bytes(whole[: len(whole) // 2])
    before = (tmp_path / "out/report.html").stat().st_mtime_ns
    done = call(
        "evaluate", f"predictions={tmp_path / 'out'}", f"annotations={planted / 'points.csv'}", f"output={tmp_path}"
    )
    assert done.code == 0 and "no picture of 2.png" in done.log
    assert list(pd.read_csv(tmp_path / "errors/index.csv")["image"]) == ["0.png", "1.png", "3.png"]
    assert len(json.loads((tmp_path / "scores.json").read_text())["per_image"]) == 4
    assert (tmp_path / "out/report.html").stat().st_mtime_ns > before


def test_scores_and_report_are_there_when_pictures_cannot_be_drawn(trained, planted, tmp_path, monkeypatch):
    """As on a full disk: nothing that was computed is lost."""

    def full(*args, **kwargs):
        raise OSError("no space left")

    assert predict(trained, planted / "images/3.png", tmp_path / "out").code == 0
    (tmp_path / "out/report.html").unlink()
    monkeypatch.setattr(scene_errors, "write_picture", full)
    given = (f"predictions={tmp_path / 'out'}", f"annotations={planted / 'points.csv'}", f"output={tmp_path / 'e'}")
    assert call("evaluate", *given).code == 2
    assert (tmp_path / "e/scores.json").is_file() and (tmp_path / "out/report.html").is_file()


def test_pictures_of_errors_are_replaced_by_an_evaluation_and_removed_with_its_predictions(trained, planted, tmp_path):
    """All is missed at a threshold of 1; of all found, within 50 pixels, no sheet of missed ones is left.

    Pictures that the table beside them does not name are a person's, whatever they are called.
    """
    out = tmp_path / "out"
    given = (f"predictions={out}", f"annotations={planted / 'points.csv'}", f"output={out}", "radius=50")
    assert predict(trained, planted / "images/3.png", out, "threshold=1").code == 0
    assert call("evaluate", *given).code == 0
    assert (out / "errors/1_missed.jpg").is_file()
    (out / "errors/notes.txt").write_text("mine")
    assert predict(trained, planted / "images/3.png", out, "overwrite=true").code == 0
    assert [path.name for path in (out / "errors").iterdir()] == ["notes.txt"] and not (out / "scores.json").exists()
    for name in ("1_missed.jpg", "7.jpg", "9.jpg"):
        (out / "errors" / name).write_bytes(b"of an earlier evaluation, or a person's")
    (out / "errors/index.csv").write_text("picture,image,missed,false_alarms\n1.jpg,3.png,1,0\n7.jpg,8.png,0,0\n")
    (tmp_path / "found.csv").write_text((out / "detections.csv").read_text())
    assert call("evaluate", given[0], f"annotations={tmp_path / 'found.csv'}", *given[2:]).code == 0
    assert {path.name for path in (out / "errors").iterdir()} == {"1.jpg", "9.jpg", "index.csv", "notes.txt"}


@pytest.mark.parametrize("scale", [2.0, 0.5])
def test_errors_of_resampled_images_are_drawn_in_the_files_pixels(trained, planted, tmp_path, monkeypatch, scale):
    """Objects of 32 resampled pixels have rings of radius 16, which is 16 / scale in the file; close-ups are 6 wide."""
    net, card = load_model(trained / "model.safetensors")
    save_model(tmp_path / "model.safetensors", net, replace(card, resolution=Resolution(scale)))
    model, points = f"model={tmp_path / 'model.safetensors'}", planted / "points.csv"
    radii, sides = [], []
    ring, crops = scene_errors.overlay, scene_errors.read_crops
    monkeypatch.setattr(scene_errors, "overlay", lambda *args: radii.append(args[3]) or ring(*args))
    monkeypatch.setattr(scene_errors, "read_crops", lambda *args: sides.append(args[2]) or crops(*args))
    one = call("evaluate", model, f"data.root={planted}", f"data.annotations={points}", f"output={tmp_path / 'm'}")
    two = call("predict", model, f"images={planted / 'images/3.png'}", f"output={tmp_path / 'out'}", "threshold=1")
    given = (f"predictions={tmp_path / 'out'}", f"annotations={points}", f"output={tmp_path / 'p'}")
    assert (one.code, two.code, call("evaluate", *given).code) == (0, 0, 0), one.log + two.log
    assert card.head.typical_size == 32 and radii == [16 / scale] * 2
    assert sides and set(sides) == {96 / scale}


def test_evaluation_goes_on_where_an_image_is_gone(trained, planted, tmp_path):
    """Its scores need no pixels; the log says of which there is no picture."""
    images = tmp_path / "images"
    shutil.copytree(planted / "images", images)
    assert predict(trained, images / "3.png", tmp_path / "out").code == 0
    (images / "3.png").unlink()
    given = (f"predictions={tmp_path / 'out'}", f"annotations={planted / 'points.csv'}", f"output={tmp_path / 'e'}")
    done = call("evaluate", *given)
    assert done.code == 0 and "3.png" in done.log and not (tmp_path / "e/errors").exists()
    assert json.loads((tmp_path / "e/scores.json").read_text())["f1"] > 0.8


def test_a_model_knows_the_images_that_validated_it_and_were_held_back_without_a_split_column(
    trained, planted, tmp_path
):
    """2.png validated, 3.png was for the test; in a table that does not say so, the model's own record does."""
    table = pd.read_csv(planted / "points.csv").drop(columns="split")
    table.to_csv(tmp_path / "points.csv", index=False)
    for split, wanted in (
        ("val", ["images/2.png"]),
        ("test", ["images/3.png"]),
        ("train", ["images/0.png", "images/1.png"]),
    ):
        done = call(
            "evaluate",
            f"model={trained / 'model.safetensors'}",
            f"data.root={planted}",
            f"split={split}",
            f"data.annotations={tmp_path / 'points.csv'}",
            f"output={tmp_path / split}",
            "radius=10",
        )
        assert done.code == 0, done.log
        assert list(json.loads((tmp_path / split / "scores.json").read_text())["per_image"]) == wanted


def test_a_batch_goes_on_past_broken_images_and_exits_with_3(trained, planted, tmp_path):
    folder = tmp_path / "images"
    plant(folder / "good.png", scatter(3, 10), 3)
    whole = tmp_path / "whole.jpg"
    Image.open(folder / "good.png").save(whole)
    (folder / "truncated.jpg").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    (folder / "text.jpg").write_text("not an image")
    Image.fromarray(np.full((1, 1, 3), 90, np.uint8)).save(folder / "one.png")
    Image.fromarray(np.full((40, 25, 3), 90, np.uint8)).save(folder / "small.png")
    done = predict(trained, folder, tmp_path / "out")
    assert done.code == 3, done.log
    failures = pd.read_csv(tmp_path / "out/failures.csv")
    assert list(failures["image"]) == ["text.jpg", "truncated.jpg"]
    assert list(pd.read_csv(tmp_path / "out/counts.csv")["image"]) == ["good.png", "one.png", "small.png"]
    page = (tmp_path / "out/report.html").read_text()
    assert "truncated.jpg" in page


def test_a_tile_larger_or_smaller_changes_no_count(trained, planted, tmp_path):
    tables = []
    options = ("halo=exact", "runtime.precision=32")
    for tile in (448, 512, 1024):
        assert predict(trained, planted / "images/3.png", tmp_path / str(tile), f"tile={tile}", *options).code == 0
        tables.append(pd.read_csv(tmp_path / str(tile) / "detections.csv"))
    for table in tables[1:]:
        assert len(table) == len(tables[0])
        np.testing.assert_allclose(table[["x", "y"]], tables[0][["x", "y"]], atol=0.01)
        np.testing.assert_allclose(table["score"], tables[0]["score"], atol=1e-4)


BAD_TABLES = {
    "outside": ("image,x,y,label\n0.png,100,99999,disc\n", "99999"),
    "missing column": ("image,x,label\n0.png,100,disc\n", "y"),
    "not a number": ("image,x,y,label\n0.png,abc,9,disc\n", "abc"),
    "nan": ("image,x,y,label\n0.png,nan,9,disc\n", "line 2"),
    "missing image": ("image,x,y,label\nnowhere.png,1,2,disc\n", "nowhere.png"),
    "no rows": ("image,x,y,label\n", "no annot"),
    "no bytes": ("", "empty"),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_bad_annotations_are_wrong_use(name, planted, tmp_path):
    text, wanted = BAD_TABLES[name]
    table = tmp_path / "bad.csv"
    table.write_text(text)
    done = call("train", f"data.root={planted}", f"data.annotations={table}", f"output={tmp_path / 'out'}", *SMALL)
    assert done.code == 2
    assert "bad.csv" in done.log and wanted in done.log, done.log
    assert "Traceback" not in done.log


def test_unknown_label_when_a_model_is_evaluated(trained, planted, tmp_path):
    table = tmp_path / "other.csv"
    table.write_text("image,x,y,label\n3.png,100,100,ring\n")
    predict(trained, planted / "images/3.png", tmp_path / "out")
    done = call("evaluate", f"predictions={tmp_path / 'out'}", f"annotations={table}", f"output={tmp_path / 'e'}")
    scores = json.loads((tmp_path / "e/scores.json").read_text())
    assert done.code == 0 and scores["per_class"]["ring"]["found"] == 0
    assert "ring" in done.log  # a class that the model cannot find is said


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x04pickle"])
def test_a_wrong_model_file_is_wrong_use(content, planted, tmp_path):
    model = tmp_path / "wrong.safetensors"
    model.write_bytes(content)
    done = call("predict", f"model={model}", f"images={planted}", f"output={tmp_path / 'out'}")
    assert done.code == 2 and "wrong.safetensors" in done.log
    assert not (tmp_path / "out").exists()


def test_an_output_folder_without_permission_is_wrong_use(trained, planted, tmp_path, monkeypatch):
    def refuse(path, *arguments, **options):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "touch", refuse)  # root may write anywhere, so the system is made to refuse
    done = predict(trained, planted / "images", tmp_path / "locked")
    assert done.code == 2 and "locked" in done.log and "another folder" in done.log


def test_an_output_that_cannot_be_a_folder_is_wrong_use(trained, planted, tmp_path):
    (tmp_path / "file").write_text("")
    done = predict(trained, planted / "images", tmp_path / "file" / "out")
    assert done.code == 2 and str(tmp_path / "file") in done.log


def test_a_folder_of_results_that_no_run_remembers_is_refused_with_the_way_out(trained, planted, tmp_path):
    assert predict(trained, planted / "images/0.png", tmp_path / "out").code == 0
    again = predict(trained, planted / "images/0.png", tmp_path / "out")
    assert again.code == 0 and "1 of 1 images are done" in again.log
    shutil.rmtree(tmp_path / "out/.run")
    again = predict(trained, planted / "images/0.png", tmp_path / "out")
    assert again.code == 2 and "overwrite=true" in again.log
    assert predict(trained, planted / "images/0.png", tmp_path / "out", "overwrite=true").code == 0


@pytest.mark.parametrize(
    ("overrides", "wanted"),
    [
        ((), "model"),
        (("model=m", "images=nowhere", "output=o"), "m"),
        (("nonsense=1",), "nonsense"),
        (("runtime=warp",), "warp"),
    ],
)
def test_wrong_use_exits_with_2(overrides, wanted):
    done = call("predict", *overrides)
    assert done.code == 2 and wanted in done.log


def test_no_images_is_wrong_use(trained, tmp_path):
    done = predict(trained, tmp_path / "nowhere", tmp_path / "out")
    assert done.code == 2 and "nowhere" in done.log


def test_a_folder_of_patches_trains_and_evaluates(tmp_path):
    rng = np.random.default_rng(0)
    for split, number in (("train", 12), ("valid", 6), ("test", 6)):
        for name, colour in (("red", (200, 40, 40)), ("blue", (40, 40, 200)), ("nothing", (90, 90, 90))):
            for i in range(number):
                folder = tmp_path / "patches" / split / name
                folder.mkdir(parents=True, exist_ok=True)
                pixels = np.clip(rng.normal(colour, 20, (32, 32, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.png")
    data = (f"data.root={tmp_path / 'patches'}", "data.labels.negative=[nothing]")
    more = ("trainer.max_epochs=6", "data.loading.batch_size=6", "trainer.test=true")
    done = call("train", *data, f"output={tmp_path / 'run'}", *more)
    assert done.code == 0, done.log
    assert (tmp_path / "run/validation/confusion.png").exists() and (tmp_path / "run/curves.png").exists()
    assert "net=auto is net=patch here" in done.log and "kind: patch" in (tmp_path / "run/config.yaml").read_text()
    assert call("train", *data, f"output={tmp_path / 'run'}", *more, "resume=true").code == 0
    done = call("evaluate", f"model={tmp_path / 'run/model.safetensors'}", *data, f"output={tmp_path / 'scores'}")
    scores = json.loads((tmp_path / "scores/scores.json").read_text())
    assert done.code == 0 and scores["accuracy"] > 0.9
    assert scores["confusion"]["labels"][0] == "nothing"
    assert np.array(scores["confusion"]["matrix"]).sum() == 18
    for folder in ("scores", "run/test"):
        assert (tmp_path / folder / "classes/index.html").exists() and (tmp_path / folder / "classes/roc.png").exists()
    assert "nothing/0.png," in (tmp_path / "scores/classes/classified.csv").read_text()
    green = tmp_path / "other" / "green"
    green.mkdir(parents=True)
    Image.fromarray(np.full((32, 32, 3), (40, 200, 40), np.uint8)).save(green / "0.png")
    (tmp_path / "other/red").symlink_to(tmp_path / "patches/test/red")
    other = (f"model={tmp_path / 'run/model.safetensors'}", f"data.root={tmp_path / 'other'}", "split=all")
    done = call("evaluate", *other, f"output={tmp_path / 'o'}", *data[1:])
    assert done.code == 2 and "green" in done.log
    done = call("evaluate", *other, f"output={tmp_path / 'o'}", *data[1:], "unknown=[green]")
    strange = json.loads((tmp_path / "o/scores.json").read_text())
    assert done.code == 0 and strange["patches"] == 6 and strange["false_unknown_rate"] == 0, done.log
    assert 0 <= strange["unknown_auroc"] <= 1 and (tmp_path / "o/classes/unknown.csv").exists()
    done = call("evaluate", *other, f"output={tmp_path / 'o'}", *data[1:], "unknown=[red,green]")
    assert done.code == 2 and "'red' is a class of the model" in done.log
    tested = json.loads((tmp_path / "run/test/scores.json").read_text())
    for probable in (tested, scores):  # in other batches, of which the last digits are others
        assert sum(row["found"] for row in probable.pop("reliability")) == 18
    assert tested.pop("brier") == pytest.approx(scores.pop("brier"), abs=1e-5)
    assert tested.pop("ece") == pytest.approx(scores.pop("ece"), abs=1e-5)
    assert tested == scores
    assert call("train", *data, f"output={tmp_path / 'fold'}", "data.split.fold=1/2").code == 2


def test_main_works_when_it_is_imported_from_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call("train", "--cfg", "job", "data.root=x").code == 0


def boxes(root: Path, side: int) -> Path:
    """Two images of bright squares with `side` pixels, boxed; the table's path."""
    rows = []
    for i in range(2):
        pixels = np.random.default_rng(i).normal(90, 10, (320, 320, 3))
        for x, y in scatter(i, 12):
            pixels[y : y + side, x : x + side] = 230
            rows.append({"image": f"{i}.png", "xmin": x, "ymin": y, "xmax": x + side, "ymax": y + side, "label": "dot"})
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(root / f"{i}.png")
    pd.DataFrame(rows).to_csv(root / "boxes.csv", index=False)
    return root / "boxes.csv"


def test_boxes_smaller_than_the_stride_and_random_weights_train(tmp_path):
    table = boxes(tmp_path, 10)
    done = call(
        "train",
        f"data.root={tmp_path}",
        f"data.annotations={table}",
        f"output={tmp_path / 'run'}",
        "net=patch",
        "net.weights=none",
        "trainer.max_epochs=1",
        "data.sampling.samples=16",
        "data.sampling.crop=64",
        "data.loading.batch_size=8",
        "net.margin=16",
    )
    assert done.code == 0, done.log
    assert "objects are 10 pixels wide" in done.log


def test_overwriting_leaves_nothing_of_the_run_before(trained, planted, tmp_path):
    images = tmp_path / "images"
    plant(images / "a.png", scatter(0, 5), 0)
    plant(images / "b.png", scatter(1, 5), 1)
    assert predict(trained, images, tmp_path / "out").code == 0
    (images / "b.png").unlink()
    (tmp_path / "out/notes.txt").write_text("mine")
    assert predict(trained, images, tmp_path / "out", "overwrite=true").code == 0
    assert [path.name for path in (tmp_path / "out/heatmaps").iterdir()] == ["a.png.tif"]
    assert [path.name for path in (tmp_path / "out/overlays").iterdir()] == ["a.png.jpg"]
    assert (tmp_path / "out/notes.txt").exists()


def test_an_output_among_the_images_is_refused(trained, tmp_path):
    plant(tmp_path / "a.png", [], 0)
    done = predict(trained, tmp_path, tmp_path / "out")
    assert done.code == 2 and "outside" in done.log


def test_odd_names_are_counted_and_those_that_no_table_can_hold_are_reported(trained, tmp_path):
    images = tmp_path / "images"
    plant(images / "shot 1\u202fPM <b>.png", scatter(0, 5), 0)
    plant(images / "line\nbreak.png", scatter(0, 5), 0)
    done = predict(trained, images, tmp_path / "out")
    assert done.code == 3, done.log
    assert list(pd.read_csv(tmp_path / "out/counts.csv")["image"]) == ["shot 1\u202fPM <b>.png"]
    assert len(pd.read_csv(tmp_path / "out/failures.csv")) == 1
    assert "PM <b>.png" not in (tmp_path / "out/report.html").read_text()


def test_what_was_counted_before_an_interrupt_is_kept(trained, planted, tmp_path, monkeypatch):
    """Tiles of 672 pixels hold an image of 320 with a halo of 176: one image a batch, the third is broken off."""
    real, calls = TorchRuntime.__call__, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(TorchRuntime, "__call__", interrupted)
    options = ("runtime=torch", "tile=672", "halo=exact")
    done = predict(trained, planted / "images", tmp_path / "out", *options)
    assert done.code == 130 and "the same command goes on" in done.log
    assert list(pd.read_csv(tmp_path / "out/counts.csv")["image"]) == ["0.png", "1.png"]
    assert "2 of 4 images were not looked at" in (tmp_path / "out/report.html").read_text()
    assert predict(trained, planted / "images", tmp_path / "out", *options).code == 0
    assert len(calls) == 3 + 2 and len(pd.read_csv(tmp_path / "out/counts.csv")) == 4
    assert "were not looked at" not in (tmp_path / "out/report.html").read_text()


@pytest.mark.parametrize(
    "override",
    [
        "threshold=7",
        "tile=abc",
        "tile=-5",
        "halo=24",
        "halo=wide",
        "tta=d8",
        "tta_combine=max",
        "max_memory=1MiB",
        "runtime.device=abacus",
        "runtime.precision=8",
        "runtime.runtime=caffe",
    ],
)
def test_settings_out_of_bounds_are_named_and_leave_the_folder_free(override, trained, planted, tmp_path):
    done = predict(trained, planted / "images", tmp_path / "out", override)
    assert done.code == 2 and override.split("=")[1] in done.log and "Traceback" not in done.log
    assert not (tmp_path / "out").exists()


def test_resuming_with_other_settings_is_refused(trained, planted):
    data = (f"data.root={planted}", f"data.annotations={planted / 'points.csv'}", f"output={trained}")
    done = call("train", *data, *SMALL, "resume=true", "seed=5")
    assert done.code == 2 and "seed" in done.log
    done = call("train", *data, *SMALL)
    assert done.code == 2 and "resume=true" in done.log


def enlarged(planted: Path, root: Path) -> Path:
    """The planted discs with every pixel written as a square of two by two, and their points."""
    (root / "images").mkdir(parents=True)
    for path in sorted((planted / "images").iterdir()):
        pixels = np.asarray(Image.open(path))
        Image.fromarray(pixels.repeat(2, axis=0).repeat(2, axis=1)).save(root / "images" / path.name)
    table = pd.read_csv(planted / "points.csv")
    table.assign(x=2 * table["x"], y=2 * table["y"]).to_csv(root / "points.csv", index=False)
    return root


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_model_of_resampled_images_is_that_of_the_small_ones_and_places_are_the_files(trained, planted, tmp_path):
    """Images of twice the size seen at a half are the small ones: the same training, counts and pictures, and places
    twice as far. What is said in pixels of the file is doubled, what the net is made of is not: a radius of 32, and 16
    for the small ones, half of their patch of 32, since the discs are far apart."""
    root, small, large = enlarged(planted, tmp_path / "data"), tmp_path / "small", tmp_path / "large"
    done = call(
        "train",
        f"data.root={root}",
        f"data.annotations={root / 'points.csv'}",
        f"output={tmp_path / 'run'}",
        *SMALL,
        "data.scale=0.5",
        "data.matching.radius=32",
    )
    assert done.code == 0 and "as resampled by data.scale=0.5" in done.log, done.log
    (net, card), (own_net, own) = (load_model(folder / "model.safetensors") for folder in (tmp_path / "run", trained))
    assert replace(card, training={}) == replace(own, training={}, resolution=Resolution(0.5))
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in own_net.state_dict().items())
    assert card.training["sizes"]["median"] == own.training["sizes"]["median"]
    scores, own_scores = (json.loads((folder / "scores.json").read_text()) for folder in (tmp_path / "run", trained))
    assert (scores["f1"], scores["found"], scores["radius"]) == (own_scores["f1"], own_scores["found"], 32)
    assert own_scores["radius"] == 16
    assert scores["mean_distance"] == pytest.approx(2 * own_scores["mean_distance"])
    assert Image.open(tmp_path / "run/validation/1.jpg").width == 640

    assert predict(trained, planted / "images/3.png", small).code == 0
    assert predict(tmp_path / "run", root / "images/3.png", large).code == 0
    assert (small / "counts.csv").read_text() == (large / "counts.csv").read_text()
    found, own_found = (pd.read_csv(folder / "detections.csv") for folder in (large, small))
    np.testing.assert_allclose(found[["x", "y"]], 2 * own_found[["x", "y"]], rtol=0, atol=0.021)  # two decimals
    assert (small / "overlays/3.png.jpg").read_bytes() == (large / "overlays/3.png.jpg").read_bytes()
    with rasterio.open(large / "heatmaps/3.png.tif") as one, rasterio.open(small / "heatmaps/3.png.tif") as other:
        np.testing.assert_array_equal(one.read(), other.read())
    run = json.loads((large / "run.json").read_text())
    assert run["model"]["image_scale"] == 0.5 and run["pixels"] == 640 * 640
    assert "Images resampled by" in (large / "report.html").read_text()
    assert "Images resampled by" not in (small / "report.html").read_text()


def test_probabilities_change_no_count_and_are_added_up(trained, planted, tmp_path):
    """A model whose scores are made probabilities, its threshold with them, finds what it found before.

    Scores are written with six decimals: of one 1e-5 below 1, 5e-7 are 0.6 x 5e-7 / 1e-5 = 3 % of its odds, so 3e-5 of
    a probability of 0.999. A run that keeps candidates is evaluated as the model is, to that.
    """
    net, card = load_model(trained / "model.safetensors")
    made = Calibration(0.6, -0.4)
    before = Calibration(1.0, 0.0) if card.calibration is None else Calibration.from_record(card.calibration)
    raw = float(before.inverse(card.threshold))
    for name, calibration in (("plain", None), ("made", made)):
        threshold = raw if calibration is None else float(calibration(raw))
        record = None if calibration is None else calibration.to_record()
        save_model(tmp_path / f"{name}.safetensors", net, replace(card, calibration=record, threshold=threshold))
        done = call(
            "predict",
            f"model={tmp_path / name}.safetensors",
            f"images={planted / 'images'}",
            f"output={tmp_path / name}",
            "write=[tables,report,candidates]",
        )
        assert done.code == 0, done.log
    plain, probable = (pd.read_csv(tmp_path / name / "detections.csv") for name in ("plain", "made"))
    assert len(plain) and plain.drop(columns="score").equals(probable.drop(columns="score"))
    np.testing.assert_allclose(made(plain["score"].to_numpy()), probable["score"], atol=1e-3)
    counts = pd.read_csv(tmp_path / "made/counts.csv")
    assert "expected" not in pd.read_csv(tmp_path / "plain/counts.csv") and counts["expected"].sum() > 0
    assert f"{counts['expected'].sum():.1f} expected by their probabilities" in done.log

    truth = f"{planted / 'points.csv'}"
    one = call(
        "evaluate",
        f"predictions={tmp_path / 'made'}",
        f"annotations={truth}",
        f"output={tmp_path / 'made'}",
        "radius=9",
    )
    given = (f"data.root={planted}", f"data.annotations={truth}", "split=all", "radius=9")
    two = call("evaluate", f"model={tmp_path / 'made.safetensors'}", *given, f"output={tmp_path / 'm'}")
    assert (one.code, two.code) == (0, 0), one.log + two.log
    run, model = (json.loads((tmp_path / name / "scores.json").read_text()) for name in ("made", "m"))
    for name in ("expected", "expected_mae", "expected_bias_percent", "ece", "brier"):
        assert run[name] == pytest.approx(model[name], abs=1e-3), name
    assert run["expected"] == pytest.approx(counts["expected"].sum(), abs=1e-2)
    assert "Are scores probabilities?" in (tmp_path / "made/report.html").read_text()

    with mock.patch.object(engines, "MOST_CANDIDATES", 0):
        base = (f"model={tmp_path / 'made.safetensors'}", f"images={planted / 'images'}", f"output={tmp_path / 'few'}")
        assert call("predict", *base, "write=[tables,candidates]").code == 0
        two = call("evaluate", f"model={tmp_path / 'made.safetensors'}", *given, f"output={tmp_path / 'm'}")
    one = call(
        "evaluate",
        f"predictions={tmp_path / 'few'}",
        f"annotations={truth}",
        f"output={tmp_path / 'few'}",
        "radius=9",
    )
    assert (one.code, two.code) == (0, 0) and "numbers of all candidates are left out" in two.log, one.log + two.log
    run, model = (json.loads((tmp_path / name / "scores.json").read_text()) for name in ("few", "m"))
    assert run["ece"] is model["ece"] is run["brier"] is model["brier"] is None
    assert "expected" not in run and "expected" not in model
    assert run["ece_found"] == pytest.approx(model["ece_found"], abs=1e-3)
