"""From settings to labels: annotated images or a folder of patches, and what of them is no object."""

import hashlib
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.assembly.given_paths import existing
from detect.assembly.settings.label_settings import LabelledSettings, LabelSettings, NamedSides, SplitSettings
from detect.labels.annotation_files import read_annotations
from detect.labels.annotations import AnnotatedImage, Annotations, with_ignored
from detect.labels.formats.corrections_csv import is_corrections
from detect.labels.formats.patch_folder import PatchFolder, read_patch_folder
from detect.labels.ignored.sources import ignored_areas
from detect.labels.reading.image_classes import is_image_classes, read_image_classes
from detect.labels.regions import area_outside, with_regions
from detect.labels.sheets import writable
from detect.reporting.label_summary import short_summary

logger = logging.getLogger(__name__)

COUNT_COLUMNS = {"image", "total"}
"""Columns of counts.csv that are no classes."""


def read_labels(data: LabelledSettings) -> Annotations | PatchFolder:
    """Read the annotations, or the folder of patches where none are named.

    Raises:
        ValueError: settings that go with the other kind, no objects or not all, or class names that no table can hold.
    """
    assert data.root is not None
    roots = [existing(root, "data.root", "folder of images") for root in data.root]
    if data.annotations is None:
        if len(roots) > 1:
            raise ValueError("data.root: a folder of patches is one folder; give one, or data.annotations for images")
        return _read_folder(data, roots[0])
    paths = [existing(path, "data.annotations", "annotations") for path in data.annotations]
    if any(is_image_classes(path) for path in paths):
        return _read_image_classes(data, paths, roots)
    annotations = read_annotations(
        paths,
        roots,
        negative_labels=data.labels.negative + data.labels.ignored,
        names=data.labels.names,
        group_column=data.group_column,
    )
    if annotations.partial:
        raise ValueError(
            f"{annotations.source}: photographs with dots, without plain copies: dots of dull colours are not found, "
            "and a network learns the dots; let data.root be the folder of the plain photographs"
        )
    annotations = with_ignored(annotations, data.labels.ignored)
    annotations = with_regions(
        annotations, ignored_regions(data.labels, {image.name: image for image in annotations.images})
    )
    number = sum(len(image.objects) for image in annotations.images)
    if not number:
        raise ValueError(f"{annotations.source}: no annotated objects; label some, or check data.labels.negative")
    _check_names(annotations.source, annotations.classes)
    for line in short_summary(annotations).splitlines():
        logger.info("%s", line)
    return annotations


def _read_image_classes(data: LabelledSettings, paths: Sequence[Path], roots: Sequence[Path]) -> PatchFolder:
    """Read tables of whole images and their classes, and what a person corrected in such images.

    Raises:
        ValueError: objects in images beside them, settings for such, or class names that no table can hold.
    """
    path = next(each for each in paths if is_image_classes(each))
    others = [str(each) for each in paths if not is_image_classes(each) and not is_corrections(each)]
    if others:
        raise ValueError(
            f"data.annotations: {path} has classes of whole images, and {', '.join(others)} something else; give "
            "tables of image,label, and corrections.csv of reviews of such images, or train from each alone"
        )
    given = ["data.labels.ignored_regions"] if data.labels.ignored_regions is not None else []
    given += ["data.labels.ignored"] if data.labels.ignored else []
    if given:
        raise ValueError(f"{' and '.join(given)}: for objects in images, and {path} has classes of whole images")
    nothing = (*data.labels.negative, "")[0]
    folder = read_image_classes(paths, roots, data.labels.names, data.group_column, nothing)
    _check_names(path, folder.classes)
    return folder


def _check_names(path: Path, classes: Sequence[str]) -> None:
    """Check that classes can be columns of the tables that runs write."""
    for name in classes:
        writable(name, "class name")
    reserved = sorted(COUNT_COLUMNS & set(classes))
    if reserved:
        raise ValueError(f"{path}: {reserved} are columns of counts.csv; give these classes other names")


def labels_digest(labels: Annotations | PatchFolder) -> str:
    """Return a hash of all that is labelled, by which it is known wherever it lies: names, sizes of files, labels.

    Args:
        labels: as `read_labels` returns them.
    """
    hashed = hashlib.sha256()
    if isinstance(labels, PatchFolder):
        for path, place, label, side in zip(
            labels.paths, labels.names, labels.label.tolist(), labels.split, strict=True
        ):
            hashed.update(repr((place, path.stat().st_size, labels.classes[label], side)).encode())
        if labels.group or labels.present is not None:
            hashed.update(repr((labels.group, None if labels.present is None else labels.present.tolist())).encode())
        return hashed.hexdigest()
    for image in labels.images:
        facts = image.name, image.path.stat().st_size, image.shape, image.split, image.group, image.negative_names
        hashed.update(repr((*facts, image.objects.names)).encode())
        for numbers in (image.objects.xy, image.objects.wh, image.negatives, image.negative_wh, image.ignored):
            hashed.update(repr(None if numbers is None else numbers.tolist()).encode())
    return hashed.hexdigest()


def _read_folder(data: LabelledSettings, root: Path) -> PatchFolder:
    given = _settings_of_images(data.split)
    given += ["data.group_column"] if data.group_column is not None else []
    given += ["data.labels.ignored_regions"] if data.labels.ignored_regions is not None else []
    given += ["data.labels.ignored"] if data.labels.ignored else []
    if given:
        raise ValueError(
            f"{' and '.join(given)}: for annotated images, and {root} is read as a folder of patches, whose sides are "
            "its folders train, valid and test; leave that out, or give data.annotations"
        )
    folder = read_patch_folder(root)
    logger.info("%d patches of %d classes below %s", len(folder.paths), len(folder.classes), root)
    return folder


def _settings_of_images(split: NamedSides) -> list[str]:
    """Return the names of given settings that divide images."""
    given = [f"data.split.{name}" for name in ("val", "test") if getattr(split, name)]
    return given + (["data.split.val_from"] if isinstance(split, SplitSettings) and split.val_from != "auto" else [])


def with_record(data: LabelledSettings, record: Mapping[str, Any]) -> LabelledSettings:
    """Return the settings with the model's names of labels, negative and ignored ones, unless they name their own.

    Args:
        data: the settings.
        record: the training record on a model's card.
    """
    negative = _own_or_recorded("negative", data.labels.negative, record.get("negative_labels", ()))
    ignored = _own_or_recorded("ignored", data.labels.ignored, record.get("ignore_labels", ()))
    names = data.labels.names or dict(record.get("label_names", {}))
    if names != data.labels.names:
        shown = ",".join(f"{old}: {new}" for old, new in names.items())
        logger.info("data.labels.names={%s}, as in training", shown)
    return replace(data, labels=replace(data.labels, names=names, negative=negative, ignored=ignored))


def _own_or_recorded(name: str, own: tuple[str, ...], recorded: Sequence[str]) -> tuple[str, ...]:
    if own or not recorded:
        return own
    logger.info("data.labels.%s=[%s], as in training", name, ",".join(recorded))
    return tuple(recorded)


def ignored_regions(labels: LabelSettings, images: Mapping[str, AnnotatedImage]) -> dict[str, NDArray[np.float64]]:
    """Return the boxes (M, 4) that are ignored, by image: from files, or from the settings themselves.

    Args:
        labels: names the files, or holds rectangles and polygons.
        images: by the names under which they are wanted.
    """
    given = labels.ignored_regions
    if given is None:
        return {}
    found, unknown = ignored_areas(given, images)
    if unknown:
        logger.warning("data.labels.ignored_regions names %s, which are none of these images", ", ".join(unknown))
    for name, boxes in found.items():
        if not all(images[name].shape):
            continue
        share = 1 - area_outside(images[name].shape, boxes) / math.prod(images[name].shape)
        logger.info("%s: %.1f %% of it is ignored, as data.labels.ignored_regions says", name, 100 * share)
    return found
