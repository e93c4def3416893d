"""The files that runs wrote into an output folder, by which one that a person changed is known."""

import hashlib
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from detect.imagery.files import check_inside, check_regular, remove_written, replace_file
from detect.labels.json_files import read_json_object
from detect.reporting.output.layout import PredictionPaths
from detect.reporting.writing import write_bytes, write_json

logger = logging.getLogger(__name__)

MAX_FILE_BYTES = 4 << 30
"""Most bytes of a file that is compared."""

MAX_UNKNOWN_BYTES = 1 << 30
"""Most bytes of a file of which nothing is recorded that is taken for a run's and recorded."""

WAIT_S = 60.0
"""How long another process may change the files: it writes tables, and whole reports."""


class WrittenFiles:
    """The SHA-256 of the tables and the report that runs wrote into a folder, kept in `.run/written.json`.

    A file's new hash is recorded beside the one it has before it is replaced: a run that is killed between the two
    leaves a file of one of them. A file of which nothing is recorded, as of an earlier version, is taken for a run's.
    Several processes may write into one folder, such as a review and a survey: one after the other changes the hashes
    and the files that they are of (`.run/written.lock`), so that none of them is lost.

    Args:
        folder: the output folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = PredictionPaths(folder).written
        self.lock = PredictionPaths(folder).written_lock

    def check(self, names: Iterable[str], way_out: str = "", replace: bool = False, adopt: bool = True) -> None:
        """Check that files which a run will replace are as a run left them.

        Args:
            names: of the files, in the folder.
            way_out: what else can be done than to move the file away, as the end of a sentence.
            replace: whether a changed file is replaced all the same, which the log says.
            adopt: whether a file of which nothing is recorded is taken for a run's; else for a person's.

        Raises:
            FileExistsError: a person changed one of them, or made it.
            ValueError: one is no regular file, or the state folder is not inside the folder.
        """
        check_inside(self.path, self.folder)
        for name in names:
            path = self.folder / name
            if not path.exists():
                continue
            check_regular(path, MAX_FILE_BYTES, self.folder)
            recorded = self._recorded(replace)
            if name not in recorded and adopt:
                logger.info("%s: no record of the run that wrote it; it is replaced", path)
                continue
            if self._as_written(name, recorded, replace):
                continue
            whose = "was changed after a run wrote it" if name in recorded else "was not written by a run"
            if not replace:
                raise FileExistsError(f"{path} {whose}; move it away{way_out}")
            logger.warning("%s %s, and is replaced", path, whose)

    def is_changed(self, name: str) -> bool:
        """Return whether a file is there that a run wrote, and a person changed."""
        recorded, path = self._recorded(forgive=True), self.folder / name
        return name in recorded and path.is_file() and not self._as_written(name, recorded, forgive=True)

    def write(self, contents: Mapping[str, bytes]) -> None:
        """Write files, each whole or not at all; their hashes are recorded first, together.

        Args:
            contents: bytes by the name of the file in the folder.
        """
        with self._alone():
            recorded = self._recorded(forgive=True)
            for name, content in contents.items():
                path = self.folder / name
                known = path.is_file() and (name in recorded or path.stat().st_size <= MAX_UNKNOWN_BYTES)
                now = [_digest(path)] if known else []
                kept = [each for each in now if each in recorded.get(name, now)]
                recorded[name] = list(dict.fromkeys([hashlib.sha256(content).hexdigest(), *kept]))
            write_json(recorded, self.path)
            for name, content in contents.items():
                write_bytes(content, self.folder / name)

    def write_made(self, name: str, make: Callable[[Path], None]) -> None:
        """Write a file that need not fit into memory, whole or not at all; its hash is recorded first.

        Args:
            name: of the file in the folder.
            make: writes it to a path.
        """
        with ExitStack() as alone, replace_file(self.folder / name) as part:
            make(part)
            alone.enter_context(self._alone())  # until the file is in its place
            recorded = self._recorded(forgive=True)
            recorded[name] = [_digest(part), *recorded.get(name, [])[:1]]
            write_json(recorded, self.path)

    def names(self) -> list[str]:
        """Return the names of the files of which something is recorded; none where the record is damaged."""
        return list(self._recorded(forgive=True))

    def remove(self, names: Iterable[str]) -> None:
        """Remove files that runs wrote, the folders that are then empty, and their hashes; others are left alone."""
        with self._alone():
            recorded = self._recorded(forgive=True)
            gone = [name for name in names if name in recorded]
            for name in gone:
                path = self.folder / name
                check_inside(path.parent, self.folder)
                if path.is_file():
                    remove_written(path, self.folder / Path(name).parts[0])
                del recorded[name]
            if gone:
                write_json(recorded, self.path)

    def keep(self, names: Collection[str]) -> None:
        """Forget the hashes of all files but some, which stay when a run starts afresh; nothing is removed."""
        with self._alone():
            kept = {name: hashes for name, hashes in self._recorded(forgive=True).items() if name in names}
            if kept:
                write_json(kept, self.path)
            else:
                self.path.unlink(missing_ok=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from changing the hashes and the files that they are of.

        Raises:
            OSError: another process changes them for too long, or the folder cannot be written to.
            ValueError: the lock is no regular file inside the folder.
        """
        check_inside(self.lock, self.folder)
        if self.lock.exists():
            check_regular(self.lock, MAX_FILE_BYTES)
        self.lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.lock, timeout=WAIT_S):
                yield
        except Timeout as error:
            raise OSError(
                f"{self.folder}: another process has written there for {WAIT_S:g} seconds; end it, or try again"
            ) from error

    def _as_written(self, name: str, recorded: Mapping[str, list[str]], forgive: bool) -> bool:
        """Return whether a file has a hash that is recorded; one that is written just now is looked at again."""
        while True:
            if name in recorded and _digest(self.folder / name) in recorded[name]:
                return True
            before, recorded = recorded, self._recorded(forgive)
            if recorded == before:
                return False

    def _recorded(self, forgive: bool) -> dict[str, list[str]]:
        """Read the hashes of each file; of none where there is no record, or where a damaged one is forgiven."""
        try:
            data = read_json_object(self.path, self.folder)
        except FileNotFoundError:
            return {}
        except ValueError as error:
            if forgive:
                return {}
            raise FileExistsError(
                f"{error}; it says which tables a person changed: move those away, and remove it"
            ) from error
        return {name: each for name, each in data.items() if isinstance(each, list)}


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
