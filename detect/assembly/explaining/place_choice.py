"""Which object of an image is explained, and on which window of it that is shown."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from detect.explaining.aims import Found
from detect.explaining.seen_tile import map_of, read_tile, tile_about, tile_over
from detect.imagery.scenes import Scene, original
from detect.imagery.windows import Window
from detect.inference.decoding.geometry import CellGeometry, to_file_pixels
from detect.inference.engine import Engine
from detect.inference.run import decoded, map_scene
from detect.inference.tiles import Source
from detect.labels.detections import Detections
from detect.nets.card import ModelCard
from detect.nets.heads.specs import WholeHead
from detect.nets.modelfile import Net

logger = logging.getLogger(__name__)

WIDEST = 2048
"""Most resampled pixels along a side of a window: the network's layers over it are in memory at once."""

SAME_PX = 0.01
"""Most pixels by which an object is another one's place: that of tiles of other sizes (law 4)."""


@dataclass(frozen=True, eq=False)
class Place:
    """What is explained.

    Attributes:
        source: the image, at the network's resolution.
        window: that is shown, in resampled pixels.
        xy: the place, in resampled pixels.
        words: what is there.
        label: name of the class that was found there; None where nothing was.
        detection: number of the object, from 1; None where nothing was found.
        box: x1, y1, x2, y2 of the object in resampled pixels; None of points.
        rank: number of the object among those of the window, by which it is found there again; None where it is not.
        found: the object as it was found, in resampled pixels; None as of detection.
    """

    source: Source
    window: Window
    xy: tuple[float, float]
    words: str
    label: str | None
    detection: int | None
    box: tuple[float, float, float, float] | None
    rank: int | None = None
    found: Found | None = None

    @property
    def file_window(self) -> Window:
        """The window in pixels of the file."""
        x, y = self.source.scene.factor_xy
        top, left = round(self.window.row / y), round(self.window.col / x)
        height, width = max(1, round(self.window.height / y)), max(1, round(self.window.width / x))
        return Window(top, left, height, width)


def file_shape(scene: Scene) -> tuple[int, int]:
    """Return the height and width of a scene in pixels of the file."""
    return original(scene).shape


def whole_image(source: Source, found: Detections, number: int, side: int, card: ModelCard) -> Place:
    """Choose the object of an image by its number, and a window about it.

    Args:
        source: the image.
        found: its objects, in pixels of the file.
        number: of the object, from 1, the highest score first.
        side: of the window, in pixels of the file.
        card: of the model.

    Raises:
        ValueError: there are fewer objects.
    """
    scene = source.scene
    x, y = scene.factor_xy
    if isinstance(card.head, WholeHead):
        return _scene_place(source, found, card)
    near = found.scaled(x, y)
    if not len(found):
        middle = (scene.shape[1] / 2, scene.shape[0] / 2)
        logger.info("nothing is found in the image: its middle is explained; window=[row,col,height,width] is another")
        window = _about(middle, (side * y, side * x), scene)
        return Place(source, window, middle, "nothing was found: the middle of the image", None, None, None)
    place = _numbered(near, number)
    at = (float(near.xy[place, 0]), float(near.xy[place, 1]))
    every = Window(0, 0, *scene.shape)
    return _object(source, _about(at, (side * y, side * x), scene), near, place, number, every)


def in_window(
    source: Source, engine: Engine, net: Net, card: ModelCard, window: Window, number: int, halo: int
) -> Place:
    """Choose an object among those that the network finds in a window, of which nothing else is read.

    Args:
        source: the image.
        engine: of the model: its threshold.
        net: readable, on its device.
        card: of the model.
        window: in pixels of the file.
        number: of the object, from 1, the highest score first.
        halo: of context in pixels.

    Raises:
        ValueError: the window is not in the image, is too large, or there are fewer objects in it.
    """
    scene = source.scene
    if isinstance(card.head, WholeHead):
        raise ValueError("this model sees every image as a whole: leave window out")  # noqa: TRY004, a wrong setting
    shown = _checked(window, scene)
    over = tile_over(card, shown, halo)
    tile = read_tile(source, card.bands, over, next(net.parameters()).device)
    top, left = over.row + halo, over.col + halo
    shape = (min(over.row_stop - halo, scene.shape[0]) - top, min(over.col_stop - halo, scene.shape[1]) - left)
    first = halo // card.stride
    rows, cols = (slice(first, first - (-side // card.stride)) for side in shape)
    logits = np.ascontiguousarray(map_of(net, tile)[:, rows, cols])
    geometry = CellGeometry(card.stride, card.cell_offset, shape)
    every = engine.counted(
        engine.decoder.detections(logits, geometry, separation=card.separation, threshold=engine.least_score)
    )
    moved = Detections(every.xy + np.array([left, top]), every.score, every.label, every.classes, every.wh)
    near = moved[shown.contains_xy(moved.xy)]
    if len(near):
        return _object(source, shown, near, _numbered(near, number), number, Window(top, left, *shape))
    heat = engine.decoder.heat(logits).sum(axis=0)
    at = card.cell_offset + card.stride * np.indices(heat.shape)
    y, x = at[0] + top, at[1] + left
    inside = (y >= shown.row) & (y < shown.row_stop) & (x >= shown.col) & (x < shown.col_stop)
    best = np.unravel_index(int(np.where(inside, heat, -1).argmax()), heat.shape)
    xy = (float(x[best]), float(y[best]))
    logger.info("nothing is found in the window: the place of the highest score is explained, %.3f", float(heat[best]))
    return Place(source, shown, xy, f"nothing was found: the highest score, {heat[best]:.3f}", None, None, None)


def with_sure_rank(place: Place, engine: Engine, net: Net, card: ModelCard, halo: int) -> Place:
    """Return the place of an object, without its rank where it is not found again, to the pixel, by window and rank.

    It is not where an object is cut at an edge of what is looked at for its window, or pixels of the file cannot say
    the window.

    Args:
        place: of an object among those of its image.
        engine: of the model.
        net: readable, on its device.
        card: of the model.
        halo: of context in pixels.
    """
    if place.rank is None:
        return place
    try:
        other = in_window(place.source, engine, net, card, place.file_window, place.rank, halo)
    except ValueError:
        return replace(place, rank=None)
    at, again = ((*each.xy, *(each.box or ())) for each in (place, other))
    same = (
        other.window == place.window
        and tile_about(card, other.xy, halo) == tile_about(card, place.xy, halo)
        and len(at) == len(again)
        and np.allclose(at, again, rtol=0, atol=SAME_PX)
    )
    return place if same else replace(place, rank=None)


def counted(source: Source, engine: Engine) -> Detections:
    """Count an image as `detect.predict` does, and return its objects in pixels of the file."""
    shape = file_shape(source.scene)
    logger.info("counting the image, %d x %d pixels, to choose an object; window=[...] looks at a part", *shape[::-1])
    return decoded(map_scene(source, engine, None), engine).detections


def predicted(folder: Path, image: Path, read: Callable[[Path], dict[str, Detections]]) -> Detections:
    """Return the objects of an image in a run's table, in pixels of the file.

    Args:
        folder: that `detect.predict` wrote.
        image: whose name is looked for: that of the table is the end of its path.
        read: reads `detections.csv`.

    Raises:
        ValueError: the run found nothing in an image of the name, or counted several.
    """
    by_image = read(folder / "detections.csv")
    named = [name for name in by_image if Path(name).name == image.name and image.as_posix().endswith(name)]
    if len(named) != 1:
        what = f"images {', '.join(sorted(named))}" if named else "no image"
        raise ValueError(
            f"predictions={folder}: detections.csv has {what} of the name {image.name}; leave predictions out, or give "
            "window=[row,col,height,width]"
        )
    return by_image[named[0]]


def _numbered(found: Detections, number: int) -> int:
    """Return the position of an object by its number, from 1, the highest score first.

    Raises:
        ValueError: there are fewer.
    """
    if number > len(found):
        raise ValueError(f"detection={number}: {len(found)} objects are found here; choose one of 1 to {len(found)}")
    return int(np.argsort(-found.score, kind="stable")[number - 1])


def _object(source: Source, window: Window, found: Detections, place: int, number: int, looked_at: Window) -> Place:
    """Return the place of an object, in resampled pixels; objects were cut at the edges of what was looked at."""
    x, y = (float(each) for each in found.xy[place])
    at = to_file_pixels(found, source.scene).xy[place]
    name = found.names[place]
    order = f"detection {number} of {len(found)} by score, {found.score[place]:.3f}"
    words = f"{name}, {order}, at x={at[0]:.0f}, y={at[1]:.0f}"
    box = None if found.wh is None else tuple(float(each) for each in found.boxes_xyxy[place])
    rank = int((found.score[window.contains_xy(found.xy)] > found.score[place]).sum()) + 1
    edges = (looked_at.col, looked_at.row, looked_at.col_stop, looked_at.row_stop)
    own = Found((x, y, x, y) if box is None else box, edges, int(found.label[place]))  # type: ignore[arg-type]
    return Place(source, window, (x, y), words, name, number, box, rank, own)  # type: ignore[arg-type]


def _scene_place(source: Source, found: Detections, card: ModelCard) -> Place:
    """Return the place of a whole scene."""
    height, width = source.scene.shape
    label = found.names[int(np.argmax(found.score))] if len(found) else None
    words = "the image as a whole" + (f": {label}, {found.score.max():.3f}" if len(found) else ": of no class")
    return Place(source, Window(0, 0, height, width), (width / 2, height / 2), words, label, None, None)


def _checked(window: Window, scene: Scene) -> Window:
    """Return a window of the file in resampled pixels.

    Raises:
        ValueError: it is not in the image, or too large.
    """
    height, width = file_shape(scene)
    if not window.inside((height, width)):
        raise ValueError(
            f"window=[{window.row},{window.col},{window.height},{window.width}] reaches beyond the image of {height} x "
            f"{width} pixels (height, width)"
        )
    x, y = scene.factor_xy
    top, left = min(int(window.row * y), scene.shape[0] - 1), min(int(window.col * x), scene.shape[1] - 1)
    shown = Window(top, left, max(1, round(window.height * y)), max(1, round(window.width * x))).within(scene.shape)
    if max(shown.height, shown.width) > WIDEST:
        raise ValueError(
            f"window is {shown.height} x {shown.width} pixels as the network sees it, and {WIDEST} along a side are "
            "the most; give a smaller one"
        )
    return shown


def _about(xy: tuple[float, float], size: tuple[float, float], scene: Scene) -> Window:
    """Return a window of a size (height, width) about a place, moved into the scene, or as large as that is."""
    height, width = (min(max(1, round(each)), side, WIDEST) for each, side in zip(size, scene.shape, strict=True))
    row = min(max(0, round(xy[1] - height / 2)), scene.shape[0] - height)
    col = min(max(0, round(xy[0] - width / 2)), scene.shape[1] - width)
    return Window(row, col, height, width)
