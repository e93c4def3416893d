"""What a set of labelled images holds: counts by class and image, sizes, spacing, and what looks wrong, as text."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from detect.evaluation.radius import label_spacing
from detect.labels.annotations import AnnotatedImage, Annotations

MOST_IMAGES = 1000
"""Most images that a summary lists."""

NO_SIDE = "without a side (corrections have none), so for training unless data.split names them,"
"""What images are called that have no side of the split, where others have one."""

_MOST_CLASSES = 20
"""Most classes that a line of the log names."""


def short_summary(annotations: Annotations) -> str:
    """Return what is labelled in two or three lines: objects by class, sizes and spacing, sides of the split."""
    objects = [image.objects for image in annotations.images]
    total, empty = sum(map(len, objects)), sum(not len(each) for each in objects)
    by_class = _by_class(annotations)
    named = ", ".join(f"{name} {number}" for name, number in list(by_class.items())[:_MOST_CLASSES])
    more = f" and {len(by_class) - _MOST_CLASSES} more classes" if len(by_class) > _MOST_CLASSES else ""
    kind = "boxes" if annotations.boxes else "points"
    of = f"of {len(by_class)} classes " if len(by_class) > 1 else ""
    without = f", {empty} without objects" if empty else ""
    least = "at least " if annotations.partial else ""
    lines = [
        f"{least}{total} {kind} {of}in {len(objects)} images{without}: {named}{more}",
        *_sizes(annotations),
        *_sides(annotations),
    ]
    return "\n".join(lines)


def full_summary(annotations: Annotations) -> str:
    """Return what is labelled as text: `short_summary`, tables by class and image, and what was told in reading."""
    parts = [f"{annotations.source}", "", short_summary(annotations), "", *_class_table(annotations)]
    parts += ["", *_image_table(annotations), "", *_told(annotations)]
    return "\n".join(parts) + "\n"


def _by_class(annotations: Annotations) -> dict[str, int]:
    """Return the number of objects of each class."""
    counts = dict.fromkeys(annotations.classes, 0)
    for image in annotations.images:
        for name, number in image.objects.counts().items():
            counts[name] += number
    return counts


def _sizes(annotations: Annotations) -> Iterator[str]:
    """Yield a line on how large objects are and how near they lie, in pixels of the files."""
    spacing = label_spacing(image.objects for image in annotations.images)
    said = []
    if annotations.boxes:
        sides = [image.objects.wh.min(axis=1) for image in annotations.images if image.objects.wh is not None]
        said += [f"the shorter sides of boxes are {_spread(np.concatenate(sides))}"] if sum(map(len, sides)) else []
    nearest = spacing.nearest_file_px[np.isfinite(spacing.nearest_file_px)]
    said += [f"the distances to the nearest other object are {_spread(nearest)}"] if len(nearest) else []
    if said:
        yield "; ".join(said)


def _spread(values: NDArray[np.float64]) -> str:
    """Return nine tenths of some lengths and their median."""
    low, middle, high = np.percentile(values, [5, 50, 95])
    return f"{low:.3g} to {high:.3g} px for nine of ten, {middle:.3g} in the middle"


def _sides(annotations: Annotations) -> Iterator[str]:
    """Yield a line on the sides of the split, where the labels have some."""
    sides: dict[str, list[AnnotatedImage]] = {}
    for image in annotations.images:
        sides.setdefault(image.split or NO_SIDE, []).append(image)
    if sides.keys() != {NO_SIDE}:
        each = (
            f"{name} {len(images)} images, {sum(len(i.objects) for i in images)} objects"
            for name, images in sides.items()
        )
        yield "sides of the split: " + "; ".join(each)


def _class_table(annotations: Annotations) -> Iterator[str]:
    """Yield a table of the classes: objects, images that have some, and the median box."""
    rows = []
    for number, name in enumerate(annotations.classes):
        held = [image.objects[image.objects.label == number] for image in annotations.images]
        held = [each for each in held if len(each)]
        sizes = [each.wh for each in held if each.wh is not None]
        box = " x ".join(f"{side:.3g}" for side in np.median(np.concatenate(sizes), axis=0)) if sizes else ""
        rows.append([name, str(sum(map(len, held))), str(len(held)), box])
    yield from _table(["class", "objects", "images", "median box (px)"], rows)
    others: dict[str, int] = {}
    for image in annotations.images:
        for name in image.negative_names:
            others[name] = others.get(name, 0) + 1
    for name, count in sorted(others.items()):
        yield f"no objects, but look-alikes: {count} of {name}"
    regions = sum(len(image.ignored) for image in annotations.images)
    if regions:
        yield f"regions in which nothing is learned or scored: {regions}"


def _image_table(annotations: Annotations) -> Iterator[str]:
    """Yield a table of the images: size, side, and objects by class."""
    shown = annotations.images[:MOST_IMAGES]
    rows = [
        [
            image.name,
            f"{image.shape[1]} x {image.shape[0]}" if any(image.shape) else "",
            image.split or "",
            image.group or "",
            *map(str, image.objects.counts().values()),
            str(len(image.objects)),
        ]
        for image in shown
    ]
    yield from _table(["image", "size (px)", "split", "group", *annotations.classes, "total"], rows)
    if len(annotations.images) > len(shown):
        yield f"... and {len(annotations.images) - len(shown)} more images"


def _told(annotations: Annotations) -> Sequence[str]:
    """Return what was told in reading."""
    if not annotations.told:
        return ["Nothing was left out, put right or looks wrong."]
    return ["Left out, put right, or looks wrong:", *(f"- {sentence}" for sentence in annotations.told)]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table whose columns are as wide as they need to be; empty columns are left out."""
    kept = [i for i in range(len(header)) if any(row[i] for row in rows)] or [0]
    cells = [[_plain(row[i]) for i in kept] for row in [header, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(kept))]
    for row in cells:
        yield "  ".join(_padded(row, widths)).rstrip()


def _padded(row: Iterable[str], widths: Sequence[int]) -> Iterator[str]:
    return (cell.ljust(width) for cell, width in zip(row, widths, strict=True))


def _plain(text: str) -> str:
    """Return a name without characters that would break a line."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
