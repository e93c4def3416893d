"""The predictions folder while it is written, gone on with, and put right after a kill."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import rasterio
from PIL import Image

from detect.assembly.prediction.run_output import start_afresh
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.maps import map_writing as rasters
from detect.imagery.maps.map_kinds import BYTES, FLOATS
from detect.imagery.resolution import Resolution
from detect.imagery.scenes import Scene
from detect.inference.decoding.geometry import CellGeometry
from detect.inference.decoding.patch import posteriors
from detect.inference.failures import Failure
from detect.inference.plan import make_plan
from detect.inference.scene_result import SceneResult
from detect.labels.detections import Detections, concatenate
from detect.nets.card import ModelCard
from detect.nets.heads.specs import PatchHead
from detect.nets.net_spec import BackboneSpec
from detect.reporting.output.layout import STATE, PredictionPaths
from detect.reporting.output.prediction_folder import PredictionFolder
from detect.reporting.output.predictions import read_candidates, read_predictions
from detect.reporting.output.products import PRODUCTS
from detect.reporting.page.report_page import write_report
from detect.reporting.pictures import scene_files
from tests.reporting.conftest import CLASSES, detections

CARD = ModelCard(
    head=PatchHead(patch_size=32, background="ground"),
    backbone=BackboneSpec("tf_efficientnet_lite0", stride=16),
    classes=CLASSES,
    bands=(1, 2, 3),
    dtype="uint8",
    resolution=Resolution(),
    offset=(0.0, 0.0, 0.0),
    scale=(1.0, 1.0, 1.0),
    halo=0,
    halo_auto=None,
    halo_error=None,
    threshold=0.5,
    separation=8.0,
    calibration=None,
    training={},
)
NAMES = ("a.png", "b/c.png", "d.png")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for number, name in enumerate(NAMES):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((64, 96, 3), 50 * number, np.uint8)).save(path)
    return tmp_path / "images"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out" / STATE).mkdir(parents=True)
    return tmp_path / "out"


def named(images: Path) -> list[tuple[str, Path]]:
    return [(name, images / name) for name in NAMES]


def result(number: int) -> SceneResult:
    """So many cows in a row, on a map of 4 x 6 cells."""
    found = detections([(8.125 + 10 * i, 20, 0, 0.75) for i in range(number)])
    logits = np.random.default_rng(number).normal(size=(3, 4, 6)).astype(np.float32)
    preview = np.full((3, 64, 96), 90, np.uint8)
    return SceneResult(found, CellGeometry(16, 0.0, (64, 96)), preview, logits, 3, posteriors)


def keep(sink: PredictionFolder, images: Path, name: str, number: int) -> None:
    sink.prepared(name, open_scene(images / name), result(number))()


def counts(out: Path) -> dict[str, int]:
    table = pd.read_csv(out / "counts.csv")
    return dict(zip(table["image"], table["total"], strict=True))


def test_a_folder_that_is_gone_on_with_ends_as_one_written_in_one_go(images: Path, tmp_path: Path) -> None:
    """Written in three sittings and in another order of images, the tables and the report have the same bytes."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for folder in (whole, parts):
        (folder / STATE).mkdir(parents=True)
    sink = PredictionFolder(whole, CARD, named(images), PRODUCTS[:4])
    for number, name in enumerate(NAMES):
        keep(sink, images, name, number)
    sink.finish({"version": "1"}, 200)
    for name in reversed(NAMES):
        sink = PredictionFolder(parts, CARD, named(images), PRODUCTS[:4])
        keep(sink, images, name, NAMES.index(name))
    assert sorted(sink.found) == sorted(NAMES)
    sink.finish({"version": "1"}, 200)
    files = [path.relative_to(whole) for path in whole.rglob("*") if path.is_file() and STATE not in path.parts]
    assert len(files) == 2 * len(NAMES) + 5
    for path in files:
        assert (whole / path).read_bytes() == (parts / path).read_bytes(), path


def test_expected_numbers_and_candidates_are_those_of_a_run_in_one_go(images: Path, tmp_path: Path) -> None:
    """Of n cows and a shadow of 0.125 each image expects 0.75 n + 0.125, and all together 0.75 (0 + 1 + 2) + 0.375."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    card = replace(CARD, calibration={"slope": 1.0, "intercept": 0.0})
    wanted = (*PRODUCTS[:4], "candidates")
    for folder in (whole, parts):
        (folder / STATE).mkdir(parents=True)

    def kept(sink: PredictionFolder, name: str) -> None:
        made = result(NAMES.index(name))
        every = concatenate([made.detections, detections([(70.0, 50.0, 1, 0.125)])])
        sink.prepared(name, open_scene(images / name), replace(made, candidates=every))()

    sink = PredictionFolder(whole, card, named(images), wanted)
    for name in NAMES:
        kept(sink, name)
    sink.finish({}, 200)
    for name in reversed(NAMES):
        sink = PredictionFolder(parts, card, named(images), wanted)
        kept(sink, name)
    (parts / "candidates/a.png.csv").unlink()
    sink = PredictionFolder(parts, card, named(images), wanted)
    assert sink.without_pictures == 1
    kept(sink, "a.png")
    sink.finish({}, 200)
    files = [path.relative_to(whole) for path in whole.rglob("*") if path.is_file() and STATE not in path.parts]
    assert len([path for path in files if path.parts[0] == "candidates"]) == len(NAMES)
    for path in files:
        assert (whole / path).read_bytes() == (parts / path).read_bytes(), path
    assert pd.read_csv(whole / "counts.csv")["expected"].tolist() == [0.125, 0.875, 1.625]
    assert sum(read_predictions(whole).expected.values()) == 0.75 * 3 + 3 * 0.125
    read = read_candidates(whole, NAMES, card.classes)
    assert read is not None and [len(read[name]) for name in NAMES] == [1, 2, 3]
    assert "2.6 objects" in (whole / "report.html").read_text()


def test_of_an_image_with_too_many_candidates_no_table_of_them_is_written(images: Path, out: Path) -> None:
    """It is done without one, the run says so, and whoever reads the candidates of all images gets none."""
    card = replace(CARD, calibration={"slope": 1.0, "intercept": 0.0})
    wanted = (*PRODUCTS[:4], "candidates")
    sink = PredictionFolder(out, card, named(images), wanted)
    for name in NAMES:
        made = result(2)
        known = {"candidates": made.detections} if name != "d.png" else {"crowded": True}
        sink.prepared(name, open_scene(images / name), replace(made, **known))()
    sink.finish({"notes": []}, 200)
    kept = PredictionPaths(out).candidates
    assert [kept(name).exists() for name in NAMES] == [True, True, False]
    (note,) = json.loads((out / "run.json").read_text())["notes"]
    assert note.startswith("1 images, such as d.png, have a million places or more")
    assert read_candidates(out, NAMES, card.classes) is None
    assert np.isnan(pd.read_csv(out / "counts.csv")["expected"][2])
    again = PredictionFolder(out, card, named(images), wanted)
    assert all(again.has(name, images / name) for name in NAMES) and not again.without_pictures


def test_two_threads_may_make_and_leave_the_folder_of_candidates_at_once(images: Path, out: Path) -> None:
    """Of two images in one folder one has candidates and one has too many; neither takes the folder from the other.

    The second is looked at when the first one's folder is made and its table is not: an empty folder stays.
    """
    card = replace(CARD, calibration={"slope": 1.0, "intercept": 0.0})
    sink = PredictionFolder(out, card, named(images), ("tables", "candidates"))
    made = result(2)
    crowded = replace(made, crowded=True)
    real = scene_files.write_detections

    def late(tables: dict, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        other = threading.Thread(target=sink.prepared, args=("d.png", open_scene(images / "d.png"), crowded))
        other.start()
        other.join()
        assert path.parent.is_dir()
        real(tables, path)

    with mock.patch.object(scene_files, "write_detections", late):
        sink.prepared("a.png", open_scene(images / "a.png"), replace(made, candidates=made.detections))()
    assert [path.name for path in (out / "candidates").iterdir()] == ["a.png.csv"]


def test_scores_that_are_no_probabilities_expect_nothing(images: Path, out: Path) -> None:
    sink = PredictionFolder(out, CARD, named(images), PRODUCTS[:4])
    sink.prepared("a.png", open_scene(images / "a.png"), replace(result(2), candidates=result(3).detections))()
    sink.finish({}, 200)
    assert "expected" not in pd.read_csv(out / "counts.csv") and not (out / "candidates").exists()
    assert read_candidates(out, ["a.png"], CARD.classes) is None


def test_an_image_is_done_when_its_pictures_and_its_record_are_there(images: Path, out: Path) -> None:
    sink = PredictionFolder(out, CARD, named(images), PRODUCTS[:4])
    assert not sink.has("a.png", images / "a.png")
    keep(sink, images, "a.png", 2)
    again = PredictionFolder(out, CARD, named(images), PRODUCTS[:4])
    assert again.has("a.png", images / "a.png") and not again.has("d.png", images / "d.png")
    for path in (PredictionPaths(out).heatmap("a.png"), PredictionPaths(out).overlay("a.png")):
        data = path.read_bytes()
        path.unlink()
        assert not PredictionFolder(out, CARD, named(images), PRODUCTS[:4]).has("a.png", images / "a.png")
        path.write_bytes(data)
    assert PredictionFolder(out, CARD, named(images), PRODUCTS[:4]).has("a.png", images / "a.png")


def test_law_7_an_image_whose_heatmap_is_stored_otherwise_is_done_again(images: Path, out: Path) -> None:
    """A folder that went on with the other kind is that of one run of it; one without heatmaps asks for none."""
    sink = PredictionFolder(out, CARD, named(images), PRODUCTS[:4], map_kind=FLOATS)
    keep(sink, images, "a.png", 2)
    keep(sink, images, "d.png", 1)
    floats = PredictionPaths(out).heatmap("a.png").read_bytes()
    again = PredictionFolder(out, CARD, named(images), PRODUCTS[:4], map_kind=BYTES)
    assert again.found == {} and again.without_pictures == 2
    keep(again, images, "a.png", 2)
    assert PredictionPaths(out).heatmap("a.png").read_bytes() != floats
    both = [
        list(PredictionFolder(out, CARD, named(images), PRODUCTS[:4], map_kind=kind).found) for kind in (BYTES, FLOATS)
    ]
    assert both == [["a.png"], ["d.png"]]
    assert list(PredictionFolder(out, CARD, named(images), PRODUCTS[:3], map_kind=BYTES).found) == ["a.png", "d.png"]


def test_an_image_that_changed_is_done_again_and_counted_once(images: Path, out: Path) -> None:
    keep(PredictionFolder(out, CARD, named(images), PRODUCTS[:4]), images, "a.png", 2)
    Image.fromarray(np.full((64, 96, 3), 7, np.uint8)).save(images / "a.png")
    os.utime(images / "a.png", ns=(1, 1))
    sink = PredictionFolder(out, CARD, named(images), PRODUCTS[:4])
    assert not sink.has("a.png", images / "a.png")
    keep(sink, images, "a.png", 1)
    assert sink.has("a.png", images / "a.png")
    sink.finish({}, 200)
    assert counts(out) == {"a.png": 1}


def test_images_recorded_together_wait_for_the_disk_once_and_candidates_come_first(
    images: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is recorded has all that goes with it: the journal is written after the candidates."""
    card, synced, real = replace(CARD, calibration={"slope": 1.0, "intercept": 0.0}), [], os.fsync

    def sync(number: int) -> None:
        place = Path(f"/proc/self/fd/{number}")
        synced.append(place.readlink().name if place.parent.exists() else "")
        real(number)

    sink = PredictionFolder(out, card, named(images), (*PRODUCTS[:4], "candidates"))
    monkeypatch.setattr(os, "fsync", sync)
    with sink.together():
        for number, name in enumerate(NAMES):
            made = result(number)
            sink.prepared(name, open_scene(images / name), replace(made, candidates=made.detections))()
            assert not sink.found
    assert list(sink.found) == sorted(NAMES) and len(synced) == 2
    assert synced in (["", ""], [sink.possible.path.name, sink.journal.path.name])
    assert PredictionFolder(out, card, named(images), (*PRODUCTS[:4], "candidates")).found.keys() == sink.found.keys()


def test_what_was_kept_before_an_error_in_a_block_is_recorded(images: Path, out: Path) -> None:
    sink = PredictionFolder(out, CARD, named(images), PRODUCTS[:4])
    with pytest.raises(KeyboardInterrupt), sink.together():
        keep(sink, images, "a.png", 1)
        raise KeyboardInterrupt
    assert list(PredictionFolder(out, CARD, named(images), PRODUCTS[:4]).found) == ["a.png"]


def test_a_picture_without_a_record_is_no_result(images: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record comes last: a run killed between them does the image again."""
    sink = PredictionFolder(out, CARD, named(images), PRODUCTS[:4])

    def killed(*arguments: object) -> None:
        assert PredictionPaths(out).heatmap("a.png").is_file() and PredictionPaths(out).overlay("a.png").is_file()
        raise KeyboardInterrupt

    monkeypatch.setattr(sink.journal, "add_all", killed)
    with pytest.raises(KeyboardInterrupt):
        keep(sink, images, "a.png", 2)
    assert not sink.has("a.png", images / "a.png") and sink.found == {}


def test_candidates_of_an_image_without_a_record_are_written_once(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run killed between candidates and journal, and gone on with, has the bytes of one that was not (law 7)."""
    card, wanted = replace(CARD, calibration={"slope": 1.0, "intercept": 0.0}), (*PRODUCTS[:4], "candidates")

    def begun(name: str) -> PredictionFolder:
        (tmp_path / name / ".run").mkdir(parents=True, exist_ok=True)
        return PredictionFolder(tmp_path / name, card, named(images), wanted)

    def count(sink: PredictionFolder, names: Sequence[str]) -> None:
        with sink.together():
            for name in names:
                made = result(NAMES.index(name))
                sink.prepared(name, open_scene(images / name), replace(made, candidates=made.detections))()

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    whole, broken = begun("whole"), begun("broken")
    for sink in (whole, broken):
        count(sink, NAMES[:1])
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(broken.journal, "add_all", killed)
        count(broken, NAMES[1:])
    assert broken.possible.path.read_bytes().count(b"\n") == len(NAMES)
    count(begun("broken"), NAMES[1:])
    count(whole, NAMES[1:])
    assert broken.possible.path.read_bytes() == whole.possible.path.read_bytes()
    assert broken.journal.path.read_bytes() == whole.journal.path.read_bytes()


def test_images_that_are_gone_are_left_out_of_the_tables(images: Path, out: Path) -> None:
    sink = PredictionFolder(out, CARD, named(images), PRODUCTS[:4])
    for number, name in enumerate(NAMES):
        keep(sink, images, name, number)
    sink.finish({}, 200)
    assert counts(out) == {"a.png": 0, "b/c.png": 1, "d.png": 2}
    (images / "d.png").unlink()
    PredictionFolder(out, CARD, named(images)[:2], PRODUCTS[:4]).finish({}, 200)
    assert counts(out) == {"a.png": 0, "b/c.png": 1}
    assert len(pd.read_csv(out / "detections.csv")) == 1
    facts = json.loads((out / "run.json").read_text())
    assert facts["images"] == {"done": 2, "failed": 0} and facts["pixels"] == 2 * 64 * 96
    assert list(facts["sources"]) == ["a.png", "b/c.png"]


def test_an_image_that_was_done_and_is_broken_now_is_a_failure_alone(images: Path, out: Path) -> None:
    keep(PredictionFolder(out, CARD, named(images), PRODUCTS[:4]), images, "a.png", 2)
    sink = PredictionFolder(out, CARD, named(images), PRODUCTS[:4])
    sink.fail(Failure("d.png", "d.png: damaged"))
    sink.fail(Failure("a.png", "a.png: damaged"))
    sink.finish({}, 200)
    assert counts(out) == {}
    assert list(pd.read_csv(out / "failures.csv")["image"]) == ["a.png", "d.png"]


def test_strips_go_with_an_image_that_is_done_or_failed_and_stay_of_one_that_is_neither(
    images: Path, out: Path
) -> None:
    """Of three images the first is recorded, the second failed, and the third is what a killed run was counting."""
    sink = PredictionFolder(out, CARD, named(images), PRODUCTS[:4])
    places = [sink.shelf.place(name, {}) for name in NAMES]
    for place in places:
        place.mkdir(parents=True)
        (place / "0-1.npz").touch()
    keep(sink, images, "a.png", 2)
    sink.fail(Failure("b/c.png", "b/c.png: damaged"))
    sink.finish({}, 200)
    assert [place.exists() for place in places] == [False, False, True]
    for place in places[:2]:
        place.mkdir(parents=True)  # as a worker writes it that was slower than another one
    PredictionFolder(out, CARD, named(images), PRODUCTS[:4])
    assert [place.exists() for place in places] == [False, True, True], "of a failed image there may be more to come"
    start_afresh(PredictionPaths(out), named(images))
    assert not (out / ".run/strips").exists()


def test_half_written_files_are_removed_and_nothing_else_is(images: Path, out: Path, tmp_path: Path) -> None:
    """What ends in `.part` and has another name is a person's; so is a folder or a link that has a name of ours."""
    keep(PredictionFolder(out, CARD, named(images), PRODUCTS[:4]), images, "b/c.png", 2)
    ours, whole = ".detect-" + "0123456789abcdef" * 2 + ".part", tmp_path / "whole.txt"
    whole.write_text("a person's")
    for folder in (".", ".run", "heatmaps", "overlays/b", "heatmaps/new", ".run/thumbnails"):
        (out / folder).mkdir(parents=True, exist_ok=True)
        (out / folder / ours).write_bytes(b"half")
        (out / folder / ".x.part").write_bytes(b"a person's")
        (out / folder / ".y.part").mkdir()
        (out / folder / ours.replace("0", "f")).mkdir()
        (out / folder / ours.replace("0", "e")).symlink_to(whole)
    PredictionFolder(out, CARD, named(images), PRODUCTS[:4])
    assert not list(out.rglob(ours)) and whole.read_text() == "a person's"
    assert [len(list(out.rglob(name))) for name in (".x.part", ".y.part", ".detect-*.part")] == [6, 6, 12]
    assert PredictionPaths(out).heatmap("b/c.png").is_file() and PredictionPaths(out).overlay("b/c.png").is_file()


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_law_7_a_map_is_written_by_whole_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a block is written when GDAL's cache is full, and again when the rest is there: by chance.

    So the bytes of a large heatmap are the same in every run only if each piece ends where a block does: 256 x 256
    cells of 3 classes, and 32 x 32 of 500, of which 2,048,000 bytes are at most 4 MiB and those of 64 x 64 are not.
    """
    written: list[tuple[int, int, int, int]] = []
    real = rasters.open_dataset

    @contextmanager
    def watched(path: Path, mode: str = "r", **profile: object) -> Iterator[object]:
        with real(path, mode, **profile) as target:
            if mode == "w":
                write = target.write
                spy = mock.Mock(wraps=target)
                spy.write = lambda pixels, window: (
                    written.append((window.row_off, window.col_off, window.height, window.width)),
                    write(pixels, window=window),
                )
                yield spy
            else:
                yield target

    monkeypatch.setattr(rasters, "open_dataset", watched)
    plan = make_plan(8 << 20, 10.0, 0, 1)
    for number, shape, side in ((2, (1300, 400), 256), (500, (70, 110), 32)):
        written.clear()
        names = tuple(f"class {i}" for i in range(number))
        logits = np.random.default_rng(0).normal(size=(number + 1, *shape)).astype(np.float32)
        cells, preview = CellGeometry(1, 0.5, shape), np.zeros((1, 1, 1), np.uint8)
        shown = SceneResult(Detections.empty(names), cells, preview, logits, plan.cells(number + 1), posteriors)
        scene = Scene(Path("none"), shape, "uint8", 1)
        rasters.write_map(tmp_path / "a.tif", shown.heat_pieces(), scene, 1, names, 0.5)
        assert sum(height * width for _, _, height, width in written) == shape[0] * shape[1] and len(written) > 1
        assert all(row % side == 0 and col % side == 0 for row, col, _, _ in written)
        with rasterio.open(tmp_path / "a.tif") as source:
            assert source.block_shapes == [(side, side)] * number
            np.testing.assert_allclose(source.read() / 254, posteriors(logits), rtol=0, atol=0.5 / 254 + 1e-6)


def test_the_page_of_a_run_is_the_page_of_its_folder(images: Path, out: Path) -> None:
    """A run hands its detections over, and `detect.report` reads the table, in which a score has six decimals.

    0.8999996 is 0.900000 there, and so in the bar from 0.90 on.
    """
    sink = PredictionFolder(out, CARD, named(images), PRODUCTS[:4])
    for number, name in enumerate(NAMES):
        keep(sink, images, name, number)
    record = sink.journal.records["d.png"]
    near = replace(record.detections, score=np.array([0.8999996, 0.4]))
    sink.journal.records["d.png"] = replace(record, detections=near)
    page = sink.finish({}, 200).read_bytes()
    assert write_report(out, None, 200).read_bytes() == page
    content = read_predictions(out)
    assert content.scores is not None and 0.9 in content.scores.tolist()
    handed = read_predictions(out, {name: each.detections for name, each in sink.found.items()})
    assert handed.scores is not None and handed.scores.tolist() == content.scores.tolist() and not handed.remarks
    wrong = read_predictions(out, {name: each.detections[:0] for name, each in sink.found.items()})
    assert "do not agree on b/c.png and 1 more" in " ".join(wrong.remarks)


def test_scores_of_other_counts_do_not_stay(images: Path, out: Path) -> None:
    """A run that writes an image removes the scores measured before it; one that has nothing to do does not."""
    scores = {"f1": 1.0, "radius": 30, "per_class": {}, "per_image": {}}
    sink = PredictionFolder(out, CARD, named(images), PRODUCTS[:4])
    keep(sink, images, "a.png", 2)
    sink.finish({}, 200)
    (out / "scores.json").write_text(json.dumps(scores))
    PredictionFolder(out, CARD, named(images), PRODUCTS[:4]).finish({}, 200)
    assert (out / "scores.json").exists()
    sink = PredictionFolder(out, CARD, named(images), PRODUCTS[:4])
    keep(sink, images, "d.png", 1)
    sink.finish({}, 200)
    assert not (out / "scores.json").exists()


def test_a_model_of_one_band_has_its_picture_in_grey(images: Path, out: Path) -> None:
    sink = PredictionFolder(out, CARD, named(images), PRODUCTS[:4])
    grey = replace(result(0), preview=np.full((1, 64, 96), 90, np.uint8))
    sink.prepared("a.png", open_scene(images / "a.png"), grey)()
    with Image.open(PredictionPaths(out).overlay("a.png")) as picture:
        assert picture.size == (96, 64) and set(picture.getpixel((5, 5))) == {90}


def test_importing_it_loads_no_network_and_no_plots() -> None:
    """The command answers a wrong setting at once; the module imports the page, the tables and the pictures."""
    code = "import sys, detect.reporting.output.prediction_folder; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    heavy = {"torch", "matplotlib", "sklearn", "pytorch_lightning", "albumentations", "jinja2"}
    assert not (heavy | {"detect.samples", "detect.learning", "detect.inference"}) & set(done.stdout.split())


@pytest.mark.parametrize("ending", [".pgw", ".pngw", ".PGW", ".wld", ".prj", ".png.aux.xml", ".aux.xml"])
def test_an_image_is_looked_at_again_when_it_is_given_a_place(out: Path, images: Path, ending: str) -> None:
    """As the message of a format without georeference advises; the image's own file stays as it was."""
    sink = PredictionFolder(out, CARD, named(images), PRODUCTS[:4])
    for number, name in enumerate(NAMES):
        keep(sink, images, name, number)
    assert set(PredictionFolder(out, CARD, named(images), PRODUCTS[:4]).found) == set(NAMES)
    (images / f"a{ending}").write_text("1\n0\n0\n-1\n500000\n5000000\n")
    sink = PredictionFolder(out, CARD, named(images), PRODUCTS[:4])
    assert set(sink.found) == set(NAMES[1:])
    keep(sink, images, "a.png", 1)
    assert set(PredictionFolder(out, CARD, named(images), PRODUCTS[:4]).found) == set(NAMES)
    (images / f"a{ending}").write_text("2\n0\n0\n-2\n500000\n5000000\n")
    assert set(PredictionFolder(out, CARD, named(images), PRODUCTS[:4]).found) == set(NAMES[1:])
