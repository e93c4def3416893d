"""What is drawn of geometric transforms, and the map that it becomes."""

import albumentations as A
import numpy as np
import pytest

from detect.samples.varying.plane_maps import Geometry


def geometry(name: str, transform: A.DualTransform) -> Geometry:
    return Geometry([(name, transform, transform)])


def test_a_flip_and_a_rotation_by_a_quarter_are_what_they_say() -> None:
    """Of 40 rows and 60 columns: a flip takes x to 60 - x; about the middle (30, 20) a quarter turn anticlockwise
    takes (40, 20), ten to the right, to ten above, (30, 10)."""
    (flip,) = geometry("HorizontalFlip", A.HorizontalFlip(p=1)).moves((40, 60), 0)
    np.testing.assert_allclose(flip.points(np.array([[10.0, 5.0]])), [[50, 5]])
    (turn,) = geometry("Affine", A.Affine(rotate=(90, 90), p=1)).moves((40, 60), 0)
    np.testing.assert_allclose(turn.points(np.array([[40.0, 20.0]])), [[30, 10]], atol=0.05)
    image = np.zeros((1, 40, 60), np.uint8)
    image[0, 18:22, 38:42] = 200
    assert turn.planes(image)[0, 8:12, 28:32].min() > 150


def test_scales_vary_as_declared() -> None:
    """0.8 to 1.2 evenly: a mean of 1 +- 4 * 0.115 / sqrt(500) and a deviation of 0.4 / sqrt(12) = 0.115."""
    drawn = geometry("Affine", A.Affine(scale=(0.8, 1.2), p=1))
    scale = np.array([drawn.moves((64, 64), seed)[0].matrix[0, 0] for seed in range(500)])
    assert scale.min() >= 0.79 and scale.max() <= 1.21
    assert abs(scale.mean() - 1) < 0.02 and abs(scale.std() - 0.115) < 0.012


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_transform_is_applied_as_often_as_declared(share: float) -> None:
    """Of 1,000 samples within four standard deviations, sqrt(1000 p (1 - p))."""
    drawn = geometry("HorizontalFlip", A.HorizontalFlip(p=share))
    number = sum(bool(drawn.moves((8, 8), seed)) for seed in range(1000))
    assert abs(number - 1000 * share) <= 4 * np.sqrt(1000 * share * (1 - share))


def test_samples_and_transforms_next_to_each_other_draw_otherwise() -> None:
    """Two shifts in a row, of 1,000 samples: neither goes with the other, nor with that of the next sample; of
    independent ones the correlation is 0 +- 4 / sqrt(1000)."""
    shift = A.Affine(translate_percent=(-0.2, 0.2), p=1)
    by_name = [("Affine", shift, shift)] * 2
    by_name[1] = ("Affine", shift, A.Affine(translate_percent=(-0.2, 0.2), interpolation=0, p=1))
    drawn = Geometry(by_name)
    x = np.array([[move.matrix[0, 2] for move in drawn.moves((500, 500), seed)] for seed in range(1001)])
    assert x.shape == (1001, 2)
    pairs = np.column_stack([x[:-1], x[1:]])
    apart = np.corrcoef(pairs, rowvar=False) - np.eye(4)
    assert np.abs(apart).max() < 4 / np.sqrt(1000)
