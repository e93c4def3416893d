"""Which of the images that are scored a model had seen in its training: their scores say little of other scenes."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from detect.labels.image_names import ends_with, parts_of, same_name
from detect.samples.labelled_scenes import PART

logger = logging.getLogger(__name__)

MAX_NAMED = 5
"""Images that are named in the log, at most."""


@dataclass(frozen=True)
class TrainingImages:
    """The images of a model's training, by the names that it remembers.

    Attributes:
        train: that it learned from.
        val: that its threshold was chosen on, and that it did not learn from.
        groups: of which it learned from some image.
    """

    train: tuple[str, ...]
    val: tuple[str, ...]
    groups: tuple[str, ...]

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "TrainingImages":
        """Read a model's training record, or what a run keeps of it; parts of images count as their image.

        Raises:
            ValueError: it holds something else than names.
        """
        names = {key: record.get(key) or [] for key in ("train", "val", "groups")}
        for key, values in names.items():
            if not (isinstance(values, list | tuple) and all(isinstance(name, str) for name in values)):
                raise ValueError(f"the model's record must hold names of images under {key!r}, got {values!r:.100}")
        whole = {key: tuple(dict.fromkeys(name.partition(PART)[0] for name in names[key])) for key in names}
        return cls(**{**whole, "val": tuple(name for name in whole["val"] if name not in set(whole["train"]))})

    def to_record(self) -> dict[str, list[str]]:
        """Return them as plain values."""
        return {"train": list(self.train), "val": list(self.val), "groups": list(self.groups)}


def with_seen(
    scores: Mapping[str, Any], training: TrainingImages, group_of: Mapping[str, str | None]
) -> dict[str, Any]:
    """Return scores that say of every image whether the model had seen it, and log where they flatter.

    Seen is an image that the model learned from, and one of a group of which it learned from another image. That a
    threshold was chosen on an image is told apart, as `chosen_on_images`. Two names are of one image where one path
    ends with the other.

    Args:
        scores: with `per_image`.
        training: what the model remembers.
        group_of: the group of every image, None where it has none.
    """
    images: Mapping[str, Mapping[str, Any]] = scores["per_image"]
    learned, chosen = _found(images, training.train), _found(images, training.val)
    alike = {name for name in images if group_of.get(name) is not None and group_of[name] in training.groups}
    seen = learned | alike
    for names, what in (
        (learned, "were learned from"),
        (alike - learned, "are of a group of which others were learned from"),
        (chosen - seen, "are what the threshold was chosen on"),
    ):
        if names:
            logger.warning("of the images scored, %d %s: their scores flatter: %s", len(names), what, _named(names))
    if not (seen or chosen) and training.train:
        logger.info("none of the images scored was seen in training")
    marked = {name: {**numbers, "seen": name in seen} for name, numbers in images.items()}
    return {**scores, "per_image": marked, "seen_in_training": sorted(seen), "chosen_on_images": sorted(chosen - seen)}


def _found(images: Iterable[str], known: Iterable[str]) -> set[str]:
    """Return the images whose path ends with one that is known, or the reverse."""
    by_file: dict[str, list[tuple[str, ...]]] = {}
    for name in known:
        parts = parts_of(name)
        by_file.setdefault(parts[-1] if parts else "", []).append(parts)
    found = set()
    for name in images:
        own = parts_of(name)
        others = by_file.get(own[-1] if own else "", [])
        if any(ends_with(own, other, same_name) or ends_with(other, own, same_name) for other in others):
            found.add(name)
    return found


def _named(names: set[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(sorted(names)[:MAX_NAMED]) + more
