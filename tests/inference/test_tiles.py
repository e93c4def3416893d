"""Tiles of small images, which are read together."""

from pathlib import Path
from typing import Any

import pytest
from rasterio.env import getenv

from detect.imagery import reading
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.mosaics import MosaicRule, mosaics_by
from detect.inference.tile_reading import grouped, read_tiles
from detect.inference.tiles import ImageEnd, Source
from tests.engines import engine, lively
from tests.imagery.rasters import write
from tests.imagery.test_mosaics import mosaic, source, written

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def test_a_trusted_vrt_may_reach_addresses_beside_images_that_may_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images that share a batch are read in one block of GDAL's options, and each by its own."""
    write(tmp_path / "a.tif")
    written(tmp_path / "b.vrt", mosaic(source("a.tif")))
    names = ["a.tif", "b.vrt", "a.tif", "b.vrt"]
    with mosaics_by(MosaicRule(trusted=True)):
        sources = [Source(str(number), open_scene(tmp_path / name)) for number, name in enumerate(names)]
    closed: list[tuple[str, bool]] = []
    opened = reading.open_image

    def open_image(path: Path, *rule: Any) -> Any:
        closed.append((path.name, "CPL_VSIL_CURL_ALLOWED_EXTENSIONS" in getenv()))
        return opened(path, *rule)

    monkeypatch.setattr(reading, "open_image", open_image)
    plan = engine(lively()[1], lambda pixels: pixels).plan
    (unit,) = grouped(sources, plan)
    ends = [step for step in read_tiles([unit], (1,), plan) if isinstance(step, ImageEnd)]
    assert len(ends) == 4 and closed == [(name, name == "a.tif") for name in names]
