from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader

from detect.imagery.scenes import SceneError, open_scene
from detect.labels.detections import Detections
from detect.samples.bare_patches import FolderDataset, PatchFiles
from detect.samples.labelled_scenes import LabelledScene
from detect.samples.patches import Sample, SampleDataset
from detect.samples.pixel_cache import PixelSource
from tests.cards import LITE, patch_card

GREY = patch_card(classes=("a", "b", "c"), background=None, bands=(1,), patch_size=8)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> LabelledScene:
    """An image whose bands hold the column and the row of every pixel, and its scene."""
    path = tmp_path_factory.mktemp("places") / "a.tif"
    rows, cols = np.mgrid[:120, :150].astype(np.uint8)
    Image.fromarray(np.stack([cols, rows, rows], axis=-1)).save(path)
    return LabelledScene("a.tif", open_scene(path), Detections.empty(("a",)), np.empty((0, 2)))


@given(x=st.floats(20, 130), y=st.floats(20, 100), side=st.integers(4, 40))
def test_the_sample_is_in_the_middle_of_its_crop(places: LabelledScene, x: float, y: float, side: int) -> None:
    """The crop of whole pixels whose middle is nearest to the sample: half a pixel away at most."""
    patches = SampleDataset([places], [Sample(0, x, y, 1)], PixelSource((1, 2), 1 << 30), side)
    pixels, output = patches[0]
    assert (len(patches), tuple(pixels.shape), output) == (1, (2, side, side), 1)
    left, top = int(pixels[0].numpy()[0, 0]), int(pixels[1].numpy()[0, 0])
    if left and top:
        assert abs(left + side / 2 - x) <= 0.5 and abs(top + side / 2 - y) <= 0.5


def test_a_planted_pixel_is_in_the_middle(tmp_path: Path) -> None:
    """The pixel in column 17 and row 9 has its middle at (17.5, 9.5); in a crop of 5 it is the third of both."""
    pixels = np.zeros((40, 50), np.uint8)
    pixels[9, 17] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    scene = LabelledScene("a", open_scene(tmp_path / "a.png"), Detections.empty(("a",)), np.empty((0, 2)))
    crop = SampleDataset([scene], [Sample(0, 17.5, 9.5, 0)], PixelSource((1,), 1 << 30), 5)[0][0][0]
    assert np.argwhere(crop.numpy() == 255).tolist() == [[2, 2]]


def test_each_sample_is_cut_from_its_own_scene_and_mirrored_at_the_edge(places: LabelledScene, tmp_path: Path) -> None:
    Image.new("RGB", (30, 30), (7, 7, 7)).save(tmp_path / "b.png")
    other = LabelledScene("b", open_scene(tmp_path / "b.png"), Detections.empty(("a",)), np.empty((0, 2)))
    samples = [Sample(1, 15, 15, 2), Sample(0, 1, 60, 0)]
    patches = SampleDataset([places, other], samples, PixelSource((1,), 1 << 30), 8)
    assert (patches[0][0].numpy() == 7).all() and patches[0][1] == 2
    assert patches[1][0][0, 0].tolist() == [3, 2, 1, 0, 1, 2, 3, 4]


def write(path: Path, height: int, width: int, value: int, dtype: str = "uint8") -> Path:
    Image.fromarray(np.full((height, width), value, dtype)).save(path)
    return path


def test_patches_of_a_folder(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{i}.png", 8, 8, i) for i in range(3)]
    patches = FolderDataset(paths, np.array([2, 0, 1]), PatchFiles(GREY))
    assert [(int(pixels.float().mean()), output) for pixels, output in (patches[i] for i in range(3))] == [
        (0, 2),
        (1, 0),
        (2, 1),
    ]
    assert patches[0][0].shape == (1, 8, 8)


def test_patches_of_another_size_or_kind_are_named_and_grey_ones_are_repeated(tmp_path: Path) -> None:
    paths = [write(tmp_path / "small.png", 8, 7, 0), write(tmp_path / "grey.png", 8, 8, 9)]
    with pytest.raises(ValueError, match=r"small\.png.*uint8.*\(8, 7\).*uint8.*\(8, 8\)"):
        FolderDataset(paths, np.zeros(2, int), PatchFiles(GREY))[0]
    with pytest.raises(SceneError, match=r"grey\.png: band 4\b"):
        FolderDataset(paths, np.zeros(2, int), PatchFiles(replace(GREY, backbone=LITE, bands=(1, 2, 4))))[1]
    pixels, _ = FolderDataset(paths, np.zeros(2, int), PatchFiles(replace(GREY, backbone=LITE, bands=(1, 2, 3))))[1]
    assert pixels.shape == (3, 8, 8) and (pixels == pixels[:1]).all()


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_keep_sixteen_bits(tmp_path: Path, workers: int) -> None:
    paths = [write(tmp_path / f"{i}.tif", 8, 8, 1000 * i, "uint16") for i in range(1, 5)]
    patches = FolderDataset(paths, np.arange(4), PatchFiles(replace(GREY, dtype="uint16")))
    [(pixels, outputs)] = list(DataLoader(patches, batch_size=4, num_workers=workers))
    assert pixels.float().mean(dim=(1, 2, 3)).tolist() == [1000, 2000, 3000, 4000]
    assert outputs.tolist() == [0, 1, 2, 3]
