"""Finding the images that a file, a folder or a pattern names."""

import glob
from collections.abc import Sequence
from pathlib import Path

from detect.imagery.scenes import SUFFIXES


def list_images(images: Path) -> list[tuple[str, Path]]:
    """Find the images of a folder (and the folders below it), a file, or a glob pattern.

    Args:
        images: a folder, a file or a glob pattern.

    Returns:
        (name, path) sorted by name; the name is the path below the folder (for a file or a pattern, below the deepest
        folder that holds them all), with forward slashes.

    Raises:
        FileNotFoundError: the path does not exist, or no file has an image's ending (`SUFFIXES`).
    """
    if images.is_dir():
        paths = [path for path in images.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]
        root = images
    elif images.is_file():
        return [(images.name, images)]
    else:
        paths = [Path(path) for path in glob.glob(str(images), recursive=True) if Path(path).is_file()]  # noqa: PTH207
        root = _common_folder(paths)
    if not paths:
        raise FileNotFoundError(f"no images at {images}: give a folder, a file or a pattern; endings {SUFFIXES}")
    return sorted((path.relative_to(root).as_posix(), path) for path in paths)


def _common_folder(paths: Sequence[Path]) -> Path:
    """Find the deepest folder that holds all files; the current folder for none."""
    folders = {path.parent for path in paths}
    if not folders:
        return Path()
    shared = set.intersection(*({folder, *folder.parents} for folder in folders))
    return max(shared, key=lambda folder: len(folder.parts))
