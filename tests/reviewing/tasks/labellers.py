"""Labelling teams that are made up: what they see in exported tasks, and the files that their programs would write."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from detect.labels.annotation_files import read_unchecked

Drawn = list[tuple[str, tuple[float, ...]]]
"""Objects of a picture: label, and x, y or the corners of a box in its pixels."""


@dataclass
class Team:
    """A team that has opened the tasks of a program.

    Attributes:
        program: `label_studio` or `cvat`.
        shapes: (height, width) of each picture.
        drawn: what is in each picture.
        skipped: pictures that nobody has looked at.
    """

    program: str
    shapes: dict[str, tuple[int, int]]
    drawn: dict[str, Drawn]
    skipped: set[str] = field(default_factory=set)

    def save(self, path: Path) -> Path:
        """Write what the program exports, and return its path."""
        made = path.with_suffix(".json" if self.program == "label_studio" else ".xml")
        text = self._label_studio() if self.program == "label_studio" else self._cvat()
        made.write_text(text, encoding="utf-8")
        return made

    def _label_studio(self) -> str:
        tasks = []
        for number, (picture, objects) in enumerate(self.drawn.items()):
            results = [
                {**ls_result(label, numbers, self.shapes[picture]), "id": f"r{i}"}
                for i, (label, numbers) in enumerate(objects)
            ]
            annotation = {"id": number, "was_cancelled": picture in self.skipped, "result": results}
            data = {"image": f"/data/upload/3/abcdef12-{picture}"}
            tasks.append({"id": number, "data": data, "annotations": [annotation], "predictions": []})
        return json.dumps(tasks)

    def _cvat(self) -> str:
        """Numbers have two decimals, as CVAT writes them."""
        return cvat_text(
            (picture, self.shapes[picture], objects, picture not in self.skipped)
            for picture, objects in self.drawn.items()
        )


def ls_result(label: str, numbers: tuple[float, ...], shape: tuple[int, int]) -> dict:
    """A shape as Label Studio exports it: in percent."""
    height, width = shape
    kind = "keypointlabels" if len(numbers) == 2 else "rectanglelabels"
    value = {"x": 100 * numbers[0] / width, "y": 100 * numbers[1] / height, "width": 0.5}
    if len(numbers) == 4:
        sides = (100 * (numbers[2] - numbers[0]) / width, 100 * (numbers[3] - numbers[1]) / height)
        value |= {"width": sides[0], "height": sides[1], "rotation": 0}
    sizes = {"original_width": width, "original_height": height, "image_rotation": 0}
    return {**sizes, "type": kind, "value": {**value, kind: [label]}, "origin": "manual"}


def cvat_text(images: Iterable[tuple[str, tuple[int, int], Drawn, bool]]) -> str:
    """A file of CVAT: of each image name, shape, objects, and whether it has the tag of reviewed ones."""
    parts = ["<annotations><version>1.1</version>"]
    for picture, (height, width), objects, tagged in images:
        parts.append(f'<image id="0" name={quoteattr(f"a task/{picture}")} width="{width}" height="{height}">')
        for label, numbers in objects:
            texts = [f"{each:.2f}" for each in numbers]
            if len(texts) == 2:
                parts.append(f'<points label={quoteattr(label)} points="{",".join(texts)}"/>')
            else:
                names = zip(("xtl", "ytl", "xbr", "ybr"), texts, strict=True)
                corners = " ".join(f'{name}="{text}"' for name, text in names)
                parts.append(f"<box label={quoteattr(label)} {corners}/>")
        parts.append('<tag label="window_reviewed" source="manual"/></image>' if tagged else "</image>")
    return "".join([*parts, "</annotations>"])


def opened(folder: Path, program: str) -> Team:
    """The team that has opened what was exported of a predictions folder, read by the readers of annotations."""
    tasks = folder / "survey/tasks"
    path = tasks / ("tasks.json" if program == "label_studio" else "annotations.xml")
    shapes: dict[str, tuple[int, int]] = {}
    if program == "label_studio":
        given = json.loads(path.read_text())
        pictures = [each["data"]["image"].rpartition("/")[2] for each in given]
        path = tasks.parent / "accepted.json"  # predictions are annotations once they are accepted
        path.write_text(json.dumps([{"data": each["data"], "annotations": each["predictions"]} for each in given]))
    else:
        pictures = [image.get("name", "") for image in ElementTree.parse(path).getroot().iter("image")]
    for picture in pictures:
        height, width = (tasks / picture).read_bytes()[20:24], (tasks / picture).read_bytes()[16:20]
        shapes[picture] = int.from_bytes(height), int.from_bytes(width)
    return Team(program, shapes, _read(path, pictures))


def _read(path: Path, pictures: Iterable[str]) -> dict[str, Drawn]:
    drawn: dict[str, Drawn] = {picture: [] for picture in pictures}
    for image in read_unchecked(path).images:
        numbers = image.objects.xy if image.objects.wh is None else image.objects.boxes_xyxy
        drawn[image.name.rpartition("/")[2]] = list(zip(image.objects.names, map(tuple, numbers.tolist()), strict=True))
    return drawn


def number_of_objects(drawn: Mapping[str, Drawn]) -> int:
    """How many objects all pictures have."""
    return sum(map(len, drawn.values()))
