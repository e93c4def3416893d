"""Cross-validation over images: which of them a run tests."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from detect.labels.annotations import Annotations
from detect.samples.group_folds import class_counts, divide, group_of
from detect.samples.splits import named_sides


@dataclass(frozen=True)
class Fold:
    """The part of a cross-validation that a run tests.

    Attributes:
        number: which part, from 1.
        of: number of parts, 2 or more; as many as images or groups tests each in turn.
        seed: of the division into parts; the same in all runs of a cross-validation.

    Raises:
        ValueError: fewer than two parts, or a number greater than that of the parts.
    """

    number: int
    of: int
    seed: int

    def __post_init__(self) -> None:
        if self.of < 2 or not 1 <= self.number <= self.of:
            raise ValueError(f"data.split.fold must be k/n with n of 2 or more and k from 1 to n, got {self}")

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @classmethod
    def parse(cls, text: str, seed: int) -> "Fold":
        """Read a fold written as `k/n`.

        Raises:
            ValueError: another text.
        """
        found = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", str(text))
        if found is None:
            raise ValueError(f"data.split.fold must be k/n, such as 2/4 for the second of four parts, got {text}")
        return cls(int(found[1]), int(found[2]), seed)


@dataclass(frozen=True, eq=False)
class Folded:
    """What a fold makes of annotations.

    Attributes:
        annotations: the images that the run uses, with their `split` set: the fold's are on the test side.
        left_out: names of the images on the test side already, which no fold uses.
        note: a sentence on what is tested.
    """

    annotations: Annotations
    left_out: tuple[str, ...]
    note: str


def fold_images(annotations: Annotations, fold: Fold, val: Sequence[str], test: Sequence[str]) -> Folded:
    """Return annotations in which the images of a fold are on the test side.

    The folds divide the images that no setting or split column assigns to a side, whole groups at a time. Images
    assigned to validation validate in every fold; those assigned to the test are left out of all folds.

    Args:
        annotations: the images.
        fold: which part is tested.
        val: names of images or groups that validate.
        test: names of images or groups that no fold uses.

    Raises:
        ValueError: more folds than images or groups, an unknown name, or an image or group on two sides.
    """
    sides = named_sides(annotations, val, test)
    unassigned = [image for image in annotations.images if sides[image.name] == "train"]
    groups = sorted({group_of(image) for image in unassigned})
    if fold.of > len(groups):
        raise ValueError(
            f"data.split.fold={fold} needs {fold.of} images or groups without a side, and there are {len(groups)}; "
            "use fewer folds, or name fewer in data.split.val, data.split.test and the split column"
        )
    tested = {groups[i] for i in divide(class_counts(unassigned, groups), fold.of, fold.seed)[fold.number - 1]}
    left_out = tuple(image.name for image in annotations.images if sides[image.name] == "test")
    sides |= {image.name: "test" for image in unassigned if group_of(image) in tested}
    used = tuple(replace(image, split=sides[image.name]) for image in annotations.images if image.name not in left_out)
    note = f"fold {fold} tests {', '.join(image.name for image in used if image.split == 'test')}"
    if left_out:
        note += f"; {', '.join(left_out)} are on the test side already: no fold uses them"
    return Folded(replace(annotations, images=used), left_out, note)
