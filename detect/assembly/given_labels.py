"""From settings to labels: annotated images or a folder of patches, and what of them is no object."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf

from detect.assembly.settings import given_path, names
from detect.labels.annotations import Annotations, with_ignored
from detect.labels.formats.patch_folder import PatchFolder, read_patch_folder
from detect.labels.reading import read_annotations
from detect.labels.regions import read_regions, regions_of, with_regions
from detect.labels.sheets import writable

logger = logging.getLogger(__name__)

LABELS_ASIDE = ("negative_labels", "ignore_labels")
"""Settings of `data` that say which labels are no objects; a model keeps them."""


def read_labels(cfg: DictConfig) -> Annotations | PatchFolder:
    """Read the annotations, or the folder of patches where none are named."""
    root = given_path(cfg, "data.root", "folder of images")
    negatives, ignored = names(cfg.data.negative_labels), names(cfg.data.ignore_labels)
    if cfg.data.annotations is None:
        given = [name for name in ("val", "test") if len(cfg.data[name])]
        given += ["ignored"] if cfg.data.ignored is not None else []
        given += ["val_from"] if cfg.data.val_from != "images" else []
        if given:
            raise ValueError(
                f"data.{' and data.'.join(given)}: for annotated images, and {root} is read as a folder of patches, "
                "whose sides are its folders train, valid and test; leave that out, or give data.annotations"
            )
        folder = read_patch_folder(root)
        logger.info("%d patches of %d classes below %s", len(folder.paths), len(folder.classes), root)
        return folder
    annotations = read_annotations(
        given_path(cfg, "data.annotations", "annotations"), root, negative_labels=negatives + ignored
    )
    annotations = with_ignored(annotations, ignored)
    annotations = with_regions(annotations, ignored_regions(cfg, [image.name for image in annotations.images]))
    number = sum(len(image.objects) for image in annotations.images)
    if not number:
        raise ValueError(f"{annotations.source}: no annotated objects; label some, or check data.negative_labels")
    for name in annotations.classes:
        writable(name, "class name")
    reserved = sorted({"image", "total"} & set(annotations.classes))
    if reserved:
        raise ValueError(f"{annotations.source}: {reserved} are columns of counts.csv; give these classes other names")
    kind = "boxes" if annotations.boxes else "points"
    logger.info("%d %s of %d classes in %d images", number, kind, len(annotations.classes), len(annotations.images))
    return annotations


def labels_aside(cfg: DictConfig, record: Mapping[str, Any]) -> None:
    """Take the labels that are no objects from a model's record, where the configuration names none."""
    for name in LABELS_ASIDE:
        if record.get(name) and not len(cfg.data[name]):
            cfg.data[name] = list(record[name])
            logger.info("data.%s=[%s], as in training", name, ",".join(record[name]))


def ignored_regions(cfg: DictConfig, images: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Read the rectangles of `data.ignored`, (M, 4) by image: from a CSV file, or from the configuration itself."""
    given = cfg.data.ignored
    if given is None:
        return {}
    regions: Any = read_regions(Path(given)) if isinstance(given, str) else OmegaConf.to_container(given)
    if not isinstance(regions, dict):
        raise ValueError(  # noqa: TRY004, a wrong setting, not a wrong type
            f"data.ignored must be a CSV file, or rectangles by image, got {given}"
        )
    found, unknown = regions_of({str(name): boxes for name, boxes in regions.items()}, images)
    if unknown:
        logger.warning("data.ignored names %s, which are none of these images", ", ".join(unknown))
    return found
