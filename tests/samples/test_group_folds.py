import numpy as np

from detect.samples.group_folds import fold_names

ONE = [(50.0, 50.0, "a")]
"""An object in the middle of an image."""


def test_each_fold_leaves_out_whole_groups_and_together_they_leave_out_every_image_once(image) -> None:
    images = [image(f"{i}.png", ONE, group=f"g{i // 2}") for i in range(10)]
    folds = fold_names(images, 3, 0)
    assert len(folds) == 3 and sorted(name for names in folds for name in names) == [f"{i}.png" for i in range(10)]
    for names in folds:
        assert all({f"{2 * i}.png", f"{2 * i + 1}.png"} <= names for i in range(5) if f"{2 * i}.png" in names)


def test_there_are_never_more_folds_than_groups_with_objects_and_none_of_one(image) -> None:
    images = [image("0.png", ONE, group="a"), image("1.png", ONE, group="a"), image("2.png", ONE, group="b")]
    assert fold_names(images, 4, 0) == ({"0.png", "1.png"}, {"2.png"})
    assert fold_names(images[:2], 4, 0) == ()


def test_a_group_without_objects_makes_no_fold_and_is_left_out_once(image) -> None:
    images = [image("0.png", ONE), image("1.png", ONE), image("2.png")]
    assert fold_names(images, 4, 0) == ({"0.png", "2.png"}, {"1.png"})


def test_objects_in_ignored_regions_are_none(image) -> None:
    hidden = image("1.png", ONE, ignored=np.array([[40.0, 40.0, 60.0, 60.0]]))
    assert fold_names([image("0.png", ONE), hidden], 2, 0) == ()
