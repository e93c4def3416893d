"""A card, and headers of model files as this version and the first one write them."""

import json
from typing import Any

from detect.imagery.resolution import Resolution
from detect.nets.card import ModelCard
from detect.nets.heads.specs import PatchHead
from detect.nets.net_spec import BackboneSpec

CARD = ModelCard(
    head=PatchHead(48, "ground"),
    backbone=BackboneSpec("test_resnet", 16, 5, 4),
    classes=("cow", "Trøndersau"),
    bands=(4, 3, 2, 1),
    dtype="uint16",
    resolution=Resolution(),
    offset=(0.1, 1 / 3, 1e-7, 127.0),
    scale=(1.0, 2.0, 3.0, 1e6),
    halo=96,
    halo_auto=None,
    halo_error=None,
    threshold=0.1 + 0.2,
    separation=31.4,
    calibration={"slope": 1.5, "intercept": -0.25},
    training={"seed": 3, "notes": ["a", "b"], "validation": {"f1": None, "radius": 30.0}},
)

OLD_PATCH = {
    "format": "detect/1",
    "kind": "patch",
    "backbone": {"name": "test_resnet", "stride": 16, "stages": 5, "bands": 4},
    "classes": ["cow", "Trøndersau"],
    "background": "ground",
    "bands": [4, 3, 2, 1],
    "dtype": "uint16",
    "offset": [0.1, 1 / 3, 1e-7, 127.0],
    "scale": [1.0, 2.0, 3.0, 1e6],
    "patch_size": 48,
    "halo": 96,
    "halo_auto": None,
    "halo_error": None,
    "threshold": 0.1 + 0.2,
    "radius": 31.4,
    "nms_iou": None,
    "grid": None,
    "image_scale": 1.0,
    "gsd": None,
    "calibration": {"slope": 1.5, "intercept": -0.25},
    "training": {"seed": 3, "notes": ["a", "b"], "validation": {"f1": None, "radius": 30.0}},
}
"""The header of `CARD` in the first format, in which heads were no things of their own."""

OLD_GRID = {
    "format": "detect/1",
    "kind": "grid",
    "backbone": {"name": "lenet5", "stride": 2, "stages": None, "bands": 3},
    "classes": ["coin", "disc"],
    "background": None,
    "bands": [1, 2, 3],
    "dtype": "uint8",
    "offset": [127.0, 127.0, 127.0],
    "scale": [128.0, 128.0, 128.0],
    "patch_size": 24,
    "halo": 24,
    "halo_auto": 12,
    "halo_error": 1e-4,
    "threshold": 0.25,
    "radius": 0.0,
    "nms_iou": 0.2,
    "grid": {"deepest": 4, "width": 8, "slots": 2, "object_size": 23.5},
    "image_scale": 1.0,
    "gsd": 0.1,
    "calibration": None,
    "training": {"seed": 1},
}
"""A grid head in the first format; its typical object was in `patch_size`."""


def read(header: dict[str, Any], **change: Any) -> ModelCard:
    return ModelCard.from_json(json.dumps({**header, **change}))


def without(header: dict[str, Any], *entries: str) -> dict[str, Any]:
    return {name: value for name, value in header.items() if name not in entries}


def header_of(card: ModelCard) -> dict[str, Any]:
    return json.loads(card.to_json())
