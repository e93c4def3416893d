"""The folder of an output setting: made, checked for earlier results, and removed where an error leaves it empty."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

from detect.imagery.files import part_name
from detect.reporting.output.layout import PredictionPaths


def output_folder(path: Path, *, results: Sequence[Path], allowed: bool, way_out: str) -> Path:
    """Make the output folder and check that it can be written and holds no earlier result.

    Args:
        path: the folder.
        results: files or folders in it by which an earlier result is known.
        allowed: whether there may be one.
        way_out: what to do otherwise.

    Raises:
        FileExistsError: an earlier result is there and not allowed.
        OSError: it cannot be written.
    """
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(f"output={path} is a file; name a folder")
    path.mkdir(parents=True, exist_ok=True)
    probe = path / part_name()
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OSError(f"output={path} cannot be written ({error}); choose another folder") from error
    found = [result.name for result in results if result.exists()]
    if found and not allowed:
        raise FileExistsError(f"output={path} holds {found[0]} already; {way_out}")
    return path


@contextmanager
def unused_removed(output: object) -> Iterator[None]:
    """Remove the folders that are made for an output in the block where an error leaves nothing in them.

    The lock of a run is nothing; so wrong settings that are told after it was taken leave no folder either. One that
    another run holds is left, with its folder.

    Args:
        output: the setting of that name; anything but a path is left alone.
    """
    missing = [each for each in (output, *output.parents) if not each.exists()] if isinstance(output, Path) else []
    try:
        yield
    except BaseException:
        with suppress(OSError):  # which a lock that is held is, too
            for folder in missing:
                paths = PredictionPaths(folder)
                if paths.state.is_dir() and [*folder.iterdir(), *paths.state.iterdir()] == [paths.state, paths.lock]:
                    with FileLock(paths.lock, timeout=0):
                        pass
                    paths.lock.unlink(missing_ok=True)
                    paths.state.rmdir()
                folder.rmdir()
        raise
