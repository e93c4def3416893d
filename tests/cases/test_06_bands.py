"""Grey images among coloured ones, bands in another order, and bands without names."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from PIL import Image
from rasterio.enums import ColorInterp

from tests.cases.discs import PATCH_NET, disc_pixels, disc_places, train_on, write_photographs
from tests.commands import call


def make_grey(path: Path) -> None:
    """Store a photograph as grey, in which the discs are bright."""
    with Image.open(path) as image:
        Image.fromarray(np.asarray(image)[..., 0]).save(path)


def write_bands(path: Path, seed: str, colours: list[str], order: list[int]) -> Path:
    """Write a photograph of 20 discs whose bands have colours (empty: none); a band -1 is noise."""
    pixels = disc_pixels(disc_places(ord(seed)), ord(seed))
    noise = np.random.default_rng(5).integers(0, 256, pixels.shape[:2], np.uint8)
    profile = {"count": len(order), "height": pixels.shape[0], "width": pixels.shape[1], "photometric": "MINISBLACK"}
    with rasterio.open(path, "w", driver="GTiff", dtype="uint8", **profile) as target:
        target.colorinterp = [ColorInterp[name or "undefined"] for name in colours]
        for number, band in enumerate(order, start=1):
            target.write(noise if band < 0 else pixels[..., band], number)
    return path


def counted(model: Path, image: Path, output: Path) -> tuple[int | None, str]:
    done = call("predict", f"model={model}", f"images={image}", f"output={output}")
    assert done.code in (0, 3), done.log
    table = pd.read_csv(output / "counts.csv")
    return (int(table["disc"].iloc[0]) if len(table) else None), done.log


@pytest.mark.parametrize("net", ["patch", "grid"])
def test_bands_are_found_by_name_or_told(net: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(f"{net}_model")
    bgrn = write_bands(tmp_path / "bgrn.tif", "e", ["blue", "green", "red", ""], [2, 1, 0, -1])
    number, log = counted(model, bgrn, tmp_path / "bgrn")
    assert number is not None
    assert 19 <= number <= 21, log
    assert "bands are found by name" in log
    assert "3 is red, 2 is green, 1 is blue" in log
    six = write_bands(tmp_path / "six.tif", "e", [""] * 6, [0, 1, 2, -1, -1, -1])
    number, log = counted(model, six, tmp_path / "six")
    assert number is not None
    assert 19 <= number <= 21, log
    assert "1 as red, 2 as green, 3 as blue" in log


def test_bands_that_are_called_otherwise_are_a_failure(patch_model: Path, tmp_path: Path) -> None:
    image = write_bands(tmp_path / "a.tif", "e", ["nir", "red", "green"], [-1, 0, 1])
    number, log = counted(patch_model, image, tmp_path / "counts")
    assert number is None
    assert "its band 1 is nir, the model learned red there" in log


@pytest.mark.parametrize("grey", ["a.png", "c.png"])
def test_a_grey_image_among_coloured_ones_is_the_same_in_any_order(grey: str, tmp_path: Path) -> None:
    """The first and the third of the table; the model is of colours both times."""
    folder = write_photographs(tmp_path / "photographs")
    make_grey(folder / grey)
    labels = f"data.annotations={folder / 'points.csv'}"
    done = call("train", f"data.root={folder}", labels, f"output={tmp_path / 'run'}", *PATCH_NET)
    assert "1 of 4 images: grey images are read as red, green and blue alike" in done.log
    model = tmp_path / "run" / "model.safetensors"
    assert json.loads((tmp_path / "run" / "scores.json").read_text())["f1"] >= 0.95
    colour = write_photographs(tmp_path / "new", "e") / "e.png"
    number, log = counted(model, colour, tmp_path / "counts")
    assert number is not None
    assert 19 <= number <= 21, log


def test_a_model_of_grey_images_refuses_colours(tmp_path: Path) -> None:
    folder = write_photographs(tmp_path / "photographs")
    for path in folder.glob("*.png"):
        make_grey(path)
    model = train_on(folder, tmp_path / "run", PATCH_NET)
    grey = write_photographs(tmp_path / "new", "e") / "e.png"
    number, log = counted(model, grey, tmp_path / "colours")
    assert number is None
    assert "its band 1 is red, the model learned gray there" in log
    make_grey(grey)
    number, log = counted(model, grey, tmp_path / "counts")
    assert number is not None
    assert 19 <= number <= 21, log


def test_bands_are_chosen_by_name(tmp_path: Path) -> None:
    """Near infrared and red of files whose bands lie in two orders."""
    folder = write_photographs(tmp_path / "photographs")
    points = pd.read_csv(folder / "points.csv")
    for number, name in enumerate("abcd"):
        (folder / f"{name}.png").unlink()
        colours, order = (["nir", "red", "green"], [0, 1, 2]) if number % 2 else (["green", "red", "nir"], [2, 1, 0])
        write_bands(folder / f"{name}.tif", name, colours, order)
    points["image"] = points["image"].str.replace(".png", ".tif")
    points.to_csv(folder / "points.csv", index=False)
    net = tuple(each.replace("d.png", "d.tif") for each in PATCH_NET)
    train_on(folder, tmp_path / "run", net, "data.bands=[nir,red,green]")
    assert json.loads((tmp_path / "run" / "scores.json").read_text())["f1"] >= 0.95
    done = call(
        "train",
        f"data.root={folder}",
        f"data.annotations={folder / 'points.csv'}",
        f"output={tmp_path / 'b'}",
        *net,
        "data.bands=[swir,red]",
    )
    assert done.code == 2
    assert "data.bands=[swir,red]: no image has all of them; the images name green, nir, red" in done.log


def test_what_an_evaluation_takes_for_unseen_goes_by_the_bands_that_the_network_looked_at(
    patch_model: Path, tmp_path: Path
) -> None:
    """Right of column 100 red, green and blue, which are 0, hold no data; the first band, which is noise, has some."""
    places = disc_places(ord("u"))
    pixels = disc_pixels(places, ord("u"))
    pixels[:, 100:] = 0
    noise = np.random.default_rng(5).integers(1, 256, pixels.shape[:2], np.uint8)
    profile = {"count": 4, "height": pixels.shape[0], "width": pixels.shape[1], "photometric": "MINISBLACK"}
    with rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", dtype="uint8", nodata=0, **profile) as target:
        target.write(np.stack([noise, pixels[..., 1], pixels[..., 2], pixels[..., 0]]))
        for number, name in enumerate(["nir", "green", "blue", "red"], start=1):
            target.set_band_description(number, name)
    hidden = int((np.asarray(places)[:, 0] >= 100).sum())
    points = pd.DataFrame(np.asarray(places)[:, :2], columns=["x", "y"]).assign(image="a.tif", label="disc")
    points[["image", "x", "y", "label"]].to_csv(tmp_path / "points.csv", index=False)
    number, log = counted(patch_model, tmp_path / "a.tif", tmp_path / "out")
    assert number is not None and hidden > 3, log
    done = call(
        "evaluate",
        *(f"predictions={tmp_path / 'out'}", f"annotations={tmp_path / 'points.csv'}", "radius=8"),
        f"output={tmp_path / 'scores'}",
    )
    assert done.code == 0, done.log
    assert json.loads((tmp_path / "scores" / "scores.json").read_text())["objects_not_seen"] == hidden
