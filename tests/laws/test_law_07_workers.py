"""Law 7: however many threads read and write, a run writes the same bytes, and records its images in the same order."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio

from detect.nets.modelfile import save_model
from detect.reporting.output.products import PRODUCTS
from tests.commands import call
from tests.engines import coarse, lively, write
from tests.laws.test_law_07_resumed_runs import assert_same_run

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model; photographs of which some are read together, a tiled raster of many tiles, and one that is cut short."""
    root = tmp_path_factory.mktemp("root")
    (root / "images").mkdir()
    save_model(root / "model.safetensors", *lively())
    for number in range(7):
        write(root / f"images/{number}.png", 100 if number != 3 else 420, 150, number)
    profile = {"driver": "GTiff", "count": 3, "height": 900, "width": 1100, "dtype": "uint8", "compress": "deflate"}
    blocks = {"tiled": True, "blockxsize": 128, "blockysize": 128}
    with rasterio.open(root / "images/a.tif", "w", **profile, **blocks) as target:
        target.write(np.moveaxis(coarse(900, 1100, 3), 2, 0))
    short = write(root / "images/b.jpg", 200, 300, 8)
    short.write_bytes(short.read_bytes()[:3000])
    return root


def test_law_7_any_number_of_workers_writes_the_same_files(root: Path, tmp_path: Path) -> None:
    """8 of 9 images are done. A quarter of 24 MiB is for what is read: the raster's 3 MB are not held whole."""
    outs = {}
    for workers in (1, 2, 6):
        out = tmp_path / f"{workers}"
        given = [f"model={root / 'model.safetensors'}", f"images={root / 'images'}", f"output={out}", "runtime=torch"]
        done = call("predict", *given, f"write=[{','.join(PRODUCTS)}]", f"workers={workers}", "max_memory=24MiB")
        assert done.code == 3 and f"{workers} threads read images" in done.log, done.log
        outs[workers] = out
    journal = (outs[1] / ".run/journal.jsonl").read_bytes()
    assert len(pd.read_csv(outs[1] / "detections.csv")) > 20
    assert len(pd.read_csv(outs[1] / "counts.csv")) == 8
    for workers in (2, 6):
        assert_same_run(outs[workers], outs[1])
        assert (outs[workers] / ".run/journal.jsonl").read_bytes() == journal


@pytest.mark.parametrize(
    ("value", "told"), [("0", "1 or more, or auto, got 0"), ("many", "1 or more, or auto, got many")]
)
def test_workers_are_a_number_or_auto(root: Path, tmp_path: Path, value: str, told: str) -> None:
    given = [f"model={root / 'model.safetensors'}", f"images={root / 'images'}", f"output={tmp_path / 'out'}"]
    done = call("predict", *given, f"workers={value}")
    assert done.code == 2 and told in done.log
