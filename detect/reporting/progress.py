"""Progress of a run over images, for a person at a terminal or a log that is read later."""

import logging
import sys
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

logger = logging.getLogger(__name__)

MIN_SECONDS_BETWEEN_LINES = 20.0
"""Without a terminal, the progress is logged at most this often."""


SECONDS_BETWEEN_BARS = 0.1
"""On a terminal, the bar is drawn anew at most this often: of small images there are hundreds a second."""


MAX_DESCRIPTION_LENGTH = 60
"""Characters of the image's number and name beside the bar; a longer text is cut."""


class ImageProgress:
    """A display of images done, megapixels per second and the time left; a context manager.

    On a terminal it is a bar on the standard error stream, elsewhere a line in the log now and then.

    Args:
        more: returns what else is told, such as the cost so far; empty for nothing.
    """

    def __init__(self, more: Callable[[], str] = str) -> None:
        self._more = more
        self.images, self.pixels = 0, 1
        self.images_begun = 0
        self.pixels_done = 0
        self.started = self.last_line = time.monotonic()
        self._last_bar = 0.0
        self._name = ""
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
        self._show()
        self._bar.stop()

    @property
    def rate(self) -> float:
        """Megapixels per second so far."""
        return self.pixels_done / 1e6 / max(1e-9, time.monotonic() - self.started)

    def expect(self, images: int, pixels: int) -> None:
        """Set the number of images and of their pixels together, and start the clock."""
        self.images, self.pixels = images, max(1, pixels)
        self.started = self.last_line = time.monotonic()
        self._bar.update(self._task, total=self.pixels)

    def start(self, name: str) -> None:
        """Begin an image, and show its name."""
        self.images_begun += 1
        self._name = name
        self._show_again(time.monotonic())

    def advance(self, pixels: int) -> None:
        """Add pixels to those that are done."""
        self.pixels_done += pixels
        now = time.monotonic()
        self._show_again(now)
        if self._bar.disable and now - self.last_line > MIN_SECONDS_BETWEEN_LINES:
            self.last_line = now
            more = self._more()
            seconds_left = (self.pixels - self.pixels_done) / 1e6 / self.rate
            logger.info(
                "image %d of %d, %.0f %% of the pixels, %.1f Mpx/s, %.1f min left%s",
                self.images_begun,
                self.images,
                100 * self.pixels_done / self.pixels,
                self.rate,
                seconds_left / 60,
                f", {more}" if more else "",
            )

    def _show_again(self, now: float) -> None:
        """Draw the bar anew where it is drawn at all, and was not just now."""
        if not self._bar.disable and now - self._last_bar > SECONDS_BETWEEN_BARS:
            self._last_bar = now
            self._show()

    def _show(self) -> None:
        """Draw the bar as things are now."""
        text = f"{self.images_begun}/{self.images} {self._name}"[:MAX_DESCRIPTION_LENGTH]
        more = self._more()
        self._bar.update(
            self._task,
            description=text.replace("[", "\\[") if self._name else "images",
            completed=self.pixels_done,
            rate=f"{self.rate:.1f} Mpx/s{f', {more}' if more else ''}" if self.pixels_done else "",
        )
