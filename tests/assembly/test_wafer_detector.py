"""A model that was trained on lists of defects counts on such lists, and says why it does not on an image."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from detect import Detector
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.scenes import SceneError
from detect.imagery.wafers.defect_writing import write_defects
from detect.imagery.wafers.drawn.drawing import Drawing, drawn_by
from detect.imagery.wafers.wafer import Wafer
from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.nets.facts.looks import BandLooks, Looks
from detect.nets.modelfile import build_net, save_model
from detect.nets.net_spec import BackboneSpec
from tests.cards import patch_card
from tests.engines import engine, lively, write

DRAWING = Drawing(300, 3.0, 3, False, 200, "as_given")


@pytest.fixture
def wafer(tmp_path: Path) -> Path:
    chance = np.random.default_rng(0)
    path = tmp_path / "a.wafer.csv"
    xy = chance.uniform(-60, 60, (200, 2))
    write_defects(path, [Wafer("L", "W", 200.0, xy, np.full(200, np.nan), np.zeros(200, np.int64))])
    return path


def test_a_detector_draws_a_list_as_its_model_was_trained(wafer: Path, tmp_path: Path) -> None:
    """So it does with another drawing in force. A map of 300 pixels at a stride of 16 has 19 cells."""
    card = patch_card(
        BackboneSpec("test_resnet", 16), bands=(1,), offset=(0.0,), scale=(255.0,), patch_size=32, drawing=DRAWING
    )
    save_model(tmp_path / "model.safetensors", build_net(card), replace(card, halo=96))
    detector = Detector.load(tmp_path / "model.safetensors")
    found = detector.count(wafer)
    with drawn_by(replace(DRAWING, side=100)):
        again = detector.count(wafer)
    assert found.heatmap.shape[-2:] == (19, 19)
    np.testing.assert_array_equal(again.heatmap, found.heatmap)


def test_images_and_lists_are_not_mistaken_for_each_other(wafer: Path, tmp_path: Path) -> None:
    net, card = lively()
    image = open_scene(write(tmp_path / "a.png"))
    with drawn_by(replace(DRAWING, side=200)):
        other = open_scene(wafer)
    runtime = TorchRuntime(net, torch.device("cpu"))
    with pytest.raises(SceneError, match="the model was trained on images"):
        engine(card, runtime).prepared(other)
    with pytest.raises(SceneError, match="trained on lists of wafers' defects"):
        engine(replace(card, drawing=DRAWING), runtime).prepared(image)
    with pytest.raises(SceneError, match=r"side=200.*side=300"):
        engine(replace(card, drawing=DRAWING), runtime).prepared(other)


def test_a_wafer_with_few_defects_is_not_unlike_the_training_wafers_in_light(wafer: Path) -> None:
    """The drawing, which is the model's, gives every mark its value: 0 and 200 are values of the same scale."""
    net, card = lively()
    black, bright = (Looks((BandLooks(0.0, 0.0, 0.0, each, each, 0.0),), 100, None) for each in (0.0, 200.0))
    of_images = replace(engine(card, TorchRuntime(net, torch.device("cpu"))), looks=bright)
    of_lists = replace(of_images, spec=replace(of_images.spec, drawing=DRAWING))
    assert of_images.unlike(black, None, None).words == "light: all black"
    assert of_lists.unlike(black, None, None).words == ""
