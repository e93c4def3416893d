"""Grad-CAM of detections under review: asked of a network one at a time, and kept for the next time."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from detect.reporting.output.records import signature
from detect.reviewing.review_objects import ReviewObject

MOST_KEPT = 64
"""Most pictures that are kept, of which each has some 100 kB."""

Score = Literal["object", "class"]
"""What is explained of a detection: why there is an object, or why it is of its class; of most heads it is the same."""


@dataclass(frozen=True)
class GradCam:
    """Where a network saw what speaks for a detection.

    Attributes:
        png: picture with an alpha band, transparent where nothing speaks for it.
        place: left, top, width and height of it in pixels of the image file.
        words: what it is of.
    """

    png: bytes
    place: tuple[float, float, float, float]
    words: str


Explainer = Callable[[Path, ReviewObject, Score], GradCam]
"""Explains an object of an image, as a run found it; raises ValueError, OSError or RuntimeError where it cannot."""


class SupersededError(ValueError):
    """A detection that is not explained, as another one was asked for while it waited."""


class GradCams:
    """Grad-CAM of detections; of several that are asked for at once, the newest alone waits for the one that is made.

    Args:
        explain: makes one.
    """

    def __init__(self, explain: Explainer) -> None:
        self._explain = explain
        self._kept: OrderedDict[object, GradCam] = OrderedDict()
        self._newest = 0
        self._state, self._one = threading.Lock(), threading.Lock()

    def of(self, image: Path, found: ReviewObject, score: Score) -> GradCam:
        """Return Grad-CAM of an object of an image, made where it is not kept.

        Args:
            image: the file; one that was changed since is looked at again.
            found: the object, as the run found it.
            score: what of it is explained.

        Raises:
            SupersededError: another one was asked for meanwhile.
            ValueError, OSError, RuntimeError: it cannot be explained; the message says why.
        """
        key = (signature(image), found, score)
        with self._state:
            self._newest = own = self._newest + 1
        kept = self._find(key)
        if kept is not None:
            return kept
        with self._one:
            kept = self._find(key)
            if kept is not None:
                return kept
            if own != self._newest:
                raise SupersededError("another detection was asked for meanwhile; ask for this one again")
            made = self._explain(image, found, score)
            self._keep(key, made)
        return made

    def _find(self, key: object) -> GradCam | None:
        with self._state:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _keep(self, key: object, made: GradCam) -> None:
        with self._state:
            self._kept[key] = made
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
