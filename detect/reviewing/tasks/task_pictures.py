"""Pictures of drawn windows, cut from the photographs as viewers show them."""

from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.reading import SceneReader
from detect.imagery.scenes import SceneError
from detect.reporting.pictures.colours import DARK, to_display
from detect.reviewing.tasks.task_table import Task
from detect.reviewing.tiles.scene_tiles import sampled_spans

COMPRESSION = 1
"""Level of deflate: higher ones take three times as long and make photographs a tenth smaller."""

PALER = 0.6
"""How much nearer to white the context of a window is shown."""


def task_pictures(path: Path, shape: tuple[int, int], tasks: Sequence[Task]) -> Iterator[tuple[Task, bytes]]:
    """Yield the picture of each task of an image as PNG, upright, in the image's own pixels; read from the top.

    The window is shown as the review page shows it. Its context is paler, and a dark line of one pixel lies between,
    outside of the window.

    Args:
        path: the image.
        shape: its (height, width) in pixels when it was counted.
        tasks: of that image.

    Raises:
        SceneError: the image cannot be read, or has another shape than when it was counted.
    """
    scene = open_scene(path)
    if scene.shape != shape:
        raise SceneError(
            f"{path}: has {scene.shape[1]} x {scene.shape[0]} pixels, and had {shape[1]} x {shape[0]} when it was "
            "counted; put that file back, or count it again with detect.predict"
        )
    with SceneReader(scene, scene.shown_bands) as reader:
        spans = sampled_spans(reader)
        for task in sorted(tasks, key=lambda each: (each.bounds.row, each.bounds.col)):
            pixels = reader.reduced(task.bounds, task.shape)
            yield task, _png(_framed(to_display(pixels, nodata=scene.nodata, spans=spans), task))


def _framed(picture: NDArray[np.uint8], task: Task) -> NDArray[np.uint8]:
    """Return a picture whose context is paler and has a line around the window."""
    window = task.window.shifted(-task.bounds.row, -task.bounds.col)
    framed = np.round(picture + PALER * (255.0 - picture)).astype(np.uint8)
    line = window.grown(1).within(task.shape)
    framed[line.row : line.row_stop, line.col : line.col_stop] = DARK
    inner = slice(window.row, window.row_stop), slice(window.col, window.col_stop)
    framed[inner] = picture[inner]
    return framed


def _png(picture: NDArray[np.uint8]) -> bytes:
    data = BytesIO()
    Image.fromarray(picture).save(data, format="PNG", compress_level=COMPRESSION)
    return data.getvalue()
