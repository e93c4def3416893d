"""Law 7: two processes share one raster and write the bytes of one; killed in a strip, the next one goes on with it."""

import re
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


def test_law_7_two_processes_share_a_raster_and_another_run_goes_on_with_its_strips(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once by one process; in strips by two; by one that is killed before they are joined, and two that go on."""
    one, two, rest = (tmp_path / each for each in ("one", "two", "rest"))
    at_once = count(root, one, 1)
    assert at_once.code == 0 and "strips" not in at_once.log, at_once.log
    shared = count(root, two, 2)
    assert shared.code == 0, shared.log
    assert re.search(r"large.tif is counted in (\d+) strips\n", shared.log) and "2 processes count" in shared.log

    monkeypatch.setattr(splitting, "LEAST_KEPT", 1)
    monkeypatch.setattr(run, "joined", interrupted)
    killed = count(root, rest, 1)
    assert killed.code == 130, killed.log
    files = sorted((rest / ".run/strips").rglob("*.npz"))
    assert len(files) > 8
    for each in files[3:6]:
        each.unlink()
    goes_on = count(root, rest, 2)
    assert goes_on.code == 0 and f"of which {len(files) - 3} are there" in goes_on.log, goes_on.log
    for other in (two, rest):
        assert_same_run(other, one)
        assert (other / ".run/journal.jsonl").read_bytes() == (one / ".run/journal.jsonl").read_bytes()
        assert not (other / ".run/strips").exists()
