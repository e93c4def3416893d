import numpy as np
import pytest
from PIL import Image

from detect.imagery.description.scene_opening import open_scene
from detect.labels.detections import Detections
from detect.reporting.pictures.closeups import choose, crops_sheet, read_crops
from detect.reporting.pictures.colours import PALETTE
from tests.reporting.conftest import CLASSES, detections

FOUND = detections([(10, 5, 0, 0.2), (30, 5, 0, 0.9), (50, 5, 1, 0.55), (70, 5, 1, 0.48)])


def test_choose_the_highest_scores():
    assert choose(FOUND, 2).score.tolist() == [0.9, 0.55]
    assert len(choose(FOUND, 10)) == 4


def test_choose_the_scores_nearest_to_a_threshold():
    # distances to 0.5 are 0.3, 0.4, 0.05, 0.02
    assert choose(FOUND, 3, threshold=0.5).score.tolist() == [0.48, 0.55, 0.2]


@pytest.fixture
def scene(tmp_path):
    """A picture whose red is its column and whose green is its row."""
    pixels = np.zeros((40, 100, 3), np.uint8)
    pixels[..., 0] = np.arange(100)[None, :]
    pixels[..., 1] = np.arange(40)[:, None]
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return open_scene(tmp_path / "a.png")


def test_a_crop_is_the_square_around_its_point(scene):
    crops = read_crops(scene, detections([(50, 20, 0, 1), (60.7, 10.2, 0, 1)]), 8)
    assert crops.shape == (2, 8, 8, 3)
    # the square of side 8 around (50, 20) covers columns 46 to 53 and rows 16 to 23
    assert crops[0, 0, 0].tolist() == [46, 16, 0] and crops[0, -1, -1].tolist() == [53, 23, 0]
    assert crops[1, 4, 4].tolist() == [60, 10, 0]


def test_a_crop_over_the_edge_is_mirrored(scene):
    crop = read_crops(scene, detections([(0, 20, 0, 1)]), 8)[0]
    # columns -4 .. 3 mirror to 4, 3, 2, 1, 0, 1, 2, 3
    assert crop[0, :, 0].tolist() == [4, 3, 2, 1, 0, 1, 2, 3]


def test_no_detections_give_no_crops(scene):
    assert read_crops(scene, Detections.empty(CLASSES), 8).shape == (0, 8, 8, 3)


def test_the_sheet_has_a_cell_for_each_crop_in_its_colour():
    crops = np.full((4, 8, 8, 3), 66, np.uint8)
    sheet = crops_sheet(crops, FOUND, columns=3, cell=48)
    one = crops_sheet(crops[:1], FOUND[:1], columns=3, cell=48)
    assert sheet.width > 2 * one.width and sheet.height > 1.8 * one.height
    # the gap is 6 and the cell 48, so the first crop's middle is at 6 + 24 = 30
    assert sheet.getpixel((30, 30)) == (66, 66, 66)
    assert sheet.getpixel((6, 30)) == PALETTE[0]


def test_the_sheet_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="1 for 4"):
        crops_sheet(np.zeros((1, 8, 8, 3), np.uint8), FOUND)
    with pytest.raises(ValueError, match=r"columns.* 0 and 160"):
        crops_sheet(np.zeros((4, 8, 8, 3), np.uint8), FOUND, columns=0)
    with pytest.raises(ValueError, match=r"4 crops.* 1$"):
        crops_sheet(np.zeros((4, 8, 8, 3), np.uint8), FOUND, captions=["one"])
