from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch.utils.data import DataLoader

from detect.imagery.scenes import SceneError
from detect.imagery.wafers.defect_writing import write_defects
from detect.imagery.wafers.drawn.drawing import Drawing
from detect.imagery.wafers.wafer import Wafer
from detect.samples.bare.folder_dataset import FolderDataset
from detect.samples.bare.patch_files import PatchFiles
from tests.cards import LITE, patch_card

GREY = patch_card(classes=("a", "b", "c"), background=None, bands=(1,), patch_size=8)


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


def test_no_more_pixels_are_kept_than_the_cache_holds(tmp_path: Path) -> None:
    """Patches of 64 bytes: of 200, three are kept, and the fourth is read from its file each time."""
    paths = [write(tmp_path / f"{i}.png", 8, 8, i) for i in range(4)]
    files = PatchFiles(GREY, cache=200)
    assert [int(files.read(path)[0, 0, 0]) for path in paths] == [0, 1, 2, 3]
    assert files.resident == 192
    for path in paths:
        write(path, 8, 8, 9)
    assert [int(files.read(path)[0, 0, 0]) for path in paths] == [0, 1, 2, 9]


def test_a_list_of_defects_is_drawn_as_the_spec_says_in_any_process(tmp_path: Path) -> None:
    """What is in force around the reading does not reach a process that is started anew; the spec does."""
    path = tmp_path / "a.wafer.csv"
    write_defects(path, [Wafer("L", "W", 200.0, np.zeros((1, 2)), np.zeros(1), np.zeros(1, np.int64))])
    drawing = Drawing(8, 0.0, 2, False, 100, "as_given")
    pixels = PatchFiles(replace(GREY, drawing=drawing)).read(path)
    assert pixels.sum() == 400 and (pixels[0, 4:6, 4:6] == 100).all()
