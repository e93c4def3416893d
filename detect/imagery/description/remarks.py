"""What is told of images: how they are read otherwise than their bytes lie, or what in them is not looked at."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Remark:
    """A thing that is told of an image.

    Attributes:
        kind: the same words for all images of which it is told; it goes after `3 of 10 images: `.
        detail: what it is for this one, empty for nothing.
        warns: whether it may be that the image is not read as it was meant.
    """

    kind: str
    detail: str = ""
    warns: bool = False


def tell(remarks: Mapping[str, tuple[Remark, ...]]) -> list[str]:
    """Log each kind of remark once, with how many images it is about and an example; return the lines.

    Args:
        remarks: of every image of a run, by its name.
    """
    lines = []
    kinds: dict[str, list[tuple[str, Remark]]] = {}
    for name, each in remarks.items():
        for remark in each:
            kinds.setdefault(remark.kind, []).append((name, remark))
    for kind, found in kinds.items():
        name, remark = found[0]
        detail = f" ({remark.detail})" if remark.detail else ""
        level = logging.WARNING if remark.warns else logging.INFO
        lines.append(f"{len(found)} of {len(remarks)} images: {kind}, such as {name}{detail}")
        logger.log(level, "%s", lines[-1])
    return lines
