"""Photographs on which people painted a dot on each object: the plain ones and the dotted copies, or dots on black.

Dots are found by the difference of the two, so that compression and what the photograph shows do not matter; their
colours are their classes. What is blacked out on a dotted copy holds no dots and is ignored. Where there is no plain
copy, and the dotted photograph lies below the data folder itself, dots of vivid colours alone are found, which is told.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detect.imagery.finding.endings import SUFFIXES
from detect.labels.annotations import AnnotationError
from detect.labels.dotted.dots import DotStyle, dots_of, style_of, usual_area
from detect.labels.dotted.marks import BLOCK_PX, Marked, MarksError, marks_of_pair, marks_of_vivid, marks_on_background
from detect.labels.dotted.pictures import PlainCopies, background_of, dotted_pictures, open_pixels, pictures_below
from detect.labels.entries import Entry, Problems
from detect.labels.reading.json_heads import files_below

_LABELS = {".csv", ".tsv", ".xml", ".json", ".txt", ".geojson", ".gpkg", ".shp", ".pnt", ".yaml", ".yml"}
_ENOUGH = 8


def is_dotted(path: Path) -> bool:
    """Return whether a path is an image, or a folder of images without files of other formats among them."""
    if not path.is_dir():
        return path.is_file() and path.suffix.lower() in SUFFIXES
    return bool(pictures_below(path)) and next(files_below(path, *_LABELS), None) is None


def read_dotted(path: Path, root: Path | None, problems: Problems) -> tuple[list[Entry], bool]:
    """Read the dots of dotted photographs as points, with the colours of the dots as labels.

    Args:
        path: a folder of dotted pictures, or one: photographs, or dots on black or white.
        root: the data folder, below which the plain copies are, by the names of the dotted ones.
        problems: collects pictures that cannot be used, and what is told.

    Returns:
        The entries, and False: they are points. What is blacked out is an entry that is ignored.
    """
    copies = None if root is None else PlainCopies(root, path)
    found: list[tuple[Path, Path | None, Marked]] = []
    for picture in dotted_pictures(path):
        try:
            plain = None if copies is None else copies.find(picture)
            found.append((picture, plain, _marked(picture, plain, root)))
        except (AnnotationError, MarksError) as error:
            problems.add(str(picture), str(error).removeprefix(f"{picture}: "))
    style = style_of([mark for _, _, marked in found for mark in marked.marks])
    entries: list[Entry] = []
    for picture, plain, marked in found:
        named = plain or picture
        name = picture.name if root is None else named.absolute().relative_to(root.absolute()).as_posix()
        empty = Entry(picture, 1, name, None, unit="dot")
        if marked.vivid_only:
            problems.partial = True
            problems.tell(
                "THE COUNTS ARE TOO LOW where dots are brown, grey, black or white: without a plain copy dots of "
                "vivid colours alone are found; give the folder of the plain photographs, as root= or data.root=",
                name,
            )
        dots = [] if style is None else list(_dot_entries(empty, marked, style, problems))
        entries += (dots or [empty]) + list(_ignored(empty, marked, problems))
    return entries, False


def _marked(picture: Path, plain: Path | None, root: Path | None) -> Marked:
    """Find the marks of a dotted picture."""
    with ExitStack() as opened:
        scene, pixels = opened.enter_context(open_pixels(picture))
        background = background_of(scene, pixels)
        own = root is not None and picture.absolute().is_relative_to(root.absolute())
        if plain is None and background is None and own:
            return marks_of_vivid(pixels, scene.shape)
        if plain is None and (root is not None or background is None):
            where = "give data.root, the folder of the plain ones" if root is None else f"there is none below {root}"
            raise AnnotationError(f"{picture}: dots belong to the plain copy of the same name; {where}")
        if background is not None:
            return marks_on_background(pixels, scene.shape, background)
        assert plain is not None
        other, plain_pixels = opened.enter_context(open_pixels(plain))
        if other.shape != scene.shape:
            sizes = " and ".join(f"{each.shape[1]} x {each.shape[0]}" for each in (scene, other))
            raise AnnotationError(f"{picture}: the dotted copy and {plain} must be of one size, they are {sizes}")
        return marks_of_pair(pixels, plain_pixels, scene.shape)


def _dot_entries(empty: Entry, marked: Marked, style: DotStyle, problems: Problems) -> Iterator[Entry]:
    """Yield a point for each dot, and tell what marks are no dots."""
    own = usual_area(marked.marks, least=_ENOUGH)
    dots = dots_of(marked.marks, style if own is None else replace(style, area=own))
    strange = (
        []
        if marked.vivid_only
        else dots.strange + [((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) for box in marked.too_large]
    )
    for x, y in strange:
        text = "marks of another size, shape or colour than dots are left out"
        problems.tell(text, f"{empty.source.name} at {x:.0f}, {y:.0f}")
    kept = np.flatnonzero(style.vivid[dots.colour]) if marked.vivid_only else np.arange(len(dots.xy))
    found = zip(dots.xy[kept].tolist(), dots.colour[kept].tolist(), strict=True)
    for number, (xy, colour) in enumerate(found, start=1):
        yield replace(empty, line=number, numbers=tuple(xy), label=style.names[colour])


def _ignored(empty: Entry, marked: Marked, problems: Problems) -> Iterator[Entry]:
    """Yield the boxes of what is blacked out."""
    if not marked.blacked.any():
        return
    problems.tell(
        "what is blacked out on dotted photographs has no dots, and is ignored",
        f"{empty.source.name} ({100 * marked.blacked.mean():.0f} %)",
    )
    for box in rectangles(marked.blacked):
        yield replace(empty, numbers=tuple(float(BLOCK_PX * side) for side in box), ignored=True)


def rectangles(cells: NDArray[np.bool_]) -> Iterator[Sequence[int]]:
    """Yield rectangles x1, y1, x2, y2 that cover the marked cells (rows, cols), each cell once."""
    open_runs: dict[tuple[int, int], int] = {}
    rows = np.vstack([cells, np.zeros((1, cells.shape[1]), bool)])
    for y, row in enumerate(rows):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], row, [False]]).astype(int)))
        runs = set(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
        for run in [each for each in open_runs if each not in runs]:
            yield run[0], open_runs.pop(run), run[1], y
        for run in sorted(runs - set(open_runs)):
            open_runs[run] = y
