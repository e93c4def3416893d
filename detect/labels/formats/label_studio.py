"""Label Studio: a JSON list of tasks with annotations, in percent of the image's sides (JSON and JSON_MIN).

See labelstud.io, "Label Studio JSON format of annotated tasks".
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from detect.imagery.finding.endings import SUFFIXES
from detect.labels.annotations import AnnotationError
from detect.labels.entries import Entry, Problems
from detect.labels.formats.csv_table import SPLITS
from detect.labels.json_files import MAX_LABELS_BYTES, read_json
from detect.labels.reading.drawings import Drawings, Drawn, Numbers, one
from detect.labels.reading.json_heads import names_in
from detect.labels.reading.naming import image_names, served_name
from detect.labels.reading.shapes import (
    ShapeError,
    box_around,
    box_of_ellipse,
    box_of_rectangle,
    numbers_of,
    pairs_of,
)
from detect.labels.reading.task_states import TaskState

_TASK_KEYS = {"annotations", "completions", "predictions"}
_FULL = 100.0
_NOT_LABELLED = "tasks without an annotation, or with a cancelled one, are not labelled and are left out"
_READ = "rectangles, polygons, ellipses and key points"
_GEOMETRY = frozenset({"x", "points", "rle", "format"})


def is_label_studio(path: Path) -> bool:
    """Return whether a path is a JSON list of tasks of Label Studio, or one task, by the names in it."""
    if path.suffix.lower() != ".json":
        return False
    tasks = names_in(path, "data") and any(names_in(path, name) for name in _TASK_KEYS)
    return (tasks and not names_in(path, "categories")) or names_in(path, "annotation_id", "annotator")


def read_label_studio(path: Path, root: Path | None, problems: Problems) -> tuple[list[Entry], bool]:
    """Read the shapes of the tasks of Label Studio.

    Of several annotations of a task one is used: the one marked as ground truth, else the one changed last; cancelled
    ones never. Tasks without an annotation are not labelled and are left out; predictions are not used. `split` (train,
    val, test) and `group` of a task's data are those of its image.

    Args:
        path: the file.
        root: the data folder; None if no image is opened.
        problems: collects tasks and shapes that cannot be used.

    Returns:
        The entries, and whether they are boxes: turned rectangles, polygons and ellipses become upright boxes.

    Raises:
        AnnotationError: the file holds something else.
    """
    drawings = Drawings(problems)
    owner: dict[str, int] = {}
    for number, task in enumerate(_tasks(path), start=1):
        place = f"{path} task {number}"
        try:
            address, results = _task(task, place, problems)
        except ShapeError as error:
            problems.skip(place, str(error))
            continue
        if results is None:
            continue
        name, others = image_names(served_name(address), path, root)
        if owner.setdefault(name, number) != number:
            problems.skip(place, f"the image {name} is that of task {owner[name]} too, which is used")
            continue
        split, group = _sides(task)
        image = Entry(path, number, name, None, split=split, group=group, other_names=others, unit="task")
        drawings.add(image, _drawn(results, number, place, problems))
    return drawings.finished()


def label_studio_states(path: Path) -> list[TaskState]:
    """Return what a file says of each of its tasks that have an image: whether a person submitted it, and its size.

    Raises:
        AnnotationError: the file holds something else.
    """
    states, unused = [], Problems(path)
    for task in _tasks(path):
        try:
            address, results = _task(task, str(path), unused)
        except ShapeError:
            continue
        name, _ = image_names(served_name(address), path, None)
        sizes = (_size(each) for each in results or ())
        states.append(TaskState(name, results is not None, next((size for size in sizes if size), None)))
    return states


def _size(result: Any) -> tuple[int, int] | None:
    """Return the (height, width) of the image of a result, where it says that."""
    content, value = result if isinstance(result, dict) else {}, _value(result)
    given = [content.get(name) or value.get(name) for name in ("original_height", "original_width")]
    height, width = (each if isinstance(each, int) and not isinstance(each, bool) else None for each in given)
    return None if height is None or width is None else (height, width)


def _tasks(path: Path) -> list[Any]:
    try:
        content = read_json(path, most_bytes=MAX_LABELS_BYTES)
    except ValueError as error:
        raise AnnotationError(str(error)) from error
    return content if isinstance(content, list) else [content]


def _task(task: Any, place: str, problems: Problems) -> tuple[str, Sequence[Any] | None]:
    """Return the address of a task's image, and the results of the annotation that is used; None without one."""
    if not isinstance(task, dict):
        raise ShapeError("is no task")
    data = task.get("data", task)
    address = _address(data if isinstance(data, dict) else {})
    if "data" not in task:
        if task.get("annotation_id", "") is None:  # of a task without an annotation, which the export may list too
            problems.tell(_NOT_LABELLED, place)
            return address, None
        return address, [each for value in task.values() if isinstance(value, list) for each in value]
    if task.get("drafts"):
        problems.tell("drafts that nobody submitted are not used; submit them and export again", place)
    given = task.get("annotations", task.get("completions"))
    annotations = [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
    used = [each for each in annotations if not each.get("was_cancelled") and isinstance(each.get("result"), list)]
    if not used:
        problems.tell(_NOT_LABELLED, place)
        return address, None
    if len(used) > 1:
        problems.tell("of several annotations of a task, the ground truth or the one changed last is used", place)
    return address, max(used, key=_rank)["result"]


def _sides(task: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return the side of the split and the group among a task's data, None where there is none."""
    data = task.get("data")
    given = data if isinstance(data, dict) else {}
    split, group = (text if isinstance(text := given.get(name), str) else "" for name in ("split", "group"))
    return SPLITS.get(split.strip().lower()), group or None


def _rank(annotation: Mapping[str, Any]) -> tuple[bool, str]:
    """Return the order of annotations of a task, of which the last is used."""
    changed = annotation.get("updated_at") or annotation.get("created_at") or ""
    return bool(annotation.get("ground_truth")), str(changed)


def _address(data: Mapping[str, Any]) -> str:
    """Return the address of a task's image.

    Raises:
        ShapeError: there is none, or there are several.
    """
    texts = {name: value for name, value in data.items() if isinstance(value, str) and value}
    if "image" in texts:
        return texts["image"]
    found = [text for text in texts.values() if PurePosixPath(served_name(text)).suffix.lower() in SUFFIXES]
    if len(found) != 1:
        raise ShapeError(f"has {len(found)} images in its data, and one is read; call it image")
    return found[0]


def _drawn(results: Sequence[Any], task: int, place: str, problems: Problems) -> Iterator[Drawn]:
    """Yield the shapes among an annotation's results; a shape and its label may be two results of one id."""
    labels: dict[str, str] = {}
    for result in results:
        if (label := _label(result)) and (name := _name(result)):
            labels.setdefault(name, label)
    shapes = {_name(each) for each in results if _GEOMETRY & _value(each).keys()}
    drawn: set[str] = set()
    for result in results:
        value, name = _value(result), _name(result)
        if not _GEOMETRY & value.keys():
            if _label(result) and result.get("type") != "relation" and not (name and name in shapes):
                yield Drawn(task, _label(result), one(_unknown, result))
            else:
                problems.tell("results that are no shapes are not read", place)
            continue
        if name and name in drawn:
            continue
        drawn.add(name)
        yield Drawn(task, _label(result) or labels.get(name), one(_numbers, result))


def _name(result: Any) -> str:
    """Return the id of a result, by which the parts of a shape belong together; empty without one."""
    name = result.get("id") if isinstance(result, dict) else None
    return name if isinstance(name, str) else ""


def _unknown(result: Any) -> Numbers:
    """Refuse a labelled result without a place that is understood, such as a vector."""
    raise ShapeError(f"is a shape of the kind {str(result.get('type'))[:40]!r}, and {_READ} are read")


def _value(result: Any) -> Mapping[str, Any]:
    """Return what a result says of a shape: its member `value`, or itself in JSON_MIN."""
    content = result if isinstance(result, dict) else {}
    value = content.get("value", content)
    return value if isinstance(value, dict) else {}


def _label(result: Any) -> str:
    """Return the first label of a result, of whatever kind: `rectanglelabels`, `labels`; empty without one."""
    for key, names in _value(result).items():
        if key.endswith("labels") and isinstance(names, list) and names and isinstance(names[0], str):
            return names[0]
    return ""


def _numbers(result: Mapping[str, Any]) -> Numbers:
    """Return the point or box of a shape, in pixels."""
    value = _value(result)
    if "rle" in value or "format" in value:
        raise ShapeError(f"is a brush stroke, and {_READ} are read")
    if result.get("image_rotation"):
        raise ShapeError("was drawn on an image turned in Label Studio; turn the image file and label it anew")
    names = ("original_width", "original_height")
    sides = numbers_of(((result.get(name) or value.get(name)) for name in names), "original_width and original_height")
    if min(sides) < 1:
        raise ShapeError("original_width and original_height must be positive")
    if "points" in value:
        return box_around([_pixels(pair, sides) for pair in pairs_of(value["points"], "points")])
    corner = _pixels(numbers_of((value.get("x"), value.get("y")), "x and y"), sides)
    degrees = numbers_of([value.get("rotation") or 0], "rotation")[0]
    if "radiusX" in value:
        radii = numbers_of((value.get("radiusX"), value.get("radiusY")), "radiusX and radiusY")
        return box_of_ellipse(corner, _pixels(radii, sides), degrees)
    if "height" not in value:
        return corner
    size = _pixels(numbers_of((value.get("width"), value.get("height")), "width and height"), sides)
    return box_of_rectangle(corner, size, degrees, about_middle=False)


def _pixels(percent: Sequence[float], sides: Sequence[float]) -> tuple[float, float]:
    return percent[0] * sides[0] / _FULL, percent[1] * sides[1] / _FULL
