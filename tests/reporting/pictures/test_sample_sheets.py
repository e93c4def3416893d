import numpy as np
import pytest

from detect.labels.detections import Detections
from detect.reporting.pictures.sample_sheets import GAP, LabelledCrop, crop_samples, patch_samples


def crop(
    pixels: np.ndarray, xy: list[tuple[float, float]], *, boxes: bool = True, ignored: list[tuple[float, ...]] = ()
) -> LabelledCrop:
    """A crop with boxes of 10 x 10, or points, of class a."""
    wh = np.full((len(xy), 2), 10.0) if boxes else None
    found = Detections(np.array(xy, float).reshape(-1, 2), np.ones(len(xy)), np.zeros(len(xy), int), ("a", "b"), wh)
    return LabelledCrop(pixels, found, np.array(ignored, float).reshape(-1, 4), np.ones(pixels.shape[1:], bool))


def grey(value: int, bands: int = 3) -> np.ndarray:
    return np.full((bands, 32, 32), value, np.uint8)


def test_boxes_are_drawn_where_they_are_on_the_enlarged_crop() -> None:
    """A box from 11 to 21 at four times the size: lines at about 44 and 84, after the gap of 8; no line inside."""
    sheet = np.asarray(crop_samples([crop(grey(100), [(16, 16)])], 8, columns=1, cell=128)).astype(int)
    plain = np.asarray(crop_samples([crop(grey(100), [])], 8, columns=1, cell=128)).astype(int)
    rows, cols = np.nonzero((sheet[: GAP + 128] != plain[: GAP + 128]).any(axis=2))
    below = rows >= GAP + 44 - 3  # the name is above
    assert abs(cols[below].min() - (GAP + 44)) <= 3 and abs(cols[below].max() - (GAP + 83)) <= 3
    assert abs(rows.max() - (GAP + 83)) <= 3 and rows.min() < GAP + 44 - 3
    assert (sheet[GAP + 64, GAP + 64] == 100).all()


def test_a_point_is_a_ring_and_an_object_outside_the_crop_has_a_grey_box() -> None:
    ring = np.asarray(crop_samples([crop(grey(100), [(16, 16)], boxes=False)], 4, columns=1, cell=128))
    assert (ring[GAP + 64, GAP + 64] == 100).all() and (ring[GAP + 64, GAP + 64 - 16] != 100).any()
    outside = np.asarray(crop_samples([crop(grey(100), [(34, 16)])], 4, columns=1, cell=128))[GAP : GAP + 128]
    changed = outside[:, GAP : GAP + 128][(outside[:, GAP : GAP + 128] != 100).any(axis=2)]
    assert len(changed) and (changed == 150).all()


def test_pixels_without_a_loss_are_hatched() -> None:
    """An ignored box from 0 to 8, and rows from 24 on that are outside the image: dark with stripes."""
    one = crop(grey(200), [], ignored=[(0, 0, 8, 8)])
    one.valid[24:] = False
    sheet = np.asarray(crop_samples([one], 4, columns=1, cell=128))[GAP : GAP + 128, GAP : GAP + 128]
    assert set(np.unique(sheet[:32, :32])) == set(np.unique(sheet[96:])) == {100, 170}
    assert (sheet[34:94] == 200).all() and (sheet[:32, 34:] == 200).all()


@pytest.mark.parametrize(("bands", "dtype"), [(1, "uint8"), (5, "uint16"), (1, "float32")])
def test_other_images_are_stretched_over_all_crops(bands: int, dtype: str) -> None:
    """Crops of 1000 and 3000 throughout are black and white; bytes stay as they are."""
    low, high = (np.full((bands, 32, 32), value, dtype) for value in ((10, 30) if dtype == "uint8" else (1000, 3000)))
    sheet = np.asarray(crop_samples([crop(low, []), crop(high, [])], 4, columns=2, cell=64))
    shown = [int(sheet[GAP + 32, GAP + x, 0]) for x in (32, 64 + GAP + 32)]
    assert shown == ([10, 30] if dtype == "uint8" else [0, 255])


def test_patches_have_their_names_below_and_a_frame_around_what_is_classified() -> None:
    """16 of 32 pixels at a side of 128: a frame from 32 to 95; two lines of names take more room than one."""
    one = np.asarray(patch_samples([grey(60)] * 3, ["a", "b", "c"], 16, columns=2, cell=128))
    assert (one[GAP + 32, GAP + 40] == 255).all() and (one[GAP + 64, GAP + 64] == 60).all()
    two = patch_samples([grey(60)] * 3, ["a", "50% b\n50% c", "c"], 32, columns=2, cell=128)
    assert two.height > one.shape[0] and two.width == one.shape[1] == GAP + 2 * (128 + GAP)
    caption = one[GAP + 129 : GAP + 145, GAP : GAP + 128]
    assert (caption < 128).any()
