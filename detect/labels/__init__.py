"""Things found or annotated: the one table for both, and its file formats."""

from detect.labels.detections import Detections, concatenate
from detect.labels.folders import PatchFolder, read_patch_folder
from detect.labels.predictions import read_detections, write_detections
from detect.labels.regions import area_outside, read_regions, regions_of, with_regions
from detect.labels.sheets import UnwritableError, writable
from detect.labels.sources import (
    AnnotatedImage,
    AnnotationError,
    Annotations,
    ImageFolder,
    find_image,
    match_names,
    outside,
    with_ignored,
)
from detect.labels.tables import read_annotations, read_truth, write_annotations
from detect.labels.voc import write_voc

__all__ = [
    "AnnotatedImage",
    "AnnotationError",
    "Annotations",
    "Detections",
    "ImageFolder",
    "PatchFolder",
    "UnwritableError",
    "area_outside",
    "concatenate",
    "find_image",
    "match_names",
    "outside",
    "read_annotations",
    "read_detections",
    "read_patch_folder",
    "read_regions",
    "read_truth",
    "regions_of",
    "with_ignored",
    "with_regions",
    "writable",
    "write_annotations",
    "write_detections",
    "write_voc",
]
