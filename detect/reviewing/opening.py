"""Opening the page in a browser without its address on a command line, which every user of the machine can read.

The browser is given a file that leads to the address, which its owner alone can read, and which is removed as soon as
the page was shown (as Jupyter does it).
"""

import logging
import os
import stat
import tempfile
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path

logger = logging.getLogger("detect.review")

BEGIN, END = "open-", ".html"
"""Of the names of such files."""

OLD_S = 60.0
"""A file that is older was left by a review that was killed."""

TEXT = """<!doctype html>
<meta charset="utf-8"><meta name="referrer" content="no-referrer"><title>Review</title>
<meta http-equiv="refresh" content="0; url={address}">
<p><a href="{address}">Open the review</a></p>
"""


class Opener:
    """Opens the page of a review in a browser.

    Args:
        folder: where the file is made that leads to the page: `review` in the predictions folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: Path | None = None

    def open(self, address: str) -> None:
        """Open an address in a browser; where that cannot be done, the log says so."""
        try:
            made = self._made(address)
        except OSError as error:
            logger.warning("no browser is opened: %s; open the address by hand", error)
            return
        if not webbrowser.open(made.absolute().as_uri()):
            logger.info("no browser could be opened; open the address by hand")

    def shown(self) -> None:
        """Remove the file: the page was shown, or the review ends."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)
            self._file = None

    def _made(self, address: str) -> Path:
        """Write the file.

        Raises:
            OSError: it cannot be written, or would not be the owner's alone.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in self.folder.glob(f"{BEGIN}*{END}"):
            if time.time() - left.lstat().st_mtime > OLD_S:
                left.unlink(missing_ok=True)
        number, name = tempfile.mkstemp(END, BEGIN, self.folder)
        self._file = Path(name)
        with os.fdopen(number, "w", encoding="utf-8") as file:
            if os.name == "posix" and stat.S_IMODE(os.fstat(number).st_mode) & 0o077:
                self.shown()
                raise PermissionError(f"files in {self.folder} cannot be kept from other users")
            file.write(TEXT.format(address=escape(address, quote=True)))
        return self._file


@contextmanager
def opener(folder: Path) -> Iterator[Opener]:
    """Yield an opener whose file is gone when the block ends."""
    made = Opener(folder)
    try:
        yield made
    finally:
        made.shown()
