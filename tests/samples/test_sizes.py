"""How large objects are, and what is said where cells, patches and crops do not suit them."""

from dataclasses import replace

import numpy as np
import pytest

from detect.imagery.resolution import Resolution
from detect.labels.detections import Detections
from detect.samples.labelled_scenes import LabelledScene, SceneSplit, resampled_split
from detect.samples.sizes import ObjectSizes, fitted_patch, grid_warnings, object_sizes, patch_warnings

AS_THEY_ARE = Resolution()


def boxes(scene: LabelledScene, *sides: tuple[float, float], names: str = "") -> LabelledScene:
    xy = np.full((len(sides), 2), 50.0)
    labels = list(names) or ["a"] * len(sides)
    return replace(scene, objects=Detections.truth(xy, labels, ("a", "b"), np.array(sides).reshape(-1, 2)))


def sizes(median: float, low: float | None = None, high: float | None = None, *, points: bool = False) -> ObjectSizes:
    return ObjectSizes(not points, 100, median, median if low is None else low, high or median, {"a": median})


def test_the_size_of_objects_is_the_median_of_the_boxes_sides(scene) -> None:
    """sqrt(4 * 9) = 6, sqrt(10 * 10) = 10 and sqrt(2 * 50) = 10; with sqrt(1 * 1) besides, the median is 8.

    The 5th percentile of 6, 10, 10 lies a tenth of the way from 6 to 10.
    """
    one, two = boxes(scene("1.png"), (4, 9), (10, 10)), boxes(scene("22.png"), (2, 50))
    three = object_sizes([one, two, boxes(scene("333.png"))])
    assert three is not None and (three.boxes, three.number, three.median) == (True, 3, 10)
    assert (three.low, three.high, three.medians) == (pytest.approx(6.4), 10, {"a": 10})
    four = object_sizes([one, two, boxes(scene("333.png"), (1, 1))])
    assert four is not None and (four.number, four.median) == (4, 8)


def test_points_tell_how_far_the_next_one_is(scene) -> None:
    """On a line at 0, 3, 10 the nearest are 3, 3 and 7 away; a point alone in its scene has none."""
    row = scene("1.png", [(0, 0, "a"), (3, 0, "a"), (10, 0, "b")])
    found = object_sizes([row, scene("22.png", [(5, 5, "a")])])
    assert found is not None and (found.boxes, found.number, found.median) == (False, 3, 3)
    assert (found.high, found.medians) == (pytest.approx(6.6), {"a": 3, "b": 7})
    assert object_sizes([scene("22.png", [(5, 5, "a")])]) is None
    assert object_sizes([boxes(scene("1.png"))]) is None


def test_the_sentence_tells_classes_only_where_they_differ_much(scene) -> None:
    alike = object_sizes([boxes(scene("1.png"), (10, 10), (14, 14), names="ab")])
    apart = object_sizes([boxes(scene("1.png"), (10, 10), (15, 15), names="ab")])
    assert alike is not None and apart is not None
    assert alike.sentence(AS_THEY_ARE) == "objects are 12 pixels wide: median of 2, 5th to 95th percentile 10.2 to 13.8"
    assert apart.sentence(AS_THEY_ARE).endswith("10.2 to 14.8; a 10, b 15")
    assert apart.sentence(Resolution(0.5)).endswith("b 15 (as resampled by data.scale=0.5)")
    assert sizes(7, points=True).sentence(AS_THEY_ARE).startswith("the next point is 7 pixels away: median of 100")


def test_everything_labelled_is_seen_where_the_pixels_are(scene) -> None:
    """100 x 100 pixels seen at 0.25: an object at (40, 60) of 8 x 4 is at (10, 15) and 2 x 1."""
    whole = replace(
        scene("1.png", negatives=np.array([[20.0, 8.0]])),
        ignored=np.array([[4.0, 8.0, 40.0, 80.0]]),
        objects=Detections.truth(np.array([[40.0, 60.0]]), ["a"], ("a",), np.array([[8.0, 4.0]])),
    )
    split = resampled_split(SceneSplit((whole,), (whole,), (whole,), "by hand"), Resolution(0.25))
    assert split.note == "by hand"
    for (seen,) in (split.train, split.val, split.test):
        assert seen.scene.shape == (25, 25) and seen.name == "1.png"
        assert (seen.objects.xy.tolist(), seen.objects.wh.tolist()) == ([[10, 15]], [[2, 1]])
        assert (seen.negatives.tolist(), seen.ignored.tolist()) == ([[5, 2]], [[1, 2, 10, 20]])


@pytest.mark.parametrize(
    ("found", "resolution", "wanted"),
    [
        (sizes(16), AS_THEY_ARE, None),
        (
            sizes(15.9),
            AS_THEY_ARE,
            (
                "15.9 pixels wide (median), less than the 16 pixels of 2 cells at net.stride=8",
                "set net.stride=4 or data.scale=2",
            ),
        ),
        # a stride of 4 needs 8 pixels: 5 must be enlarged by 16 / 5, the next power of two
        (sizes(5), AS_THEY_ARE, ("objects are 5 pixels wide", "set data.scale=4")),
        (sizes(5), Resolution(0.5), ("objects are 5 pixels wide", "set data.scale=2")),
        (sizes(10), Resolution(gsd=0.4), ("objects are 10 pixels wide", "set net.stride=4 or data.gsd=0.2")),
        (sizes(20, low=8), AS_THEY_ARE, None),
        (
            sizes(20, low=7),
            AS_THEY_ARE,
            (
                "smallest 5 % of objects are 7 pixels",
                "set net.stride=4 or data.scale=2",
            ),
        ),
        (sizes(30, high=192), AS_THEY_ARE, None),
        # twice 200 is 12.5 times 32
        (
            sizes(30, high=200),
            AS_THEY_ARE,
            (
                "largest 5 % of objects are 200 pixels",
                "data.sampling.crop=384",
                "set data.sampling.crop=416, or data.scale=0.5",
            ),
        ),
        (sizes(30, high=800), Resolution(gsd=0.1), ("800 pixels", "set data.sampling.crop=1600, or data.gsd=0.8")),
        (sizes(15, points=True), AS_THEY_ARE, ("15 pixels", "(median)", "set net.stride=4 or")),
        (sizes(0, points=True), AS_THEY_ARE, ("0 pixels", "net.stride=8")),
        (sizes(40, low=1, high=900, points=True), AS_THEY_ARE, None),
        (None, AS_THEY_ARE, None),
    ],
)
def test_what_is_said_of_a_grid(found: ObjectSizes | None, resolution: Resolution, wanted) -> None:
    """Cells of 8 pixels, crops of 384."""
    warnings = grid_warnings(found, 8, 384, 32, resolution)
    assert len(warnings) == (wanted is not None)
    assert wanted is None or all(part in warnings[0] for part in wanted)


def test_a_finer_stride_is_advised_only_where_there_is_one() -> None:
    (warning,) = grid_warnings(sizes(7), 4, 384, 32, AS_THEY_ARE)
    assert "at net.stride=4" in warning and warning.endswith("set data.scale=2")


@pytest.mark.parametrize(
    ("found", "patch", "wanted"),
    [
        (sizes(48), 48, None),
        (sizes(48), 32, None),
        (sizes(49), 32, ("net.patch_size=32", "49 pixels", "set net.patch_size=48, or data.scale=0.5")),
        (sizes(40), 80, None),
        (sizes(39), 80, ("net.patch_size=80", "39 pixels", "set net.patch_size=32, or data.scale=2")),
        # what `auto` takes is not warned of twice: a cell of 16 is the smallest patch
        (sizes(6), 16, ("6 pixels", "32 pixels of 2 cells at net.stride=16", "set data.scale=8")),
        (sizes(24), 32, ("32 pixels of 2 cells at net.stride=16", "set net.stride=8 net.stages=4 or data.scale=2")),
        (sizes(40, points=True), 96, ("net.patch_size=96", "40 pixels", "set net.patch_size=32, or data.scale=2")),
        (sizes(400, points=True), 64, None),
        (None, 64, None),
    ],
)
def test_what_is_said_of_patches(found: ObjectSizes | None, patch: int, wanted: tuple[str, ...] | None) -> None:
    """Cells of 16 pixels."""
    warnings = patch_warnings(found, 16, patch, AS_THEY_ARE)
    assert len(warnings) == (wanted is not None)
    assert wanted is None or all(part in warnings[0] for part in wanted)


def test_the_patch_that_fits_is_a_multiple_of_the_stride() -> None:
    assert [fitted_patch(size, 16) for size in (3, 23, 25, 64)] == [16, 16, 32, 64]
