from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detect.imagery.reading import read_window
from detect.imagery.windows import Window
from detect.labels.annotations import Annotations
from detect.samples import splits
from detect.samples.labelled_scenes import LabelledScene, SceneSplit


def split_scenes(table: Annotations, **options: Any) -> SceneSplit:
    """The split by a quarter of the images, with a guard band of 128 pixels, unless options say otherwise."""
    named = {side: options.pop(side, ()) for side in ("val", "test")}
    usual = {"val_from": "images", "val_fraction": 0.25, "guard": 128, "seed": 0, "folds": 3}
    return splits.split_scenes(table, **named, drawing=splits.ValidationDraw(**{**usual, **options}))


def annotations(*images) -> Annotations:
    return Annotations(images, ("a", "b"), False, Path("labels.csv"))


def names(scenes: tuple[LabelledScene, ...]) -> list[str]:
    return [labelled.name for labelled in scenes]


def sides(split: SceneSplit) -> tuple[list[str], list[str], list[str]]:
    return names(split.train), names(split.val), names(split.test)


def test_images_are_named_by_path_file_name_or_group(image) -> None:
    table = annotations(
        image("x/1.png"), image("x/2.png"), image("3.png", group="herd"), image("4.png", group="herd"), image("5.png")
    )
    assert sides(split_scenes(table, val=["x/1.png", "herd"], test=["2.png"])) == (
        ["5.png"],
        ["x/1.png", "3.png", "4.png"],
        ["x/2.png"],
    )


def test_names_go_before_the_split_column(image) -> None:
    table = annotations(image("1.png", split="val"), image("2.png", split="test"), image("3.png"), image("4.png"))
    assert sides(split_scenes(table)) == (["3.png", "4.png"], ["1.png"], ["2.png"])
    assert sides(split_scenes(table, val=["2.png"])) == (["3.png", "4.png"], ["1.png", "2.png"], [])


@given(
    seed=st.integers(0, 2**31),
    fraction=st.floats(0.01, 0.99),
    groups=st.lists(st.integers(0, 5), min_size=2, max_size=9),
)
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whole_groups_are_drawn(image, seed: int, fraction: float, groups: list[int]) -> None:
    """About the share asked for, at least one group on either side, none on both."""
    groups = [*groups, 6]
    table = annotations(*(image(f"{i}.png", group=f"g{group}", height=4, width=4) for i, group in enumerate(groups)))
    split = split_scenes(table, val_fraction=fraction, seed=seed)
    if len(set(groups)) == 1:
        return
    train, val = ({groups[int(name.split(".")[0])] for name in chosen} for chosen in sides(split)[:2])
    assert train and val and not train & val
    assert len(split.train) + len(split.val) == len(groups)
    assert len(val) == min(max(1, round(fraction * len(set(groups)))), len(set(groups)) - 1)
    assert sides(split_scenes(table, val_fraction=fraction, seed=seed)) == sides(split)
    assert f"drawn with seed {seed}: {', '.join(names(split.val))}" in split.note


@pytest.mark.parametrize("seed", range(10))
def test_a_draw_leaves_every_class_in_training_and_objects_in_validation(image, seed: int) -> None:
    """One image alone holds class b, so it trains; five of eight are empty ground, which validates nothing."""
    full = [image("1.png", [(5, 5, "a")]), image("2.png", [(5, 5, "b")]), image("3.png", [(5, 5, "a")])]
    split = split_scenes(annotations(*full, *(image(f"{i}.png") for i in range(4, 9))), seed=seed)
    assert "2.png" in names(split.train)
    assert sum(len(labelled.objects) for labelled in split.val) > 0


@pytest.mark.parametrize(("images", "held"), [(2, 1), (4, 1), (8, 2)])
def test_of_a_single_group_whole_images_validate_and_the_note_says_that_this_flatters(
    image, images: int, held: int
) -> None:
    """A quarter of them, one at least; with another group that is held back for the test, too."""
    table = annotations(
        *(image(f"{i}.png", [(5, 5, "a")], group="board") for i in range(images)), image("t.png", group="other")
    )
    split = split_scenes(table, test=["other"])
    train, val, test = sides(split)
    assert (len(val), len(train), test) == (held, images - held, ["t.png"])
    assert sorted(train + val) == [f"{i}.png" for i in range(images)]
    assert f"{held} images drawn with seed 0 from the only group, board" in split.note and "flatter" in split.note
    assert sides(split_scenes(table, test=["other"])) == (train, val, test)


def test_a_strip_of_every_training_image_validates_where_that_is_asked_for(image) -> None:
    """Two images of 400 rows and one held back: each gives 100 rows, a guard of 30 on either side, and the rest."""
    places = [(5.0, float(y), "a") for y in (20, 130, 150, 240, 260, 350)]
    table = annotations(*(image(f"{i}.png", places, height=400, width=60) for i in range(3)))
    split = split_scenes(table, test=["2.png"], guard=30, val_from="parts")
    assert [s.name.split()[0] for s in split.val] == ["0.png", "1.png"] and names(split.test) == ["2.png"]
    assert {s.name.split()[0] for s in split.train} == {"0.png", "1.png"}
    for i in range(2):
        held, *around = (
            (s.scene.origin[0], s.scene.origin[0] + s.scene.shape[0])
            for s in split.val + split.train
            if s.name.startswith(f"{i}.png")
        )
        assert held[1] - held[0] == 100
        assert all(stop <= held[0] - 30 or start >= held[1] + 30 for start, stop in around)
    assert "flatter" in split.note
    with pytest.raises(ValueError, match=r"data\.split\.val_from=parts.*data\.split\.val\b"):
        split_scenes(table, val=["1.png"], val_from="parts")
    with pytest.raises(ValueError, match=r"data\.split\.val_from.*got strips"):
        split_scenes(table, val_from="strips")


def test_a_group_of_one_image_is_cut_into_strips(image) -> None:
    table = annotations(image("1.png", [(5, 5, "a"), (5, 150, "a")], height=400, group="g"))
    split = split_scenes(table, guard=30)
    assert "rows" in split.val[0].name and "guard band" in split.note


def test_ignored_boxes_go_with_their_image_and_its_parts(image) -> None:
    """Rows 100 to 200 are a part: a box there moves up by 100.

    What an object at (5, 90), 10 beyond it, reaches into it within 15 is ignored as well, if that is asked for.
    """
    box = np.array([(10.0, 120.0, 30.0, 140.0)])
    whole = image("1.png", [(5, y, "a") for y in (80, 90, 110)], height=400, width=60, ignored=box)
    scene = split_scenes(annotations(whole, image("2.png", [(5, 5, "a")])), val=["2.png"]).train[0]
    np.testing.assert_array_equal(scene.ignored, box)
    window = Window(100, 0, 100, 60)
    assert scene.part(window).ignored.tolist() == [[10, 20, 30, 40]]
    assert scene.part(window, 15).ignored.tolist() == [[10, 20, 30, 40], [-10, -25, 20, 5]]


def test_errors_name_what_is_wrong(image) -> None:
    two = (image("1.png", group="g"), image("2.png", group="g"))
    for options, message in (
        ({"val": ["7.png"]}, r"data\.split\.val.*data\.split\.test.*\['7\.png'\]"),
        ({"val": ["1.png"]}, r"group g .*\(train, val\)"),
        ({"val": ["1.png"], "test": ["1.png"]}, r"1\.png.*data\.split\.val.*data\.split\.test"),
        ({"val": ["g"]}, r"no image.*train.*data\.split\.val.*data\.split\.test"),
        ({"val_fraction": 0.0}, r"data\.split\.val_fraction.*\(0, 1\), got 0"),
        ({"val_fraction": 1.0}, r"data\.split\.val_fraction.*\(0, 1\), got 1"),
    ):
        with pytest.raises(ValueError, match=message):
            split_scenes(annotations(*two), **options)


def test_a_group_torn_by_the_split_column(image) -> None:
    with pytest.raises(ValueError, match=r"group g .*\(train, val\)"):
        split_scenes(annotations(image("1.png", group="g", split="val"), image("2.png", group="g"), image("3.png")))


def spans(scenes: tuple[LabelledScene, ...], axis: int) -> list[tuple[int, int]]:
    return [(s.scene.origin[axis], s.scene.origin[axis] + s.scene.shape[axis]) for s in scenes]


@pytest.mark.parametrize("down", [True, False])
def test_a_single_image_is_cut_into_strips_with_a_guard_band(image, down: bool) -> None:
    """400 long, a strip of 100 and a guard of 30 on either side; 8 objects, of which 2 should validate.

    The second quarter has 2, but the guard bands would swallow those at 90 and 215. From 60 to 160 there are 2, and
    none from 30 to 60 and 160 to 190; training is left with 0 to 30 and 190 to 400, and with the objects there.
    """
    along = [10, 20, 90, 110, 190, 215, 240, 399]
    places = [(7.0, float(at), "a") if down else (float(at), 7.0, "a") for at in along]
    height, width = (400, 60) if down else (60, 400)
    hard_negatives = np.array([(3.0, 150.0), (3.0, 300.0)])[:, :: 1 if down else -1]
    whole = image("1.png", places, height=height, width=width, negatives=hard_negatives)
    split = split_scenes(annotations(whole), guard=30)
    axis = 0 if down else 1
    assert spans(split.val, axis) == [(60, 160)] and spans(split.train, axis) == [(0, 30), (190, 400)]
    assert spans(split.train + split.val, 1 - axis) == [(0, 60)] * 3
    at = [labelled.objects.xy[:, 1 - axis].tolist() for labelled in (*split.train, *split.val)]
    assert at == [[10, 20], [0, 215 - 190, 240 - 190, 399 - 190], [90 - 60, 110 - 60]]
    assert [s.negatives[:, 1 - axis].tolist() for s in (*split.train, *split.val)] == [[], [300 - 190], [150 - 60]]
    assert "guard band of 30 pixels" in split.note and "flatter" in split.note and split.val[0].name in split.note


def test_an_object_on_the_far_edge_is_not_lost(image) -> None:
    """Annotations may lie at x = width: such a point belongs to the last strip."""
    split = split_scenes(annotations(image("1.png", [(400, 2, "a"), (150, 2, "a")], height=60, width=400)), guard=20)
    assert sum(len(labelled.objects) for labelled in (*split.train, *split.val)) == 2


def test_the_pixels_of_a_strip_are_its_own(image) -> None:
    whole = image("1.png", [(30, 150, "a"), (30, 350, "a")], height=400, width=60)
    held = split_scenes(annotations(whole), guard=20).val[0]
    plain = split_scenes(annotations(whole, image("2.png")), val=["2.png"]).train[0].scene
    box = Window(*held.scene.origin, *held.scene.shape)
    np.testing.assert_array_equal(read_window(held.scene, held.scene.window, (1, 2)), read_window(plain, box, (1, 2)))


def test_both_sides_hold_objects_where_one_place_holds_them_all(image) -> None:
    """All 8 between columns 300 and 340 of 400: quarters hold none or all, columns 216 to 316 two of them."""
    places = [(float(at), 30.0 + i, "a") for i, at in enumerate((301, 305, 329, 331, 333, 335, 337, 339))]
    split = split_scenes(annotations(image("1.png", places, height=60, width=400)), guard=2)
    assert spans(split.val, 1) == [(216, 316)] and len(split.val[0].objects) == 2
    assert sum(len(labelled.objects) for labelled in split.train) == 6


def test_rows_are_taken_where_columns_part_nothing(image) -> None:
    """All 8 in one column of a wide image: strips of rows hold two of them."""
    places = [(200.0, 5.0 + 10 * i, "a") for i in range(8)]
    split = split_scenes(annotations(image("1.png", places, height=80, width=400)), guard=4)
    assert len(split.val[0].objects) == 2 and split.val[0].scene.shape == (20, 400)


@given(
    length=st.integers(160, 900), guard=st.integers(1, 40), at=st.lists(st.floats(0, 0.999), min_size=1, max_size=12)
)
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_training_window_is_nearer_than_the_guard(image, length: int, guard: int, at: list[float]) -> None:
    whole = image("1.png", [(float(place * length), 2.0, "a") for place in at], height=5, width=length)
    if length // 4 < 2 * guard:
        with pytest.raises(ValueError, match=rf"too small.*\b{guard} pixels.*data\.split\.val"):
            split_scenes(annotations(whole), guard=guard)
        return
    split = split_scenes(annotations(whole), guard=guard)
    [(start, stop)] = spans(split.val, 1)
    assert split.train
    for left, right in spans(split.train, 1):
        assert right <= start - guard or left >= stop + guard
        assert right - left >= guard
    for labelled in (*split.train, *split.val):
        assert labelled.scene.window.contains_xy(labelled.objects.xy).all()


ONE = [(50.0, 50.0, "a")]
"""An object in the middle of an image."""


def test_auto_leaves_out_whole_groups_in_turn_and_all_images_learn(image) -> None:
    table = annotations(*(image(f"{i}.png", ONE, group=f"g{i // 2}") for i in range(4)), image("4.png", split="test"))
    split = split_scenes(table, val_from="auto")
    assert sides(split) == (["0.png", "1.png", "2.png", "3.png"], [], ["4.png"])
    assert split.folds == ({"0.png", "1.png"}, {"2.png", "3.png"})
    assert split.chosen_on == "folds of other scenes" and "0.png, 1.png; 2.png, 3.png" in split.note
    one = split.of_fold(split.folds[0])
    assert (names(one.train), names(one.val), one.folds) == (["2.png", "3.png"], ["0.png", "1.png"], ())


def test_auto_says_what_the_images_of_one_group_and_one_image_cannot_tell(image) -> None:
    """Of one group its images are left out in turn; of one image with objects a strip validates."""
    herd = [image(f"{i}.png", ONE, group="herd") for i in range(2)]
    split = split_scenes(annotations(*herd), val_from="auto")
    assert split.folds == ({"0.png"}, {"1.png"}) and split.chosen_on == "folds of one scene"
    assert (
        "2 short trainings" in split.note
        and "all objects are of one group, herd" in split.note
        and "on another scene is not known" in split.note
    )
    alone = image("2.png", [(50, 50, "a"), (50, 350, "a")], height=400)
    split = split_scenes(annotations(alone), val_from="auto", guard=20)
    assert split.folds == () and len(split.val) == 1 and split.chosen_on == "strips of the images"


def test_auto_leaves_named_validation_images_as_they_are(image) -> None:
    table = annotations(image("0.png", ONE), image("1.png", ONE), image("2.png", ONE, split="val"))
    split = split_scenes(table, val_from="auto")
    assert sides(split) == (["0.png", "1.png"], ["2.png"], []) and split.folds == ()
    assert split.chosen_on == "named validation images"
