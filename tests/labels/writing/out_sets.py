"""Sets of images with objects, as a run or a person has them, for the tests of formats."""

import numpy as np
from rasterio.crs import CRS

from detect.imagery.ground.geodesy import Placement
from detect.labels.detections import Detections
from detect.labels.writing.outgoing import OutImage, OutSet, checked_set

CLASSES = ("cow", 'a<b&"c, ä')
UTM, OTHER_UTM = (CRS.from_epsg(code).to_wkt() for code in (32633, 32634))
TRANSFORMS = {
    "north-up": (0.1, 0.0, 500_000.0, 0.0, -0.1, 5_500_000.0),
    "south-up": (0.1, 0.0, 500_000.0, 0.0, 0.1, 5_500_000.0),
    "rotated": (0.08, 0.06, 500_000.0, 0.06, -0.08, 5_500_000.0),
}
PLACES = {name: Placement(transform, UTM) for name, transform in TRANSFORMS.items()}
SHAPE = (300, 400)


def things(number: int, boxes: bool, seed: int = 0) -> Detections:
    """So many objects inside an image of `SHAPE`."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform((20, 20), (380, 280), (number, 2)).round(3)
    wh = rng.uniform(2, 20, (number, 2)).round(3) if boxes else None
    return Detections(xy, rng.random(number).round(6), rng.integers(0, 2, number), CLASSES, wh)


def found_set(boxes: bool, placement: Placement | None = None) -> OutSet:
    """Detections on `a.png` and on `d/ä b.tif`, none on `empty.tif`; all at one place on the map."""
    images = [
        OutImage(name, SHAPE, things(number, boxes, number), placement, (20.0, 10.0))
        for name, number in (("a.png", 5), ("d/ä b.tif", 3), ("empty.tif", 0))
    ]
    return checked_set(images, CLASSES, scored=True)
