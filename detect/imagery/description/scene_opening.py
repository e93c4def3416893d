"""Opening a scene: an image file's description, without its pixels."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from detect.imagery.claims import check_claim, check_scene_size
from detect.imagery.description.band_names import band_names
from detect.imagery.description.pages import contents_of
from detect.imagery.description.palettes import check_colours
from detect.imagery.description.placing import place_of
from detect.imagery.description.remarks import Remark
from detect.imagery.description.shown import ShownImage
from detect.imagery.gdal.datasets import bytes_of, open_image
from detect.imagery.gdal.drivers import MOSAIC, WAFER, SceneError, driver_of, georeference_lies_beside, image_errors
from detect.imagery.gdal.options import gdal_options
from detect.imagery.mosaics import MosaicRule, current_rule
from detect.imagery.remote.on_hand import on_hand
from detect.imagery.scenes import Layout, Scene, layout_of
from detect.imagery.validity.declared import Validity, declared_validity
from detect.imagery.wafers.drawn.drawing import Drawing, current_drawing, keeps_truncated
from detect.imagery.wafers.drawn.drawn_wafer import wafer_raster
from detect.imagery.wafers.errors import CUT, MISCOUNTED
from detect.imagery.wafers.notches import NOT_SAID

WHOLE_IMAGE_DRIVERS = ("JPEG", "PNG", "BMP", "GIF", "WEBP")
"""GDAL's names of formats that are decoded from the top, whichever part is read."""


def open_scene(path: Path) -> Scene:
    """Read the description of an image file, without its pixels.

    Raises:
        SceneError: the file is missing, empty, not an image, claims more pixels than it can hold, or has colours of
            another space than red, green and blue. It begins with `passed over` where there is something that is no
            file with content.
    """
    with on_hand(path, whole=False) as local:
        scene = _described(local)
    return scene if local is path else replace(scene, path=path)


def _described(path: Path) -> Scene:
    """Return the description of an image file on this machine."""
    rule, driver = current_rule(), driver_of(path)
    if driver == WAFER:
        return _drawn_scene(path, current_drawing(), keeps_truncated())
    beside = georeference_lies_beside(path) and driver != MOSAIC
    with (
        image_errors(path, "not a readable image"),
        gdal_options(beside=beside, trusted=rule.trusts(driver), path=path),
        closing(open_image(path, rule, driver)) as source,
    ):
        check_claim(path, source.shape, driver, bytes_of(path, driver, rule))
        contents = contents_of(path, source.stored)
        check_colours(path, source.stored, contents.photometric)
        validity, rpc = _alone(path, rule, driver) if beside else _within(path, source)
        place = place_of(path, source.stored, rpc)
        return Scene(
            path=path,
            shape=(source.height, source.width),
            dtype=str(source.dtypes[0]),
            bands=source.count,
            transform=place.transform,
            crs=place.crs.to_wkt() if place.crs else None,
            nodata=source.nodata,
            block_pixels=_block_pixels(source),
            layout=layout_of(source),
            orientation=source.turn.orientation,
            band_names=band_names(source),
            remarks=(*_remarks(source), *contents.remarks, *place.remarks),
            rule=rule,
            validity=validity,
        )


def _drawn_scene(path: Path, drawing: Drawing | None, keep: bool) -> Scene:
    """Return the description of a list of a wafer's defects as the image that is drawn of it: one band of bytes.

    Raises:
        SceneError: it is not known how it is drawn, or the list cannot be read.
    """
    if drawing is None:
        raise SceneError(
            f"{path}: a list of a wafer's defects, and how it is drawn as an image is not known here: this needs a "
            "model that was trained on such lists (data.wafers), or a run of one"
        )
    check_scene_size(path, (drawing.side, drawing.side))
    with image_errors(path, "not a readable list of defects"):
        _, told = wafer_raster(path, drawing, keep)
    return Scene(
        path,
        (drawing.side, drawing.side),
        "uint8",
        1,
        block_pixels=1,
        layout=Layout(WAFER, (drawing.side, drawing.side), ("uint8",)),
        band_names=("",),
        remarks=_remarks_on_list(told),
        drawing=drawing,
        truncated=keep,
    )


def _remarks_on_list(told: Sequence[str]) -> tuple[Remark, ...]:
    """Return what is told of how a list of defects was read, each kind once."""
    details: dict[str, list[str]] = {}
    for kind, _, detail in (each.partition(": ") for each in told):
        details.setdefault(kind, []).append(detail)
    warning = (CUT, MISCOUNTED, NOT_SAID)
    return tuple(Remark(kind, "; ".join(each), warns=kind in warning) for kind, each in details.items())


def _alone(path: Path, rule: MosaicRule, driver: str) -> tuple[Validity, bool]:
    """Return what `_within` does of an image with files beside it: opened once more without them, as it is read."""
    with gdal_options(trusted=rule.trusts(driver), path=path), closing(open_image(path, rule, driver)) as source:
        return _within(path, source)


def _within(path: Path, source: ShownImage) -> tuple[Validity, bool]:
    """Return what an image that was opened alone says of its valid pixels, and whether it has camera models (RPC)."""
    return declared_validity(source, path), bool(source.tags(ns="RPC"))


def _remarks(source: ShownImage) -> tuple[Remark, ...]:
    """Return what is told of an image."""
    turn = source.turn.orientation
    turned = "turned as their EXIF orientation says, as viewers show them"
    return (Remark(turned, f"orientation {turn}"),) if turn > 1 else ()


def _block_pixels(source: ShownImage) -> int:
    """Count the pixels that are decoded to read any one."""
    height, width = source.shape if source.driver in WHOLE_IMAGE_DRIVERS else source.block_shapes[0]
    return int(height * width)
