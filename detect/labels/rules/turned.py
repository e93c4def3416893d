"""Labels that lie right only when an image is turned or mirrored, found by the pixels under them.

Coordinates that are counted from the bottom, or made before a photograph was turned, lie in the image and look like any
others. But the pixels under objects differ from the ground, and those under wrong places do not.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.reading import SceneReader
from detect.imagery.scenes import SceneError
from detect.imagery.windows import Window
from detect.labels.annotations import AnnotatedImage

LEAST_OBJECTS, MOST_IMAGES, MOST_PIXELS = 20, 4, 1 << 25
"""Objects that are needed to judge, images that are looked at, and pixels of an image beyond which it is not."""

PATCH_PX, MOST_BANDS = 3, 3

UNLIKE_ERRORS, ALIKE_ERRORS = 12.0, 3.0
"""Standard errors by which the turned places differ from the ground at least, and the written ones at most."""

Turn = tuple[bool, bool, bool]
"""Whether x and y are exchanged, then x counted from the right, then y counted from the bottom."""

TURNS: Mapping[Turn, str] = {
    (False, False, True): "with y counted from the bottom",
    (False, True, False): "with x counted from the right",
    (False, True, True): "with the image turned by 180 degrees",
    (True, False, False): "with x and y exchanged",
    (True, False, True): "with the image turned by 90 degrees to the left",
    (True, True, False): "with the image turned by 90 degrees to the right",
    (True, True, True): "with x and y exchanged and both counted from the other side",
}


@dataclass(frozen=True, eq=False)
class _Unlikeness:
    """How much the pixels at places differ from the ground of their image: an array of values for each way to read."""

    ground: list[NDArray[np.float64]]
    places: dict[Turn, list[NDArray[np.float64]]]


def find_turn(images: Sequence[AnnotatedImage]) -> str | None:
    """Return how labels would lie on objects where they do not as they are; None where nothing is clear.

    Args:
        images: labelled ones; the first few that are small enough are looked at.
    """
    found = _Unlikeness([], {})
    for image in images:
        if (
            len(found.ground) < MOST_IMAGES
            and len(image.objects)
            and 0 < image.shape[0] * image.shape[1] <= MOST_PIXELS
        ):
            _measure(image, found)
    written = (False, False, False)
    if not found.ground or sum(map(len, found.places.get(written, []))) < LEAST_OBJECTS:
        return None
    ground = np.concatenate(found.ground)
    if _errors(np.concatenate(found.places[written]), ground) > ALIKE_ERRORS:
        return None
    complete = {turn: np.concatenate(parts) for turn, parts in found.places.items() if len(parts) == len(found.ground)}
    best = max(complete, key=lambda turn: _errors(complete[turn], ground))
    return TURNS[best] if best != written and _errors(complete[best], ground) >= UNLIKE_ERRORS else None


def _errors(values: NDArray[np.float64], ground: NDArray[np.float64]) -> float:
    """Return by how many standard errors of the mean values lie above the ground."""
    error = float(np.hypot(values.std() / len(values) ** 0.5, ground.std() / len(ground) ** 0.5))
    return float(values.mean() - ground.mean()) / error if error > 0 else 0.0


def _measure(image: AnnotatedImage, found: _Unlikeness) -> None:
    """Add an image's ground, and its places in each way in which all are inside."""
    try:
        scene = open_scene(image.path)
        with SceneReader(scene, list(range(1, min(scene.bands, MOST_BANDS) + 1))) as reader:
            pixels = reader.read(Window(0, 0, *scene.shape))
    except SceneError:
        return
    height, width = scene.shape
    step = max(1, round((height * width / _GROUND_PLACES) ** 0.5))
    rows, cols = (each.ravel() for each in np.meshgrid(np.arange(0, height, step), np.arange(0, width, step)))
    ground = _colours(pixels, cols, rows)
    middle = np.median(ground, axis=1, keepdims=True)
    spread = np.median(np.abs(ground - middle), axis=1, keepdims=True)
    if not (spread > 0).all():
        return
    unlike = _distance(ground, middle, spread)
    highest = np.percentile(unlike, _HIGHEST_PERCENT)
    found.ground.append(np.minimum(unlike, highest))
    for turn, (cols, rows) in _turned(image):
        places = _distance(_colours(pixels, cols, rows), middle, spread)
        found.places.setdefault(turn, []).append(np.minimum(places, highest))


_GROUND_PLACES, _HIGHEST_PERCENT = 20_000, 99.9


def _colours(pixels: NDArray[np.generic], cols: NDArray[np.intp], rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the mean (C, N) of the pixels (C, H, W) around each place."""
    half, (_, height, width) = PATCH_PX // 2, pixels.shape
    around = [(i, j) for i in range(-half, half + 1) for j in range(-half, half + 1)]
    parts = (pixels[:, np.clip(rows + i, 0, height - 1), np.clip(cols + j, 0, width - 1)] for i, j in around)
    return np.asarray(sum(part.astype(np.float64) for part in parts) / len(around))


def _distance(
    colours: NDArray[np.float64], middle: NDArray[np.float64], spread: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how far colours (C, N) are from the ground's middle, in its spreads: (N,)."""
    return np.asarray(np.sqrt((((colours - middle) / spread) ** 2).mean(axis=0)))


def _turned(image: AnnotatedImage) -> Iterator[tuple[Turn, tuple[NDArray[np.intp], NDArray[np.intp]]]]:
    """Yield each way to read the objects' centres by which all are in the image, with their columns and rows."""
    height, width = image.shape
    for turn in ((False, False, False), *TURNS):
        exchanged, right, bottom = turn
        x, y = image.objects.xy.T[::-1] if exchanged else image.objects.xy.T
        x, y = width - x if right else x, height - y if bottom else y
        cols, rows = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
        if ((cols >= 0) & (cols <= width) & (rows >= 0) & (rows <= height)).all():
            yield turn, (np.minimum(cols, width - 1), np.minimum(rows, height - 1))
