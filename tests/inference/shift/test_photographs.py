"""Photographs that are made darker, blurred, rescaled or of something else are said to be unlike, and in what."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, zoom

from detect.imagery.description.scene_opening import open_scene
from detect.inference.shift.gathering import KnownScene, gather
from detect.inference.shift.judging import WARNING, ShiftJudge, Unlike
from detect.inference.shift.measuring import WindowMeter
from detect.nets.facts.looks import Looks
from detect.nets.modelfile import build_pretrained
from detect.samples.pixel_cache import PixelSource
from tests.cards import patch_card

HEIGHT, WIDTH = 320, 448
Pixels = NDArray[np.float64]
BANDS = (1, 2, 3)


def photograph(seed: int, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> Pixels:
    """Ground of five sizes of grain, a little warmer or lighter from one to the next, with bright discs: (h, w, 3)."""
    rng = np.random.default_rng(seed)
    grain = [gaussian_filter(rng.normal(size=shape), 2.0**octave) * 2.0**octave for octave in range(5)]
    grey = 110 + rng.normal(0, 6) + 22 * sum(grain)
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    for x, y in rng.uniform(10, min(shape) - 10, (14, 2)):
        grey[(rows - y) ** 2 + (cols - x) ** 2 < 49] = 215
    return np.stack([grey * warm for warm in (1.08 + rng.normal(0, 0.02), 1.0, 0.86)], axis=2)


def stripes(seed: int) -> Pixels:
    """What was not learned: bright and dark bars of 12 pixels, as of a roof, of the same mean."""
    rows, _ = np.mgrid[:HEIGHT, :WIDTH]
    grey = np.where((rows + seed) // 12 % 2, 190.0, 40.0) + np.random.default_rng(seed).normal(0, 4, (HEIGHT, WIDTH))
    return np.stack([grey * warm for warm in (1.08, 1.0, 0.86)], axis=2)


CHANGED: dict[str, tuple[Callable[[int], Pixels], str]] = {
    "darker": (lambda seed: photograph(seed) * 0.5, "light"),
    "brighter": (lambda seed: photograph(seed) * 1.6, "light"),
    "blurred": (lambda seed: gaussian_filter(photograph(seed), (2, 2, 0)), "blur"),
    "twice as large": (lambda seed: zoom(photograph(seed, (HEIGHT // 2, WIDTH // 2)), (2, 2, 1), order=1), "scale"),
    "half as large": (
        lambda seed: photograph(seed, (2 * HEIGHT, 2 * WIDTH)).reshape(HEIGHT, 2, WIDTH, 2, 3).mean(axis=(1, 3)),
        "scale",
    ),
    "of something else": (stripes, "content"),
}
"""What is done to a photograph of the training's kind, and in what it is unlike then."""


class Judged:
    """Judges photographs by a network with ImageNet's weights that is said to have learned from others of them."""

    def __init__(self, folder: Path, images: int) -> None:
        self.folder = folder
        net = build_pretrained(patch_card(), "bundled", dropout=0.0, drop_path=0.0).eval()
        self.source = PixelSource(BANDS, 1 << 30)
        looks = Looks.of(np.moveaxis(photograph(0), -1, 0).reshape(3, -1).clip(0, 255).astype(np.uint8))
        self.meter = WindowMeter(net, looks, 16)
        known = [KnownScene(open_scene(self.write(photograph(seed))), f"{seed}", None) for seed in range(images)]
        gathered = gather(known, lambda scene: self.source.open(scene, BANDS), self.meter)
        assert gathered is not None
        self.judge = ShiftJudge(gathered)

    def write(self, pixels: Pixels) -> Path:
        path = self.folder / f"{len(list(self.folder.iterdir()))}.png"
        Image.fromarray(pixels.clip(0, 255).round().astype(np.uint8)).save(path)
        return path

    def __call__(self, pixels: Pixels) -> Unlike:
        with self.source.open(open_scene(self.write(pixels)), BANDS) as reader:
            found = self.meter(reader)
        assert found is not None
        return self.judge.unlike(found)


@pytest.fixture(scope="module", params=[12, 4])
def judged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judged]:
    """A judge by twelve photographs, each a piece, and one by four, of which each quarter is."""
    yield Judged(tmp_path_factory.mktemp("photographs"), request.param)


@pytest.mark.parametrize("name", CHANGED)
def test_a_photograph_that_is_changed_is_unlike_in_that(judged: Judged, name: str) -> None:
    """Each of 12 is told, and 7 are named right, which one of four names by chance would be in 1.4 % (binomial).

    What is enlarged is blurred too, and few windows of a small photograph do not always tell these apart.
    """
    change, kind = CHANGED[name]
    found = [judged(change(seed)) for seed in range(100, 112)]
    assert all(each.share is not None and each.share >= WARNING for each in found)
    assert sum(kind in each.kinds for each in found) >= 7, found


def test_one_in_twenty_of_the_training_s_kind_is_said_to_be_unlike(judged: Judged) -> None:
    """Of 30, 1.5 are expected, and more than 5 in fewer than one of 300 draws (binomial)."""
    assert sum(bool(judged(photograph(seed)).kinds) for seed in range(200, 230)) <= 5


def test_a_single_image_and_its_parts_do_not_tell_how_others_differ(judged: Judged) -> None:
    scene = open_scene(judged.write(photograph(0)))
    parts = [KnownScene(scene, "a.png", None)] * 2
    assert gather(parts, lambda each: judged.source.open(each, BANDS), judged.meter) is None
