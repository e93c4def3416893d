"""The bands of a file in the places in which a network expects them."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from rasterio.enums import ColorInterp

from detect.imagery.description.arranging import Bands, arranged, learned_bands
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.reading import read_window
from detect.imagery.scenes import Scene, SceneError
from tests.imagery.rasters import HEIGHT, WIDTH

RGB = Bands((1, 2, 3), ("red", "green", "blue"))
VALUES = {"red": 10, "green": 20, "blue": 30, "nir": 40, "gray": 50, "alpha": 255, "": 60}
"""The value of every pixel of a band of a name."""

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def scene_of(path: Path, *names: str, described: bool = True) -> Scene:
    """Write and open a TIFF whose bands have names, by description or else by colour, and each its own value."""
    import rasterio

    profile = {"count": len(names), "height": HEIGHT, "width": WIDTH, "dtype": "uint8", "photometric": "MINISBLACK"}
    with rasterio.open(path, "w", driver="GTiff", **profile) as target:
        coloured = [name if name and (name == "alpha" or not described) else "undefined" for name in names]
        target.colorinterp = [ColorInterp[name] for name in coloured]
        for number, name in enumerate(names, start=1):
            target.write(np.full((HEIGHT, WIDTH), VALUES[name], np.uint8), number)
            if name and described and name != "alpha":
                target.set_band_description(number, name.upper())
    return open_scene(path)


def values(scene: Scene, bands: Bands) -> list[int]:
    return read_window(scene, scene.window, bands.numbers)[:, 0, 0].tolist()


@pytest.mark.parametrize("described", [True, False])
@pytest.mark.parametrize("order", list(permutations(("red", "green", "blue", "nir")))[::5])
def test_bands_are_found_by_name(tmp_path: Path, order: tuple[str, ...], described: bool) -> None:
    scene = scene_of(tmp_path / "a.tif", *order, described=described)
    assert scene.band_names == order
    for bands in (RGB, Bands((4, 1, 2), ("nir", "red", "green")), Bands((2,), ("green",))):
        found = arranged(scene, bands)
        assert values(found, bands) == [VALUES[name] for name in bands.names]
        moved = bands.numbers != tuple(order.index(name) + 1 for name in bands.names)
        assert [each.kind for each in found.remarks] == ["bands are found by name, in other places"] * moved
    assert values(arranged(scene, RGB), Bands((3, 1), ())) == [30, 10]


def test_learned_bands_do_not_depend_on_the_order_of_images(tmp_path: Path) -> None:
    names = {"a": ("gray",), "b": ("red", "green", "blue"), "c": ("blue", "green", "red", "nir"), "d": ("", "", "")}
    scenes = {name: scene_of(tmp_path / f"{name}.tif", *bands) for name, bands in names.items()}
    for order in permutations(scenes.values()):
        assert learned_bands(order, None) == RGB
        assert learned_bands(order, ["NIR", "Red", "Green"]) == Bands((4, 3, 2), ("nir", "red", "green"))
        assert learned_bands(order, [4, 3]) == Bands((4, 3), ("nir", "red"))
    assert learned_bands([scenes["a"]], None) == Bands((1,), ("gray",))
    assert learned_bands([scenes["d"]], None) == Bands((1, 2, 3), ("", "", ""))
    with pytest.raises(ValueError, match=r"data\.bands=\[swir\].*blue, gray, green, nir, red"):
        learned_bands(list(scenes.values()), ["swir"])


def test_transparency_is_no_band_to_learn(tmp_path: Path) -> None:
    assert learned_bands([scene_of(tmp_path / "a.tif", "gray", "alpha", described=False)], None).numbers == (1,)
    rgb = scene_of(tmp_path / "b.tif", "red", "green", "blue", "alpha", described=False)
    assert learned_bands([rgb], None) == RGB
    with pytest.raises(SceneError, match=r"b\.tif.*band 4 is alpha"):
        arranged(rgb, Bands((1, 2, 3, 4), ("red", "green", "blue", "")))
    of_before = arranged(rgb, Bands((1, 2, 3, 4), ()))
    assert (of_before.picked, of_before.remarks[0].detail) == ((), "1 is red, 2 is green, 3 is blue, 4 is alpha")
    assert arranged(rgb, Bands((1, 2, 3), ())).remarks == ()


@pytest.mark.parametrize("names", [("gray",), ("",), ("gray", "alpha")])
@pytest.mark.parametrize("bands", [RGB, Bands((1, 2, 3), ()), Bands((3, 1), ("blue", "red"))])
def test_grey_is_red_green_and_blue_alike(tmp_path: Path, names: tuple[str, ...], bands: Bands) -> None:
    scene = scene_of(tmp_path / "a.tif", *names, described=False)
    found = arranged(scene, bands)
    assert set(values(found, bands)) == {VALUES[names[0]]}
    assert [each.kind for each in found.remarks] == ["grey images are read as red, green and blue alike"]


def test_unnamed_bands_are_taken_in_the_models_order_and_told(tmp_path: Path) -> None:
    scene = arranged(scene_of(tmp_path / "a.tif", *[""] * 6), RGB)
    assert values(scene, RGB) == [60, 60, 60]
    assert scene.remarks[0].detail == "1 as red, 2 as green, 3 as blue"


@pytest.mark.parametrize(
    ("own", "bands", "message"),
    [
        (("red", "green", "blue"), Bands((1,), ("gray",)), r"band 1 is red.*learned gray.*red, green, blue"),
        (("red", "green", "blue"), Bands((4, 1), ("nir", "red")), r"band 4 is needed \(nir\), the image has 3"),
        (("blue", "", "red"), RGB, r"band 1 is blue.*learned red"),
        (("",), Bands((1, 2, 3), ("nir", "red", "green")), r"band 3 is needed"),
        (("gray",), Bands((1, 2, 3, 4, 5), ()), r"band 5 is needed"),
    ],
)
def test_what_contradicts_the_model_is_an_error_by_name(
    tmp_path: Path, own: tuple[str, ...], bands: Bands, message: str
) -> None:
    with pytest.raises(SceneError, match=rf"a\.tif.*{message}.*convert"):
        arranged(scene_of(tmp_path / "a.tif", *own), bands)
