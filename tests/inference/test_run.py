import errno
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import uniform_filter

from detect.imagery import reading
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.mosaics import MosaicRule, mosaics_by
from detect.imagery.scenes import Scene, SceneError
from detect.imagery.windows import Window
from detect.inference import run
from detect.inference.engine import Engine
from detect.inference.failures import Failure
from detect.inference.plan import make_plan
from detect.inference.run import count_scene, predict_images
from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.inference.scene_result import SceneResult
from detect.inference.strips.shelf import Shelf
from detect.inference.tile_reading import read_tiles
from detect.inference.tiles import Source, TileBatch
from detect.nets.card import ModelCard
from detect.nets.heads.specs import PatchHead
from tests.engines import assert_same_objects, coarse, engine, lively, write
from tests.imagery.rasters import write_damaged, write_tiff


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return lively()[1]


@pytest.fixture(scope="module")
def runtime() -> TorchRuntime:
    return TorchRuntime(lively()[0], torch.device("cpu"))


def far_sighted(tiles: np.ndarray) -> np.ndarray:
    """Logits from the mean colour of 7 x 7 cells, with zeros beyond the tile: a field of 3 cells on every side."""
    number, bands, height, width = tiles.shape
    cells = tiles.reshape(number, bands, height // 16, 16, width // 16, 16).mean(axis=(3, 5)) - 127
    return uniform_filter(cells, (0, 0, 7, 7), mode="constant").astype(np.float32)


@pytest.mark.parametrize("halo", [32, 48, 64])
def test_law_4_needs_the_whole_halo(tmp_path: Path, card: ModelCard, halo: int) -> None:
    """With one cell less than the field of 3 cells, 48 pixels, every core ends in a seam."""
    scene = open_scene(write(tmp_path / "a.png", 259, 341))
    wide = replace(card, halo=halo)
    first, *others = [
        count_scene(scene, engine(wide, far_sighted, 2 * halo + room)) for room in (1000, 16, 32, 80, 170)
    ]
    assert len(first.detections) > 5
    for other in others:
        assert np.allclose(other.heatmap, first.heatmap, rtol=0, atol=1e-4) is (halo >= 48)
        if halo >= 48:
            assert_same_objects(other.detections, first.detections)


def test_a_result_is_in_the_scene_with_a_heatmap_of_every_class(
    tmp_path: Path, card: ModelCard, runtime: TorchRuntime
) -> None:
    """309 x 421 pixels are 20 x 27 cells; the patch is 2 cells wide, so that cell 0 describes that around pixel 0."""
    result = count_scene(open_scene(write(tmp_path / "a.png", 309, 421)), engine(card, runtime, 512))
    assert result.heatmap.shape == (2, 20, 27)
    assert (result.heatmap >= 0).all() and (result.heatmap.sum(axis=0) <= 1 + 1e-6).all()
    assert (result.geometry.stride, result.geometry.offset, result.geometry.shape) == (16, 0.0, (309, 421))
    assert Window(0, 0, 309, 421).contains_xy(result.detections.xy).all()
    assert (result.detections.score >= card.threshold).all()


def test_an_image_that_could_have_a_mask_and_has_none_costs_what_any_image_does(
    tmp_path: Path, card: ModelCard, runtime: TorchRuntime
) -> None:
    """Opaque throughout: no pixel is looked up when objects are found, and the whole image is surveyed."""
    pixels = np.dstack([coarse(150, 170), np.full((150, 170), 255, np.uint8)])
    Image.fromarray(pixels).save(tmp_path / "a.png")
    result = count_scene(open_scene(tmp_path / "a.png"), engine(card, runtime, 512))
    assert result.geometry.valid is None and len(result.detections)
    assert result.surveyed is not None and result.surveyed.valid == result.surveyed.pixels == 150 * 170


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"head": PatchHead(32, None)}, ValueError, "no background class"),
        ({"dtype": "uint16"}, SceneError, r"a\.png: .*uint8.*uint16"),
        ({"bands": (1, 2, 4)}, SceneError, r"a\.png: band 4 .* 3"),
    ],
)
def test_models_and_images_that_do_not_go_together(
    tmp_path: Path, card: ModelCard, runtime: TorchRuntime, change: dict, error: type[Exception], message: str
) -> None:
    scene = open_scene(write(tmp_path / "a.png", 50, 50))
    with pytest.raises(error, match=message):
        count_scene(scene, engine(replace(card, **change), runtime, 512))


@dataclass
class Kept:
    """Keeps the results and failures of a run, in order."""

    events: list[tuple[str, str]] = field(default_factory=list)
    results: dict[str, SceneResult] = field(default_factory=dict)
    before: set[str] = field(default_factory=set)
    expected: tuple[int, int] = (0, 0)
    begun: list[str] = field(default_factory=list)
    pixels: int = 0
    shelf: Shelf | None = None

    def has(self, name: str, path: Path) -> bool:
        return name in self.before

    def prepared(self, name: str, scene: Scene, result: SceneResult) -> Callable[[], None]:
        assert result.geometry.shape == scene.shape

        def record() -> None:
            self.events.append(("done", name))
            self.results[name] = result

        return record

    def together(self) -> nullcontext[None]:
        return nullcontext()

    def fail(self, failure: Failure) -> None:
        self.events.append(("failed", failure.name))

    def expect(self, images: int, pixels: int) -> None:
        self.expected = (images, pixels)

    def start(self, name: str) -> None:
        self.begun.append(name)

    def advance(self, pixels: int) -> None:
        self.pixels += pixels


def predict(folder: Path, names: list[str], model: Engine, kept: Kept) -> tuple[int, list[Failure]]:
    return predict_images([(name, folder / name) for name in names], model, kept, kept)


def test_a_run_goes_on_past_broken_images_and_says_which_they_were(
    tmp_path: Path, card: ModelCard, runtime: TorchRuntime
) -> None:
    """Good, cut short, of two bands, gone, empty, good: 2 done of 60 x 80 pixels each, 3 that cannot be used."""
    write(tmp_path / "1.png", 60, 80)
    whole = write(tmp_path / "2.jpg", 300, 300).read_bytes()
    (tmp_path / "2.jpg").write_bytes(whole[: len(whole) // 2])
    write_tiff(tmp_path / "3.tif", np.zeros((2, 50, 50), np.uint8))
    (tmp_path / "5.tif").touch()
    write(tmp_path / "6.png", 80, 60)
    names = ["1.png", "2.jpg", "3.tif", "4.png", "5.tif", "6.png"]
    kept = Kept()
    done, failures = predict(tmp_path, names, engine(card, runtime, 512), kept)
    assert done == kept.pixels == 2 * 60 * 80
    assert kept.events[:3] == [("failed", "3.tif"), ("failed", "4.png"), ("failed", "5.tif")]
    assert [event for event in kept.events[3:] if event[0] == "done"] == [("done", "1.png"), ("done", "6.png")]
    assert [event for event in kept.events[3:] if event[0] == "failed"] == [("failed", "2.jpg")]
    assert kept.begun == ["1.png", "6.png"]
    assert kept.expected == (3, 2 * 60 * 80 + 300 * 300)
    reasons = {
        "2.jpg": "damaged or unreadable",
        "3.tif": "band 3",
        "4.png": "no such image file",
        "5.tif": "passed over",
    }
    assert {failure.name for failure in failures} == set(reasons)
    assert all(reasons[failure.name] in failure.error and failure.name in failure.error for failure in failures)


def test_images_of_one_size_go_through_the_net_together_and_are_found_as_alone(
    tmp_path: Path, card: ModelCard, runtime: TorchRuntime
) -> None:
    """200 x 300 pixels are a tile of 256 + 128 by 320 + 128 with the halo of 64: 172,032 pixels, 4 in 900 x 900.

    Seven of them are 4 and 3 tiles, of which the one cut short is missing; then one of 100 x 300 by itself.
    """
    names = [f"{i}.png" for i in range(8)]
    for i, name in enumerate(names):
        write(tmp_path / name, 100 if i == 7 else 200, 300, seed=i)
    whole = (tmp_path / "5.png").read_bytes()
    (tmp_path / "5.png").write_bytes(whole[: len(whole) // 2])
    batches: list[tuple[int, ...]] = []

    def watched(pixels: np.ndarray) -> np.ndarray:
        batches.append(pixels.shape)
        return runtime(pixels)

    kept = Kept()
    done, failures = predict(tmp_path, names, engine(card, watched, 900), kept)
    assert batches == [(4, 3, 384, 448), (2, 3, 384, 448), (1, 3, 256, 448)]
    assert [failure.name for failure in failures] == ["5.png"] and "damaged" in failures[0].error
    assert sorted(kept.results) == sorted(set(names) - {"5.png"}) and done == 6 * 200 * 300 + 100 * 300
    for name, together in kept.results.items():
        alone = count_scene(open_scene(tmp_path / name), engine(card, runtime, 900))
        assert len(alone.detections) > 5
        assert_same_objects(together.detections, alone.detections)
        np.testing.assert_array_equal(together.preview, alone.preview)


def test_images_that_are_done_are_passed_over_and_the_rest_keep_their_company(
    tmp_path: Path, card: ModelCard, runtime: TorchRuntime
) -> None:
    """Batches of 4: with 1 and all of the second batch done, the first is computed as before, 1 not written again."""
    names = [f"{i}.png" for i in range(6)]
    for i, name in enumerate(names):
        write(tmp_path / name, 200, 300, seed=i)
    first, again = Kept(), Kept(before={"1.png", "4.png", "5.png"})
    predict(tmp_path, names, engine(card, runtime, 900), first)
    predict(tmp_path, names, engine(card, runtime, 900), again)
    assert again.events == [("done", name) for name in ("0.png", "2.png", "3.png")]
    assert again.expected == (4, 4 * 200 * 300)
    for name, result in again.results.items():
        np.testing.assert_array_equal(result.logits, first.results[name].logits)
        np.testing.assert_array_equal(result.detections.xy, first.results[name].detections.xy)


def test_wrong_use_stops_a_run_at_once(tmp_path: Path, card: ModelCard, runtime: TorchRuntime) -> None:
    """No tile of 16 pixels has room for a halo: that is no fault of any image."""
    write(tmp_path / "1.png", 60, 80)
    kept = Kept()
    with pytest.raises(ValueError, match="tile must be"):
        predict(tmp_path, ["1.png"], engine(card, runtime, 16), kept)
    assert kept.events == []


@pytest.mark.parametrize("place", ["runtime", "sink"])
def test_an_error_of_our_own_ends_the_run_and_its_threads(
    tmp_path: Path, card: ModelCard, runtime: TorchRuntime, place: str
) -> None:
    """A full disk, or a network that cannot be run, is no fault of the image."""

    def broken(*arguments: object) -> np.ndarray:
        raise OSError(errno.ENOSPC, "no space left")

    write(tmp_path / "1.png", 60, 80)
    write(tmp_path / "2.png", 400, 300)
    kept, before = Kept(), threading.active_count()
    if place == "sink":
        kept.prepared = broken  # type: ignore[method-assign, assignment]
    with pytest.raises(OSError, match="no space left"):
        predict(tmp_path, ["1.png", "2.png"], engine(card, broken if place == "runtime" else runtime, 512), kept)
    assert kept.events == [] and threading.active_count() == before


def test_valid_pixels_count_in_the_memory_of_results_that_wait(
    tmp_path: Path, card: ModelCard, runtime: TorchRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """200 rows of 300 pixels: 200 sums of 8 bytes and 200 x 38 bytes of bits, beside 3 x 13 x 19 numbers of a map."""
    pixels = np.moveaxis(coarse(200, 300), -1, 0).copy()
    write_tiff(tmp_path / "whole.tif", pixels)
    pixels[:, 0, 0] = 0
    write_tiff(tmp_path / "part.tif", pixels, nodata=0)
    kept, told = Kept(), {}
    real = run.Writes.add

    def add(self: run.Writes, name: str, nbytes: int, prepare: Callable) -> None:
        told[name] = nbytes
        real(self, name, nbytes, prepare)

    monkeypatch.setattr(run.Writes, "add", add)
    images = [(name, tmp_path / name) for name in ("whole.tif", "part.tif")]
    predict_images(images, engine(card, runtime, 512), kept, kept, None)
    bare = 4 * kept.results["whole.tif"].logits.size
    assert told == {"whole.tif": bare, "part.tif": bare + 200 * 8 + 200 * 38}


def test_of_a_damaged_image_the_log_says_what_the_result_does_whichever_thread_closes_first(
    tmp_path: Path,
    card: ModelCard,
    runtime: TorchRuntime,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Two threads read, each from a file of its own with a warning of its own; the first by the alphabet is told."""
    write_tiff(tmp_path / "a.tif", np.moveaxis(coarse(700, 900), -1, 0))
    model = engine(card, runtime, 300)
    model = replace(model, plan=replace(model.plan, workers=2, photograph=2_500_000))
    both, real = threading.Barrier(2, timeout=10), reading.SceneReader._decode

    def decode(self: reading.SceneReader, window: Window, *into: np.ndarray | None) -> np.ndarray:
        if not self.damaged:
            self.damaged = f"warning {both.wait()}"
        return real(self, window, *into)

    monkeypatch.setattr(reading.SceneReader, "_decode", decode)
    kept = Kept()
    predict(tmp_path, ["a.tif"], model, kept)
    lines = [each.getMessage() for each in caplog.records if "its pixels are damaged" in each.getMessage()]
    assert kept.results["a.tif"].damaged == "warning 0"
    assert len(lines) == 1 and lines[0].endswith("warning 0")


def test_a_result_that_cannot_be_written_is_a_failure_of_its_image(
    tmp_path: Path, card: ModelCard, runtime: TorchRuntime
) -> None:
    """Such as a name too long for the file system: the disk is well, and the next image is done."""
    for number in range(3):
        write(tmp_path / f"{number}.png", 60, 80)
    kept = Kept()
    real = kept.prepared

    def long(name: str, scene: Scene, result: SceneResult) -> Callable[[], None]:
        if name == "1.png":
            raise OSError(errno.ENAMETOOLONG, "File name too long")
        return real(name, scene, result)

    kept.prepared = long  # type: ignore[method-assign]
    _, failures = predict(tmp_path, ["0.png", "1.png", "2.png"], engine(card, runtime, 512), kept)
    assert [failure.name for failure in failures] == ["1.png"] and "too long" in failures[0].error
    assert sorted(kept.results) == ["0.png", "2.png"]


def test_outputs_that_are_no_numbers_are_a_failure_of_their_image(
    tmp_path: Path, card: ModelCard, runtime: TorchRuntime
) -> None:
    """Half precision may overflow on one image of a batch, or on one tile of a large image."""
    names = ["0.png", "1.png", "2.png"]
    for number, name in enumerate(names):
        write(tmp_path / name, 60, 80, seed=number)
    write(tmp_path / "3.png", 800, 600)
    calls: list[int] = []

    def overflowing(pixels: np.ndarray) -> np.ndarray:
        calls.append(len(pixels))
        maps = runtime(pixels)
        maps[-1 if len(calls) == 1 else 0, 0, 0, 0] = np.inf if len(calls) in (1, 3) else 0
        return maps

    kept = Kept()
    _, failures = predict(tmp_path, [*names, "3.png"], engine(card, overflowing, 450), kept)
    assert calls[0] == 3 and len(calls) > 3
    assert [failure.name for failure in failures] == ["2.png", "3.png"]
    assert all("not finite" in failure.error and failure.name in failure.error for failure in failures)
    assert sorted(kept.results) == ["0.png", "1.png"]


def test_files_that_change_between_listing_and_reading_are_failures_of_their_images(
    tmp_path: Path, card: ModelCard, runtime: TorchRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Smaller, of fewer bands, of another type, another format, gone, a program for GDAL; small images and large."""
    names = [f"{i}.tif" for i in range(7)]
    pixels = np.moveaxis(coarse(60, 80), -1, 0)
    large = np.moveaxis(coarse(700, 900), -1, 0)
    for name in names:
        write_tiff(tmp_path / name, large if name == "0.tif" else pixels)
    real = run.grouped

    def changed(*arguments: object) -> list:
        write_tiff(tmp_path / "0.tif", pixels)
        write_tiff(tmp_path / "1.tif", pixels[:, :30])
        write_tiff(tmp_path / "2.tif", pixels[:1])
        write_tiff(tmp_path / "3.tif", pixels.astype(np.uint16))
        Image.new("RGB", (80, 60)).save(tmp_path / "4.tif", "PNG")
        (tmp_path / "5.tif").write_text("<VRTDataset/>")
        return real(*arguments)

    monkeypatch.setattr(run, "grouped", changed)
    kept = Kept()
    _, failures = predict(tmp_path, names, engine(card, runtime, 512), kept)
    assert sorted(failure.name for failure in failures) == names[:6] and list(kept.results) == ["6.tif"]
    assert all(failure.name in failure.error for failure in failures)


@pytest.mark.parametrize("error", [MemoryError(), ValueError("bands"), IndexError("index"), OverflowError("too large")])
def test_any_error_of_reading_one_image_is_a_failure_of_that_image(
    tmp_path: Path, card: ModelCard, runtime: TorchRuntime, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    for number in range(3):
        write(tmp_path / f"{number}.png", 60, 80)
    real = reading.SceneReader._decode

    def decode(self: reading.SceneReader, window: Window, *into: np.ndarray | None) -> np.ndarray:
        if self.scene.path.name == "1.png":
            raise error
        return real(self, window, *into)

    monkeypatch.setattr(reading.SceneReader, "_decode", decode)
    kept = Kept()
    _, failures = predict(tmp_path, ["0.png", "1.png", "2.png"], engine(card, runtime, 512), kept)
    assert [failure.name for failure in failures] == ["1.png"] and "1.png" in failures[0].error
    assert sorted(kept.results) == ["0.png", "2.png"]


@pytest.mark.parametrize("shape", [(60, 80), (700, 900)])
def test_what_a_decoder_warned_of_comes_with_the_result(
    tmp_path: Path, card: ModelCard, runtime: TorchRuntime, shape: tuple[int, int]
) -> None:
    write_damaged(tmp_path / "a.tif", np.moveaxis(coarse(*shape), -1, 0))
    write_tiff(tmp_path / "b.tif", np.moveaxis(coarse(*shape), -1, 0))
    kept = Kept()
    _, failures = predict(tmp_path, ["a.tif", "b.tif"], engine(card, runtime, 512), kept)
    assert failures == [] and "PackBits" in kept.results["a.tif"].damaged and kept.results["b.tif"].damaged == ""


def test_what_an_image_looks_like_does_not_depend_on_the_pictures_that_are_asked_for(
    tmp_path: Path, card: ModelCard, runtime: TorchRuntime
) -> None:
    source = run.Source("a", open_scene(write(tmp_path / "a.png", 309, 421)))
    shown, bare = (run.map_scene(source, engine(card, runtime, 512), side) for side in (64, None))
    assert shown.preview is not None and bare.preview is None
    assert bare.looks == shown.looks is not None


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address of a folder on a server of its own process: GDAL keeps the threads of this one waiting."""
    folder = tmp_path / "served"
    folder.mkdir()
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().split(' port ')[1].split()[0]}"
        server.terminate()


def test_vrts_that_are_trusted_lead_where_they_do_in_a_unit_of_small_images_too(tmp_path: Path, served: str) -> None:
    """To a server, as no other VRT may: two of one size share a batch."""
    pixels = np.moveaxis(coarse(100, 150), 2, 0)
    write_tiff(tmp_path / "served/a.tif", pixels)
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}"><SimpleSource>'
        f"<SourceFilename>/vsicurl/{served}/a.tif</SourceFilename><SourceBand>{band}</SourceBand>"
        "</SimpleSource></VRTRasterBand>"
        for band in (1, 2, 3)
    )
    for name in ("a", "b"):
        (tmp_path / f"{name}.vrt").write_text(f'<VRTDataset rasterXSize="150" rasterYSize="100">{bands}</VRTDataset>')
    with mosaics_by(MosaicRule(trusted=True)):
        unit = [Source(name, open_scene(tmp_path / f"{name}.vrt")) for name in ("a", "b")]
    steps = list(read_tiles([unit], (1, 2, 3), make_plan(1 << 30, 200.0, 0, 16)))
    (batch,) = (step for step in steps if isinstance(step, TileBatch))
    np.testing.assert_array_equal(batch.pixels[1][:, :100, :150], pixels)
