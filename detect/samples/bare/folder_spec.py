"""What a classifier of a folder of patches is built from: its spec, its outputs and the values of its pixels."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detect.imagery.description.arranging import arranged
from detect.imagery.description.remarks import tell
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.resolution import Resolution
from detect.imagery.scenes import Scene
from detect.imagery.wafers.drawn.drawing import keeps_truncated
from detect.labels.formats.patch_folder import PatchFolder
from detect.nets.heads.specs import PatchHead
from detect.nets.net_spec import BackboneSpec, NetSpec
from detect.samples.bare.patch_files import PatchFiles
from detect.samples.labelled_scenes import drawing_alike, image_kind
from detect.samples.values.measured import patch_values
from detect.samples.values.normalisation import Given, Rule, TrainingValues

MOST_LOOKED_AT = 2000
"""Most patches, evenly spread over a folder, by which the bands of all are chosen; a patch of others is an error."""


def looked_at(paths: Sequence[Path]) -> list[Scene]:
    """Return the scenes of files, at most `MOST_LOOKED_AT`, evenly spread; all where lists may be cut off."""
    step = 1 if keeps_truncated() else -(-len(paths) // MOST_LOOKED_AT)
    return [open_scene(path) for path in paths[::step]]


def folder_spec(
    folder: PatchFolder,
    negative_labels: Sequence[str],
    backbone: Callable[[int], BackboneSpec],
    bands: Sequence[int | str] | None,
    resolution: Resolution,
) -> NetSpec:
    """Return the spec of a classifier of a folder's patches, with the first one's side.

    Args:
        folder: the patches.
        negative_labels: folders of background patches; the first names the background.
        backbone: makes the backbone's spec for a number of bands.
        bands: band numbers from 1, or names; None takes those of a photograph, or the only one.
        resolution: to which patches are resampled.

    Raises:
        ValueError: a negative label without a class folder, or patches that are not square.
    """
    unknown = sorted(set(negative_labels) - set(folder.classes))
    if unknown:
        raise ValueError(f"data.labels.negative names {unknown}; the folders are {list(folder.classes)}")
    scenes = looked_at(folder.paths)
    first = resolution.resampled(scenes[0])
    if first.shape[0] != first.shape[1]:
        raise ValueError(f"{first.path}: patches must be square, got {first.shape} (height, width)")
    chosen, dtype = image_kind(scenes, bands)
    tell({str(scene.path): arranged(scene, chosen).remarks for scene in scenes})
    head = PatchHead(first.shape[0], negative_labels[0] if negative_labels else None)
    classes = tuple(name for name in folder.classes if name not in negative_labels)
    numbers, names = chosen.numbers, chosen.names
    return NetSpec(
        head,
        backbone(len(numbers)),
        classes,
        numbers,
        dtype,
        resolution,
        band_names=names,
        drawing=drawing_alike(scenes),
    )


def folder_outputs(
    folder: PatchFolder, spec: NetSpec, negative_labels: Sequence[str], strange: Sequence[str] = ()
) -> NDArray[np.int64]:
    """Return the network's target output (N,) of every patch of a folder; all negative labels share the background's.

    Args:
        folder: the patches.
        spec: the network's outputs.
        negative_labels: folders of background patches.
        strange: classes that the network does not know and need not: their output is -1.

    Raises:
        ValueError: a class that is neither one of the model, nor a negative label, nor strange.
    """
    first = len(spec.outputs) - len(spec.classes)
    background = {*spec.outputs[:first], *(negative_labels if first else ())}
    unknown = [name for name in folder.classes if name not in {*spec.classes, *background, *strange}]
    if unknown:
        raise ValueError(
            f"unknown classes {unknown}; the model knows {list(spec.outputs)}; name backgrounds in data.labels.negative"
        )
    numbers = [spec.classes.index(name) + first if name in spec.classes else 0 for name in folder.classes]
    numbers = [-1 if name in strange else number for name, number in zip(folder.classes, numbers, strict=True)]
    return np.array(numbers, np.int64)[folder.label]


def folder_values(folder: PatchFolder, spec: NetSpec, rule: Rule | Given, seed: int) -> TrainingValues:
    """Measure the values of a folder's training patches, of their valid pixels.

    Raises:
        ValueError: there are none, or patches of another size or type.
    """
    train = [path for path, side in zip(folder.paths, folder.split, strict=True) if side in ("", None, "train")]
    if not train:
        raise ValueError("the folder has no training patches")
    return TrainingValues.of(patch_values(train, PatchFiles(spec).read_valid, seed), rule)
