"""A raster in strips has the map, picture, objects and failure of the raster counted at once, bit by bit."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.liveness import signs
from detect.imagery.reading import SceneReader
from detect.imagery.scenes import SceneError
from detect.imagery.windows import Window
from detect.inference.devices.counting_station import CountingStation
from detect.inference.devices.tasks import Advanced, Done, Event, Task
from detect.inference.engine import Engine
from detect.inference.failures import Failure
from detect.inference.run import predict_images
from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.inference.scene_result import SceneResult
from detect.inference.shift.judging import Unlike
from detect.inference.shift.measuring import Measured, WindowMeter
from detect.inference.strips import splitting
from detect.inference.strips.shelf import Shelf
from detect.inference.strips.splitting import is_large, kept_whole
from detect.inference.strips.strip_file import StripReader
from detect.inference.tiles import Source
from detect.nets.facts.looks import Looks
from tests.engines import coarse, engine, lively
from tests.imagery.rasters import write_tiff
from tests.inference.test_run import Kept

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

HEIGHT, WIDTH = 480, 700
PREVIEW = 90
"""Side of the picture: squares of 8 pixels, of which every second row and column is sampled, across tiles of 160."""


@dataclass(frozen=True)
class Content:
    """What identifies a file."""

    signature: tuple[str, int, int] = ("a.tif", 1, 2)
    beside: str = ""


class Judge:
    """Keeps what windows of images look like."""

    def __init__(self) -> None:
        self.seen: list[Measured] = []

    def unlike(self, windows: Measured, sizes: object) -> Unlike:
        self.seen.append(windows)
        return Unlike(None)


class Counted:
    """A runtime that counts its batches, and ends the run, or gives what is no number, at one of them."""

    def __init__(self, runtime: TorchRuntime, ends: int = 0, spoils: int = 0) -> None:
        self.runtime, self.batches, self.ends, self.spoils = runtime, 0, ends, spoils

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        self.batches += 1
        if self.batches == self.ends:
            raise KeyboardInterrupt
        maps = self.runtime(pixels)
        return maps * np.float32(np.nan) if self.batches == self.spoils else maps


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rasters of any size are kept in strips by one process."""
    monkeypatch.setattr(splitting, "LEAST_KEPT", 1)


def raster(path: Path, dtype: str = "uint8", **profile: object) -> Path:
    """A tiled raster with a corner and a hole of no data, blank rows, and objects across all borders of tiles."""
    pixels = np.moveaxis(coarse(HEIGHT, WIDTH, 3), 2, 0).astype(dtype)
    if dtype == "float32":
        pixels = pixels / np.float32(253) + np.float32(0.003)
    pixels[:, 100:160, :] = 0
    pixels[:, :190, 340:] = 0
    pixels[:, 300:330, 200:260] = 0
    shape = {"tiled": True, "blockxsize": 64, "blockysize": 64}
    return write_tiff(path, pixels, nodata=0, **shape, **profile)


def model(dtype: str = "uint8", batch: int = 1, runtime: Callable | None = None, **change: object) -> Engine:
    """Tiles of 300 pixels, of which 160 are kept: 3 x 5 tiles, of which some make a batch."""
    net, card = lively(dtype=dtype)
    made = engine(card, runtime or TorchRuntime(net, torch.device("cpu")), 300)
    area = batch * made.plan.tiling((HEIGHT, WIDTH)).tile_hw[0] ** 2
    plan = replace(made.plan, photograph=1_000_000, area=max(area, made.plan.area), workers=2)
    return replace(made, plan=plan, **change)


def counted(path: Path, made: Engine, shelf: Path | None, content: Content = Content()) -> Kept:
    """Count a raster at once, or in strips that lie on a shelf."""
    kept = Kept(shelf=None if shelf is None else Shelf(shelf, {"a.tif": content}))
    predict_images([("a.tif", path)], made, kept, kept, PREVIEW)
    return kept


def decode_as(monkeypatch: pytest.MonkeyPatch, happens: Callable[[SceneReader, Window], None]) -> None:
    """Have something happen before a window of a file is decoded."""
    real = SceneReader._decode

    def decode(self: SceneReader, window: Window, *into: np.ndarray | None) -> object:
        happens(self, window)
        return real(self, window, *into)

    monkeypatch.setattr(SceneReader, "_decode", decode)


def damaged(reader: SceneReader, window: Window) -> None:
    """Fail where the pixel at row 250, column 350 is decoded."""
    if window.row <= 250 < window.row_stop and window.col <= 350 < window.col_stop:
        raise SceneError(f"{reader.scene.path}: near row 250 it is damaged")


def warned(reader: SceneReader, window: Window) -> None:
    """Warn of windows from row 100 on, of each in its own words."""
    if window.row > 100:
        reader.damaged = min(filter(None, (reader.damaged, f"row {window.row}, column {window.col}")))


def assert_same(found: SceneResult, wanted: SceneResult) -> None:
    """Every number is the same."""
    np.testing.assert_array_equal(found.logits, wanted.logits)
    for each in ("label", "score", "xy"):
        np.testing.assert_array_equal(getattr(found.detections, each), getattr(wanted.detections, each))
    assert found.preview is not None and wanted.preview is not None
    np.testing.assert_array_equal(np.ma.getmaskarray(found.preview), np.ma.getmaskarray(wanted.preview))
    np.testing.assert_array_equal(np.ma.getdata(found.preview), np.ma.getdata(wanted.preview))
    np.testing.assert_array_equal(found.heatmap, wanted.heatmap)
    assert (found.damaged, found.surveyed, found.unlike) == (wanted.damaged, wanted.surveyed, wanted.unlike)


@pytest.mark.parametrize(("dtype", "batch"), [("uint8", 1), ("uint8", 4), ("float32", 1)])
def test_law_3_and_4_a_raster_in_strips_is_the_raster(tmp_path: Path, dtype: str, batch: int) -> None:
    """15 tiles are 15 strips of a batch of one, or 4 of four; windows of the image are measured with the first."""
    path, made = raster(tmp_path / "a.tif", dtype), model(dtype, batch)
    looks, judge = Looks.of(np.random.default_rng(0).normal(1e-3, 1e-4, (3, 100))), Judge()
    assert looks is not None
    made = replace(made, looks=looks, meter=WindowMeter(lively(dtype=dtype)[0], looks, 16), judge=judge)
    whole = counted(path, made, None)
    assert len(whole.results["a.tif"].detections) > 20 and whole.results["a.tif"].unlike.kinds
    parts = counted(path, made, tmp_path / "shelf")
    assert_same(parts.results["a.tif"], whole.results["a.tif"])
    assert (parts.events, parts.expected, parts.begun) == (whole.events, whole.expected, whole.begun)
    assert parts.pixels == whole.pixels == HEIGHT * WIDTH
    for name in ("light", "texture", "content"):
        one, other = (getattr(each, name) for each in judge.seen)
        np.testing.assert_array_equal(one, other)
    assert len(list((tmp_path / "shelf").rglob("*.npz"))) == (15 if batch == 1 else 4)


def test_law_7_a_killed_run_goes_on_with_the_strips_that_are_there(tmp_path: Path) -> None:
    """It ends in batch 6 of 15; one of the files is cut short then: 11 are left. Another content has none."""
    path, shelf = raster(tmp_path / "a.tif"), tmp_path / "shelf"
    torch_runtime = TorchRuntime(lively()[0], torch.device("cpu"))
    with pytest.raises(KeyboardInterrupt):
        counted(path, model(runtime=Counted(torch_runtime, ends=6)), shelf)
    there = sorted(shelf.rglob("*"))
    files = [each for each in there if each.suffix == ".npz"]
    assert len(files) == 5 and not [each for each in there if each.suffix == ".part"]
    data = bytearray(files[2].read_bytes())
    data[len(data) // 3] ^= 1
    files[2].write_bytes(data)
    rest = Counted(torch_runtime)
    found = counted(path, model(runtime=rest), shelf)
    assert rest.batches == 11
    assert_same(found.results["a.tif"], counted(path, model(), None).results["a.tif"])
    none, again = Counted(torch_runtime), Counted(torch_runtime)
    counted(path, model(runtime=none), shelf)
    assert none.batches == 0
    counted(path, model(runtime=again), shelf, Content(("a.tif", 1, 3)))
    assert again.batches == 15 and len(list(shelf.rglob("*.npz"))) == 15, "those of the other content are removed"


@pytest.mark.parametrize("what", ["not finite", "damaged"])
def test_a_strip_that_fails_is_the_failure_of_the_whole_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """A batch in the middle is not finite, or a block cannot be decoded: the rest is not looked at or joined."""
    path = raster(tmp_path / "a.tif")
    torch_runtime = TorchRuntime(lively()[0], torch.device("cpu"))
    if what == "damaged":
        decode_as(monkeypatch, damaged)
    failures: list[list[Failure]] = []
    for shelf in (None, tmp_path / "shelf"):
        runtime = Counted(torch_runtime, spoils=7 if what == "not finite" else 0)
        kept = Kept(shelf=None if shelf is None else Shelf(shelf, {"a.tif": Content()}))
        done, failed = predict_images([("a.tif", path)], model(runtime=runtime), kept, kept, PREVIEW)
        assert done == 0 and kept.events == [("failed", "a.tif")]
        failures.append(failed)
    assert [each.error for each in failures[0]] == [each.error for each in failures[1]]
    assert len(failures[1]) == 1 and runtime.batches < 15


def test_warnings_of_strips_are_those_of_the_image_and_the_log_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The first of all by the alphabet, as where the image is counted at once."""
    path = raster(tmp_path / "a.tif")
    decode_as(monkeypatch, warned)
    found = counted(path, model(), tmp_path / "shelf").results["a.tif"]
    lines = [each.getMessage() for each in caplog.records if "its pixels are damaged" in each.getMessage()]
    assert found.damaged.startswith("row ") and len(lines) == 1 and lines[0].endswith(found.damaged)
    assert_same(found, counted(path, model(), None).results["a.tif"])


def test_which_rasters_are_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """15 batches are shared by 7 processes and not by 8; one keeps strips from a size on; small images are left."""
    made, scene = model(), open_scene(raster(tmp_path / "a.tif"))
    source = Source("a.tif", made.prepared(scene))
    monkeypatch.setattr(splitting, "LEAST_KEPT", HEIGHT * WIDTH + 1)
    assert [is_large(source, made, each) for each in (1, 2, 7, 8)] == [False, True, True, False]
    monkeypatch.setattr(splitting, "LEAST_KEPT", HEIGHT * WIDTH)
    assert is_large(source, made, 1) and not kept_whole(source, made)
    roomy = replace(made, plan=replace(made.plan, photograph=1 << 30))
    assert "small one" in kept_whole(source, roomy)
    assert "sizes" in kept_whole(source, replace(made, scale_views=object()))  # type: ignore[arg-type]
    shelf = Shelf(tmp_path / "shelf", {"a.tif": Content()})
    assert splitting.in_strips([[source]], roomy, shelf, 2, None) == [[source]]


def test_strips_are_batches_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With four strips at most, 15 batches are 4, 4, 4 and 3; their pixels are the raster's."""
    monkeypatch.setattr(splitting, "MOST_STRIPS", 4)
    made = model()
    source = Source("a.tif", made.prepared(open_scene(raster(tmp_path / "a.tif"))))
    shelf = Shelf(tmp_path / "shelf", {"a.tif": Content()})
    *strips, joint = (unit[0] for unit in splitting.in_strips([[source]], made, shelf, 2, None))
    assert [(each.part.first, each.part.stop) for each in strips] == [(0, 4), (4, 8), (8, 12), (12, 15)]
    assert sum(each.pixels for each in strips) == HEIGHT * WIDTH and joint.pixels == 0
    assert joint.part.strips == tuple(each.part for each in strips)
    assert len({each.key for each in (*strips, joint)}) == 5


def test_strips_that_are_joined_slowly_tell_that_their_process_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of 15 tiles takes a minute to be read; nothing is told of one that hangs."""
    path, made = raster(tmp_path / "a.tif"), model()
    counted(path, made, tmp_path / "shelf")
    clock, told, read = SimpleNamespace(now=0.0), list[Event](), StripReader.tile_map
    monkeypatch.setattr(signs, "time", SimpleNamespace(monotonic=lambda: clock.now))

    def read_slowly(self: StripReader, number: int) -> object:
        clock.now += 60
        return read(self, number)

    monkeypatch.setattr(StripReader, "tile_map", read_slowly)
    source = Source("a.tif", made.prepared(open_scene(path)))
    shelf = Shelf(tmp_path / "shelf", {"a.tif": Content()})
    (unit,) = splitting.in_strips([[source]], made, shelf, 1, PREVIEW)
    writer = SimpleNamespace(write=lambda *given: "kept")
    CountingStation(made, writer, PREVIEW).run([Task(0, unit, origins=(None,))], told.append)
    assert told == [*[Advanced(0)] * 15, told[-1]] and isinstance(told[-1], Done)
