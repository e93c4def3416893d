from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detect.labels.annotations import AnnotatedImage, Annotations
from detect.labels.detections import Detections
from detect.samples.cross_validation import Fold, fold_images
from detect.samples.group_folds import divide, draw


def image(name: str, labels: str = "a", *, group: str | None = None, split: str | None = None) -> AnnotatedImage:
    """An image that is never read, with an object for each letter of `labels`."""
    truth = Detections.truth(np.full((len(labels), 2), 5.0), list(labels), ("a", "b"))
    return AnnotatedImage(name, Path(name), (9, 9), truth, np.empty((0, 2)), group=group, split=split)


def annotations(*images: AnnotatedImage) -> Annotations:
    return Annotations(images, ("a", "b"), False, Path("labels.csv"))


def held_back(table: Annotations, number: int, of: int, seed: int = 0, **named: list[str]) -> set[str]:
    folded = fold_images(table, Fold(number, of, seed), named.get("val", []), named.get("test", []))
    return {each.name for each in folded.annotations.images if each.split == "test"}


@given(groups=st.lists(st.integers(0, 5), min_size=2, max_size=12), data=st.data(), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.too_slow])
def test_folds_partition_the_images_and_tear_no_group(groups: list[int], data: st.DataObject, seed: int) -> None:
    """Every image is tested once; parts have equally many groups, give or take one."""
    groups = [*groups, 6, 7]
    table = annotations(*(image(f"{i}.png", "ab"[i % 2], group=f"g{g}") for i, g in enumerate(groups)))
    of = data.draw(st.integers(2, len(set(groups))))
    parts = [held_back(table, k + 1, of, seed) for k in range(of)]
    assert sorted(name for part in parts for name in part) == sorted(f"{i}.png" for i in range(len(groups)))
    held = [{groups[int(name.split(".")[0])] for name in part} for part in parts]
    assert sum(map(len, held)) == len(set(groups))
    assert {len(part) for part in held} <= {len(set(groups)) // of, -(-len(set(groups)) // of)}
    assert parts == [held_back(table, k + 1, of, seed) for k in range(of)]


def test_as_many_folds_as_images_leave_one_out_in_the_order_of_names() -> None:
    table = annotations(*(image(name) for name in ("c.png", "a.png", "b.png")))
    assert [held_back(table, k, 3) for k in (1, 2, 3)] == [{"a.png"}, {"b.png"}, {"c.png"}]


def test_the_order_of_the_table_is_no_matter() -> None:
    images = [image(f"{i}.png", "aab"[: i % 4]) for i in range(7)]
    assert held_back(annotations(*images), 1, 3) == held_back(annotations(*reversed(images)), 1, 3)


def test_classes_are_shared_out_evenly() -> None:
    """Eight images, two of them with b: in four folds of two no fold holds both, and none has two of the big ones."""
    images = [image(f"{i}.png", "ab" if i < 2 else "aaaa" if i < 6 else "a") for i in range(8)]
    for seed in range(5):
        parts = [held_back(annotations(*images), k, 4, seed) for k in (1, 2, 3, 4)]
        assert all(len(part & {"0.png", "1.png"}) <= 1 for part in parts)
    counts = np.array([[1, 1], [1, 1], [4, 0], [4, 0], [4, 0], [4, 0], [1, 0], [1, 0]])
    assert sorted(counts[part][:, 1].sum() for part in divide(counts, 2, 0)) == [1, 1]
    assert sorted(counts[part][:, 0].sum() for part in divide(counts, 2, 0)) == [10, 10]


@pytest.mark.parametrize("seed", range(5))
def test_a_draw_takes_its_share_of_every_class_and_leaves_the_only_one_of_a_class(seed: int) -> None:
    """Two of eight: a quarter of 20 objects is 5, of a class; the class that is in one group alone stays."""
    counts = np.array([[4, 0], [1, 0], [4, 0], [1, 0], [4, 0], [1, 0], [4, 0], [1, 3]])
    held = draw(counts, 2, seed)
    assert counts[held].sum(axis=0).tolist() == [5, 0]


def test_named_images_validate_in_every_fold_or_are_left_out_of_all() -> None:
    table = annotations(
        image("0.png"), image("1.png"), image("2.png", split="val"), image("3.png", split="test"), image("4.png")
    )
    folded = fold_images(table, Fold(1, 2, 0), [], ["4.png"])
    assert folded.left_out == ("3.png", "4.png")
    assert {each.name: each.split for each in folded.annotations.images} == {
        "0.png": "test",
        "1.png": "train",
        "2.png": "val",
    }
    assert "fold 1/2 tests 0.png" in folded.note and "3.png, 4.png" in folded.note


@pytest.mark.parametrize("text", ["2", "0/4", "5/4", "1/1", "a/b", "1/2/3", "-1/4", "0.5"])
def test_what_is_no_fold_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"data\.split\.fold.*k/n"):
        Fold.parse(text, 0)


def test_more_folds_than_images_are_refused() -> None:
    table = annotations(image("0.png", group="g"), image("1.png", group="g"), image("2.png"))
    with pytest.raises(ValueError, match=r"data\.split\.fold=1/3 .*\b3\b.*\b2;"):
        fold_images(table, Fold.parse("1/3", 0), [], [])
