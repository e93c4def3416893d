"""Law 7: two processes share one raster and write the bytes of one; killed in a strip, the next one goes on with it."""

import os
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from detect.inference import run
from detect.inference.devices import device_choice
from detect.inference.strips import splitting
from detect.nets.modelfile import save_model
from detect.reporting.output.products import PRODUCTS
from tests.commands import Called, call
from tests.engines import coarse, lively
from tests.imagery.rasters import write_tiff
from tests.laws.test_law_07_resumed_runs import assert_same_run

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

MEMORY = "max_memory=100MiB"
"""An image of a sixteenth of it, 6.25 MiB, is held whole by one process, and of half of that by two: it has 6.9."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model; a raster with a corner that is not there and blank rows, and a small image before it."""
    root = tmp_path_factory.mktemp("root")
    (root / "images").mkdir()
    save_model(root / "model.safetensors", *lively())
    pixels = np.moveaxis(coarse(1500, 1600, 3, 40), 2, 0).copy()
    pixels[:, :500, 1100:] = 0
    pixels[:, 900:1000] = 0
    shape = {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate"}
    write_tiff(root / "images/large.tif", pixels, nodata=0, **shape)
    write_tiff(root / "images/a.tif", pixels[:, :200, :300])
    return root


def count(root: Path, out: Path, processes: int) -> Called:
    given = [f"model={root / 'model.safetensors'}", f"images={root / 'images'}", f"output={out}", "runtime=torch"]
    made = [f"runtime.devices={processes}", MEMORY, "tile=450", "runtime.device=cpu"]
    with mock.patch.object(device_choice, "usable_cores", lambda: 2):
        return call("predict", *given, *made, f"write=[{','.join(PRODUCTS)}]")


def interrupted(*given: object) -> None:
    raise KeyboardInterrupt


def test_law_7_two_processes_share_a_raster_and_go_on_with_strips_of_one_that_was_killed(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forked: None
) -> None:
    """One process counts it at once; another in strips, until it is killed before they are joined.

    All but 3 of its strips are taken away, one of these is cut short, and two processes go on.
    """
    at_once, shared = tmp_path / "at_once", tmp_path / "shared"
    done = count(root, at_once, 1)
    assert done.code == 0 and "strips" not in done.log, done.log
    with monkeypatch.context() as patched:
        patched.setattr(splitting, "LEAST_KEPT", 1)
        patched.setattr(run, "joined", interrupted)
        killed = count(root, shared, 1)
    assert killed.code == 130, killed.log
    files = sorted((shared / ".run/strips").rglob("*.npz"))
    assert len(files) > 8 and f"large.tif is counted in {len(files)} strips" in killed.log
    for each in files[3:]:
        each.unlink()
    os.truncate(files[1], files[1].stat().st_size // 2)
    goes_on = count(root, shared, 2)
    assert goes_on.code == 0 and "of which 2 are there" in goes_on.log, goes_on.log
    assert "2 processes count the images" in goes_on.log
    assert_same_run(shared, at_once)
    assert (shared / ".run/journal.jsonl").read_bytes() == (at_once / ".run/journal.jsonl").read_bytes()
    assert not (shared / ".run/strips").exists()
