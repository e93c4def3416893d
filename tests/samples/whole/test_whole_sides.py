from pathlib import Path

import numpy as np
import pytest

from detect.labels.formats.patch_folder import PatchFolder
from detect.samples.cross_validation import Fold
from detect.samples.whole.whole_sides import WholeSplit, divide_images

SOURCE = Path("labels.csv")


def images(number: int, groups: int = 0, split: tuple[str | None, ...] | None = None) -> PatchFolder:
    """Images a0, a1, ... of two classes in turn, in groups of equal size where there are any."""
    names = tuple(f"a{i}" for i in range(number))
    group = tuple(f"lot{i * groups // number}" for i in range(number)) if groups else ()
    return PatchFolder(
        tuple(map(Path, names)), np.arange(number) % 2, ("x", "y"), split or (None,) * number, names, group
    )


def split(**more: object) -> WholeSplit:
    return WholeSplit(**{"val": (), "test": (), "fold": None, "val_fraction": 0.25, "seed": 0, **more})  # type: ignore[arg-type]


def test_sides_of_the_table_hold() -> None:
    divided = divide_images(images(3, split=("train", "val", "test")), split(), SOURCE)
    assert [divided.names(side) for side in ("train", "val", "test")] == [["a0"], ["a1"], ["a2"]]


def test_a_drawn_side_has_each_class_by_its_share() -> None:
    divided = divide_images(images(40), split(), SOURCE)
    val = divided.rows("val")
    assert len(val) == 10 and np.bincount(divided.images.label[val]).tolist() == [5, 5]
    assert "image by image" in divided.note


def test_groups_are_never_on_two_sides() -> None:
    divided = divide_images(images(40, groups=8), split(), SOURCE)
    sides = {}
    for group, side in zip(divided.images.group, divided.images.split, strict=True):
        assert sides.setdefault(group, side) == side
    assert sorted(sides.values()) == ["train"] * 6 + ["val"] * 2


def test_a_group_is_named_for_a_side() -> None:
    divided = divide_images(images(8, groups=4), split(val=("lot0",), test=("lot3",)), SOURCE)
    assert divided.names("val") == ["a0", "a1"] and divided.names("test") == ["a6", "a7"]


def test_folds_test_every_group_once() -> None:
    tested: list[str] = []
    for number in range(1, 4):
        divided = divide_images(images(12, groups=6), split(fold=Fold(number, 3, 0)), SOURCE)
        tested += divided.names("test")
        assert divided.names("val") and divided.names("train")
    assert sorted(tested) == sorted(images(12).names)


@pytest.mark.parametrize(
    ("given", "how", "told"),
    [
        (images(4, groups=2, split=("train", "val", "train", "train")), split(), "lot0 is on several sides"),
        (images(4, groups=1), split(), "of one group, lot0"),
        (images(2, split=("val", "val")), split(), "no image trains"),
        (images(4), split(val=("b",)), "no images or groups"),
    ],
)
def test_what_cannot_be_divided_is_told(given: PatchFolder, how: WholeSplit, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        divide_images(given, how, SOURCE)
