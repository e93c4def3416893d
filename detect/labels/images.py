"""Finding the images that an annotation file names below the data folder."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from detect.imagery.finding.endings import is_hidden
from detect.imagery.finding.spelling import folded
from detect.labels.annotations import AnnotationError
from detect.labels.image_names import (
    Parts,
    below_drive,
    ends_with,
    is_plain,
    may_be_one,
    parts_of,
    same_name,
    similar_name,
)

_CANDIDATES_LISTED = 4
"""Most files that an error lists as candidates for a name."""


class ImageFolder:
    """The files below a folder, found by their path or the end of it; the folder is searched at most once.

    A name that is not written as on the disk finds its image where only one fits: in other case, without an ending,
    with folders of another machine before it (`C:/photos/a.jpg`), or percent-encoded.

    Args:
        root: the data folder.

    Raises:
        AnnotationError: `root` is not a folder.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise AnnotationError(f"{root}: the data folder (data.root) is not a folder")
        self.root = root
        self.otherwise: dict[str, Path] = {}
        """The images that are not called as they were named, by the name."""
        self._found: Mapping[str, list[Path]] | None = None
        self._folders: set[str] = set()
        self._closed: list[str] = []
        self._names: dict[Path, str] = {}

    def find(self, name: str) -> Path:
        """Find the file of a name: `root/name`, or else the only file below `root` whose path ends with `name`.

        Raises:
            AnnotationError: no file or several are found, or another name was found to be the same file.
        """
        plain = is_plain(name)
        for parts in dict.fromkeys([PurePosixPath(name).parts, parts_of(name)]) if plain else ():
            direct = self.root.joinpath(*parts)
            if _is_file(direct):
                return self._named(name, direct, otherwise=False)
        for text in dict.fromkeys([name, unquote(name)]):
            parts = below_drive(text)
            fitting, changed = self._fitting(parts) if parts and ".." not in parts else ([], False)
            if len(fitting) == 1:
                return self._named(name, fitting[0], otherwise=changed or not plain or text != name)
            if fitting:
                raise AnnotationError(
                    f"image {name!r} could be any of {self._listed(fitting)} below {self.root}; write more of its path"
                )
        raise AnnotationError(self._missing(name, plain))

    def _named(self, name: str, path: Path, *, otherwise: bool) -> Path:
        """Return the image of a name, and keep the name; two that are not alike cannot be one image.

        Raises:
            AnnotationError: another name, and one of both is not as on the disk.
        """
        before = self._names.setdefault(path, name)
        if (otherwise or before in self.otherwise) and not may_be_one(before, name):
            raise AnnotationError(
                f"images {before!r} and {name!r} would both be {self.name(path)}, the only file that fits; add the "
                "missing one, or write the names as they are below data.root"
            )
        if otherwise:
            self.otherwise[name] = path
        return path

    def _fitting(self, parts: Parts) -> tuple[list[Path], bool]:
        """Find the files that fit the end of a path best, and whether that is not how they are called.

        Folders are left out from the left, unless there is such a folder, in which the image would have to be.
        """
        files = self._files(parts[-1])
        for left_out in range(len(parts)):
            if left_out and folded(parts[left_out - 1]) in self._folders:
                break
            wanted = parts[left_out:]
            for alike in (same_name, similar_name):
                fitting = [path for path in files if ends_with(path.absolute().parts, wanted, alike)]
                if fitting:
                    return fitting, left_out > 0 or alike is similar_name
        return [], False

    def _missing(self, name: str, plain: bool) -> str:
        """Return what is said of a name without an image."""
        alike = [path for last in below_drive(name)[-1:] for path in self._files(last)]
        hint = f"; is it {self._listed(alike)}?" if alike else ""
        if self._closed:
            hint += f"; {len(self._closed)} folders were not searched, which cannot be read, such as {self._closed[0]}"
        if not plain:
            return f"image {name!r} must be a path below {self.root}: not absolute, without '..'{hint}"
        return f"image {name!r} is not in {self.root} or the folders below it{hint}"

    def name(self, path: Path) -> str:
        """Return the path of a found file below the folder, with forward slashes."""
        return path.relative_to(self.root).as_posix()

    def _files(self, file: str) -> list[Path]:
        """List the files with the name or the stem of `file`, in lower or upper case, with any ending."""
        if self._found is None:
            found: dict[str, list[Path]] = defaultdict(list)
            for folder, folders, files in os.walk(self.root, onerror=self._note_closed):
                folders[:] = [each for each in folders if not is_hidden(each)]
                self._folders.update(map(folded, folders))
                for each in files:
                    if not is_hidden(each):
                        found[folded(Path(each).stem)].append(Path(folder, each))
            self._found = {stem: sorted(paths) for stem, paths in found.items()}
        stems = dict.fromkeys([folded(Path(file).stem), folded(file)])
        return [path for stem in stems for path in self._found.get(stem, [])]

    def _note_closed(self, error: OSError) -> None:
        self._closed.append(str(error.filename))

    def _listed(self, paths: Sequence[Path]) -> str:
        """Return the names of candidates for a message, at most `_CANDIDATES_LISTED` of them."""
        names = [self.name(path) for path in paths]
        rest = f" and {len(names) - _CANDIDATES_LISTED} more" if len(names) > _CANDIDATES_LISTED else ""
        return ", ".join(names[:_CANDIDATES_LISTED]) + rest


class ImageFolders:
    """Several folders of images as one: an image is in one of them alone, and is named by its path below that.

    A file that is reached by several, such as by a folder and one below it, is one image, named as it was first.

    Args:
        roots: the data folders.

    Raises:
        AnnotationError: one is not a folder.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        self._folders = [ImageFolder(root) for root in dict.fromkeys(roots)]
        self._of: dict[Path, ImageFolder] = {}
        self._first: dict[str, Path] = {}
        self._named: dict[str, Path] = {}
        self._chosen: dict[str, Path] = {}

    @property
    def otherwise(self) -> dict[str, Path]:
        """The images that are not called as they were named, by the name."""
        every = ((name, path) for folder in self._folders for name, path in folder.otherwise.items())
        return {name: path for name, path in every if self._chosen.get(name) == path}

    def find(self, name: str) -> Path:
        """Find the file of a name in whichever folder it is, as `ImageFolder.find` does.

        Raises:
            AnnotationError: no file or several are found; or two images of folders have one name below theirs.
        """
        found: dict[Path, ImageFolder] = {}
        errors = []
        direct = [each for each in self._folders if is_plain(name) and _is_file(each.root.joinpath(*parts_of(name)))]
        for folder in direct or self._folders:
            try:
                found.setdefault(folder.find(name), folder)
            except AnnotationError as error:
                errors.append(error)
        if not found:
            raise errors[0] if len(errors) == 1 else AnnotationError("; ".join(map(str, errors)))
        ending = [path for path in found if ends_with(path.absolute().parts, parts_of(name), same_name)]
        found = {path: found[path] for path in ending or found}
        if len({os.path.realpath(path) for path in found}) > 1:
            raise AnnotationError(
                f"image {name!r} is in several folders of data.root: {', '.join(map(str, found))}; give the folder "
                "that they are in as data.root, and write more of the path"
            )
        path, folder = next(iter(found.items()))
        path = self._first.setdefault(os.path.realpath(path), path)
        folder = self._of.setdefault(path, folder)
        self._chosen[name] = path
        alike = self._named.setdefault(folder.name(path), path)
        if alike != path:
            raise AnnotationError(
                f"{path} and {alike} would have one name; give the folder that they are in as data.root"
            )
        return path

    def name(self, path: Path) -> str:
        """Return the path of a found file below its folder, with forward slashes."""
        return self._of[path].name(path)


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113, unlike Path.is_file it takes a name that is too long


def find_image(root: Path, name: str) -> Path:
    """Find one image below `root`; use one `ImageFolder` to find many.

    Raises:
        AnnotationError: the image is missing or ambiguous, or `name` is not below `root`.
    """
    return ImageFolder(root).find(name)
