"""Progress of a run over images, for a person at a terminal or a log that is read later."""

import logging
import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

logger = logging.getLogger(__name__)

EVERY_SECONDS = 20.0
"""Without a terminal, a line is logged at most this often."""


class ImageProgress:
    """Shows images done, megapixels per second and the time left; a context manager."""

    def __init__(self) -> None:
        self.images, self.pixels = 0, 1
        self.begun = 0
        self.done = 0
        self.started = self.said = time.monotonic()
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())
        self._task = self._bar.add_task("images", total=self.pixels, rate="")

    def __enter__(self) -> "ImageProgress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    @property
    def rate(self) -> float:
        """Megapixels per second so far."""
        return self.done / 1e6 / max(1e-9, time.monotonic() - self.started)

    def expect(self, images: int, pixels: int) -> None:
        """Say how many images there are, and how many pixels they have together."""
        self.images, self.pixels = images, max(1, pixels)
        self.started = self.said = time.monotonic()
        self._bar.update(self._task, total=self.pixels)

    def start(self, name: str) -> None:
        """Begin an image."""
        self.begun += 1
        self._bar.update(self._task, description=f"{self.begun}/{self.images} {name}"[:60].replace("[", "\\["))

    def advance(self, pixels: int) -> None:
        """Count pixels done."""
        self.done += pixels
        self._bar.update(self._task, completed=self.done, rate=f"{self.rate:.1f} Mpx/s")
        now = time.monotonic()
        if self._bar.disable and now - self.said > EVERY_SECONDS:
            self.said = now
            left = (self.pixels - self.done) / 1e6 / self.rate
            logger.info(
                "image %d of %d, %.0f %% of the pixels, %.1f Mpx/s, %.1f min left",
                self.begun,
                self.images,
                100 * self.done / self.pixels,
                self.rate,
                left / 60,
            )
