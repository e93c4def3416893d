from pathlib import Path

import pytest

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.scenes import Scene
from tests.imagery.rasters import write


@pytest.fixture(params=["a.jpg", "a.png", "a.tif", "a.bmp"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    return open_scene(write(tmp_path / request.param))
