"""`ReviewSession`: what a page needs of a run under review, and the only way by which a person's acts are kept."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from detect.imagery.windows import Window
from detect.labels.corrections import Corrections, ReviewedWindow
from detect.labels.sheets import writable
from detect.reviewing.acts import KINDS, Act, is_kind
from detect.reviewing.acts_file import ActsFile
from detect.reviewing.asking import Asked
from detect.reviewing.corrections_file import CorrectionsFile
from detect.reviewing.review_objects import ReviewObject, as_detections, review_objects
from detect.reviewing.review_tasks import ReviewedImage, SurveyTask
from detect.reviewing.run_folder import RunFolder
from detect.reviewing.standing import Standing

logger = logging.getLogger(__name__)

Estimator = Callable[[Corrections], Mapping[str, Any] | None]
"""Estimates totals from the reviewed windows, as `survey.json` has them; None where no survey was drawn."""


class ReviewSession:
    """A run under review: every act is kept at once, and several sessions may be open on one folder.

    Args:
        folder: the output folder of `detect.predict`.
        estimate: estimates totals from the reviewed windows; None for no estimates.
        more_classes: that the model does not know, and a person may give.

    Raises:
        FileNotFoundError: the folder has no results.
        FileExistsError: a person changed `corrections.csv`, which is written anew after each window.
        ValueError: a file of the run, or that of the acts, is damaged.
    """

    def __init__(self, folder: Path, estimate: Estimator | None = None, more_classes: Sequence[str] = ()) -> None:
        self.folder = folder
        self._run = RunFolder(folder)
        self._more = [writable(name, "class name") for name in more_classes]
        self._acts = ActsFile(folder)
        self._estimate = estimate
        self._images = {image.name: image for image in self._run.images}
        self._standing = {image.name: Standing(image.shape) for image in self._run.images}
        self._asked_last: set[str] = set()
        self._drawn = self._run.drawn()
        self._tables = lru_cache(maxsize=4)(self._read_tables)
        self._file = CorrectionsFile(folder)
        self._last_kept: int | None = None
        self._waits = False
        self._read_on()
        if self._acts.next_number > 1:
            with self._acts.locked():  # else acts of another page, kept meanwhile, would be missing
                self._file.write(self.corrections)

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names: the model's, then those that were given or used beside them."""
        used = {label for standing in self._standing.values() for label in standing.labels}
        return tuple(dict.fromkeys([*self._run.classes, *self._more, *sorted(used)]))

    @property
    def threshold(self) -> float:
        """The score from which on the run counted, in [0, 1]."""
        return self._run.threshold

    @property
    def boxes(self) -> bool | None:
        """Whether the run finds boxes; None where it found nothing."""
        return self._run.boxes

    @property
    def stale(self) -> str:
        """Why `corrections.csv` lacks what was done last; empty where it does not."""
        return self._file.stale

    @property
    def last_kept(self) -> int | None:
        """The number of the act that was kept when `act` was called last; None where there was nothing to keep."""
        return self._last_kept

    @property
    def newest(self) -> int:
        """The number of the last act of all, whoever did it; 0 before the first."""
        self._read_on()
        return self._acts.next_number - 1

    @property
    def images(self) -> list[ReviewedImage]:
        """The images of the run, in the order of its tables."""
        self._read_on()
        return [
            ReviewedImage(each.name, each.path, each.shape, each.count, len(self._standing[each.name].windows))
            for each in self._run.images
        ]

    @property
    def windows(self) -> list[SurveyTask]:
        """The windows that a survey drew, each once, in the order of the draws; none without a survey."""
        known = self.corrections
        return [SurveyTask(image, window, known.covers(image, window)) for image, window in self._drawn]

    @property
    def corrections(self) -> Corrections:
        """The reviewed windows and what is in them, in the order in which they were reviewed."""
        self._read_on()
        classes = self.classes
        numbered = [
            (finished.number, name, window, list(finished.objects.values()))
            for name, standing in self._standing.items()
            for window, finished in standing.windows.items()
        ]
        boxes = any(each.w is not None for *_, objects in numbered for each in objects)
        return Corrections(
            tuple(
                ReviewedWindow(name, window, as_detections(objects, classes, boxes))
                for _, name, window, objects in sorted(numbered, key=lambda each: each[0])
            ),
            classes,
        )

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write `corrections.csv` once for all acts within, at their end; each act is kept at once all the same.

        Raises:
            OSError: another process holds the file of acts for too long.
        """
        self._waits = True
        try:
            yield
        finally:
            self._waits = False
            with self._acts.locked():
                self._file.keep(self.corrections)

    def objects(self, image: str) -> list[ReviewObject]:
        """Return the objects of an image: found, candidates below the threshold, and what a person said.

        Raises:
            ValueError: no such image.
        """
        self._check_image(image)
        self._read_on()
        return list(self._standing[image].objects(self._tables(image)))

    def detected(self, image: str, name: str) -> ReviewObject:
        """Return an object as the run found it, whatever a person said of it since.

        Raises:
            ValueError: no such image or object, or a person added it.
        """
        self._check_image(image)
        for each in self._tables(image):
            if each.id == name:
                return each
        if name.startswith("a:"):
            raise ValueError("a person added this object: the network did not find it, so there is nothing to explain")
        raise ValueError(f"{image} has no detection {name[:80]!r}; load the page anew")

    def changed(self, image: str) -> str:
        """Return what has become of an image's file since it was counted, for a person; empty where it is as it was.

        Raises:
            ValueError: no such image, or its sides are others now; the message says the way out.
        """
        self._check_image(image)
        return self._run.changed(image)

    def last_act(self, image: str) -> int | None:
        """Return the number of the act of an image that would be undone next; None where nothing was done in it.

        Raises:
            ValueError: no such image.
        """
        self._check_image(image)
        self._read_on()
        last = self._standing[image].last
        return None if last is None else last.number

    def estimate(self) -> dict[str, Any] | None:
        """Return totals estimated from the reviewed windows, as `survey.json` has them; None without a survey."""
        found = None if self._estimate is None else self._estimate(self.corrections)
        return None if found is None else dict(found)

    def act(self, asked: Mapping[str, Any]) -> ReviewObject | None:
        """Keep what a person did: check it, append it to the file of acts, and take it into account.

        Args:
            asked: `act` (`add`, `accept`, `reject`, `relabel`, `move`, `done`, `reopen` or `undo`), `image`, and what
                the act needs: `id`; `x`, `y`, `w`, `h`; `label`; `window` (row, column, height, width) and, of `done`,
                `objects`, the list of what is in it (none for all that was found or that a person said is there); of
                `undo`, `of`, the number of the act that is meant (none for the image's last, whoever did it).

        Returns:
            The object as it is now; None where the act is of no object, or it is gone.

        Raises:
            ValueError: the act cannot be, in a sentence for the person; so where the photograph has other sides now.
            OSError: it cannot be kept.
        """
        image, kind = asked.get("image"), asked.get("act")
        self._check_image(image)
        if not is_kind(kind):
            raise ValueError(f"there is no act {str(kind)[:40]!r}; acts are {', '.join(KINDS)}")
        assert isinstance(image, str)
        self._last_kept = None
        self._run.changed(image)
        with self._acts.locked():
            self._read_on()
            act = self._undone(image, asked.get("of")) if kind == "undo" else self._asked(image).act(kind, asked)
            if act.kind == "reopen" and act.window not in self._standing[image].windows:
                return None
            before = self._windows_of(image)
            self._acts.append(act)
            self._standing[image].apply(act)
            self._last_kept = act.number
            if not self._waits and (self._file.stale or self._windows_of(image) != before):
                self._file.keep(self.corrections)
        return self._now(image, act)

    def _asked(self, image: str) -> Asked:
        """Return what an act on an image may refer to."""
        for name in self._asked_last - {image}:
            self._standing[name].forget()
        self._asked_last = {image}
        return Asked(
            number=self._acts.next_number,
            at=_now(),
            image=image,
            shape=self._images[image].shape,
            classes=self.classes,
            objects=self._standing[image].by_id(self._tables(image)),
            boxes=self._boxes(image),
            found=self._run.found(image),
        )

    def _undone(self, image: str, meant: object) -> Act:
        """Return the act that undoes the last one of an image, which must be the one that is meant where one is."""
        last = self._standing[image].last
        if last is None:
            raise ValueError(f"nothing was done in {image} that could be undone")
        if meant is not None and meant != last.number:
            raise ValueError(
                f"nothing is undone: another page did something in {image} since ({last.words}); undo it there, or "
                "load this page anew to undo it here"
            )
        return Act(self._acts.next_number, _now(), image, "undo", of=last.number)

    def _now(self, image: str, act: Act) -> ReviewObject | None:
        """Return the object of an act as it is after it."""
        changed = act.after
        if changed is None:
            return None
        return self._standing[image].said.get(changed.id)

    def _boxes(self, image: str) -> bool | None:
        """Return whether objects are boxes: as what the run found, else as what was added first, else as candidates."""
        if self._run.boxes is not None:
            return self._run.boxes
        said = (each for standing in self._standing.values() for each in standing.said.values())
        return next((each.w is not None for each in (*said, *self._tables(image))), None)

    def _read_tables(self, image: str) -> tuple[ReviewObject, ...]:
        """Return what the run found in an image, and its candidates that are not among those."""
        found = {each.id: each for each in review_objects(self._run.found(image), "found")}
        others = {each.id: each for each in review_objects(self._run.candidates(image), "candidate")}
        return tuple({**others, **found}.values())

    def _read_on(self) -> None:
        """Read what other sessions did since."""
        for act in self._acts.read_on():
            if act.image not in self._standing:
                logger.warning("%s: act %d is on %s, which is no image of the run", self.folder, act.number, act.image)
                continue
            self._standing[act.image].apply(act)

    def _windows_of(self, image: str) -> dict[Window, list[ReviewObject]]:
        return {window: list(each.objects.values()) for window, each in self._standing[image].windows.items()}

    def _check_image(self, image: Any) -> None:
        if not isinstance(image, str) or image not in self._images:
            raise ValueError(f"there is no image {str(image)[:80]!r} in this run")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
