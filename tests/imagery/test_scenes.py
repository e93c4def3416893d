from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.reading import read_window
from detect.imagery.scenes import Scene, SceneError, display_bands, view
from detect.imagery.windows import Window
from tests.imagery.rasters import whole

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def test_a_view_of_a_view(scene: Scene) -> None:
    inner = view(view(scene, Window(5, 10, 30, 40)), Window(2, 3, 8, 9))
    assert inner.origin == (7, 13)
    np.testing.assert_array_equal(read_window(inner, inner.window, (1, 2, 3)), whole(scene)[:, 7:15, 13:22])
    with pytest.raises(ValueError, match=r"height=9, width=9.*\(8, 9\)"):
        view(inner, Window(0, 0, 9, 9))


@pytest.mark.parametrize(
    ("bands", "message"),
    [((1, 2, 3), r"\b3\b.*\b1\b"), ((0,), r"\b1\b.*\[0\]"), ((), r"\b1\b.*\[\]")],
)
def test_bands_that_the_image_does_not_have(tmp_path: Path, bands: tuple[int, ...], message: str) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(SceneError, match=message):
        read_window(open_scene(tmp_path / "a.png"), Window(0, 0, 2, 2), bands)


@pytest.mark.parametrize(("number", "bands"), [(1, (1,)), (2, (1,)), (3, (1, 2, 3)), (8, (1, 2, 3))])
def test_the_bands_to_show_are_the_first_three_or_one(number: int, bands: tuple[int, ...]) -> None:
    assert display_bands(number) == bands
