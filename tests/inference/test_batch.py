from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import uniform_filter
from torch import nn

from detect.imagery import Scene, SceneError, Window, open_scene
from detect.inference import Failure, SceneResult, TorchRuntime, count_scene, predict_images
from detect.nets import ModelCard, PatchClassifier, build_net, receptive_halo
from detect.nets.backbones import BackboneSpec

CARD = ModelCard(
    "patch", BackboneSpec("test_resnet", 16), ("a", "b"), "ground", (1, 2, 3), "uint8", (127.0,) * 3, (64.0,) * 3,
    32, None, threshold=0.4, radius=16.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def net() -> PatchClassifier:
    """A random net that finds things: its outputs are scaled to a mean of 0 and a spread of 2 on noise."""
    torch.manual_seed(2)
    net = build_net(CARD)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.bias, std=0.5)
    net.eval()
    with torch.no_grad():
        logits = net(torch.randint(0, 256, (1, 3, 320, 320)))
        spread, mean = torch.std_mean(logits, dim=(0, 2, 3))
        net.head.weight.mul_((2 / spread).view(-1, 1, 1, 1))
        net.head.bias.copy_((net.head.bias - mean) * 2 / spread)
    return net


@pytest.fixture(scope="module")
def card(net: PatchClassifier) -> ModelCard:
    return replace(CARD, halo=receptive_halo(net, 16, 3))


@pytest.fixture(scope="module")
def runtime(net: PatchClassifier) -> TorchRuntime:
    return TorchRuntime(net, torch.device("cpu"))


def write(path: Path, height: int = 300, width: int = 420, seed: int = 0) -> Path:
    """Coarse noise, so that there is something to tell apart."""
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 10, width // 10, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((width, height)).save(path)
    return path


def test_law_4_detections_are_the_same_for_every_tile_size(
    tmp_path: Path, card: ModelCard, runtime: TorchRuntime
) -> None:
    scene = open_scene(write(tmp_path / "a.png", 259, 341))
    assert card.halo is not None
    first, *others = [
        count_scene(scene, card, runtime, tile=2 * card.halo + room) for room in (1000, 32, 50, 100, 170, 333)
    ]
    assert len(first.detections) > 20 and min(first.detections.counts().values()) > 0
    for other in others:
        assert other.detections.counts() == first.detections.counts()
        assert other.detections.names == first.detections.names
        np.testing.assert_allclose(other.detections.xy, first.detections.xy, rtol=0, atol=0.01)
        np.testing.assert_allclose(other.detections.score, first.detections.score, rtol=0, atol=1e-4)
        np.testing.assert_allclose(other.heatmap, first.heatmap, rtol=0, atol=1e-4)


def far_sighted(tile: np.ndarray) -> np.ndarray:
    """Logits from the mean colour of 7 x 7 cells, with zeros beyond the tile: a field of 3 cells on every side."""
    bands, height, width = tile.shape
    cells = tile.reshape(bands, height // 16, 16, width // 16, 16).mean(axis=(2, 4)) - 127
    return uniform_filter(cells, (0, 7, 7), mode="constant").astype(np.float32)


@pytest.mark.parametrize("halo", [48, 64])
def test_law_4_needs_the_whole_halo(tmp_path: Path, halo: int) -> None:
    """With one cell less than the field of 3 cells, 48 pixels, every core would end in a seam."""
    scene = open_scene(write(tmp_path / "a.png", 259, 341))
    first, *others = [
        count_scene(scene, replace(CARD, halo=halo), far_sighted, tile=2 * halo + room)
        for room in (1000, 16, 32, 80, 170)
    ]
    assert len(first.detections) > 5
    for other in others:
        np.testing.assert_allclose(other.heatmap, first.heatmap, rtol=0, atol=1e-4)
        np.testing.assert_allclose(other.detections.xy, first.detections.xy, rtol=0, atol=0.01)


def test_a_result_is_in_the_scene_with_a_heatmap_of_every_class(
    tmp_path: Path, card: ModelCard, runtime: TorchRuntime
) -> None:
    """309 x 421 pixels are 20 x 27 cells; the patch is 2 cells wide, so that cell 0 describes that around pixel 0."""
    result = count_scene(open_scene(write(tmp_path / "a.png", 309, 421)), card, runtime, tile=512)
    assert result.heatmap.shape == (2, 20, 27)
    assert (result.heatmap >= 0).all() and (result.heatmap.sum(axis=0) <= 1 + 1e-6).all()
    assert (result.geometry.stride, result.geometry.offset, result.geometry.shape) == (16, 0.0, (309, 421))
    assert Window(0, 0, 309, 421).contains_xy(result.detections.xy).all()
    assert (result.detections.score >= card.threshold).all()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"background": None}, ValueError, "has no background class: it cannot find objects"),
        ({"halo": None}, ValueError, "receptive field is unbounded"),
        ({"dtype": "uint16"}, SceneError, r"a\.png: pixels are uint8, the model was trained on uint16; convert"),
        ({"bands": (1, 2, 4)}, SceneError, r"a\.png: band 4 is asked for, the image has 3"),
    ],
)
def test_models_and_images_that_do_not_go_together(
    tmp_path: Path, card: ModelCard, runtime: TorchRuntime, change: dict, error: type[Exception], message: str
) -> None:
    scene = open_scene(write(tmp_path / "a.png", 50, 50))
    with pytest.raises(error, match=message):
        count_scene(scene, replace(card, **change), runtime, tile=512)


@dataclass
class Kept:
    """Keeps what a run tells, in order."""

    told: list[tuple[str, str]] = field(default_factory=list)
    pixels: dict[str, int] = field(default_factory=dict)

    def write(self, name: str, scene: Scene, result: SceneResult) -> None:
        self.told.append(("done", name))
        assert result.geometry.shape == scene.shape

    def fail(self, failure: Failure) -> None:
        self.told.append(("failed", failure.name))

    def start(self, name: str, pixels: int) -> None:
        self.pixels[name] = -pixels

    def advance(self, pixels: int) -> None:
        self.pixels[list(self.pixels)[-1]] += pixels


def test_a_run_goes_on_past_broken_images_and_says_which_they_were(
    tmp_path: Path, card: ModelCard, runtime: TorchRuntime
) -> None:
    """Good, cut short, of one band, gone, empty, good: 2 done of 60 x 80 pixels each."""
    write(tmp_path / "1.png", 60, 80)
    whole = write(tmp_path / "2.jpg", 300, 300).read_bytes()
    (tmp_path / "2.jpg").write_bytes(whole[: len(whole) // 2])
    Image.new("L", (50, 50)).save(tmp_path / "3.png")
    (tmp_path / "5.tif").touch()
    write(tmp_path / "6.png", 80, 60)
    names = ["1.png", "2.jpg", "3.png", "4.png", "5.tif", "6.png"]
    kept = Kept()
    done, failures = predict_images([(n, tmp_path / n) for n in names], card, runtime, kept, kept, tile=512)
    assert done == 2 * 60 * 80
    assert kept.told == [("failed" if n[0] in "2345" else "done", n) for n in names]
    assert [failure.name for failure in failures] == names[1:5]
    reasons = ("damaged or unreadable", "band 3 is asked for", "no such image file", "not a readable image")
    for failure, reason in zip(failures, reasons, strict=True):
        assert reason in failure.error and failure.name in failure.error
    assert kept.pixels["1.png"] == kept.pixels["6.png"] == 0


def test_wrong_use_stops_a_run_at_once(tmp_path: Path, card: ModelCard, runtime: TorchRuntime) -> None:
    """No tile of 16 pixels has room for a halo: that is no fault of any image."""
    write(tmp_path / "1.png", 60, 80)
    kept = Kept()
    with pytest.raises(ValueError, match="tile must be"):
        predict_images([("1.png", tmp_path / "1.png")], card, runtime, kept, kept, tile=16)
    assert kept.told == []
