"""How the images that an annotation file names are found, and how names of the same image are paired."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from detect.labels.annotations import AnnotationError

_SHOWN = 4


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

    def find(self, name: str) -> Path:
        """Find the file that `name` means: `root/name`, or else the only file below whose path ends with it.

        Raises:
            AnnotationError: no file or several do, or `name` leads out of the folder.
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
                f"image {name!r} could be any of {self._shown(fitting)} below {self.root}; write more of its path"
            )
        alike = [path for path in self._files(parts[-1]) if path.stem.casefold() == Path(parts[-1]).stem.casefold()]
        hint = f"; is it {self._shown(alike)}?" if alike else ""
        raise AnnotationError(f"image {name!r} is not in {self.root} or the folders below it{hint}")

    def name(self, path: Path) -> str:
        """Give the path of a found file below the folder, with forward slashes."""
        return path.relative_to(self.root).as_posix()

    def _files(self, file: str) -> list[Path]:
        """List the files of the same stem as `file`, in any case, with any ending."""
        if self._found is None:
            found: dict[str, list[Path]] = defaultdict(list)
            for folder, _, files in os.walk(self.root):
                for each in files:
                    found[Path(each).stem.casefold()].append(Path(folder, each))
            self._found = {stem: sorted(paths) for stem, paths in found.items()}
        return self._found.get(Path(file).stem.casefold(), [])

    def _shown(self, paths: Sequence[Path]) -> str:
        names = [self.name(path) for path in paths]
        rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return ", ".join(names[:_SHOWN]) + rest


def find_image(root: Path, name: str) -> Path:
    """Find one image below `root`; for many, keep one `ImageFolder`.

    Raises:
        AnnotationError: the image is missing or ambiguous, or `name` leads out of `root`.
    """
    return ImageFolder(root).find(name)


def match_names(predicted: Sequence[str], annotated: Sequence[str]) -> dict[str, str]:
    """Pair the names that predictions and annotations use for the same images.

    Two names belong together when their paths are the same, or else when one ends with the other, folder by folder
    (`5.jpg` and `images/5.jpg`).

    Args:
        predicted: image names of a prediction.
        annotated: image names of annotations.

    Returns:
        The annotated name of every predicted one that has any; a name without a partner is left out, on both sides.

    Raises:
        AnnotationError: a name could belong to several.
    """
    by_path = {_parts(name): name for name in annotated}
    if len(by_path) < len(set(annotated)) or len({_parts(name) for name in predicted}) < len(set(predicted)):
        raise AnnotationError("the same image is named in two ways on one side; use one spelling of its path")
    exact = {name: by_path[_parts(name)] for name in predicted if _parts(name) in by_path}
    taken = set(exact.values())
    open_names: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for parts, name in by_path.items():
        if name not in taken:
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
    """Write an image's path the one way: forward slashes, no `./`."""
    return "/".join(_parts(name))


def _parts(name: str) -> tuple[str, ...]:
    return PurePosixPath(name.replace("\\", "/")).parts


def _ends_alike(one: str, other: str) -> bool:
    first, second = _parts(one), _parts(other)
    shared = min(len(first), len(second))
    return first[-shared:] == second[-shared:]
