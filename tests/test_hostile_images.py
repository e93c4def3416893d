"""A folder of images of which most are broken, claim too much, or are programs for GDAL, counted by the command."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from detect.reporting.output.predictions import read_predictions
from tests.commands import call
from tests.conftest import plant, scatter
from tests.imagery.rasters import write_damaged, write_tiff
from tests.imagery.test_claims import claiming_tiff

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

BAND = '<VRTRasterBand dataType="{}" band="{}"><SimpleSource><SourceFilename relativeToVRT="{}">{}</SourceFilename>'
BAND += "<SourceBand>{}</SourceBand></SimpleSource></VRTRasterBand>"


def vrt(path: Path, *bands: tuple) -> None:
    text = "".join(BAND.format(*band) for band in bands)
    path.write_text(f'<VRTDataset rasterXSize="320" rasterYSize="320">{text}</VRTDataset>')


TILE = ".tiles/tile.png"
"""In a hidden folder, so that it is no image of the listing, which a mosaic would stand for."""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three images that can be counted, one of them damaged, and all that may lie beside them."""
    root = tmp_path_factory.mktemp("hostile") / "images"
    plant(root / "good.png", scatter(0, 10), 0)
    pixels = np.moveaxis(np.asarray(Image.open(root / "good.png")), -1, 0)
    write_damaged(root / "damaged.tif", pixels)
    write_tiff(root.parent / "outside.tif", pixels)
    plant(root / TILE, scatter(0, 10), 0)
    vrt(root / "all.vrt", *[("Byte", band, 1, TILE, band) for band in (1, 2, 3)])
    vrt(root / "mixed.vrt", ("Byte", 1, 1, TILE, 1), *[("UInt16", band, 1, TILE, band) for band in (2, 3)])
    vrt(root / "outside.vrt", *[("Byte", band, 1, "../outside.tif", band) for band in (1, 2, 3)])
    vrt(root / "network.vrt", *[("Byte", band, 0, "/vsicurl/http://127.0.0.1:9/a.tif", band) for band in (1, 2, 3)])
    vrt(root / "text.jpg", *[("Byte", band, 1, "good.png", band) for band in (1, 2, 3)])
    for side in (2**31 - 1, 10**8, 3 * 10**7):
        claiming_tiff(root / f"{side}.tif", side, side)
    (root / "empty.png").touch()
    (root / "lost.jpg").symlink_to("gone.jpg")
    (root / "folder").symlink_to(root.parent)
    if hasattr(os, "mkfifo"):
        os.mkfifo(root / "pipe.jpg")
    return root


def test_every_image_is_counted_or_named_and_a_resumed_run_says_the_same(
    trained: Path, images: Path, tmp_path: Path
) -> None:
    command = f"model={trained / 'model.safetensors'}", f"images={images}", f"output={tmp_path / 'out'}"
    for _ in range(2):
        done = call("predict", *command)
        assert done.code == 3, done.log
        counts = pd.read_csv(tmp_path / "out/counts.csv", keep_default_na=False).set_index("image")
        failures = pd.read_csv(tmp_path / "out/failures.csv").set_index("image")["error"]
        assert list(counts.columns) == ["disc", "total", "surveyed_share", "unlike", "unlike_in", "damaged"]
        assert {name: bool(text) for name, text in counts["damaged"].items()} == {
            "all.vrt": False,
            "damaged.tif": True,
            "good.png": False,
        }
        assert counts.loc["all.vrt", "total"] == counts.loc["good.png", "total"] > 5
        assert set(failures.index) | set(counts.index) == {path.name for path in images.iterdir()} - {".tiles"}
        passed = {name for name, error in failures.items() if error.startswith("passed over: ")}
        assert passed == {"empty.png", "lost.jpg", "folder", "pipe.jpg"} & {path.name for path in images.iterdir()}
        assert "uint16" in failures["mixed.vrt"]
        assert all("trusted" in failures[name] for name in ("outside.vrt", "network.vrt"))
        assert all(f"{side}.tif" in failures[f"{side}.tif"] for side in (2**31 - 1, 10**8, 3 * 10**7))
    folder = read_predictions(tmp_path / "out")
    assert folder.classes == ("disc",) and any("damaged.tif" in remark for remark in folder.remarks)
    assert json.loads((tmp_path / "out/run.json").read_text())["images"] == {"done": 3, "failed": len(failures)}
    scored = call(
        "evaluate", f"predictions={tmp_path / 'out'}", f"annotations={_truth(images)}", f"output={tmp_path / 'scores'}"
    )
    assert scored.code == 0, scored.log


def _truth(images: Path) -> Path:
    path = images.parent / "points.csv"
    rows = [{"image": "good.png", "x": x, "y": y, "label": "disc"} for x, y in scatter(0, 10)]
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def test_trusted_vrts_are_opened_as_they_are(trained: Path, images: Path, tmp_path: Path) -> None:
    done = call(
        "predict",
        f"model={trained / 'model.safetensors'}",
        f"images={images / 'outside.vrt'}",
        f"output={tmp_path / 'out'}",
        "vrt=trusted",
    )
    assert done.code == 0, done.log
    assert pd.read_csv(tmp_path / "out/counts.csv")["total"].sum() > 5


def test_a_labelled_image_that_is_a_program_stops_a_training_with_its_name(images: Path, tmp_path: Path) -> None:
    labels = tmp_path / "points.csv"
    labels.write_text("image,x,y,label\noutside.vrt,5,5,disc\ngood.png,5,5,disc\n")
    for more, code in (("data.vrt=below", 2), ("data.vrt=trusted", 0)):
        done = call(
            "preview",
            f"data.root={images}",
            f"data.annotations={labels}",
            "samples=2",
            more,
            f"output={tmp_path / 'sheet.jpg'}",
            "net=patch",
            "net.patch_size=32",
            "net.margin=16",
        )
        assert done.code == code and ("outside.vrt: this VRT is not opened" in done.log) == (code == 2), done.log
