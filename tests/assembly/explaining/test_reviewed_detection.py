"""Grad-CAM of detections under review, by every head: the run's model, the detection's own cell, the right place."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.special import expit

from detect.assembly.explaining.asking_network import ask
from detect.assembly.explaining.reviewed_detection import DetectionExplainer, found_place, met_as
from detect.assembly.surveys.reviewing import explainer
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.resolution import Resolution
from detect.inference.decoding.patch import foreground
from detect.inference.tiles import Source
from detect.nets.card import ModelCard
from detect.nets.heads.specs import WholeHead
from detect.nets.modelfile import build_net, save_model
from detect.nets.net_spec import BackboneSpec
from detect.reporting.output.layout import PredictionPaths
from detect.reviewing.review_objects import ReviewObject
from detect.reviewing.session import ReviewSession
from tests.cards import card_of
from tests.commands import call
from tests.engines import lively, write
from tests.grids import lively_grid

torch.set_num_threads(1)

SHAPE = (150, 190)


def run_of(folder: Path, kind: str) -> Path:
    """What `detect.predict` writes of an image with a small random model."""
    model, image = folder / "model.safetensors", write(folder / "a.png", *SHAPE)
    if kind == "whole":
        card: ModelCard = card_of(WholeHead(64, "one", None), BackboneSpec("test_resnet", 16), halo=0, threshold=0.1)
        torch.manual_seed(1)
        save_model(model, build_net(card), card)
    elif kind == "patch":
        save_model(model, *lively())
    else:
        net, card = lively_grid(deepest=32)
        save_model(model, net, replace(card, resolution=Resolution(scale=2.0)) if kind == "resampled" else card)
    given = (f"model={model}", f"images={image}", f"output={folder / 'run'}", "write=[tables,candidates]")
    done = call("predict", *given, "runtime=torch", "runtime.device=cpu")
    assert done.code == 0, done.log
    return folder / "run"


@pytest.fixture(scope="module", params=["grid", "resampled", "patch", "whole"])
def any_run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A run by each head, and by one that sees images twice as large."""
    return request.param, run_of(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module")
def grid_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run by a grid head."""
    return run_of(tmp_path_factory.mktemp("own"), "grid")


def found_in(run: Path) -> list[ReviewObject]:
    """What is found in the image of a run."""
    return [each for each in ReviewSession(run).objects("a.png") if each.status == "found"]


def test_the_cell_is_the_detections_own_also_at_the_edges(any_run: tuple[str, Path]) -> None:
    """The score of an object is the sigmoid of its cell's raw one: of a grid's objectness, of a classifier's odds."""
    kind, run = any_run
    model = DetectionExplainer(run, None)._model()
    source = Source("a.png", model.engine.prepared(open_scene(run.parent / "a.png")))
    found = found_in(run)
    edges = [each for each in found if min(each.x, each.y, SHAPE[1] - each.x, SHAPE[0] - each.y) < 12]
    assert found and (edges or kind == "whole")
    for each in (*edges, *found[:8]):
        place = found_place(source, each, model.card)
        asked = ask(model.net, model.card, place, None, None, 0)
        row, col = asked.aims[0].cell
        with torch.no_grad():
            logits = model.net(asked.tile.pixels)[0].numpy()
        if kind == "whole":
            assert asked.aims[0].name == each.label and (row, col) == (0, 0)
        elif kind == "patch":
            assert expit(foreground(logits)[row, col]) == pytest.approx(each.score, abs=2e-4)
        else:
            assert asked.aims[0].name == "objectness"
            assert expit(asked.scores[0]) == pytest.approx(each.score, abs=2e-4)


def test_the_picture_lies_about_the_detection_in_the_file(any_run: tuple[str, Path]) -> None:
    kind, run = any_run
    each = found_in(run)[0]
    made = explainer(run, None)(run.parent / "a.png", each, "class")
    left, top, width, height = made.place
    half = (each.w or 0) / 2, (each.h or 0) / 2
    assert 0 <= left <= max(0, each.x - half[0]) and min(SHAPE[1], each.x + half[0]) <= left + width <= SHAPE[1]
    assert 0 <= top <= max(0, each.y - half[1]) and min(SHAPE[0], each.y + half[1]) <= top + height <= SHAPE[0]
    if kind == "whole":
        assert made.place == (0, 0, SHAPE[1], SHAPE[0])
    with Image.open(io.BytesIO(made.png)) as picture:
        assert picture.mode == "RGBA"
        assert picture.width / picture.height == pytest.approx(width / height, rel=0.5)
        alpha = np.asarray(picture)[..., 3]
    assert alpha.max() <= 192 and made.words.startswith(f"Grad-CAM of {each.label}, score {each.score:.2f}")
    assert (alpha.max() > 150) != ("nothing is coloured" in made.words)


def test_a_model_that_is_gone_or_another_is_told_and_one_at_another_place_is_taken(
    grid_run: Path, tmp_path: Path
) -> None:
    own, each, image = grid_run.parent / "model.safetensors", found_in(grid_run)[0], grid_run.parent / "a.png"
    data = own.read_bytes()
    moved = tmp_path / "moved.safetensors"
    moved.write_bytes(data)
    explain = explainer(grid_run, None)
    try:
        own.unlink()
        with pytest.raises(ValueError, match=r"the model of this run is gone: .*model=FILE"):
            explain(image, each, "object")
        own.write_bytes(data[:-4] + b"\0\0\0\0")
        with pytest.raises(ValueError, match="is not the model that made this run, or was changed since"):
            explain(image, each, "object")
    finally:
        own.write_bytes(data)
    made = explain(image, each, "object")
    assert explainer(grid_run, moved)(image, each, "object") == made
    own.unlink()
    assert explain(image, each, "object") == made  # it is in memory
    own.write_bytes(data)
    with pytest.raises(ValueError, match=r"gone: .*nowhere;"):
        explainer(grid_run, Path("nowhere"))(image, each, "object")


def test_what_is_missing_is_told_in_a_sentence(grid_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    each = found_in(grid_run)[0]
    explain = explainer(grid_run, None)
    with pytest.raises(OSError, match=r"gone\.png"):
        explain(tmp_path / "gone.png", each, "object")
    facts = PredictionPaths(grid_run).run_facts
    kept = facts.read_text()
    facts.write_text(json.dumps({**json.loads(kept), "model": {}}))
    with pytest.raises(ValueError, match="does not say which model"):
        explainer(grid_run, None)(grid_run.parent / "a.png", each, "object")
    facts.write_text(kept)
    monkeypatch.setattr("detect.assembly.explaining.reviewed_detection.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'detect\[explain\]'"):
        explain(grid_run.parent / "a.png", each, "object")


def test_images_are_met_as_the_run_met_them() -> None:
    """One scale of a run is its factor; light is brought in before the network, its own layers' statistics are not."""
    assert met_as({}) == {}
    assert met_as({"rescale": "survey", "rescale_factor": 1.5}) == {"rescale": 1.5}
    adapted = {"rescale": "auto", "adapt": ["light", "batchnorm"], "adapt_share": 0.4}
    assert met_as(adapted) == {"rescale": "auto", "adapt": ["light"], "adapt_share": 0.4}
    for wrong in (5, None, "light", [["light"]]):  # the file is from others
        assert met_as({"adapt": wrong}) == {}
