"""Finding the images that a file, a folder or a pattern names, and what lies among them and cannot be looked at."""

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from detect.imagery.scenes import SUFFIXES


def list_images(images: Path) -> list[tuple[str, Path]]:
    """Find the images of a folder (and the folders below it), a file, or a glob pattern.

    What has an image's ending and is no file (a link that leads nowhere, a pipe), and a folder that is not entered (a
    link, or one without permission), is listed too: opening it is an error that names it, so that nothing is missing
    from every table.

    Args:
        images: a folder, a file or a glob pattern. Links to folders are not followed, but `images` itself may be one.

    Returns:
        (name, path) sorted by name; the name is the path below the folder (for a file or a pattern, below the deepest
        folder that holds them all), with forward slashes.

    Raises:
        FileNotFoundError: the path does not exist, or nothing is found.
        PermissionError: the folder itself may not be read.
    """
    if images.is_dir():
        paths, root = _below(images), images
    elif images.is_file():
        return [(images.name, images)]
    else:
        found = (Path(path) for path in glob.glob(str(images), recursive=True))  # noqa: PTH207
        paths = [path for path in found if path.is_symlink() or not path.is_dir()]
        root = _common_folder(paths)
    if not paths:
        raise FileNotFoundError(f"no images at {images}: give a folder, a file or a pattern; endings {SUFFIXES}")
    return sorted((path.relative_to(root).as_posix(), path) for path in paths)


def images_root(images: Path) -> Path:
    """Return the folder that the images named by a folder, a file or a pattern lie below."""
    if images.is_dir():
        return images
    parts = images.parts
    plain = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)
    return images.parent if images.is_file() else Path(*parts[: min(plain, len(parts) - 1)])


def _below(folder: Path) -> list[Path]:
    """List what has an image's ending below a folder, and the folders there that are not entered."""
    paths: list[Path] = []
    closed: list[OSError] = []
    for here, folders, files in os.walk(folder, onerror=closed.append):
        paths += [Path(here, name) for name in files if Path(name).suffix.lower() in SUFFIXES]
        paths += [path for name in folders if (path := Path(here, name)).is_symlink()]
    for error in closed:
        if Path(error.filename) == folder:
            raise error
        paths.append(Path(error.filename))
    return paths


def _common_folder(paths: Sequence[Path]) -> Path:
    """Find the deepest folder that holds all files; the current folder for none."""
    folders = {path.parent for path in paths}
    if not folders:
        return Path()
    shared = set.intersection(*({folder, *folder.parents} for folder in folders))
    return max(shared, key=lambda folder: len(folder.parts))
