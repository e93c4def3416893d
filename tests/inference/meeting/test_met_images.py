"""Meeting images: what is settled on a sample is the same for every tile size, and of every image by itself."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from detect.imagery.description.scene_opening import open_scene
from detect.inference.decoding.decoder import decoder_of
from detect.inference.engine import Engine
from detect.inference.meeting.batch_norms import BatchNorms
from detect.inference.meeting.met_images import Meeting
from detect.inference.meeting.scale_choice import FACTORS, ScaleChoice, clarity
from detect.inference.run import count_scene, predict_images
from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.inference.scene_result import SceneResult
from detect.inference.tiles import Source
from detect.nets.facts.looks import Looks
from tests.engines import assert_same_objects, coarse, disc_net, discs, engine, hexagons, write
from tests.grids import grid_engine, lively_grid
from tests.inference.test_run import Kept

TRAINING = Looks.of(127 + 40 * np.random.default_rng(0).standard_normal((3, 5000)))

WAYS = {
    "light": (True, False, 1.0),
    "batchnorm": (False, True, 1.0),
    "scale": (False, False, 1.3),
    "chosen": (False, False, None),
    "all": (True, True, None),
}
"""Whether light and batch normalisation are met, and the factor, None for one that is chosen."""


class Clearest(ScaleChoice):
    """Takes the clearest answer of a random net, whose answers have no peak."""

    def factor(self, scores: Mapping[float, np.ndarray]) -> float:
        return max(scores, key=lambda factor: clarity(scores[factor], self.threshold))


def meeting_engine(way: str, tile: int | None = None) -> Engine:
    """A random grid head whose images are met, with tiles of a size."""
    net, card = lively_grid()
    own = deepcopy(net)
    light, norms, factor = WAYS[way]
    runtime = TorchRuntime(own, torch.device("cpu"))
    scale = Clearest(card, runtime, decoder_of(card), card.separation, 0.7) if factor is None else factor
    made = Meeting(0.7, TRAINING if light else None, BatchNorms(own, 0.7) if norms else None, scale)
    return replace(grid_engine(card, runtime, tile), meeting=made)


@pytest.mark.parametrize("way", WAYS)
def test_laws_3_and_4_hold_of_images_that_are_met(tmp_path: Path, way: str) -> None:
    """Maps and objects are the same for every tile size, and others than those of the image as it is."""
    scene = open_scene(write(tmp_path / "a.png", 150, 170))
    net, card = lively_grid()
    assert card.halo is not None
    rooms = (None, 32, 48, 80)
    first, *others = [count_scene(scene, meeting_engine(way, room and 2 * card.halo + room)) for room in rooms]
    assert len(first.detections) > 4
    for other in others:
        np.testing.assert_allclose(other.logits, first.logits, rtol=0, atol=1e-4 * np.ptp(first.logits))
        assert_same_objects(other.detections, first.detections)
    plain = count_scene(scene, grid_engine(card, TorchRuntime(net, torch.device("cpu"))))
    assert plain.logits.shape != first.logits.shape or np.abs(plain.logits - first.logits).max() > 0.1
    assert (first.detections.xy < (170, 150)).all()


@pytest.mark.parametrize("way", WAYS)
def test_law_7_an_image_is_met_by_itself_whatever_came_before(tmp_path: Path, way: str) -> None:
    """Three images of one size, which are one batch elsewhere: each as if it were alone, in any order."""
    names = [f"{i}.png" for i in range(3)]
    for i, name in enumerate(names):
        write(tmp_path / name, 90, 75, seed=i)
    alone: dict[str, SceneResult] = {}
    for order in (names, names[::-1], names[1:]):
        kept = Kept()
        done, failures = predict_images([(name, tmp_path / name) for name in order], meeting_engine(way), kept, kept)
        assert not failures and done == kept.pixels == len(order) * 90 * 75 and kept.begun == order
        for name in order:
            wanted = alone.setdefault(name, count_scene(open_scene(tmp_path / name), meeting_engine(way)))
            np.testing.assert_array_equal(kept.results[name].logits, wanted.logits)


def test_a_broken_image_fails_alone(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.jpg", 300, 300).read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
    write(tmp_path / "b.png", 90, 75)
    kept = Kept()
    predict_images([(name, tmp_path / name) for name in ("a.jpg", "b.png")], meeting_engine("all"), kept, kept)
    assert kept.events == [("failed", "a.jpg"), ("done", "b.png")]


def test_looks_and_pictures_are_of_the_image_as_it_is(tmp_path: Path) -> None:
    """A dark image is told to be dark, although the network is shown a brighter one."""
    scene = open_scene(write(tmp_path / "a.png", 90, 75))
    met, plain = (count_scene(scene, each) for each in (meeting_engine("light"), meeting_engine("batchnorm")))
    assert met.preview is not None and plain.preview is not None
    np.testing.assert_array_equal(met.preview, plain.preview)
    dark = replace(meeting_engine("light"), looks=TRAINING)
    Image.fromarray(coarse(90, 75) // 20).save(tmp_path / "b.png")
    assert "darker" in count_scene(open_scene(tmp_path / "b.png"), dark).unlike.words


def test_the_light_goes_its_share_of_the_way(tmp_path: Path) -> None:
    """Of a quarter of the brightness, about 32 where the training has 127: with a share of 0.7 within 29 and some."""
    dark = coarse(90, 75) // 4
    Image.fromarray(dark).save(tmp_path / "a.png")
    scene, engine = open_scene(tmp_path / "a.png"), meeting_engine("light")
    assert engine.meeting is not None
    met = engine.meeting.met(Source("a", scene), (1, 2, 3), engine.plan)
    assert met.light is not None and met.scene == scene
    shown = met.seen(np.moveaxis(dark, 2, 0), np.ones((90, 75), np.bool_))
    before, after = (np.abs(pixels - 127) for pixels in (dark.mean(axis=(0, 1)), shown.mean(axis=(1, 2))))
    np.testing.assert_allclose(after, 0.3 * before, atol=5)


def test_objects_of_a_rescaled_image_are_in_pixels_of_its_file(tmp_path: Path) -> None:
    """Discs of 4 pixels are found where a network looks at them twice as large, at the places of the file."""
    net, card = disc_net()
    places = hexagons(200, 260, 14.0, seed=1, clusters=1)
    Image.fromarray(discs(200, 260, places, 7.0)).save(tmp_path / "a.png")
    runtime = TorchRuntime(net, torch.device("cpu"))
    made = replace(engine(card, runtime), meeting=Meeting(1.0, scale=2.0))
    found = count_scene(open_scene(tmp_path / "a.png"), made).detections
    assert len(found) == len(places)
    nearest = np.hypot(*(found.xy[:, None] - places[None]).transpose(2, 0, 1)).min(axis=1)
    assert nearest.max() < 2


def test_an_image_is_read_at_the_scale_that_is_chosen(tmp_path: Path) -> None:
    scene = open_scene(write(tmp_path / "a.png", 90, 75))
    engine = meeting_engine("chosen")
    assert engine.meeting is not None
    source = Source("a", scene)
    answers = engine.meeting.answers(source, (1, 2, 3), engine.plan)
    assert set(answers) == set(FACTORS)
    factor = engine.meeting.chosen([answers])
    assert engine.met(source).scene.shape == (round(90 * factor), round(75 * factor))
    assert engine.meeting.chosen([]) == 1
    fixed = replace(engine.meeting, scale=1.5)
    assert fixed.answers(source, (1, 2, 3), engine.plan) == {} and fixed.chosen([answers]) == 1
