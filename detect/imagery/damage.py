"""What decoders only warn of: pixels that they filled in or skipped, gathered where they would go into a log."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LOGGERS = ("rasterio._err", "rasterio._env")
"""The loggers to which rasterio hands GDAL's warnings."""

LONGEST_WARNING = 160
"""Most characters of a warning that are kept."""

HARMLESS = ("unknown field with tag",)
"""Parts, in lower case, of warnings that are about a file's description and not about its pixels."""


class _Gatherer(logging.Filter):
    """A filter that takes the warnings of threads which gather them, and lets all others through to the log."""

    def __init__(self) -> None:
        super().__init__()
        self.lists = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record goes on to the log."""
        gathered: list[str] | None = getattr(self.lists, "now", None)
        if gathered is None or record.levelno < logging.WARNING:
            return True
        message = " ".join(record.getMessage().split())
        code, _, rest = message.partition(":")
        message = rest if code.startswith("CPLE_") else message
        if not any(part in message.lower() for part in HARMLESS):
            gathered.append(message[:LONGEST_WARNING])
        return False


_gatherer = _Gatherer()


@contextmanager
def decoder_warnings() -> Iterator[list[str]]:
    """Yield a list that gets the warnings of this thread's decoders while the block runs; they are not logged."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.addFilter(_gatherer)
        if not logger.isEnabledFor(logging.WARNING):
            logger.setLevel(logging.WARNING)
    before = getattr(_gatherer.lists, "now", None)
    gathered: list[str] = []
    _gatherer.lists.now = gathered
    try:
        yield gathered
    finally:
        _gatherer.lists.now = before
