"""A sheet of pictures of labelled objects, as the files have them, so that a person sees whether labels lie right."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from detect.evaluation.radius import label_spacing
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.reading import SceneReader
from detect.imagery.scenes import Scene
from detect.imagery.windows import Window
from detect.labels.annotations import AnnotatedImage, Annotations
from detect.reporting.pictures.sample_sheets import LabelledCrop, crop_samples

SIDES_AROUND, LEAST_PX, MOST_PX = 4.0, 48, 1024
"""The side of a picture in sides of an object, and its bounds in pixels; of points, whose size is not known, twice the
least."""

RING_SHARE = 0.1
"""The radius of the rings around points, as a share of the side of a picture."""

MOST_BANDS = 3


def draw_labels(annotations: Annotations, number: int) -> Image.Image | None:
    """Draw objects with all labels around them: of each class in turn, of image after image.

    Images of another type or number of bands than the first one are not drawn.

    Args:
        annotations: the labelled images.
        number: most objects that are drawn.

    Returns:
        An RGB picture; None where nothing is labelled.

    Raises:
        SceneError: an image is damaged.
    """
    chosen = _chosen(annotations, number)
    if not chosen:
        return None
    side = _side(annotations)
    by_image: dict[int, list[int]] = {}
    for image, row in chosen:
        by_image.setdefault(image, []).append(row)
    crops: list[LabelledCrop] = []
    kind: tuple[str, int] | None = None
    for image, rows in by_image.items():
        scene = open_scene(annotations.images[image].path)
        bands = min(scene.bands, MOST_BANDS) if scene.bands != 2 else 1
        kind = kind or (scene.dtype, bands)
        if kind == (scene.dtype, bands):
            crops += _crops(scene, annotations.images[image], rows, side, bands)
    return crop_samples(crops, side * RING_SHARE, cell=min(512, 3 * side))


def _chosen(annotations: Annotations, number: int) -> list[tuple[int, int]]:
    """Return image and row of the objects that are drawn: classes in turn, in each of them images in turn."""
    queues = [list(_spread(annotations.images, label)) for label in range(len(annotations.classes))]
    chosen = [queue[turn] for turn in range(number) for queue in queues if turn < len(queue)]
    return sorted(chosen[:number])


def _spread(images: Sequence[AnnotatedImage], label: int) -> Iterator[tuple[int, int]]:
    """Yield image and row of the objects of a class: the first of every image, then the second ones, and so on."""
    rows = [np.flatnonzero(image.objects.label == label).tolist() for image in images]
    for turn in range(max(map(len, rows), default=0)):
        yield from ((image, each[turn]) for image, each in enumerate(rows) if turn < len(each))


def _side(annotations: Annotations) -> int:
    """Return the side in pixels of the pictures."""
    size = label_spacing(image.objects for image in annotations.images).side_file_px
    return 2 * LEAST_PX if size is None else round(min(max(SIDES_AROUND * size, LEAST_PX), MOST_PX))


def _crops(scene: Scene, image: AnnotatedImage, rows: Sequence[int], side: int, bands: int) -> Iterator[LabelledCrop]:
    """Yield the surroundings of objects of an image, with all labels in them."""
    objects = image.objects
    with SceneReader(scene, list(range(1, bands + 1))) as reader:
        for x, y in objects.xy[rows].tolist():
            window = Window(round(y - side / 2), round(x - side / 2), side, side)
            pixels, valid = reader.read_valid(window)
            moved = objects.shifted(-window.col, -window.row)
            near = moved[np.flatnonzero(((moved.xy > -side) & (moved.xy < 2 * side)).all(axis=1))]
            shift = np.array([window.col, window.row] * 2)
            yield LabelledCrop(pixels, near, image.ignored - shift, _in_image(window, scene.shape) & valid)


def _in_image(window: Window, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which pixels of a window are in an image, (height, width)."""
    rows, cols = (np.arange(start, start + window.height) for start in (window.row, window.col))
    return ((rows >= 0) & (rows < shape[0]))[:, None] & ((cols >= 0) & (cols < shape[1]))
