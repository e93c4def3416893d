"""Which images train, validate and test: by image or by group, never by patch."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.finding.spelling import composed
from detect.imagery.windows import Window
from detect.labels.annotations import AnnotatedImage, Annotations
from detect.samples.group_folds import chosen_folds, class_counts, draw, group_of
from detect.samples.labelled_scenes import ChosenOn, LabelledScene, SceneSplit

STRIPS_PER_IMAGE = 4
"""Strips into which an image's length is divided; one validates."""


PLACES_PER_STRIP = 8
"""Positions of a strip that are tried within its own breadth."""


@dataclass(frozen=True)
class ValidationDraw:
    """How validation scenes are chosen where no setting or split column names any.

    Attributes:
        val_from: `auto` leaves out groups in turn, in short trainings; `images` draws whole images; `parts` cuts a
            strip out of every training image: the scores of such a validation are too good.
        val_fraction: share of the groups or images to draw, in (0, 1).
        guard: width in pixels of the band between a strip and the training parts of its image.
        seed: of the draw.
        folds: short trainings at most, of `auto`.

    Raises:
        ValueError: a share out of range, fewer than two folds, or an unknown `val_from`.
    """

    val_from: str
    val_fraction: float
    guard: int
    seed: int
    folds: int

    def __post_init__(self) -> None:
        if not 0 < self.val_fraction < 1:
            raise ValueError(f"data.split.val_fraction must be in (0, 1), got {self.val_fraction}")
        if self.folds < 2:
            raise ValueError(f"data.split.folds must be 2 or more, got {self.folds}")
        if self.val_from not in ("auto", "images", "parts"):
            raise ValueError(f"data.split.val_from must be auto, images or parts, got {self.val_from}")


def split_scenes(
    annotations: Annotations, val: Sequence[str], test: Sequence[str], drawing: ValidationDraw
) -> SceneSplit:
    """Return the scenes of annotated images, divided into train, val and test.

    Images or groups named in `val` and `test` come first, then the table's `split` column. If neither names a
    validation image, all learn, and whole groups are left out in turn by folds of short trainings (`auto`), or some are
    drawn (`images`); of a single group, images. A single image with objects is cut into strips, with a guard band
    between. Scores of the last two are too good, and the note says so.

    Args:
        annotations: the images; those without a split are for training.
        val: names of images or groups that validate.
        test: names of images or groups for the test.
        drawing: how validation scenes are chosen where none are named.

    Raises:
        ValueError: an unknown name, a group or image on two sides, no training image, validation images named beside
            `val_from=parts`, or an image too small to be cut.
    """
    sides = named_sides(annotations, val, test)
    images = {side: [i for i in annotations.images if sides[i.name] == side] for side in ("train", "val", "test")}
    if not images["train"]:
        raise ValueError("no image is left to train on; name fewer in data.split.val and data.split.test")
    if images["val"] and drawing.val_from == "parts":
        raise ValueError(
            "data.split.val_from=parts cuts the training images; leave data.split.val and the table's val out"
        )
    note = "validation images named by data.split.val or the split column"
    chosen_on: ChosenOn = "named validation images"
    folds: tuple[frozenset[str], ...] = ()
    if not images["val"] and drawing.val_from == "auto":
        chosen = chosen_folds(images["train"], drawing.folds, drawing.seed)
        folds, note, chosen_on = chosen.names, chosen.note, chosen.chosen_on
    elif not images["val"] and drawing.val_from == "images" and len(images["train"]) > 1:
        images["train"], images["val"], note = _drawn_images(images["train"], drawing)
        chosen_on = "drawn validation images"
    scenes = {side: tuple(_labelled(image) for image in chosen) for side, chosen in images.items()}
    if not (scenes["val"] or folds):
        train, strips = _strips(scenes["train"], drawing.guard)
        return SceneSplit(train, strips, scenes["test"], _strip_note(strips, drawing.guard), "strips of the images")
    return SceneSplit(scenes["train"], scenes["val"], scenes["test"], note, chosen_on, folds)


def named_sides(annotations: Annotations, val: Sequence[str], test: Sequence[str]) -> dict[str, str]:
    """Return the side of every image: as named in `val` or `test`, else in the table, else `train`.

    Args:
        annotations: the images.
        val: names of images or groups that validate.
        test: names of images or groups for the test.

    Raises:
        ValueError: an unknown name, or an image or group on two sides.
    """
    val, test = ([composed(name) for name in names] for names in (val, test))
    keys = {
        image.name: {composed(name) for name in (image.name, image.path.name, group_of(image))}
        for image in annotations.images
    }
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
    divided = sorted(group for group, found in by_group.items() if len(found) > 1)
    if divided:
        raise ValueError(
            f"group {divided[0]} is on several sides ({', '.join(sorted(by_group[divided[0]]))}); keep it on one"
        )
    return sides


def _drawn_images(
    images: Sequence[AnnotatedImage], drawing: ValidationDraw
) -> tuple[list[AnnotatedImage], list[AnnotatedImage], str]:
    """Draw whole groups for validation, of a single group images; return what trains, what validates, and a note."""
    group, seed = images[0].group, drawing.seed
    if len({group_of(image) for image in images}) > 1:
        train, val = _drawn_groups(images, drawing)
        return train, val, f"validation images drawn with seed {seed}: {', '.join(image.name for image in val)}"
    train, val = _drawn_groups([replace(image, group=None) for image in images], drawing)
    note = (
        f"validation on {len(val)} images drawn with seed {seed} from the only group, {group}: images of a group are "
        "alike, so these scores flatter; label another group"
    )
    return train, val, note


def _drawn_groups(
    images: Sequence[AnnotatedImage], drawing: ValidationDraw
) -> tuple[list[AnnotatedImage], list[AnnotatedImage]]:
    """Draw validation groups, so that every class keeps training objects if it can, and shares are about equal."""
    groups = sorted({group_of(image) for image in images})
    number = min(max(1, round(drawing.val_fraction * len(groups))), len(groups) - 1)
    drawn = {groups[i] for i in draw(class_counts(images, groups), number, drawing.seed)}
    train = [image for image in images if group_of(image) not in drawn]
    return train, [image for image in images if group_of(image) in drawn]


def _labelled(image: AnnotatedImage) -> LabelledScene:
    """Return the opened scene of an image, with its labels."""
    return LabelledScene(
        image.name, open_scene(image.path), image.objects, image.negatives, image.ignored, group=image.group
    )


def _strips(scenes: Sequence[LabelledScene], guard: int) -> tuple[tuple[LabelledScene, ...], tuple[LabelledScene, ...]]:
    """Return the training parts on either side of a strip of every scene, and the strips."""
    train: list[LabelledScene] = []
    strips: list[LabelledScene] = []
    for labelled in scenes:
        strip = _chosen_strip(labelled, guard)
        length = labelled.scene.shape[0 if strip.down else 1]
        strips.append(labelled.part(strip.window(labelled), guard / 2))
        sides = [Strip(0, strip.start - guard, strip.down), Strip(strip.stop + guard, length, strip.down)]
        train.extend(
            labelled.part(each.window(labelled), guard / 2) for each in sides if each.stop - each.start >= guard
        )
    return tuple(train), tuple(strips)


@dataclass(frozen=True)
class Strip:
    """Whole rows (`down`) or columns of a scene, from `start` to before `stop`."""

    start: int
    stop: int
    down: bool

    def window(self, labelled: LabelledScene) -> Window:
        """Return the strip's window in a scene."""
        height, width = labelled.scene.shape
        side = self.stop - self.start
        return Window(self.start, 0, side, width) if self.down else Window(0, self.start, height, side)


def _chosen_strip(labelled: LabelledScene, guard: int) -> Strip:
    """Return the strip whose share of the objects is nearest to a quarter, with the fewest lost in the guard bands.

    Both the strip and the rest of the scene must hold objects; if no strip allows that, the first one is taken.

    Raises:
        ValueError: a scene too small for strips with guard bands.
    """
    strips = list(_possible_strips(labelled.scene.shape, guard))
    if not strips:
        height, width = labelled.scene.shape
        raise ValueError(
            f"{labelled.name} ({height} x {width}) is too small to be cut in two for training and validation with "
            f"a guard band of {guard} pixels; label a second image, or name one in data.split.val"
        )
    costs = [_cost(strip, labelled, guard) for strip in strips]
    return strips[costs.index(min(costs))]


def _possible_strips(shape: tuple[int, int], guard: int) -> Iterator[Strip]:
    """Yield the four quarters of a scene (height, width) and positions between them, along the longer side first."""
    height, width = shape
    for down in (height >= width, height < width):
        length = height if down else width
        if length // STRIPS_PER_IMAGE < 2 * guard:
            continue
        quarters = [math.floor(length * i / STRIPS_PER_IMAGE) for i in range(STRIPS_PER_IMAGE + 1)]
        between = range(0, length - quarters[1] + 1, max(1, quarters[1] // PLACES_PER_STRIP))
        for start, stop in [*pairwise(quarters), *((start, start + quarters[1]) for start in between)]:
            yield Strip(start, stop, down)


def _cost(strip: Strip, labelled: LabelledScene, guard: int) -> float:
    """Return the difference from a quarter of the objects plus those lost in guard bands; inf if a side has none."""
    position = labelled.objects.xy[:, 1 if strip.down else 0]
    inside = int(((position >= strip.start) & (position < strip.stop)).sum())
    outside = int(((position < strip.start - guard) | (position >= strip.stop + guard)).sum())
    if not (inside and outside):
        return math.inf
    return abs(inside - len(position) / STRIPS_PER_IMAGE) + len(position) - inside - outside


def _strip_note(strips: Sequence[LabelledScene], guard: int) -> str:
    """Return the note on a validation on strips."""
    return (
        f"validation on a part of {'the training image' if len(strips) == 1 else 'every training image'}, "
        f"{'; '.join(part.name for part in strips)}, guard band of {guard} pixels: the same light and ground as in "
        "training, so these scores flatter; label another image"
    )
