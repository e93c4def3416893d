from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detect.imagery.resolution import Resolution
from detect.labels.formats.patch_folder import PatchFolder, read_patch_folder
from detect.nets.card import BackboneSpec, NetSpec
from detect.samples.bare_patches import (
    FolderDataset,
    FolderDraw,
    PatchFiles,
    folder_outputs,
    folder_samples_of,
    folder_spec,
    folder_values,
)
from tests.cards import patch_card

AS_THEY_ARE = Resolution()


def backbone(bands: int) -> BackboneSpec:
    return BackboneSpec("test_resnet", 16, bands=bands)


def spec_of(
    folder: PatchFolder,
    negatives: list[str],
    bands: tuple[int, ...] | None = None,
    resolution: Resolution = AS_THEY_ARE,
) -> NetSpec:
    """What a classifier of a folder is built from, on the smallest backbone."""
    return folder_spec(folder, negatives, backbone, bands, resolution)


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def patches(root: Path, *files: str, shape: tuple[int, ...] = (32, 32, 3)) -> Path:
    for file in files:
        save(root / file, np.zeros(shape, np.uint8))
    return root


@pytest.fixture
def folder(tmp_path: Path):
    """12 patches of cows, 8 of ground and 4 of sheep."""
    number = {"cow": 12, "ground": 8, "sheep": 4}
    return read_patch_folder(patches(tmp_path, *(f"{name}/{i}.png" for name, n in number.items() for i in range(n))))


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


def counts(patches: FolderDataset) -> dict[str, int]:
    names = [path.parent.name for path in patches.paths]
    return {name: names.count(name) for name in sorted(set(names))}


def test_a_quarter_of_every_class_validates(folder) -> None:
    """12, 8 and 4 patches: 3, 2 and 1 of them."""
    spec = spec_of(folder, ["ground"])
    recipe = FolderDraw(("ground",), 0.25, 0, 0)
    samples = folder_samples_of(folder, spec, None, recipe, 5)
    train, val = samples.epoch(0), samples.val
    assert isinstance(train, FolderDataset) and isinstance(val, FolderDataset)
    assert counts(val) == {"cow": 3, "ground": 2, "sheep": 1}
    assert samples.outputs == {"cow": 9, "ground": 6, "sheep": 3} and len(train) == 18
    assert set(train.paths).isdisjoint(val.paths)
    assert [spec.outputs[output] for output in train.outputs] == [path.parent.name for path in train.paths]
    assert "6 validation patches drawn with seed 5" in samples.notes[0]
    again = folder_samples_of(folder, spec, None, recipe, 5)
    assert (again.val.paths, again.epoch(3).paths) == (val.paths, samples.epoch(3).paths)
    assert samples.epoch(1).paths != train.paths


def test_the_folder_s_own_validation_is_taken(tmp_path: Path) -> None:
    root = patches(tmp_path, "train/a/1.png", "train/b/2.png", "val/a/3.png", "test/b/4.png")
    folder = read_patch_folder(root)
    samples = folder_samples_of(folder, spec_of(folder, []), None, FolderDraw((), 0.25, 0.5, 0), 0)
    assert [path.name for path in samples.val.paths] == ["3.png"]
    assert sorted(path.name for path in samples.epoch(0).paths) == ["1.png", "2.png"]
    assert samples.notes == ("validation patches from the folder's own val",)


def test_a_folder_without_training_patches(tmp_path: Path) -> None:
    folder = read_patch_folder(patches(tmp_path, "val/a/1.png", "val/b/2.png"))
    with pytest.raises(ValueError, match="no training patches"):
        folder_samples_of(folder, spec_of(folder, []), None, FolderDraw((), 0.25, 0.5, 0), 0)


def test_unequal_classes_are_drawn_equally_often_where_asked(folder) -> None:
    """Balance 1: of 18 patches an epoch each class is a third in the long run, though sheep are 3 of them."""
    spec = spec_of(folder, ["ground"])
    samples = folder_samples_of(folder, spec, None, FolderDraw(("ground",), 0.25, 1, 0), 0)
    drawn = [path.parent.name for epoch in range(100) for path in samples.epoch(epoch).paths]
    assert all(abs(drawn.count(name) / len(drawn) - 1 / 3) < 0.04 for name in ("cow", "ground", "sheep"))


def test_bare_patches_are_resampled_too(tmp_path: Path) -> None:
    """Patches of 32 pixels seen at a half are 16 wide; averages of squares of two."""
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    path = save(tmp_path / "cow" / "0.png", pixels)
    patches(tmp_path, "ground/0.png")
    spec = spec_of(read_patch_folder(tmp_path), ["ground"], resolution=Resolution(0.5))
    assert spec.head.patch_size == 16
    seen = FolderDataset([path], np.array([1]), PatchFiles(spec))[0][0].numpy()
    wanted = pixels.reshape(16, 2, 16, 2, 3).astype(float).mean(axis=(1, 3)).transpose(2, 0, 1)
    np.testing.assert_array_equal(seen, np.rint(wanted))


def test_what_is_masked_of_a_patch_is_in_no_statistic_and_is_filled_as_in_images(tmp_path: Path) -> None:
    """The left half is transparent, with 255 under it; the other is 80. A patch without a valid pixel says nothing."""
    pixels = np.full((32, 32, 4), 80, np.uint8)
    pixels[:, 16:, 3] = 255
    pixels[:, :16] = (255, 255, 255, 0)
    path = save(tmp_path / "cow" / "0.png", pixels)
    save(tmp_path / "cow" / "1.png", np.zeros((32, 32, 4), np.uint8))
    folder = read_patch_folder(tmp_path)
    spec = spec_of(folder, [])
    values = folder_values(folder, spec, "auto", 0)
    assert {(band.least, band.most) for band in values.looks.bands} == {(80.0, 80.0)}
    samples = folder_samples_of(folder, spec, None, FolderDraw((), 0.5, 0, 0), 0, (100.0, 110.4, 120.0))
    seen = FolderDataset([path], np.array([0]), samples.val.files)[0][0].numpy()
    assert (seen[:, :, 16:] == 80).all() and (seen[:, :, :16] == np.array([100, 110, 120])[:, None, None]).all()
