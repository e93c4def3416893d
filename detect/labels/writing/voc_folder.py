"""Pascal VOC, written: one XML file an image, at the image's path with the ending `.xml`."""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from xml.sax.saxutils import escape

from detect.labels.sheets import number_text
from detect.labels.writing.outgoing import OutImage, OutSet, tell_points_as_boxes

CORNERS = ("xmin", "ymin", "xmax", "ymax")


def voc_files(names: Sequence[str]) -> list[str]:
    """Return the files of images, by their paths below the folder.

    Raises:
        ValueError: two images share one, or one is hidden.
    """
    owner: dict[str, str] = {}
    for name in names:
        file = _file(name)
        if PurePosixPath(file).name.startswith("."):
            raise ValueError(f"voc: {name}: {file} would be hidden, and hidden files are not read; rename the image")
        first = owner.setdefault(file, name)
        if first != name:
            raise ValueError(f"voc: two images would be written to {file}: {first} and {name}; rename one")
    return list(owner)


def voc_texts(out: OutSet) -> Iterator[tuple[str, str]]:
    """Yield the files of the folder, each its path below it and its text; a detection has a `<score>`.

    Raises:
        ValueError: two images share a file, one is hidden, or the objects are points of which no size is known.
    """
    voc_files([image.name for image in out.images])
    tell_points_as_boxes(out, "voc")
    for image in out.images:
        yield _file(image.name), _text(out, image)


def _file(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(".xml"))


def _text(out: OutSet, image: OutImage) -> str:
    """Return the file of an image."""
    height, width = image.shape
    given = "".join(
        f"  <{tag}>{escape(value)}</{tag}>\n" for tag in ("split", "group") if (value := getattr(image, tag))
    )
    head = f"<annotation>\n  <filename>{escape(image.name)}</filename>\n"
    size = f"  <size>\n    <width>{width}</width>\n    <height>{height}</height>\n  </size>\n"
    return "".join([head, size, given, *_objects(out, image), "</annotation>\n"])


def _objects(out: OutSet, image: OutImage) -> Iterator[str]:
    """Yield the objects of an image."""
    for row, (corners, label) in enumerate(zip(image.boxes_xyxy, image.objects.label, strict=True)):
        score = f"    <score>{number_text(out.score(image, row))}</score>\n" if out.scored else ""
        box = "".join(
            f"      <{corner}>{number_text(number)}</{corner}>\n"
            for corner, number in zip(CORNERS, out.numbers(corners), strict=True)
        )
        name = f"    <name>{escape(out.classes[label])}</name>\n"
        yield f"  <object>\n{name}{score}    <bndbox>\n{box}    </bndbox>\n  </object>\n"
