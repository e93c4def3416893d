"""Which images train, validate and test: by image or by group, never by patch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from detect.imagery.scenes import open_scene
from detect.imagery.windows import Window
from detect.labels.annotations import AnnotatedImage, Annotations
from detect.samples.group_folds import class_counts, draw, group_of
from detect.samples.labelled_scenes import LabelledScene, SceneSplit

STRIPS = 4
"""The strip of an image that validates is this part of it."""


PLACES = 8
"""Places of a strip that are tried, in one strip's breadth."""


def split_scenes(
    annotations: Annotations,
    *,
    val: Sequence[str],
    test: Sequence[str],
    val_fraction: float,
    guard: int,
    seed: int,
    val_from: str = "images",
) -> SceneSplit:
    """Divide annotated images into train, val and test.

    Images or groups named in `val` and `test` come first, then the table's `split` column; where neither names a
    validation image, whole groups are drawn, about `val_fraction` of them; of a single group, images; a single image
    is cut into strips, with a guard band between. The last two flatter, and the note says so.

    Args:
        annotations: the images; those without a split are for training.
        val: names of images or groups that validate.
        test: names of images or groups that are held back.
        val_fraction: share of the images to draw for validation, in (0, 1).
        guard: width in pixels of the band between the strips of a single image.
        seed: of the draw.
        val_from: `images` draws whole images; `parts` cuts a strip out of every training image, for sets of few images
            that differ: such a validation flatters.

    Raises:
        ValueError: an unknown name or `val_from`, a group or image on two sides, no training image, or one too small
            to be cut.
    """
    if not 0 < val_fraction < 1:
        raise ValueError(f"data.split.val_fraction must be in (0, 1), got {val_fraction}")
    if val_from not in ("images", "parts"):
        raise ValueError(f"data.split.val_from must be images or parts, got {val_from}")
    sides = named_sides(annotations, val, test)
    images = {side: [i for i in annotations.images if sides[i.name] == side] for side in ("train", "val", "test")}
    if not images["train"]:
        raise ValueError("no image is left to train on; name fewer in data.split.val and data.split.test")
    note = "validation images named by data.split.val or the split column"
    if val_from == "parts":
        if images["val"]:
            raise ValueError(
                "data.split.val_from=parts cuts the training images; leave data.split.val and the table's val out"
            )
    elif not images["val"] and len({group_of(i) for i in images["train"]}) > 1:
        images["train"], images["val"] = _draw(images["train"], val_fraction, seed)
        note = f"validation images drawn with seed {seed}: {', '.join(i.name for i in images['val'])}"
    elif not images["val"] and len(images["train"]) > 1:
        group = images["train"][0].group
        ungrouped = [replace(image, group=None) for image in images["train"]]
        images["train"], images["val"] = _draw(ungrouped, val_fraction, seed)
        note = (
            f"validation on {len(images['val'])} images drawn with seed {seed} from the only group, {group}: images of "
            "a group are alike, so these scores flatter; label another group"
        )
    scenes = {side: tuple(_labelled(image) for image in chosen) for side, chosen in images.items()}
    if not scenes["val"]:
        train, held = _strips(scenes["train"], guard)
        return SceneSplit(train, held, scenes["test"], _strip_note(held, guard))
    return SceneSplit(scenes["train"], scenes["val"], scenes["test"], note)


def named_sides(annotations: Annotations, val: Sequence[str], test: Sequence[str]) -> dict[str, str]:
    """Say for every image whether it is named for `val` or `test`, here or in the table; the others train.

    Raises:
        ValueError: an unknown name, or an image or group on two sides.
    """
    keys = {image.name: {image.name, image.path.name, group_of(image)} for image in annotations.images}
    unknown = sorted({*val, *test} - set().union(*keys.values()))
    if unknown:
        raise ValueError(
            f"data.split.val or data.split.test names {unknown}, which are no images or groups of the annotations"
        )
    sides: dict[str, str] = {}
    for image in annotations.images:
        named = [side for side, names in {"val": val, "test": test}.items() if keys[image.name] & set(names)]
        if len(named) > 1:
            raise ValueError(
                f"{image.name} is named in data.split.val and in data.split.test; an image can be on one side only"
            )
        sides[image.name] = named[0] if named else (image.split or "train")
    by_group: dict[str, set[str]] = {}
    for image in annotations.images:
        by_group.setdefault(group_of(image), set()).add(sides[image.name])
    torn = sorted(group for group, found in by_group.items() if len(found) > 1)
    if torn:
        raise ValueError(
            f"group {torn[0]} is on several sides ({', '.join(sorted(by_group[torn[0]]))}); keep it on one"
        )
    return sides


def _draw(
    images: Sequence[AnnotatedImage], fraction: float, seed: int
) -> tuple[list[AnnotatedImage], list[AnnotatedImage]]:
    """Draw validation groups: every class keeps something to train on where it can, and shares are kept near."""
    groups = sorted({group_of(image) for image in images})
    number = min(max(1, round(fraction * len(groups))), len(groups) - 1)
    drawn = {groups[i] for i in draw(class_counts(images, groups), number, seed)}
    train = [image for image in images if group_of(image) not in drawn]
    return train, [image for image in images if group_of(image) in drawn]


def _labelled(image: AnnotatedImage) -> LabelledScene:
    return LabelledScene(image.name, open_scene(image.path), image.objects, image.negatives, image.ignored)


def _strips(scenes: Sequence[LabelledScene], guard: int) -> tuple[tuple[LabelledScene, ...], tuple[LabelledScene, ...]]:
    """Cut a strip out of every scene, a quarter of its length or height, and train on what is left on either side."""
    train: list[LabelledScene] = []
    held: list[LabelledScene] = []
    for labelled in scenes:
        strip = _chosen_strip(labelled, guard)
        length = labelled.scene.shape[0 if strip.down else 1]
        held.append(labelled.part(strip.window(labelled), guard / 2))
        sides = [Strip(0, strip.start - guard, strip.down), Strip(strip.stop + guard, length, strip.down)]
        train.extend(
            labelled.part(each.window(labelled), guard / 2) for each in sides if each.stop - each.start >= guard
        )
    return tuple(train), tuple(held)


@dataclass(frozen=True)
class Strip:
    """Whole rows (`down`) or columns of a scene, from `start` to before `stop`."""

    start: int
    stop: int
    down: bool

    def window(self, labelled: LabelledScene) -> Window:
        """Give the rectangle of a scene."""
        height, width = labelled.scene.shape
        side = self.stop - self.start
        return Window(self.start, 0, side, width) if self.down else Window(0, self.start, height, side)


def _chosen_strip(labelled: LabelledScene, guard: int) -> Strip:
    """Choose the strip whose share of the objects is nearest to a quarter, with the fewest lost in the guard bands.

    Tried are the four quarters and places between, along the longer side first; both sides must keep objects.
    """
    height, width = labelled.scene.shape
    least: tuple[float, Strip] | None = None
    first: Strip | None = None
    for down in (height >= width, height < width):
        length = height if down else width
        if length // STRIPS < 2 * guard:
            continue
        place = labelled.objects.xy[:, 1 if down else 0]
        quarters = [math.floor(length * i / STRIPS) for i in range(STRIPS + 1)]
        between = range(0, length - quarters[1] + 1, max(1, quarters[1] // PLACES))
        for start, stop in [*pairwise(quarters), *((at, at + quarters[1]) for at in between)]:
            strip = Strip(start, stop, down)
            first = first or strip
            inside = int(((place >= start) & (place < stop)).sum())
            left = int(((place < start - guard) | (place >= stop + guard)).sum())
            cost = abs(inside - len(place) / STRIPS) + len(place) - inside - left
            if inside and left and (least is None or cost < least[0]):
                least = cost, strip
    if first is None:
        raise ValueError(
            f"{labelled.name} ({height} x {width}) is too small to be cut in two for training and validation with "
            f"a guard band of {guard} pixels; label a second image, or name one in data.split.val"
        )
    return first if least is None else least[1]


def _strip_note(held: Sequence[LabelledScene], guard: int) -> str:
    return (
        f"validation on a part of {'the training image' if len(held) == 1 else 'every training image'}, "
        f"{'; '.join(part.name for part in held)}, guard band of {guard} pixels: the same light and ground as in "
        "training, so these scores flatter; label another image"
    )
