import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torchvision.ops import batched_nms, nms

from detect.inference.decoding import separation
from detect.inference.decoding.separation import separated_boxes, separated_points
from detect.labels.detections import Detections


def random_boxes(number: int, side: float, spread: float, classes: int, seed: int) -> Detections:
    """Boxes around 10 pixels, larger or smaller by up to exp(spread), with scores in tenths, so that many are equal."""
    rng = np.random.default_rng(seed)
    wh = 10 * np.exp(rng.uniform(-spread, spread, (number, 2)))
    names = tuple(f"class {i}" for i in range(classes))
    score = rng.integers(0, 11, number) / 10
    return Detections(rng.uniform(0, side, (number, 2)), score, rng.integers(0, classes, number), names, wh)


def by_torchvision(found: Detections, order: NDArray[np.intp], iou: float) -> list[int]:
    """What torchvision's loop over all pairs keeps, class by class."""
    rank = np.empty(len(found))
    rank[order] = np.arange(len(found), 0, -1)
    kept = []
    for label in range(len(found.classes)):
        at = np.flatnonzero(found.label == label)
        boxes = torch.from_numpy(found.boxes_xyxy[at])
        kept += at[nms(boxes, torch.from_numpy(rank[at]), iou).numpy()].tolist()
    return sorted(kept)


def one_by_one(xy: NDArray[np.float64], order: NDArray[np.intp], radius: float) -> list[int]:
    """The greedy loop as it is written down."""
    kept: list[int] = []
    for place in order.tolist():
        if all(np.hypot(*(xy[place] - xy[other])) >= radius for other in kept):
            kept.append(place)
    return sorted(kept)


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few objects at once, and few pairs, so that small tests take many steps."""
    monkeypatch.setattr(separation, "FIRST_CHUNK", 7)
    monkeypatch.setattr(separation, "MOST_PAIRS", 40)
    monkeypatch.setattr(separation, "PAIRS_PER_OBJECT", 0)


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize("crowded", [0.0, 1 / 128, 2.0])
@given(
    number=st.integers(0, 250),
    side=st.sampled_from([5.0, 40.0, 150.0]),
    spread=st.sampled_from([0.0, 0.5, 3.0]),
    classes=st.integers(1, 3),
    iou=st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]),
    seed=st.integers(0, 1000),
)
@settings(deadline=None, max_examples=60, derandomize=True)
def test_boxes_are_those_that_the_loop_over_all_pairs_keeps(crowded, number, side, spread, classes, iou, seed) -> None:
    """With trees alone (2), with torchvision's loop alone (0), and with what goes with the neighbours' number."""
    found = random_boxes(number, side, spread, classes, seed)
    order = np.argsort(-found.score, kind="stable")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(separation, "CROWDED", crowded)
        assert separated_boxes(found, order, iou).tolist() == by_torchvision(found, order, iou)


@pytest.mark.parametrize("iou", [0.25, 1 / 3, 0.5])
def test_whole_pixels_that_overlap_by_just_the_iou_are_both_kept(iou: float) -> None:
    """Squares of 12 pixels on a lattice of 4 overlap by 2/3 of themselves, IoU 1/2, and by 1/3, 1/5, and so on."""
    at = np.stack(np.meshgrid(np.arange(12.0), np.arange(12.0)), axis=2).reshape(-1, 2) * 4
    found = Detections(at, np.full(144, 0.5), np.arange(144) % 2, ("a", "b"), np.full((144, 2), 12.0))
    order = np.arange(144)
    boxes, label = torch.from_numpy(found.boxes_xyxy), torch.from_numpy(found.label)
    wanted = batched_nms(boxes, torch.arange(144, 0, -1).double(), label, iou)
    assert separated_boxes(found, order, iou).tolist() == sorted(wanted.tolist())


@pytest.mark.usefixtures("small_steps")
@given(
    number=st.integers(0, 150),
    side=st.sampled_from([5.0, 60.0]),
    radius=st.sampled_from([0.0, 0.5, 4.0, 1000.0]),
    whole=st.booleans(),
    seed=st.integers(0, 1000),
)
@settings(deadline=None, max_examples=60, derandomize=True)
def test_points_are_those_that_the_loop_over_all_keeps(number, side, radius, whole, seed) -> None:
    """At whole pixels, many are just the radius apart, and such points are both kept."""
    found = random_boxes(number, side, 0.0, 2, seed)
    xy = np.round(found.xy) if whole else found.xy
    points = Detections(xy, found.score, found.label, found.classes)
    order = np.argsort(-found.score, kind="stable")
    assert separated_points(points, order, radius).tolist() == one_by_one(xy, order, radius)


def test_the_pairs_that_are_looked_at_grow_with_the_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 40 x 40, then 80 x 80 boxes, as dense, the pairs are at most 5 times as many; of all pairs there are 16."""
    looked_at: list[int] = []
    real = separation._Tree.pairs

    def counted(*given: object) -> separation.Pairs:
        found = real(*given)  # type: ignore[arg-type]
        looked_at[-1] += len(found[0])
        return found

    monkeypatch.setattr(separation._Tree, "pairs", counted)
    for side in (40, 80):
        looked_at.append(0)
        found = random_boxes(side**2, 6.0 * side, 0.2, 1, 0)
        assert 0 < len(separated_boxes(found, np.arange(side**2), 0.3)) < side**2
    assert 0 < looked_at[1] < 5 * looked_at[0]
