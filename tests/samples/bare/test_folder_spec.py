from pathlib import Path

import numpy as np
import pytest

from detect.labels.formats.patch_folder import read_patch_folder
from detect.samples.bare.folder_spec import folder_outputs
from tests.cards import patch_card
from tests.samples.bare.patch_folders import patches, spec_of


def test_a_folder_decides_what_its_classifier_is_built_from(folder) -> None:
    spec = spec_of(folder, [])
    assert (spec.classes, spec.head.background, spec.outputs) == (
        ("cow", "ground", "sheep"),
        None,
        ("cow", "ground", "sheep"),
    )
    assert (spec.bands, spec.dtype, spec.head.patch_size, spec.backbone.bands) == ((1, 2, 3), "uint8", 32, 3)
    spec = spec_of(folder, ["ground"], (2,))
    assert spec.outputs == ("ground", "cow", "sheep") and (spec.bands, spec.backbone.bands) == ((2,), 1)


def test_negative_labels_share_the_background(folder) -> None:
    """Outputs of cow, ground, sheep: without negatives 0, 1, 2; with ground 1, 0, 2; with sheep and ground 1, 0, 0."""
    for negatives, wanted in (([], [0, 1, 2]), (["ground"], [1, 0, 2]), (["sheep", "ground"], [1, 0, 0])):
        outputs = folder_outputs(folder, spec_of(folder, negatives), negatives)
        assert outputs.tolist() == np.repeat(wanted, [12, 8, 4]).tolist()


def test_a_class_that_the_model_does_not_know(folder) -> None:
    with pytest.raises(ValueError, match=r"\['ground', 'sheep'\].*\['cow'\].*data\.labels\.negative"):
        folder_outputs(folder, patch_card(classes=("cow",), background=None), [])


def test_a_negative_label_that_is_no_folder(folder) -> None:
    with pytest.raises(ValueError, match=r"data\.labels\.negative.*\['soil'\].*\['cow', 'ground', 'sheep'\]"):
        spec_of(folder, ["ground", "soil"])


def test_patches_must_be_square(tmp_path: Path) -> None:
    root = patches(tmp_path, "a/1.png", "b/2.png", shape=(32, 30, 3))
    with pytest.raises(ValueError, match=r"1\.png.*square.*\(32, 30\)"):
        spec_of(read_patch_folder(root), [])
