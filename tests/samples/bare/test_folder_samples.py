from pathlib import Path

import pytest

from detect.labels.formats.patch_folder import read_patch_folder
from detect.samples.bare.folder_dataset import FolderDataset
from detect.samples.bare.folder_samples import FolderDraw, folder_samples_of
from tests.samples.bare.patch_folders import patches, spec_of


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
