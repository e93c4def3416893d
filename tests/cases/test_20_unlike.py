"""Case: images that are not of the kind that a model learned from are named, with the reason: no silent zero."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from detect import Detector
from tests.cases.discs import disc_pixels, disc_places, write_photographs
from tests.commands import Called, call

Change = Callable[[np.ndarray], np.ndarray]

UNLIKE: dict[str, tuple[Change, str]] = {
    "black": (lambda pixels: pixels * 0, "all black"),
    "white": (lambda pixels: pixels * 0 + 255, "hardly any contrast"),
    "night": (lambda pixels: pixels // 8, "far darker"),
    "one": (lambda pixels: (pixels / 255.0).round(), "values of another scale (up to 1,"),
    "overexposed": (lambda pixels: 215 + pixels // 8, "far brighter"),
    "grey": (lambda pixels: pixels.mean(axis=2, keepdims=True).repeat(3, axis=2), "grey, and the training images"),
}
"""What is done to a photograph of the kind that the models know, and what is said of it."""

OTHER_LIGHT: dict[str, Change] = {
    "dim": lambda pixels: pixels * 0.8,
    "bright": lambda pixels: pixels * 1.2,
    "blue": lambda pixels: pixels * (0.9, 1.0, 1.15),
    "hazy": lambda pixels: 40 + pixels * 0.75,
}
"""Changes as light and cameras make them, by far more than those of the photographs learned from: these have none."""


def write_changed(folder: Path) -> None:
    folder.mkdir()
    changes = {**{name: change for name, (change, _) in UNLIKE.items()}, **OTHER_LIGHT, "same": lambda pixels: pixels}
    for i, (name, change) in enumerate(changes.items()):
        pixels = disc_pixels(disc_places(50 + i), 50 + i).astype(float)
        Image.fromarray(np.clip(change(pixels), 0, 255).astype(np.uint8)).save(folder / f"{name}.png")


def predicted(model: Path, images: Path, output: Path, *more: str) -> tuple[Called, pd.DataFrame]:
    done = call("predict", f"model={model}", f"images={images}", f"output={output}", *more)
    table = pd.read_csv(output / "counts.csv", keep_default_na=False).set_index("image")
    return done, table


@pytest.mark.parametrize("net", ["patch", "grid"])
def test_images_of_another_kind_are_named_and_others_are_not(
    net: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    write_changed(tmp_path / "new")
    model = request.getfixturevalue(f"{net}_model")
    done, table = predicted(model, tmp_path / "new", tmp_path / "counts", "tile=96")
    assert done.code == 0 and list(table.columns)[-3:] == ["unlike", "unlike_in", "damaged"]
    for name, (_, said) in UNLIKE.items():
        assert said in table.loc[f"{name}.png", "unlike_in"] and table.loc[f"{name}.png", "unlike"] == 1
    assert table.loc["same.png", "unlike"] < 0.95 and table.loc["same.png", "unlike_in"] == ""
    for name in OTHER_LIGHT:
        assert (
            table.loc[f"{name}.png", "unlike_in"].split("; ")[0] == "light"
            and table.loc[f"{name}.png", "unlike"] > 0.95
        )
    told = len(UNLIKE) + len(OTHER_LIGHT)
    assert int((table["unlike"] >= 0.95).sum()) == int((table["unlike_in"] != "").sum()) == told
    lines = [line for line in done.log.splitlines() if "unlike those" in line]
    assert len(lines) == 1 and f"{told} images are unlike" in lines[0]
    page = (tmp_path / "counts" / "report.html").read_text(encoding="utf-8")
    assert f"{told} images are unlike those that the model learned from" in page


def test_what_is_said_depends_on_no_tile_and_survives_a_run_that_goes_on(patch_model: Path, tmp_path: Path) -> None:
    write_changed(tmp_path / "new")
    tables = [
        predicted(patch_model, tmp_path / "new", tmp_path / f"{i}", *tile)[1]
        for i, tile in enumerate(([], ["tile=64"], ["tile=112"]))
    ]
    for each in tables[1:]:
        assert each[["unlike", "unlike_in"]].equals(tables[0][["unlike", "unlike_in"]])
    (tmp_path / "0" / "counts.csv").unlink()
    again = predicted(patch_model, tmp_path / "new", tmp_path / "0")
    assert "going on" in again[0].log and list(again[1]["unlike"]) == list(tables[0]["unlike"])


def test_an_evaluation_of_such_images_names_them_in_its_log(grid_model: Path, tmp_path: Path) -> None:
    images = write_photographs(tmp_path / "new", "e")
    Image.fromarray(disc_pixels(disc_places(ord("e")), ord("e")) // 8).save(images / "e.png")
    given = (f"data.root={images}", f"data.annotations={images / 'points.csv'}", "split=all")
    done = call("evaluate", f"model={grid_model}", *given, f"output={tmp_path / 'scores'}")
    assert "1 images are unlike" in done.log and "far darker" in done.log


def test_the_python_face_says_it_too(grid_model: Path) -> None:
    pixels = disc_pixels(disc_places(7), 7)
    detector = Detector.load(grid_model)
    dark = detector.count(pixels // 8)
    assert detector.count(pixels).unlike_in == "" and "darker" in dark.unlike_in and dark.unlike == 1
    assert "darker" in detector.count(pixels // 8)._repr_html_()


def test_pixels_of_another_type_are_that_image_s_failure(patch_model: Path, tmp_path: Path) -> None:
    """An image of 0 to 1 in floats, of a model of bytes: refused with the reason, the others are counted."""
    import rasterio

    images = write_photographs(tmp_path / "new", "e")
    pixels = np.moveaxis(disc_pixels(disc_places(7), 7), -1, 0).astype(np.float32) / 255
    with rasterio.open(images / "f.tif", "w", driver="GTiff", dtype="float32", count=3, height=240, width=320) as file:
        file.write(pixels)
    done, table = predicted(patch_model, images, tmp_path / "counts")
    assert done.code == 3 and list(table.index) == ["e.png"]
    assert "float32" in (tmp_path / "counts" / "failures.csv").read_text()
