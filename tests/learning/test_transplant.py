"""Objects of patches laid onto empty patches."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from detect.imagery import open_scene
from detect.labels import Detections, read_patch_folder
from detect.learning import (
    FolderDataset,
    FolderRecipe,
    LabelledScene,
    PatchFiles,
    PixelSource,
    SampleDataset,
    Transplant,
    folder_card,
    folder_task,
)
from detect.learning.cutouts import CutOut
from detect.learning.sampling import Sample
from detect.learning.transplant import cut_middle
from detect.nets import ModelCard
from detect.nets.backbones import BackboneSpec

SIDE = 64
CARD = ModelCard("patch", BackboneSpec(), (), None, (), "uint8", (), (), 0, None)


def inside(side: int = SIDE, length: float = 0.45, width: float = 0.2) -> NDArray[np.bool_]:
    """An ellipse across the diagonal of a patch, off its middle by 2 %."""
    rows, cols = np.mgrid[:side, :side] / side - 0.48
    along, across = (rows + cols) / np.sqrt(2), (rows - cols) / np.sqrt(2)
    return np.hypot(along / (length / 2), across / (width / 2)) < 1


def patch(side: int = SIDE, bands: int = 3, dtype: str = "uint8", *, ground: float = 60) -> NDArray[np.generic]:
    """Noise about a grey, with a bright ellipse."""
    rng = np.random.default_rng(0)
    pixels = rng.normal(ground, 4, (bands, side, side))
    pixels[:, inside(side)] += 120
    scaled = pixels * (1 if dtype == "uint8" else 100)
    return scaled.astype(dtype)


def grounds(value: int) -> NDArray[np.uint8]:
    """An empty patch that is brighter to the right."""
    return np.broadcast_to(np.arange(SIDE, dtype=np.uint8) // 4 + value, (3, SIDE, SIDE)).copy()


@pytest.mark.parametrize(
    ("bands", "dtype", "side"),
    [(3, "uint8", 64), (1, "uint8", 64), (5, "float32", 64), (1, "uint16", 96), (3, "uint8", 240)],
)
def test_what_is_cut_out_is_the_object(bands: int, dtype: str, side: int) -> None:
    cut = cut_middle(patch(side, bands, dtype), 0.5 * side)
    assert cut is not None and cut.hw == (side, side) and cut.cover.dtype == np.float32
    assert cut.cover[inside(side)].mean() > 0.9
    assert cut.cover[~inside(side, 0.6, 0.35)].max() < 0.02


def test_what_cannot_be_told_from_its_ground_is_not_cut_out() -> None:
    """A stone of the size of the core, and an object as large as the patch."""
    ground = np.full((3, SIDE, SIDE), 60, np.uint8)
    rows, cols = np.mgrid[:SIDE, :SIDE]
    ground[:, np.hypot(rows - 31.5, cols - 31.5) < 3] = 200
    assert cut_middle(ground, 0.5 * SIDE) is None
    assert cut_middle(patch(), 2 * SIDE) is None


def test_an_object_is_laid_onto_other_ground() -> None:
    pixels, other = patch(), grounds(100)
    transplant = Transplant(1.0, 0.5 * SIDE)
    cut = cut_middle(pixels, 0.5 * SIDE)
    for seed in range(8):
        laid = transplant(pixels, lambda: cut, lambda _: other, seed)
        assert laid.dtype == np.uint8
        corners = laid[0, [0, 0, -1, -1], [0, -1, 0, -1]]
        assert sorted(corners.tolist()) == [100, 100, 115, 115]
        gain = laid[:, inside(length=0.3, width=0.1)].mean() / pixels[:, inside(length=0.3, width=0.1)].mean()
        assert 0.84 < gain < 1.16
        assert (laid == transplant(pixels, lambda: cut, lambda _: other, seed)).all()
    seen = {transplant(pixels, lambda: cut, lambda _: other, seed).tobytes() for seed in range(8)}
    assert len(seen) > 4


def test_what_stays_where_it_is() -> None:
    """The share of the patches; those whose object cannot be cut out, or shows on no other ground."""
    pixels, bright = patch(), np.full((3, SIDE, SIDE), 180, np.uint8)
    cut = cut_middle(pixels, 0.5 * SIDE)

    def never(_: object) -> NDArray[np.uint8]:
        raise AssertionError

    assert Transplant(1.0, 32)(pixels, lambda: None, never, 0) is pixels
    assert Transplant(1.0, 32)(pixels, lambda: cut, lambda _: bright, 0) is pixels
    half = [Transplant(0.5, 32)(pixels, lambda: cut, lambda _: grounds(0), seed) is pixels for seed in range(400)]
    assert 150 < sum(half) < 250  # 5 standard deviations of 10


def write(folder: Path) -> None:
    for name, number in (("animals", 6), ("ground", 4)):
        (folder / name).mkdir(parents=True)
        for i in range(number):
            pixels = patch(ground=30 + i) if name == "animals" else grounds(100 + i)
            Image.fromarray(np.moveaxis(pixels, 0, 2)).save(folder / name / f"{i}.png")


@pytest.mark.parametrize("known", [True, False])
def test_bare_patches_move_onto_those_of_the_background(tmp_path: Path, known: bool) -> None:
    """Where there is no background, the first class is none."""
    write(tmp_path)
    folder = read_patch_folder(tmp_path)
    negative = ("ground",) if known else ()
    card = folder_card(folder, negative, CARD)
    task = folder_task(folder, card, None, FolderRecipe(negative, 0.25, 0.5), 0, Transplant(1.0, 32))
    for patches in (task.train(0), task.val):
        assert isinstance(patches, FolderDataset)
        for i, path in enumerate(patches.paths):
            pixels, output = patches[i]
            own = np.moveaxis(np.asarray(Image.open(path)), 2, 0)
            moved = known and patches is not task.val and path.parent.name == "animals"
            assert (card.outputs[output] == "ground") == (path.parent.name == "ground") or not known
            assert (pixels.numpy() == own).all() == (not moved)
            if moved:
                assert pixels[:, 0, 0].min() >= 100 and pixels[:, SIDE // 2, SIDE // 2].min() > 120


def test_each_file_is_cut_out_once(tmp_path: Path) -> None:
    write(tmp_path)
    path = tmp_path / "animals" / "0.png"
    files = PatchFiles(folder_card(read_patch_folder(tmp_path), ("ground",), CARD))
    cut = files.cut(path, 32)
    assert isinstance(cut, CutOut) and files.cut(path, 32) is cut and (cut.pixels == files.read(path)).all()


def test_patches_of_scenes_move_onto_empty_ones(tmp_path: Path) -> None:
    image = np.full((3, 100, 200), 20, np.uint8)
    image[:, 18 : 18 + SIDE, :100] = patch(100)[:, 18:82]
    image[:, :, 100:] = 90
    Image.fromarray(np.moveaxis(image, 0, 2)).save(tmp_path / "a.png")
    scene = LabelledScene("a.png", open_scene(tmp_path / "a.png"), Detections.empty(("a",)), np.empty((0, 2)))
    samples = [Sample(0, 48, 48, 1), Sample(0, 150, 50, 0)]
    plain = SampleDataset([scene], samples, PixelSource((1, 2, 3)), SIDE)
    moved = SampleDataset([scene], samples, PixelSource((1, 2, 3)), SIDE, transplant=Transplant(1.0, 40))
    assert (moved[1][0] == plain[1][0]).all() and moved[0][1] == 1
    assert (moved[0][0][:, 0] == 90).all() and moved[0][0][:, 32, 32].min() > 140
    alone = SampleDataset([scene], samples[:1], PixelSource((1, 2, 3)), SIDE, transplant=Transplant(1.0, 40))
    assert (alone[0][0] == plain[0][0]).all()
