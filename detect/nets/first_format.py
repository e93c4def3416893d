"""Headers of `detect/1`, from before heads had entries of their own; they are read and no longer written."""

from typing import Any

from detect.nets.bounds import shown

OLD_FORMAT = "detect/1"
"""What the header says."""


def from_first_format(data: dict[str, Any]) -> dict[str, Any]:
    """Return the entries of a header of `detect/1` as today's.

    Raises:
        ValueError: an unknown kind of network, or a grid head without its shape.
    """
    later = sorted({"head", "resolution", "separation", "looks"} & set(data))
    if later:
        raise ValueError(f"entries in a header of {OLD_FORMAT} that it does not have: {later}")
    kind, size, grid = data.pop("kind"), data.pop("patch_size"), data.pop("grid", None)
    background, radius, nms_iou = data.pop("background"), data.pop("radius", 0.0), data.pop("nms_iou", None)
    if kind == "patch" and grid is None:
        head = {"name": "patch", "patch_size": size, "background": background}
    elif kind == "grid" and grid is not None:
        head = {"name": "grid", **grid, "typical_size": size}
    else:
        raise ValueError(f"unknown kind of network {shown(kind)}, expected patch, or grid with its head")
    optional: dict[str, Any] = {
        "halo_auto": None,
        "halo_error": None,
        "calibration": None,
        "training": {},
        "threshold": 0.5,
    }
    resolution = {"scale": data.pop("image_scale", 1.0), "gsd": data.pop("gsd", None)}
    separation = radius if nms_iou is None else nms_iou
    return {**optional, **data, "head": head, "resolution": resolution, "separation": separation}
