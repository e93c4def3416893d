"""A search of folders and patterns for images, which keeps what it passes over and says so in the log."""

import glob
import logging
import os
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from detect.imagery.finding.endings import NUMBERED, has_image_ending, is_hidden, way_out
from detect.imagery.gdal.drivers import SceneError, driver_of

logger = logging.getLogger(__name__)

Written = Callable[[Path], Collection[str]]
"""Returns the names of the files and folders in a folder that earlier runs wrote there, by what else is in it."""

NAMED = 3
"""Examples that a line of the log names, at most."""


@dataclass
class Search:
    """A search for images, and what it passes over.

    Attributes:
        written: by which results of earlier runs are known.
        hidden: hidden and system files with an image's ending, and such folders.
        results: what earlier runs wrote.
        unread: files that may hold images of kinds that are not read.
        others: what a pattern fits and is no image, and folders.
    """

    written: Written
    hidden: list[Path] = field(default_factory=list)
    results: list[Path] = field(default_factory=list)
    unread: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)

    def below(self, folder: Path) -> list[Path]:
        """List the images below a folder, and the folders there that are not entered."""
        paths: list[Path] = []
        closed: list[OSError] = []
        for place, folders, files in os.walk(folder, onerror=closed.append):
            here = Path(place)
            own = self.written(here)
            self.hidden += [here / name for name in folders if is_hidden(name)]
            self.results += [here / name for name in folders if name in own]
            folders[:] = [name for name in folders if not is_hidden(name) and name not in own]
            paths += [here / name for name in files if self.is_image(here / name, own)]
            paths += [path for name in folders if (path := here / name).is_symlink()]
        for error in closed:
            if Path(error.filename) == folder:
                raise error
            paths.append(Path(error.filename))
        return paths

    def fitting(self, folder: Path, pattern: str) -> list[Path]:
        """List the files below a folder that fit a pattern; all of them, where it says which ending they have."""
        every = not glob.has_magic(Path(pattern).suffix) and Path(pattern).suffix != ""
        paths = []
        for name in glob.glob(pattern, root_dir=folder, recursive=True):  # noqa: PTH207
            path = folder / name
            if self._is_below_others(folder, Path(name).parts, Path(pattern).parts):
                continue
            if path.is_dir() and not path.is_symlink():
                self.others += [] if "**" in pattern else [path]
            elif every or self.is_image(path, ()):
                paths.append(path)
            elif not way_out(path):
                self.others.append(path)
        return paths

    def _is_below_others(self, folder: Path, parts: Sequence[str], pattern: Sequence[str]) -> bool:
        """Return whether a part of a path is hidden or of an earlier run, and no part of the pattern asks for it."""
        here = folder
        for part in parts:
            if not any(each[:1] == part[:1] and fnmatch(part, each) for each in pattern):
                kind = self.hidden if is_hidden(part) else self.results if part in self.written(here) else None
                if kind is not None:
                    kind += [] if here / part in kind else [here / part]
                    return True
            here /= part
        return False

    def is_image(self, path: Path, own: Collection[str]) -> bool:
        """Return whether a file is looked at, by its name; by its first bytes where the name does not say it."""
        name = path.name
        image = has_image_ending(name)
        if name in own:
            self.results += [path] if image else []
            return False
        if is_hidden(name):
            self.hidden += [path] if image or way_out(name) else []
            return False
        if way_out(name):
            self.unread.append(path)
        return image or (path.suffix in ("", *NUMBERED) and holds_image(path))

    def log(self, images: Path) -> None:
        """Log what is passed over: a line for each kind, with numbers and examples."""
        for found, what in (
            (self.hidden, "hidden or system files and folders"),
            (self.results, "files and folders that earlier runs of detect wrote"),
            (self.others, "files that are no images and folders (FOLDER/**/*.jpg enters them)"),
        ):
            if found:
                logger.info("%s: %d %s are passed over: %s", images, len(found), what, examples(found))
        if self.unread:
            numbers = Counter(path.suffix.lower() for path in self.unread)
            ways = dict.fromkeys(str(way_out(path)) for path in self.unread)
            logger.warning(
                "%s: passed over, as such files are not read: %s; %s",
                images,
                ", ".join(f"{number} {ending}" for ending, number in numbers.most_common()),
                "; ".join(ways),
            )


def holds_image(path: Path) -> bool:
    """Return whether a file is an image by its first bytes."""
    with suppress(SceneError):
        return bool(driver_of(path))
    return False


def examples(paths: Sequence[Path]) -> str:
    """Return the names of the first files for a message."""
    more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    return ", ".join(path.name for path in paths[:NAMED]) + more
