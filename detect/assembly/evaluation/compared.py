"""What was found and what is there, image by image, as an evaluation compares them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from detect.assembly.given_labels import ignored_regions
from detect.assembly.settings.evaluate_settings import EvaluateSettings
from detect.imagery.scenes import Scene, original
from detect.labels.annotations import AnnotatedImage, Annotations
from detect.labels.detections import Detections
from detect.labels.formats.detections_csv import read_detections
from detect.labels.regions import outside
from detect.reporting.output.layout import PredictionPaths
from detect.reporting.output.predictions import read_candidates


@dataclass(frozen=True, eq=False)
class Compared:
    """What was found and what is there, by image, in pixels of the image files.

    `every` has what was found at scores below the threshold too; None where that was not kept.
    """

    found: Mapping[str, Detections]
    truth: Mapping[str, Detections]
    every: Mapping[str, Detections] | None = None


def _sized(image: AnnotatedImage, scene: Scene | None) -> AnnotatedImage:
    """Return an annotated image with the path and the size of the file that was counted, where it is still there."""
    return image if scene is None else replace(image, path=scene.path, shape=original(scene).shape)


def paired(
    settings: EvaluateSettings,
    paths: PredictionPaths,
    classes: Sequence[str],
    annotations: Annotations,
    pairs: Mapping[str, str],
    scenes: Mapping[str, Scene],
) -> Compared:
    """Read what was found in the annotated images; objects in ignored regions are left out on both sides.

    The annotations may have regions of their own, such as the crowds of COCO. Polygons and masks need the sizes of
    images, which are those of the scenes.
    """
    truth = annotations.truth
    annotated = {name for key in pairs.values() for name in truth[key].names}
    every = sorted({*classes, *annotated})
    read = read_detections(paths.detections, every)
    empty = Detections.empty(every)
    found = {image: read.get(image, empty) for image in pairs}
    wanted = {image: truth[key].with_classes(every) for image, key in pairs.items()}
    known = {image.name: image for image in annotations.images}
    own = {name: image.ignored for name, image in known.items()}
    sized = {image: _sized(known[key], scenes.get(image)) for image, key in pairs.items()}
    given = ignored_regions(settings.data.labels, sized)
    candidates = read_candidates(paths.folder, list(pairs), every)
    for image, key in pairs.items():
        regions = np.concatenate([own[key], given.get(image, np.empty((0, 4)))])
        found[image], wanted[image] = outside(found[image], regions), outside(wanted[image], regions)
        if candidates is not None:
            candidates[image] = outside(candidates[image], regions)
    return Compared(found, wanted, candidates)


def annotated_only(annotations: Annotations, pairs: Mapping[str, str]) -> list[Detections]:
    """Return the objects, outside of ignored regions, of the images that were annotated only."""
    matched = set(pairs.values())
    return [outside(image.objects, image.ignored) for image in annotations.images if image.name not in matched]
