"""CVAT for images 1.1: one XML file, boxes and points by image (docs.cvat.ai, CVAT XML format).

Pixels from 0, the corner of the first one. The score of a detection is the attribute `score` of its label.
"""

from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import NDArray

from detect.labels.sheets import number_text
from detect.labels.writing.outgoing import OutImage, OutSet, write_pieces


def write_cvat(out: OutSet, path: Path) -> None:
    """Write a CVAT file; the split of an image is its `subset`, its group an attribute that CVAT passes over."""
    write_pieces(_pieces(out), path)


def _pieces(out: OutSet) -> Iterator[str]:
    """Yield the file's text, an image or object a line."""
    yield '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n<meta><task><labels>\n'
    attributes = ""
    if out.scored:
        kind = "<name>score</name><mutable>False</mutable><input_type>text</input_type>"
        attributes = f"<attribute>{kind}<default_value></default_value><values></values></attribute>"
    for name in out.classes:
        yield f"<label><name>{escape(name)}</name><attributes>{attributes}</attributes></label>\n"
    yield "</labels></task></meta>\n"
    for number, image in enumerate(out.images):
        yield from _image(out, number, image)
    yield "</annotations>\n"


def _image(out: OutSet, number: int, image: OutImage) -> Iterator[str]:
    """Yield an image with its objects."""
    height, width = image.shape
    given = {"subset": image.split, "group": image.group}
    extra = "".join(f" {name}={quoteattr(value)}" for name, value in given.items() if value)
    yield f'<image id="{number}" name={quoteattr(image.name)} width="{width}" height="{height}"{extra}>\n'
    objects = image.objects
    places = objects.xy if objects.wh is None else objects.boxes_xyxy
    for row, label in enumerate(objects.label):
        tag, where = _place(out, places[row])
        source = "auto" if out.scored else "manual"
        start = f'<{tag} label={quoteattr(objects.classes[label])} source="{source}" occluded="0" {where} z_order="0"'
        score = f'<attribute name="score">{number_text(out.score(image, row))}</attribute>' if out.scored else ""
        yield f"{start}>{score}</{tag}>\n"
    yield "</image>\n"


def _place(out: OutSet, place: NDArray[np.float64]) -> tuple[str, str]:
    """Return the element and the attributes of a point or box."""
    numbers = [number_text(each) for each in out.numbers(place)]
    if len(numbers) == 2:
        return "points", f'points="{",".join(numbers)}"'
    corners = zip(("xtl", "ytl", "xbr", "ybr"), numbers, strict=True)
    return "box", " ".join(f'{name}="{number}"' for name, number in corners)
