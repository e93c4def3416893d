"""The geometric transforms of a sample, drawn one by one and made one map of the plane."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detect.samples.varying.draws import Draws
from detect.samples.varying.moves import CONSTANT, NEAREST, Move, Sampling, merged

if TYPE_CHECKING:
    from albumentations import BasicTransform, DualTransform

IN_PLACE = frozenset(("D4", "SquareSymmetry", "HorizontalFlip", "VerticalFlip", "Transpose", "RandomRotate90"))
"""Transforms after which every pixel has a value that is in the image."""

BY_MATRIX = frozenset(("Affine", "ShiftScaleRotate"))
"""Transforms that draw the map itself."""

SQUARE = np.array([[0, 0], [256, 0], [256, 256], [0, 256]], np.float64)
"""Four places (x, y); where they go tells the map."""

STRAIGHT = 0.01
"""Greatest distance in pixels of the fourth place from the parallelogram of the others, of a map without
perspective: albumentations moves places in single precision."""


class Geometry:
    """A seeded chain of albumentations' geometric transforms, of which it draws and moves places, but no pixels.

    Args:
        transforms: name, the transform without its border, and the transform as it samples pixels.
    """

    def __init__(self, transforms: Iterable[tuple[str, "DualTransform", "BasicTransform"]]) -> None:
        self._transforms = [(name, plain, _sampling(name, whole)) for name, plain, whole in transforms]
        self._known: dict[tuple[Any, ...], NDArray[np.float64]] = {}
        self._seen: dict[tuple[int, ...], dict[str, NDArray[np.uint8]]] = {}

    def moves(self, hw: tuple[int, ...], seed: int) -> list[Move]:
        """Draw the maps, as few as there can be, for an image of a height and width."""
        moves, draws = [], Draws(seed)
        for position, (_, transform, sampling) in enumerate(self._transforms):
            if not draws.applies(transform):
                continue
            if hw not in self._seen:
                self._seen[hw] = {"image": np.broadcast_to(np.uint8(0), (*hw, 1))}
            seen = self._seen[hw]
            params = transform.update_transform_params(transform.get_params(), seen)
            params.update(transform.get_params_dependent_on_data(params, seen))
            matrix = self._matrix(position, hw, params)
            if sampling is None:
                hw = hw if matrix[0, 0] else hw[::-1]
            moves.append(Move(matrix, (hw[0], hw[1]), sampling))
        return merged(moves)

    def _matrix(self, position: int, hw: tuple[int, ...], params: dict[str, Any]) -> NDArray[np.float64]:
        """Return the map (3, 3) of a transform that has drawn, for an image of a height and width."""
        name, transform, _ = self._transforms[position]
        if name in BY_MATRIX:
            return np.asarray(params["matrix"], np.float64)
        if name not in IN_PLACE:
            return _map_by_places(transform, params)
        key = (position, hw, *sorted((name, value) for name, value in params.items() if name != "shape"))
        if key not in self._known:
            self._known[key] = np.rint(_map_by_places(transform, params))
        return self._known[key]


def _map_by_places(transform: "DualTransform", params: dict[str, Any]) -> NDArray[np.float64]:
    """Return the map (3, 3) of a transform that has drawn, by where places go."""
    moved = transform.apply_to_keypoints(np.column_stack([SQUARE, np.zeros((4, 3))]), **params)[:, :2]
    return _map_of(np.asarray(moved, np.float64))


def _map_of(moved: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the map (3, 3) that takes `SQUARE` to four places (4, 2)."""
    import cv2

    origin, right, opposite, down = moved
    if np.abs(right + down - origin - opposite).max() > STRAIGHT:
        return np.asarray(cv2.getPerspectiveTransform(SQUARE.astype(np.float32), moved.astype(np.float32)), np.float64)
    side = SQUARE[2, 0]
    made = np.eye(3)
    made[:2] = np.stack([(right - origin) / side, (down - origin) / side, origin], axis=1)
    return made


def _sampling(name: str, transform: Any) -> Sampling | None:
    """Return how a transform finds values between pixels and beyond the image; None where it needs none."""
    if name in IN_PLACE:
        return None
    fill = getattr(transform, "fill", 0.0)
    return Sampling(
        int(getattr(transform, "interpolation", NEAREST)),
        int(getattr(transform, "border_mode", CONSTANT)),
        tuple(map(float, fill)) if isinstance(fill, Iterable) else float(fill),
    )
