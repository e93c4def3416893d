"""Finding the images that an annotation file names, and pairing different names of the same image."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from detect.labels.annotations import AnnotationError

_CANDIDATES_LISTED = 4
"""Most files that an error lists as candidates for a name."""


class ImageFolder:
    """The files below a folder, found by their path or the end of it; the folder is searched at most once.

    Args:
        root: the data folder.

    Raises:
        AnnotationError: `root` is not a folder.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise AnnotationError(f"{root}: the data folder (data.root) is not a folder")
        self.root = root
        self._found: Mapping[str, list[Path]] | None = None
        self._closed: list[str] = []

    def find(self, name: str) -> Path:
        """Find the file of a name: `root/name`, or else the only file below `root` whose path ends with `name`.

        Raises:
            AnnotationError: no file or several are found, or `name` is not below the folder.
        """
        parts = _parts(name)
        if not parts or parts[0].startswith("/") or PureWindowsPath(name).drive or ".." in parts:
            raise AnnotationError(f"image {name!r} must be a path below {self.root}: not absolute, without '..'")
        direct = self.root.joinpath(*parts)
        if os.path.isfile(direct):  # noqa: PTH113, unlike Path.is_file it takes a name that is too long
            return direct
        fitting = [path for path in self._files(parts[-1]) if path.absolute().parts[-len(parts) :] == parts]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise AnnotationError(
                f"image {name!r} could be any of {self._listed(fitting)} below {self.root}; write more of its path"
            )
        alike = [path for path in self._files(parts[-1]) if path.stem.casefold() == Path(parts[-1]).stem.casefold()]
        hint = f"; is it {self._listed(alike)}?" if alike else ""
        if self._closed:
            hint += f"; {len(self._closed)} folders were not searched, which cannot be read, such as {self._closed[0]}"
        raise AnnotationError(f"image {name!r} is not in {self.root} or the folders below it{hint}")

    def name(self, path: Path) -> str:
        """Return the path of a found file below the folder, with forward slashes."""
        return path.relative_to(self.root).as_posix()

    def _files(self, file: str) -> list[Path]:
        """List the files with the stem of `file`, in lower or upper case, with any ending."""
        if self._found is None:
            found: dict[str, list[Path]] = defaultdict(list)
            for folder, _, files in os.walk(self.root, onerror=lambda error: self._closed.append(str(error.filename))):
                for each in files:
                    found[Path(each).stem.casefold()].append(Path(folder, each))
            self._found = {stem: sorted(paths) for stem, paths in found.items()}
        return self._found.get(Path(file).stem.casefold(), [])

    def _listed(self, paths: Sequence[Path]) -> str:
        """Return the names of candidates for a message, at most `_CANDIDATES_LISTED` of them."""
        names = [self.name(path) for path in paths]
        rest = f" and {len(names) - _CANDIDATES_LISTED} more" if len(names) > _CANDIDATES_LISTED else ""
        return ", ".join(names[:_CANDIDATES_LISTED]) + rest


def find_image(root: Path, name: str) -> Path:
    """Find one image below `root`; use one `ImageFolder` to find many.

    Raises:
        AnnotationError: the image is missing or ambiguous, or `name` is not below `root`.
    """
    return ImageFolder(root).find(name)


def match_names(predicted: Sequence[str], annotated: Sequence[str]) -> dict[str, str]:
    """Match the names that predictions and annotations use for the same images.

    Two names match when their paths are the same, or else when one ends with the other, folder by folder (`5.jpg` and
    `images/5.jpg`).

    Args:
        predicted: image names of a prediction.
        annotated: image names of annotations.

    Returns:
        The annotated name by the predicted one; names without a match are left out.

    Raises:
        AnnotationError: a name matches several, or one side has two names of one path.
    """
    by_path = {_parts(name): name for name in annotated}
    if len(by_path) < len(set(annotated)) or len({_parts(name) for name in predicted}) < len(set(predicted)):
        raise AnnotationError("the same image is named in two ways on one side; use one spelling of its path")
    exact = {name: by_path[_parts(name)] for name in predicted if _parts(name) in by_path}
    matched = set(exact.values())
    open_names: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for parts, name in by_path.items():
        if name not in matched:
            open_names[parts[-1:]].append(name)
    pairs: dict[str, str] = {}
    owner: dict[str, str] = {}
    for name in predicted:
        fitting = (
            [] if name in exact else [other for other in open_names[_parts(name)[-1:]] if _ends_alike(name, other)]
        )
        if len(fitting) > 1:
            raise AnnotationError(f"predicted image {name!r} could be any of the annotated {sorted(fitting)}")
        if fitting and owner.setdefault(fitting[0], name) != name:
            both = sorted([owner[fitting[0]], name])
            raise AnnotationError(f"annotated image {fitting[0]!r} could be any of the predicted {both}")
        if name in exact or fitting:
            pairs[name] = exact[name] if name in exact else fitting[0]
    return pairs


def plain_name(name: str) -> str:
    """Return an image's path with forward slashes and without `./`."""
    return "/".join(_parts(name))


def _parts(name: str) -> tuple[str, ...]:
    """Return the folders and the file of a path, whichever slashes it has."""
    return PurePosixPath(name.replace("\\", "/")).parts


def _ends_alike(one: str, other: str) -> bool:
    """Return whether one path ends with the other, folder by folder."""
    first, second = _parts(one), _parts(other)
    shared = min(len(first), len(second))
    return first[-shared:] == second[-shared:]
