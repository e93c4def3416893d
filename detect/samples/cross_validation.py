"""Cross-validation over images: which of them a run tests."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from detect.labels.annotations import Annotations
from detect.samples.group_folds import class_counts, deal, group_of
from detect.samples.splits import named_sides


@dataclass(frozen=True)
class Fold:
    """A part of a cross-validation: the one that is tested.

    Attributes:
        number: which part, from 1.
        of: how many there are; as many as images or groups leaves one out in turn.
        seed: of the deal, which no other seed changes.

    Raises:
        ValueError: fewer than two parts, or a number beyond them.
    """

    number: int
    of: int
    seed: int = 0

    def __post_init__(self) -> None:
        if self.of < 2 or not 1 <= self.number <= self.of:
            raise ValueError(f"data.split.fold must be k/n with n of 2 or more and k from 1 to n, got {self}")

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @classmethod
    def parse(cls, text: str, seed: int) -> "Fold":
        """Read `k/n`.

        Raises:
            ValueError: it is no such thing.
        """
        found = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", str(text))
        if found is None:
            raise ValueError(f"data.split.fold must be k/n, such as 2/4 for the second of four parts, got {text}")
        return cls(int(found[1]), int(found[2]), seed)


@dataclass(frozen=True, eq=False)
class Folded:
    """What a fold makes of annotations.

    Attributes:
        annotations: the images that the run uses, their `split` set: the fold's are for the test.
        left_out: names of the images that were held back already, and that no fold uses.
        note: a sentence on what is tested.
    """

    annotations: Annotations
    left_out: tuple[str, ...]
    note: str


def fold_images(annotations: Annotations, fold: Fold, val: Sequence[str], test: Sequence[str]) -> Folded:
    """Set the images of a fold aside for the test.

    The folds divide the images that nobody named for a side, whole groups at a time. Images named for validation, by
    `val` or the split column, validate in every fold; those named for the test are left out of all of them.

    Args:
        annotations: the images.
        fold: which part is tested.
        val: names of images or groups that validate.
        test: names of images or groups that are held back.

    Raises:
        ValueError: more folds than images or groups, an unknown name, or an image or group on two sides.
    """
    sides = named_sides(annotations, val, test)
    free = [image for image in annotations.images if sides[image.name] == "train"]
    groups = sorted({group_of(image) for image in free})
    if fold.of > len(groups):
        raise ValueError(
            f"data.split.fold={fold} divides images or groups in {fold.of}, and there are {len(groups)} without a "
            "side of their own; divide in fewer, or name fewer in data.split.val, data.split.test and the split column"
        )
    tested = {groups[i] for i in deal(class_counts(free, groups), fold.of, fold.seed)[fold.number - 1]}
    left_out = tuple(image.name for image in annotations.images if sides[image.name] == "test")
    sides |= {image.name: "test" for image in free if group_of(image) in tested}
    used = tuple(replace(image, split=sides[image.name]) for image in annotations.images if image.name not in left_out)
    note = f"fold {fold} tests {', '.join(image.name for image in used if image.split == 'test')}"
    if left_out:
        note += f"; {', '.join(left_out)} were held back already: no fold uses them"
    return Folded(replace(annotations, images=used), left_out, note)
