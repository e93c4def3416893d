"""Case: borders without pixels in training: transparent, a value that means no data, NaN. Nothing is learned there."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from tests.assembly.runs_of import grid_settings, material_of, patch_settings
from tests.cases.discs import GRID_NET, PATCH_NET, disc_pixels, disc_places
from tests.commands import Called, call
from tests.imagery.rasters import write_tiff

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

NETS = {"patch": PATCH_NET, "grid": GRID_NET}


def slanted(seed: int) -> NDArray[np.bool_]:
    """What is valid: two thirds of a scene, right of a slanted edge."""
    rows, cols = np.mgrid[:240, :320]
    return np.asarray(cols > 70 + rows * (0.25 + 0.05 * (seed % 3)))


def write_scenes(folder: Path, kind: str, names: str = "abcd", labelled_everywhere: bool = False) -> Path:
    """Write scenes of discs with a border, and `points.csv` of the discs outside the border, or of all."""
    folder.mkdir(parents=True)
    rows = []
    for name in names:
        places, valid = disc_places(ord(name)), slanted(ord(name))
        pixels = np.moveaxis(disc_pixels(places, ord(name)), -1, 0)
        write_bordered(folder / f"{name}.tif", pixels, valid, kind)
        inside = valid[places[:, 1].astype(int), places[:, 0].astype(int)]
        kept = places if labelled_everywhere else places[inside]
        rows += [{"image": f"{name}.tif", "x": x, "y": y, "label": "disc"} for x, y in kept]
    pd.DataFrame(rows).to_csv(folder / "points.csv", index=False)
    return folder


def write_bordered(path: Path, pixels: NDArray[np.uint8], valid: NDArray[np.bool_], kind: str) -> None:
    if kind == "white":
        bordered = np.where(valid, pixels, 255)
        alpha = np.where(valid, 255, 0)[None]
        write_tiff(path, np.concatenate([bordered, alpha]).astype(np.uint8), photometric="RGB", alpha="yes")
    elif kind == "minus9999":
        write_tiff(path, np.where(valid, pixels / 255, -9999).astype(np.float32), nodata=-9999)
    else:
        write_tiff(path, np.where(valid, pixels / 255, np.nan).astype(np.float32))


def trained(folder: Path, output: Path, net: str, *more: str) -> Called:
    split = "data.split.val=[d.tif]"
    given = (f"data.root={folder}", f"data.annotations={folder / 'points.csv'}", f"output={output}")
    return call("train", *given, *NETS[net], split, *more)


@pytest.mark.parametrize(("kind", "net"), [("white", "patch"), ("nan", "grid")])
def test_a_border_in_training_harms_nothing(kind: str, net: str, tmp_path: Path) -> None:
    """The same scenes as photographs give an F1 of 1.0; with a border of a third of them, these do."""
    folder = write_scenes(tmp_path / "scenes", kind)
    done = trained(folder, tmp_path / "run", net)
    assert done.code == 0 and "are left out" not in done.log, done.log
    assert pd.read_json(tmp_path / "run" / "scores.json", typ="series")["f1"] >= 0.95


@pytest.mark.parametrize("net", ["patch", "grid"])
def test_what_is_measured_and_varied_leaves_the_border_out(net: str, tmp_path: Path) -> None:
    """With -9999 among them, values of 0 to 1 would be measured as from -9999, and the net would see none of them."""
    folder = write_scenes(tmp_path / "scenes", "minus9999")
    settings = {"patch": patch_settings, "grid": grid_settings}[net]
    material = material_of(settings(folder, "points.csv", "augment=light", "data.sampling.samples=12"))
    assert all(0 < band.low < band.high < 1 for band in material.values.looks.bands)
    offset, scale = material.values.normalisation([127.0] * 3, [128.0] * 3)
    assert all(0 < each < 1 for each in (*offset, *scale))
    for i in range(12):
        pixels = material.samples.epoch(0)[i][0].numpy()
        assert pixels.min() > -0.5 and pixels.max() < 2 and np.isfinite(pixels).all()


def test_labels_in_the_border_are_left_out_and_told(tmp_path: Path) -> None:
    folder = write_scenes(tmp_path / "scenes", "white", labelled_everywhere=True)
    done = sheet(folder, tmp_path, "patch")
    inside = sum(map(count_inside, "abcd"))
    assert done.code == 0 and f"{80 - inside} labels lie on pixels that are not valid" in done.log, done.log
    assert f"training on {inside - count_inside('d')} disc" in done.log


def sheet(folder: Path, output: Path, net: str) -> Called:
    given = (f"data.root={folder}", f"data.annotations={folder / 'points.csv'}", *NETS[net], "augment=light")
    return call("preview", *given, "data.split.val=[d.tif]", f"output={output / f'{net}.jpg'}", "samples=4")


def count_inside(name: str) -> int:
    places = disc_places(ord(name)).astype(int)
    return int(slanted(ord(name))[places[:, 1], places[:, 0]].sum())


def test_a_scene_without_a_valid_pixel_is_named(tmp_path: Path) -> None:
    folder = write_scenes(tmp_path / "scenes", "white")
    pixels = np.moveaxis(disc_pixels(disc_places(ord("b")), ord("b")), -1, 0)
    write_bordered(folder / "b.tif", pixels, np.zeros((240, 320), bool), "white")
    done = sheet(folder, tmp_path, "patch")
    assert done.code == 2 and "b.tif has no valid pixel" in done.log


def test_samples_of_bordered_scenes_are_drawn_as_a_sheet(tmp_path: Path) -> None:
    folder = write_scenes(tmp_path / "scenes", "nan")
    for net in NETS:
        done = sheet(folder, tmp_path, net)
        assert done.code == 0, done.log
