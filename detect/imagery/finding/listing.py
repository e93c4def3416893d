"""Finding the images that a file, a folder, a pattern or a list of paths names; what lies among them is told."""

import glob
import logging
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from detect.imagery.finding.endings import SUFFIXES, has_image_ending, way_out
from detect.imagery.finding.mosaic_tiles import ShownTwice, shown_twice
from detect.imagery.finding.path_lists import LIST_SUFFIXES, first_line, is_path_list, read_paths
from detect.imagery.finding.search import Search, Written, examples, holds_image
from detect.imagery.finding.spelling import folded, meant
from detect.imagery.finding.stored import OTHER_NAMES, find_stored
from detect.imagery.remote.address import Address

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Listing:
    """The images that a folder, a file, a pattern or a list names.

    Attributes:
        images: (name, path) sorted by name.
        passed_over: names, as images have them, of files that are images or may hold some, and are not looked at, by
            the reason; hidden and system files among them.
    """

    images: list[tuple[str, Path]]
    passed_over: Mapping[str, Sequence[str]]


def list_images(images: Path, written: Written = lambda folder: ()) -> list[tuple[str, Path]]:
    """Find images as `find_images` does, and return (name, path) of each, sorted by name."""
    return find_images(images, written).images


def find_images(images: Path, written: Written = lambda folder: ()) -> Listing:
    """Find the images of a folder (and the folders below it), a file, a glob pattern, or a text file of paths.

    What has an image's ending and is no file (a link that leads nowhere, a pipe), and a folder that is not entered (a
    link, or one without permission), is listed too, as is a path of a list by which nothing is there: opening it is an
    error that names it, so that nothing is missing from every table. Hidden and system files, results of earlier runs,
    images of kinds that are not read, and images that a mosaic among them shows are passed over, and the log says so.

    Args:
        images: a folder, a file or a glob pattern, here or at an address. Links to folders are not followed, but
            `images` itself may be one.
        written: by which results of earlier runs are known.

    Returns:
        The images; a name is the path below the folder (for a file, a pattern or a list, below the deepest folder that
        holds them all), with forward slashes.

    Raises:
        FileNotFoundError: the path does not exist, or nothing is found.
        PermissionError: the folder itself may not be read.
        ValueError: a text file that is neither an image nor a list of paths.
    """
    search, odd = Search(written), list[str]()
    paths: Sequence[Path]
    root: Path
    if isinstance(images, Address):
        paths, root, odd = find_stored(images, search)
    elif images.is_dir():
        paths, root = search.below(images), images
    elif _is_list(images):
        paths = _listed(images, search)
        root = _common_folder(paths)
    elif os.path.lexists(images):
        return Listing([(images.name, images)], {})
    else:
        paths = search.fitting(*_folder_and_pattern(images))
        root = _common_folder(paths)
    search.log(images)
    if not paths:
        raise FileNotFoundError(
            f"no images at {images}: give a folder, a file or a pattern; endings {SUFFIXES}{meant(images)}"
        )
    twice = ShownTwice({}, []) if isinstance(images, Address) else shown_twice(paths)
    _log_shown_twice(twice)
    paths = [path for path in paths if path not in twice.instead]
    _log_same_stems(paths)
    named = sorted((_name(path, root), path) for path in paths)
    return Listing(named, {**_passed_over(search, twice, root), **({OTHER_NAMES: sorted(odd)} if odd else {})})


def _passed_over(search: Search, twice: ShownTwice, root: Path) -> dict[str, list[str]]:
    """Return the names of what is not looked at, by the reason."""
    found: dict[str, list[str]] = defaultdict(list)
    for path, other in twice.instead.items():
        found[f"{_name(other, root)} shows the same ground"].append(_name(path, root))
    found["such files are not read"] = [_name(path, root) for path in search.unread]
    found["hidden or system files and folders"] = [_name(path, root) for path in search.hidden]
    return {reason: sorted(names) for reason, names in sorted(found.items()) if names}


def images_root(images: Path) -> Path:
    """Return the folder that the images named by a folder, a file, a pattern or a list lie below."""
    if isinstance(images, Address) or images.is_dir():
        return images
    if _is_list(images):
        return _common_folder([path / path.name if path.is_dir() else path for path in read_paths(images)])
    return images.parent if os.path.lexists(images) else _folder_and_pattern(images)[0]


def _is_list(images: Path) -> bool:
    """Return whether a path is a list of paths of images.

    Raises:
        ValueError: it is a text file of another kind, and no image.
    """
    if images.suffix.lower() not in LIST_SUFFIXES or not images.is_file() or holds_image(images):
        return False
    if is_path_list(images, lambda path: os.path.lexists(path) or has_image_ending(path) or bool(way_out(path))):
        return True
    raise ValueError(
        f"{images}: neither an image nor a list of paths, one a line: {first_line(images)!r} names no file and has no "
        "image's ending"
    )


def _listed(images: Path, search: Search) -> list[Path]:
    """List the images that a list of paths names, each once, and those of its folders."""
    named = read_paths(images)
    once = list(dict.fromkeys(named))
    if len(once) < len(named):
        twice = [path for path, number in Counter(named).items() if number > 1]
        logger.warning(
            "%s: %d lines name a path again, and each is looked at once: %s",
            images,
            len(named) - len(once),
            examples(twice),
        )
    missing = [path for path in once if not os.path.lexists(path)]
    if missing:
        logger.warning("%s: %d of %d paths lead nowhere: %s", images, len(missing), len(once), examples(missing))
    return list(dict.fromkeys(each for path in once for each in _entered(path, search)))


def _entered(path: Path, search: Search) -> list[Path]:
    """List the images below a folder of a list; a file, and a folder that may not be read, stand for themselves."""
    if not path.is_dir():
        return [path]
    try:
        return search.below(path)
    except OSError:
        return [path]


def _folder_and_pattern(images: Path) -> tuple[Path, str]:
    """Return the deepest folder that is there by its very name, and the pattern below it: `p[1]` may be a folder."""
    parts = images.parts
    folder = Path(images.anchor)
    rest = list(parts[1:] if images.anchor else parts)
    while len(rest) > 1 and (folder / rest[0]).is_dir():
        folder /= rest.pop(0)
    while len(rest) > 1 and not glob.has_magic(rest[0]):
        folder /= rest.pop(0)
    return folder, str(Path(*rest))


def _log_shown_twice(found: ShownTwice) -> None:
    """Log the images that are passed over as a mosaic shows them, and the mosaics that show parts of images."""
    by_other: dict[Path, list[Path]] = defaultdict(list)
    for path, other in found.instead.items():
        by_other[other].append(path)
    for other, passed in by_other.items():
        logger.info(
            "%s: %d images passed over, as it shows the same ground: %s", other, len(passed), examples(sorted(passed))
        )
    for mosaic in found.unclear:
        logger.warning(
            "%s shows parts of images that are looked at too, or other sizes of them: what lies in both is counted "
            "twice; name the images without it",
            mosaic,
        )


def _log_same_stems(paths: Sequence[Path]) -> None:
    """Log the images that differ by their ending alone: they may be one photograph in two formats."""
    alike: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    for path in paths:
        alike[path.parent, folded(path.stem)].append(path)
    several = [sorted(each) for each in alike.values() if len({path.suffix.lower() for path in each}) > 1]
    if several:
        logger.warning(
            "%d names occur with several endings, such as %s, and each file is counted; if they are one photograph, "
            "name those of one ending: images='FOLDER/**/*%s'",
            len(several),
            examples(several[0]),
            several[0][0].suffix,
        )


def _common_folder(paths: Sequence[Path]) -> Path:
    """Find the deepest folder that holds all files; the current folder for none, or where they are on two drives."""
    folders = {path.parent for path in paths}
    if not folders:
        return Path()
    shared = set.intersection(*({folder, *folder.parents} for folder in folders))
    return max(shared, key=lambda folder: len(folder.parts), default=Path())


def _name(path: Path, root: Path) -> str:
    """Return the path of an image below a folder, or, where it is not below, without its drive."""
    return path.relative_to(root if path.is_relative_to(root) else path.anchor).as_posix()
