"""What else is in an image file than the image that is looked at: further pages, and the frames of an animation."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detect.imagery.description.chunks import animated
from detect.imagery.description.remarks import Remark
from detect.imagery.description.tiff_directories import Directory, directories
from detect.imagery.gdal.drivers import SceneError
from detect.imagery.remote.stand_ins import open_bytes


@dataclass(frozen=True)
class Contents:
    """What a file holds.

    Attributes:
        photometric: TIFF's PhotometricInterpretation of the first page, None of other formats.
        remarks: what is not looked at.
    """

    photometric: int | None
    remarks: tuple[Remark, ...]


def contents_of(path: Path, source: Any) -> Contents:
    """Return what a file holds beside the first image.

    Reduced copies (overviews, thumbnails that are marked as such) and masks are no pages.

    Args:
        path: the image.
        source: its rasterio dataset.

    Raises:
        SceneError: an animated WebP, of which GDAL reads no frame.
    """
    if source.driver == "GTiff":
        with open_bytes(path) as file:
            found = list(directories(file))
        photometric = found[0].photometric if found else None
        return Contents(photometric, _paged(path, [each for each in found if each.page]))
    if source.driver == "GIF":
        return Contents(None, _frames(source.count > 1, f"{source.count} frames"))
    if source.driver not in ("PNG", "WEBP"):
        return Contents(None, ())
    with open_bytes(path) as file:
        moving = animated(file, source.driver)
    if moving and source.driver == "WEBP":
        raise SceneError(f"{path}: an animation; save the frame that you want counted as an image of its own")
    return Contents(None, _frames(moving, ""))


def _paged(path: Path, pages: list[Directory]) -> tuple[Remark, ...]:
    """Return what is told of a TIFF's pages; nothing of one page."""
    if len(pages) < 2:
        return ()
    sizes = [f"{width} x {height}" for height, width in (page.shape for page in pages)]
    number = max(range(len(pages)), key=lambda i: pages[i].shape[0] * pages[i].shape[1]) + 1
    hidden = number > 1 and sizes[number - 1] != sizes[0]
    larger = f"; page {number} is larger, {sizes[number - 1]}" if hidden else ""
    way_out = f"gdal_translate GTIFF_DIR:{max(number, 2)}:{path.name} page.tif writes one as an image"
    detail = f"page 1 of {len(pages)}, {sizes[0]}{larger}; {way_out}"
    kind = "files of several pages, of which the first alone is looked at"
    return (Remark(f"{kind}, though a later one is larger" if hidden else kind, detail, warns=True),)


def _frames(moving: bool, detail: str) -> tuple[Remark, ...]:
    kind = "animations, of which the first frame alone is looked at"
    return (Remark(kind, detail, warns=True),) if moving else ()
