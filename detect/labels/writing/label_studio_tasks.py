"""Label Studio: a JSON list of tasks, an image each (labelstud.io/guide/predictions).

Detections are *predictions*, which a person sees as pre-annotations and corrects; labels of a person are *annotations*.
Places and sizes are percent of the image's width and height. A labelling set-up with `<Image name="image"
value="$image"/>` and `<RectangleLabels name="label" toName="image">` (`<KeyPointLabels>` for points) takes the file.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.labels.writing.outgoing import OutImage, OutSet, json_line, json_list, write_pieces

POINT_WIDTH = 0.5
"""The width with which a point is drawn, in percent of the image's."""


def write_label_studio(out: OutSet, path: Path) -> None:
    """Write the tasks of all images, of those without objects too."""
    write_pieces(_pieces(out), path)


def _pieces(out: OutSet) -> Iterator[str]:
    """Yield the file's text, a region a line."""
    mark = "["
    for number, image in enumerate(out.images, start=1):
        yield f"{mark}\n"
        yield from _task(out, number, image)
        mark = ","
    yield "[]\n" if mark == "[" else "\n]\n"


def _task(out: OutSet, number: int, image: OutImage) -> Iterator[str]:
    """Yield a task; `split` and `group` are among its data."""
    given = {name: value for name in ("split", "group") if (value := getattr(image, name))}
    boxes = image.objects.xy if image.objects.wh is None else image.objects.boxes_xyxy
    kind = '"predictions": [{"model_version": "detect", ' if out.scored else '"annotations": [{'
    yield f'{{"id": {number}, "data": {json_line({"image": image.name, **given})}, {kind}"result": '
    yield from json_list(_region(out, image, f"{number}-{row + 1}", row, boxes[row]) for row in range(len(boxes)))
    yield "}]}"


def _region(out: OutSet, image: OutImage, name: str, row: int, place: NDArray[np.float64]) -> dict[str, Any]:
    """Return an object of an image, a point or box in pixels."""
    height, width = image.shape
    objects = image.objects
    label = objects.classes[objects.label[row]]
    if objects.wh is None:
        (x, y), kind = place, "keypointlabels"
        value = {"x": 100 * x / width, "y": 100 * y / height, "width": POINT_WIDTH}
    else:
        (x1, y1, x2, y2), kind = place, "rectanglelabels"
        value = {"x": 100 * x1 / width, "y": 100 * y1 / height}
        value |= {"width": 100 * (x2 - x1) / width, "height": 100 * (y2 - y1) / height, "rotation": 0}
    score = {"score": out.score(image, row)} if out.scored else {}
    return {
        "id": name,
        "type": kind,
        "from_name": "label",
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {**{key: float(each) for key, each in value.items()}, kind: [label]},
        **score,
    }
