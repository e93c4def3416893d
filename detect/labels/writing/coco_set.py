"""COCO: one JSON file of images, categories and annotations (Lin et al. 2014; cocodataset.org/#format-data).

Boxes are `bbox`: x and y of the top left corner, width, height, in pixels from 0. Points are a keypoint each, with a
`bbox` of a typical object around it where its size is known, as most programs read nothing else. Detections have a
`score`, so that the list of annotations is what `COCO.loadRes` takes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from detect.labels.writing.outgoing import OutImage, OutSet, json_line, json_list, write_pieces

SEEN = 2
"""The visibility of a keypoint that is labelled and can be seen."""


def write_coco(out: OutSet, path: Path) -> None:
    """Write a COCO file. `split` and `group` of an image are entries of it, which other programs pass over."""
    write_pieces(_pieces(out), path)


def _pieces(out: OutSet) -> Iterator[str]:
    """Yield the file's text, one image or annotation a line."""
    yield f'{{"info": {json_line({"description": "objects of images", "contributor": "detect"})},\n"licenses": [],\n'
    yield '"categories": '
    yield from json_list(_category(out, number) for number in range(len(out.classes)))
    yield ',\n"images": '
    yield from json_list(_image(number, image) for number, image in enumerate(out.images, start=1))
    yield ',\n"annotations": '
    yield from json_list(_annotations(out))
    yield "}\n"


def _category(out: OutSet, number: int) -> dict[str, Any]:
    """Return a class; those of points have one keypoint."""
    keypoints = {"keypoints": ["point"], "skeleton": []} if out.points else {}
    return {"id": number + 1, "name": out.classes[number], "supercategory": "", **keypoints}


def _image(number: int, image: OutImage) -> dict[str, Any]:
    """Return an image."""
    height, width = image.shape
    given = {name: value for name in ("split", "group") if (value := getattr(image, name))}
    return {"id": number, "file_name": image.name, "width": width, "height": height, **given}


def _annotations(out: OutSet) -> Iterator[dict[str, Any]]:
    """Yield every object and region to ignore, numbered from 1; regions are crowds of the first class, for all."""
    total = 0
    for number, image in enumerate(out.images, start=1):
        objects = image.objects
        boxed = objects.wh is not None or image.object_wh is not None
        boxes = image.boxes_xyxy if boxed else np.empty((0, 4))
        for row, label in enumerate(objects.label.tolist()):
            total += 1
            made: dict[str, Any] = {"id": total, "image_id": number, "category_id": label + 1, "iscrowd": 0}
            if boxed:
                x1, y1, x2, y2 = boxes[row]
                box = out.numbers((x1, y1, x2 - x1, y2 - y1))
                made |= {"bbox": box, "area": out.number(box[2] * box[3])}
            if objects.wh is None:
                made |= {"keypoints": [*out.numbers(objects.xy[row]), SEEN], "num_keypoints": 1}
            yield {**made, "score": out.score(image, row)} if out.scored else made
        for x1, y1, x2, y2 in image.ignored if out.classes else ():
            total += 1
            box = out.numbers((x1, y1, x2 - x1, y2 - y1))
            region = {"bbox": box, "area": out.number(box[2] * box[3]), "iscrowd": 1}
            yield {"id": total, "image_id": number, "category_id": 1, **region}
