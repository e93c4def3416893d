"""Laws of drawing: windows are parts of one raster, and a reduced one is the averages of its valid pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.imagery.resampling import Zoom, resample
from detect.imagery.wafers.drawn import wafer_raster as module
from detect.imagery.wafers.drawn.defect_marks import marks_of
from detect.imagery.wafers.drawn.drawing import Drawing
from detect.imagery.wafers.drawn.wafer_raster import WaferRaster
from detect.imagery.wafers.wafer import Wafer
from detect.imagery.windows import Window


def wafer(xy_mm: np.ndarray, size_mm: np.ndarray | None = None, diameter_mm: float = 100.0) -> Wafer:
    size = np.full(len(xy_mm), np.nan) if size_mm is None else size_mm
    return Wafer("L", "W", diameter_mm, np.asarray(xy_mm, np.float64), size, np.zeros(len(xy_mm), np.int64))


def raster_of(made: Wafer, drawing: Drawing) -> WaferRaster:
    return WaferRaster(marks_of([made], drawing), made.diameter_mm, drawing)


def random_raster(seed: int, drawing: Drawing, defects: int = 300) -> WaferRaster:
    """Defects all over the square, some beyond its edge, of 0 to 12 mm."""
    chance = np.random.default_rng(seed)
    size = np.where(chance.random(defects) < 0.9, np.nan, chance.uniform(0, 12, defects))
    return raster_of(wafer(chance.uniform(-52, 52, (defects, 2)), size), drawing)


def by_hand(made: Wafer, drawing: Drawing) -> np.ndarray:
    """The raster by its definition, a defect at a time."""
    pixels = np.zeros((drawing.side, drawing.side), np.int64)
    for (x, y), size in zip(made.xy_mm, made.size_mm, strict=True):
        col = int(np.floor((x / made.diameter_mm + 0.5) * drawing.side))
        row = int(np.floor((0.5 - y / made.diameter_mm) * drawing.side))
        side = drawing.mark
        if drawing.sized and np.isfinite(size):
            side = max(side, int(np.ceil(size / made.diameter_mm * drawing.side)))
        top, left = row - (side - 1) // 2, col - (side - 1) // 2
        pixels[max(0, top) : max(0, top + side), max(0, left) : max(0, left + side)] += drawing.value
    return np.minimum(pixels, 255).astype(np.uint8)


def test_a_defect_is_drawn_where_it_lies() -> None:
    """100 mm in 10 pixels: (12, -31) mm is column 12/10 + 5 = 6.2, row 5 + 3.1 = 8.1; two on a pixel add to 200."""
    pixels = raster_of(wafer([[12.0, -31.0], [13.0, -32.0]]), Drawing(10, 0.0, 1, False, 100, "as_given")).draw(
        Window(0, 0, 10, 10)
    )
    wanted = np.zeros((10, 10), np.uint8)
    wanted[8, 6] = 200
    assert (pixels == wanted).all()


def test_the_outline_is_the_circle_less_the_edge_exclusion() -> None:
    """Side 8 of 80 mm, 15 mm left out: radius 2.5 pixels; of row 3, 0.5 from the centre, |dx| <= 2.45: 4 pixels."""
    valid = raster_of(wafer(np.zeros((0, 2)), diameter_mm=80.0), Drawing(8, 15.0, 1, False, 255, "as_given")).valid(
        Window(0, 0, 8, 8)
    )
    middle = np.arange(8) + 0.5 - 4
    assert (valid == (middle[:, None] ** 2 + middle**2 <= 6.25)).all()
    assert valid[3].tolist() == [False, False, *[True] * 4, False, False] and not valid[1].any()


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 1000), st.integers(8, 60), st.integers(1, 6), st.booleans(), st.sampled_from([255, 60]), st.data()
)
def test_a_window_is_a_part_of_the_raster(
    seed: int, side: int, mark: int, sized: bool, value: int, data: st.DataObject
) -> None:
    drawing = Drawing(side, 2.0, mark, sized, value, "as_given")
    chance = np.random.default_rng(seed)
    made = wafer(chance.uniform(-52, 52, (40, 2)), np.where(chance.random(40) < 0.5, np.nan, chance.uniform(0, 30, 40)))
    row, col = data.draw(st.integers(0, side - 1)), data.draw(st.integers(0, side - 1))
    window = Window(row, col, data.draw(st.integers(1, side - row)), data.draw(st.integers(1, side - col)))
    part = slice(window.row, window.row_stop), slice(window.col, window.col_stop)
    raster = raster_of(made, drawing)
    assert (raster.draw(window) == by_hand(made, drawing)[part]).all()
    assert (raster.valid(window) == raster.valid(Window(0, 0, side, side))[part]).all()


@pytest.mark.parametrize("strip", [1 << 21, 300])
@pytest.mark.parametrize("sized", [False, True])
@pytest.mark.parametrize("shape", [(7, 7), (10, 13), (63, 64), (128, 32), (1, 1), (150, 64), (200, 201)])
def test_a_reduced_raster_is_the_averages_of_the_valid_pixels(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int], sized: bool, strip: int
) -> None:
    """As the house resamples any image: to a rounding of halves, which is of the sums here and of float32 there."""
    monkeypatch.setattr(module, "STRIP_PIXELS", strip)
    monkeypatch.setattr(module, "MARK_PIXELS", strip)
    raster = random_raster(1, Drawing(128, 3.0, 3, sized, 90, "as_given"))
    source = Window(5, 9, 118, 101)
    zoom = Zoom(source, shape)
    whole = Window(0, 0, *shape)
    rows, cols = zoom.filters(whole)
    all_of_it = Window(0, 0, 128, 128)
    wanted, valid = resample(raster.draw(all_of_it)[None], rows, cols, raster.valid(all_of_it))
    found, seen = raster.reduced(zoom, whole)
    assert (seen == valid).all()
    assert np.abs(found[seen].astype(int) - wanted[0][seen]).max() <= 1
    assert (found[seen] == wanted[0][seen]).mean() > 0.99


@pytest.mark.parametrize("shape", [(40, 33), (300, 150)])
def test_a_window_of_a_reduced_raster_is_a_part_of_it(shape: tuple[int, int]) -> None:
    raster = random_raster(2, Drawing(128, 3.0, 2, True, 40, "as_given"), 3000)
    zoom = Zoom(Window(3, 0, 120, 128), shape)
    pixels, valid = raster.reduced(zoom, Window(0, 0, *shape))
    for window in (Window(0, 0, 5, 5), Window(11, 7, 20, 26), Window(39, 32, 1, 1)):
        part = slice(window.row, window.row_stop), slice(window.col, window.col_stop)
        found, seen = raster.reduced(zoom, window)
        assert (found == pixels[part]).all() and (seen == valid[part]).all()


def test_a_reduced_wafer_of_one_defect_has_its_share_of_white() -> None:
    """3.9 mm of 100 in 64 pixels is pixel 34, its mark is 33 to 36, in 32 to 39: 16 of 64, and 255 / 4 = 63.75."""
    raster = raster_of(wafer([[3.9, -3.9]]), Drawing(64, 0.0, 4, False, 255, "as_given"))
    pixels, _ = raster.reduced(Zoom(Window(0, 0, 64, 64), (8, 8)), Window(0, 0, 8, 8))
    wanted = np.zeros((8, 8), np.uint8)
    wanted[4, 4] = 64
    assert (pixels == wanted).all()


@pytest.mark.parametrize(("name", "value"), [("side", 7), ("mark", 0), ("value", 256), ("edge_exclusion_mm", -1.0)])
def test_a_drawing_out_of_bounds_is_told(name: str, value: float) -> None:
    given = {"side": 100, "edge_exclusion_mm": 0.0, "mark": 1, "sized": False, "value": 255, "notch": "as_given"} | {
        name: value
    }
    with pytest.raises(ValueError, match=name):
        Drawing(**given)
