"""Names of images: their parts, whether two may be of one image, and which of two lists belong together."""

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from urllib.parse import unquote

from detect.imagery.finding.endings import has_image_ending
from detect.imagery.finding.spelling import composed, folded
from detect.labels.annotations import AnnotationError

logger = logging.getLogger(__name__)

_SAME_ENDING = ((".jpg", ".jpeg", ".jpe", ".jfif"), (".tif", ".tiff"))
"""Endings of one format."""

Parts = tuple[str, ...]
"""The folders and the file of a path."""


def match_names(predicted: Sequence[str], annotated: Sequence[str]) -> dict[str, str]:
    """Match the names that predictions and annotations use for the same images.

    Two names match when their paths are the same, or else when one ends with the other, folder by folder (`5.jpg` and
    `images/5.jpg`); or else, where no other name on either side would, when they do so in other case, without an
    ending, or with folders of another machine. Unicode's forms are one.

    Args:
        predicted: image names of a prediction.
        annotated: image names of annotations.

    Returns:
        The annotated name by the predicted one; names without a match are left out.

    Raises:
        AnnotationError: a name matches several, or one side has two names of one path.
    """
    by_path = {_key(name): name for name in annotated}
    if len(by_path) < len(set(annotated)) or len({_key(name) for name in predicted}) < len(set(predicted)):
        raise AnnotationError("the same image is named in two ways on one side; use one spelling of its path")
    exact = {name: by_path[_key(name)] for name in predicted if _key(name) in by_path}
    matched = set(exact.values())
    open_names: dict[Parts, list[str]] = defaultdict(list)
    for parts, name in by_path.items():
        if name not in matched:
            open_names[parts[-1:]].append(name)
    pairs: dict[str, str] = {}
    owner: dict[str, str] = {}
    for name in predicted:
        fitting = [] if name in exact else [other for other in open_names[_key(name)[-1:]] if _ends_alike(name, other)]
        if len(fitting) > 1:
            raise AnnotationError(f"predicted image {name!r} could be any of the annotated {sorted(fitting)}")
        if fitting and owner.setdefault(fitting[0], name) != name:
            both = sorted([owner[fitting[0]], name])
            raise AnnotationError(f"annotated image {fitting[0]!r} could be any of the predicted {both}")
        if name in exact or fitting:
            pairs[name] = exact[name] if name in exact else fitting[0]
    taken = set(pairs.values())
    left = _similar_pairs([n for n in predicted if n not in pairs], [n for n in annotated if n not in taken])
    if left:
        logger.warning(
            "%d images are named otherwise on both sides, such as %r and %r", len(left), *next(iter(left.items()))
        )
    return {name: (pairs | left)[name] for name in predicted if name in pairs or name in left}


def _similar_pairs(predicted: Sequence[str], annotated: Sequence[str]) -> dict[str, str]:
    """Pair the names that are similar to one name alone of the other side, and that one to no other."""
    by_stem: dict[str, list[str]] = defaultdict(list)
    for name in annotated:
        for stem in _stems(name):
            by_stem[stem].append(name)
    pairs: dict[str, str] = {}
    fitting: dict[str, list[str]] = defaultdict(list)
    for name in predicted:
        near = dict.fromkeys(other for stem in _stems(name) for other in by_stem[stem])
        found = [other for other in near if _may_be_one_elsewhere(name, other)]
        for other in found:
            fitting[other].append(name)
        if len(found) == 1:
            pairs[name] = found[0]
    return {name: other for name, other in pairs.items() if len(fitting[other]) == 1}


def _stems(name: str) -> set[str]:
    """Return under which stems a name may be found: with and without what may be an ending."""
    last = (below_drive(unquote(name)) or ("",))[-1]
    return {folded(last), folded(PurePosixPath(last).stem)}


def plain_name(name: str) -> str:
    """Return an image's path with forward slashes and without `./`."""
    return "/".join(parts_of(name))


def parts_of(name: str) -> Parts:
    """Return the folders and the file of a path, whichever slashes it has."""
    return PurePosixPath(name.replace("\\", "/")).parts


def _key(name: str) -> Parts:
    """Return the parts of a path, in one form of Unicode."""
    return tuple(map(composed, parts_of(name)))


def is_plain(name: str) -> bool:
    """Return whether a name is a path below a folder: not absolute on any system, without `..`."""
    parts = parts_of(name)
    return bool(parts) and not (parts[0].startswith("/") or PureWindowsPath(name).drive or ".." in parts)


def below_drive(name: str) -> Parts:
    """Return the folders and the file of a path without its root or drive, of whichever system."""
    parts = PureWindowsPath(name.removeprefix("file://").replace("\\", "/"))
    return parts.parts[1:] if parts.anchor else parts.parts


def same_name(one: str, other: str, *, file: bool) -> bool:
    """Return whether two names of files or folders are the same, in whatever form of Unicode."""
    return composed(one) == composed(other)


def similar_name(one: str, other: str, *, file: bool) -> bool:
    """Return whether two names are the same but for case; of files also where one of them has no ending."""
    if folded(one) == folded(other) or not file:
        return folded(one) == folded(other)
    first, second = PurePosixPath(folded(one)), PurePosixPath(folded(other))
    if first.stem == second.stem and any({first.suffix, second.suffix} <= set(group) for group in _SAME_ENDING):
        return True
    return any(has_image_ending(a) and a.stem == b.name for a, b in ((first, second), (second, first)))


def ends_with(path: Parts, wanted: Parts, alike: Callable[..., bool]) -> bool:
    """Return whether a path ends with other parts, name by name."""
    if len(path) < len(wanted) or not alike(path[-1], wanted[-1], file=True):
        return False
    folders = zip(path[-len(wanted) : -1], wanted[:-1], strict=True)
    return all(alike(own, other, file=False) for own, other in folders)


def may_be_one(one: str, other: str) -> bool:
    """Return whether two names may be of one image: one ends with the other, but for case and endings."""
    first, second = below_drive(unquote(one)), below_drive(unquote(other))
    shared = min(len(first), len(second))
    return shared > 0 and ends_with(first, second[-shared:], similar_name)


def _may_be_one_elsewhere(one: str, other: str) -> bool:
    """Return the same; of a path of another machine, the folders may be others."""
    if is_plain(one) == is_plain(other):
        return may_be_one(one, other)
    return may_be_one(one, below_drive(unquote(other))[-1])


def _ends_alike(one: str, other: str) -> bool:
    """Return whether one path ends with the other, folder by folder."""
    first, second = _key(one), _key(other)
    shared = min(len(first), len(second))
    return first[-shared:] == second[-shared:]
