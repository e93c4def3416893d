import numpy as np
import pytest
from PIL import Image

from detect.labels.detections import Detections
from detect.reporting.pictures import overlays
from detect.reporting.pictures.colours import DARK, PALETTE, Colour, class_colours, probability_colours
from detect.reporting.pictures.overlays import heat_picture, line_width, overlay
from tests.reporting.conftest import CLASSES, detections

GREY = np.full((60, 100, 3), 120, np.uint8)


def changed(picture, before=GREY):
    """Rows and columns of the pixels that differ."""
    return np.nonzero((np.asarray(picture) != before).any(axis=2))


def test_a_circle_is_centred_on_its_point_columns_first():
    picture = overlay(GREY, detections([(70.5, 20.5, 0, 1)]), scale=1, radius=8)
    rows, cols = changed(picture)
    # x = 70.5 and y = 20.5 is the middle of pixel (row 20, column 70): the ring is as wide on either side of it
    assert cols.min() + cols.max() == 2 * 70 and rows.min() + rows.max() == 2 * 20
    pixels = np.asarray(picture)
    assert (pixels[20, 70] == 120).all()
    assert tuple(pixels[20, 78]) == PALETTE[0] == tuple(pixels[28, 70])


def test_scale_takes_image_pixels_to_picture_pixels():
    rows, cols = changed(overlay(GREY, detections([(700, 200, 1, 1)]), scale=0.1, radius=80))
    # 700 and 200 become the pixel edges 70 and 20: first + last = 2 * 70 - 1 and 2 * 20 - 1
    assert cols.min() + cols.max() == 139 and rows.min() + rows.max() == 39
    # the radius is 80 * 0.1 = 8, and the outline adds 1.7 * 1.5 / 2 = 1.3 and a half-covered pixel
    assert 8 < (cols.max() - cols.min() + 1) / 2 <= 10


def test_a_circle_is_never_too_small_to_see():
    rows, _ = changed(overlay(GREY, detections([(50000, 30000, 0, 1)]), scale=0.001, radius=1))
    assert len(rows) > 20


def test_a_box_is_drawn_at_its_edges():
    box = Detections(np.array([[50.0, 30.0]]), np.ones(1), np.ones(1, int), CLASSES, np.array([[40.0, 20.0]]))
    pixels = np.asarray(overlay(GREY, box, scale=1, radius=5))
    # the box covers columns 30 to 69 and rows 20 to 39
    for row, col in [(20, 50), (39, 50), (30, 30), (30, 69)]:
        assert tuple(pixels[row, col]) == PALETTE[1]
    assert (pixels[30, 50] == 120).all() and (pixels[30, 10] == 120).all()


@pytest.mark.parametrize("ground", [0, 255])
def test_marks_are_visible_on_black_and_on_white(ground):
    before = np.full((40, 40, 3), ground, np.uint8)
    for label in range(len(PALETTE)):
        names = [str(i) for i in range(len(PALETTE))]
        pixels = np.asarray(overlay(before, detections([(20, 20, label, 1)], names), scale=1, radius=9)).astype(int)
        assert np.abs(pixels - ground).max() > 100


def test_marks_outside_and_at_the_edge_do_no_harm_and_the_input_is_kept():
    before = GREY.copy()
    picture = overlay(before, detections([(-50, -50, 0, 1), (0, 0, 0, 1), (500, 30, 1, 1), (99.9, 59.9, 1, 1)]), 1, 6)
    assert picture.size == (100, 60) and (before == GREY).all()
    rows, cols = changed(picture)
    assert rows.min() == 0 and cols.max() == 99


def test_nothing_found_changes_nothing():
    assert len(changed(overlay(GREY, Detections.empty(CLASSES), 1, 5))[0]) == 0
    assert len(changed(overlay(GREY, Detections.empty(CLASSES, boxes=True), 1, 5))[0]) == 0


def test_wrong_use_is_refused():
    with pytest.raises(ValueError, match=r"\(3, 4\)"):
        overlay(np.zeros((3, 4), np.uint8), Detections.empty(CLASSES), 1, 5)
    with pytest.raises(ValueError, match=r"scale.* 0 and 5"):
        overlay(GREY, Detections.empty(CLASSES), 0, 5)
    with pytest.raises(ValueError, match=r"span.*\(0, 0, 0, 2\)"):
        heat_picture(np.zeros((1, 2, 2)), span_xyxy=(0, 0, 0, 2))


def test_classes_add_up_in_the_heatmap_and_stop_at_one():
    heatmap = np.zeros((2, 1, 3), np.float32)
    heatmap[:, 0, 1] = 0.25
    heatmap[:, 0, 2] = 0.9
    expected = probability_colours(np.array([[0, 0.5, 1]]))
    assert (np.asarray(heat_picture(heatmap)) == expected).all()


def test_where_nothing_is_likely_the_image_shows_in_grey():
    under = np.zeros((10, 10, 3), np.uint8)
    under[..., 1] = 200
    picture = np.asarray(heat_picture(np.full((1, 5, 5), np.nan), under))
    # ITU-R 601: 0.587 * 200 = 117
    assert (picture == 117).all()


def test_cells_that_hang_over_the_edge_are_left_out():
    heatmap = np.zeros((1, 2, 4))
    heatmap[..., 3] = 1
    # 80 pixels at stride 27 span 80 / 27 = 2.96 of the 4 columns: the hot column is outside, but for its blurred edge
    under = np.zeros((40, 80, 3), np.uint8)
    inside = np.asarray(heat_picture(heatmap, under, span_xyxy=(0, 0, 80 / 27, 40 / 27)))
    assert inside[:, :60].max() == 0
    assert np.asarray(heat_picture(heatmap, under))[:, 70:].max() > 100


def test_a_span_outside_the_cells_shifts_the_picture():
    heatmap = np.zeros((1, 1, 4))
    heatmap[..., 0] = 1
    under = np.zeros((8, 40, 3), np.uint8)
    # of 4 cells from -2 to 2, at 10 pixels each, cell 0 fills pixels 20 to 29; those before it repeat cell 0
    shown = np.asarray(heat_picture(heatmap, under, span_xyxy=(-2, 0, 2, 1))).max(axis=(0, 2))
    assert shown[0] == shown[20] > 200 and shown[39] == 0


def ring_by_ring(
    pixels: np.ndarray, found: Detections, radius: float, width: float, colours: list[Colour]
) -> np.ndarray:
    """Circles blended one after the other, each pixel by the share of it that the line covers, and rounded."""
    canvas = pixels.astype(float)
    rows, cols = np.mgrid[: pixels.shape[0], : pixels.shape[1]] + 0.5
    for line, shown in ((1.7 * width, [DARK] * len(found)), (width, colours)):
        for (x, y), colour in zip(found.xy, shown, strict=True):
            cover = np.clip((line + 1) / 2 - np.abs(np.hypot(rows - y, cols - x) - radius), 0, 1)[..., None]
            canvas = np.round(canvas * (1 - cover) + np.array(colour) * cover)
    return canvas


def crossing(seed: int) -> tuple[np.ndarray, Detections]:
    """Noise, and circles that cross each other, are cut by the edges and lie outside; centres at eighths of a pixel."""
    rng = np.random.default_rng(seed)
    xy = np.round(rng.uniform(-30, 130, (60, 2)) * 8) / 8
    pixels = rng.integers(0, 256, (70, 100, 3), dtype=np.uint8)
    return pixels, Detections(xy, np.ones(60), rng.integers(0, 2, 60), ("a", "b"))


@pytest.mark.parametrize("radius", [4.0, 11.5, 90.0])
def test_a_circle_covers_of_each_pixel_what_its_line_does(radius: float) -> None:
    """Drawn as masks of 255 levels: by a level a circle, and several levels where several cross."""
    pixels, found = crossing(0)
    palette = list(class_colours(found.classes).values())
    drawn = np.asarray(overlay(pixels, found, 1.0, radius), int)
    wanted = ring_by_ring(pixels, found, radius, line_width(100), [palette[i] for i in found.label])
    assert np.abs(drawn - wanted).max() <= 3 and (np.abs(drawn - wanted) > 1).mean() < 1e-2


@pytest.mark.parametrize("radius", [4.0, 11.5, 90.0])
def test_large_circles_are_drawn_as_small_ones_are(radius: float, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, found = crossing(1)
    drawn = []
    for side in (8, 1024):
        monkeypatch.setattr(overlays, "MAX_MASK_SIDE", side)
        drawn.append(np.asarray(overlay(pixels, found, 1.0, radius)))
    np.testing.assert_array_equal(*drawn)


def test_a_circle_moves_by_eighths_of_a_pixel() -> None:
    """A centre between two of them is taken to the nearer one, by a 16th of a pixel at most."""
    shown = [np.asarray(overlay(GREY, detections([(x, 20.5, 0, 1)]), 1, 8)) for x in (50.26, 50.25, 50.375)]
    np.testing.assert_array_equal(shown[0], shown[1])
    assert (shown[1] != shown[2]).any()


@pytest.mark.parametrize("wh", [None, np.array([[20.0, 10.0]])])
def test_what_is_drawn_is_there_where_pillow_draws_in_a_copy_too(
    wh: np.ndarray | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version of Pillow that does not let others' memory be drawn in would leave it as it is."""
    pixels = np.full((60, 80, 3), 90, np.uint8)
    one = Detections(xy=np.array([[40.0, 30.0]]), score=np.ones(1), label=np.zeros(1, int), classes=("a",), wh=wh)
    wanted = overlays.overlaid(pixels, one, 1.0, 12.0)
    lent = overlays._drawn_in

    def kept_as_it_is(canvas: np.ndarray) -> Image.Image:
        picture = lent(canvas)
        picture.readonly = 1
        return picture

    monkeypatch.setattr(overlays, "_drawn_in", kept_as_it_is)
    found = overlays.overlaid(pixels, one, 1.0, 12.0)
    assert (found != pixels).any() and (found == wanted).all()
