"""The formats in which objects are written: detections by `write=`, annotations by `write_annotations`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from detect.labels.writing.coco_set import write_coco
from detect.labels.writing.cvat_images import write_cvat
from detect.labels.writing.geojson_features import write_geojson
from detect.labels.writing.geopackage import write_gpkg
from detect.labels.writing.label_studio_tasks import write_label_studio
from detect.labels.writing.outgoing import OutSet
from detect.labels.writing.voc_folder import voc_files, voc_texts
from detect.labels.writing.yolo_folder import yolo_files, yolo_texts


@dataclass(frozen=True)
class FileFormat:
    """A format that is one file.

    Attributes:
        place: the file's name in a folder of predictions.
        ending: of a target that is written in this format if none is named; None where another one has it.
        write: writes the objects to a path.
        placed: whether it has objects of georeferenced images alone.
    """

    place: str
    ending: str | None
    write: Callable[[OutSet, Path], None]
    placed: bool = False


@dataclass(frozen=True)
class FolderFormat:
    """A format that is a folder of text files.

    Attributes:
        place: the folder's name in a folder of predictions.
        ending: of a target that is written in this format if none is named; None where another one has it.
        texts: yields each file's path below the folder, and its text.
        files: returns those paths for the names of images; a ValueError for names that cannot be written.
    """

    place: str
    ending: str | None
    texts: Callable[[OutSet], Iterator[tuple[str, str]]]
    files: Callable[[Sequence[str]], list[str]]


FORMATS: Mapping[str, FileFormat | FolderFormat] = {
    "geojson": FileFormat("detections.geojson", ".geojson", write_geojson, placed=True),
    "gpkg": FileFormat("detections.gpkg", ".gpkg", write_gpkg, placed=True),
    "coco": FileFormat("coco.json", ".json", write_coco),
    "yolo": FolderFormat("yolo", None, yolo_texts, yolo_files),
    "voc": FolderFormat("voc", "", voc_texts, voc_files),
    "labelstudio": FileFormat("labelstudio.json", None, write_label_studio),
    "cvat": FileFormat("cvat.xml", ".xml", write_cvat),
}
"""The formats by the names that `write=` and `format=` have for them."""
