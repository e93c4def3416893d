"""Predicting with images and results in an object store: the bytes of the same run in folders."""

import json
import os
import re
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
from rasterio.transform import from_origin

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.gdal.options import gdal_options
from detect.imagery.reading import SceneReader, read_window
from detect.imagery.remote import image_cache
from detect.imagery.remote.address import Address
from detect.imagery.remote.store import StoreError
from detect.inference.devices import device_choice
from detect.nets.modelfile import save_model
from detect.reporting.output.prediction_folder import PredictionFolder
from detect.reporting.output.products import PRODUCTS
from detect.reporting.publishing import publisher, segments
from detect.reporting.publishing.mirror import Mirror
from tests.commands import Called, LostError, call
from tests.engines import coarse, lively, write
from tests.laws.test_law_07_resumed_runs import SPEED, files
from tests.object_store import SECRET, download, keys, upload

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.fixture(scope="module")
def root(store: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model; photographs, one with a world file and one with a mask beside it; a broken one; and a tiled raster."""
    root = tmp_path_factory.mktemp("root")
    save_model(root / "model.safetensors", *lively())
    images = root / "images"
    (images / "b").mkdir(parents=True)
    for number in range(4):
        write(images / f"b/{number}.png", 100, 150, number)
    write(images / "lit.jpg", 200, 260, 7)
    (images / "lit.jgw").write_text("0.1\n0\n0\n-0.1\n500000\n5000000\n")
    mask = np.full((1, 100, 150), 255, np.uint8)
    mask[:, :, :70] = 0
    profile = {"driver": "GTiff", "dtype": "uint8", "compress": "deflate"}
    with rasterio.open(images / "b/1.png.msk", "w", **profile, count=1, height=100, width=150) as target:
        target.write(mask)
    tiled = {**profile, "tiled": True, "blockxsize": 128, "blockysize": 128, "count": 3, "height": 500, "width": 600}
    place = {"crs": "EPSG:32633", "transform": from_origin(4e5, 5e6, 0.1, 0.1)}
    with rasterio.open(images / "wide.tif", "w", **tiled, **place) as target:
        target.write(np.moveaxis(coarse(500, 600, 3), 2, 0))
    write(images / "cut.jpg", 200, 300, 8)
    (images / "cut.jpg").write_bytes((images / "cut.jpg").read_bytes()[:3000])
    (images / "notes.txt").write_text("s3://elsewhere/a.jpg\n")
    upload(store, images, "survey", "flight")
    return root


@pytest.fixture(scope="module")
def wanted(root: Path) -> Path:
    """The output of the run in folders."""
    out = root / "wanted"
    done = count(root, f"images={root / 'images'}", f"output={out}")
    assert done.code == 3, done.log
    return out


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Rasters are read by window, photographs described by their beginnings, and copies go at once."""
    monkeypatch.setattr(image_cache, "WINDOWED_BYTES", 10_000)
    monkeypatch.setattr(image_cache, "SMALL_BYTES", 1_000)
    monkeypatch.setattr(image_cache.image_cache(), "most", 100_000)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def count(root: Path, *more: str) -> Called:
    given = [
        f"model={root / 'model.safetensors'}",
        "runtime=torch",
        "runtime.device=cpu",
        "tile=300",
        "max_memory=1GiB",
    ]
    return call("predict", *given, f"write=[{','.join(PRODUCTS)}]", *more)


def told(path: Path, root: Path) -> str:
    """The text of a file, with the images' folder called by its address, and the model by its name alone."""
    text = path.read_text().replace(str(root / "images"), "s3://survey/flight")
    return re.sub(r"(?<=[\s\">])[^\s\"<>]{1,300}/model\.safetensors", "model.safetensors", text)


def assert_same(found: Path, wanted: Path, root: Path) -> None:
    """Every file has the same bytes but for where the images are, and speed and memory in run.json."""
    one, two = files(found), files(wanted)
    assert set(one) == set(two)
    runs = [json.loads(told(each / "run.json", root)) for each in (found, wanted)]
    assert {k: v for k, v in runs[0].items() if k not in SPEED} == {k: v for k, v in runs[1].items() if k not in SPEED}
    for name in ("failures.csv", "report.html"):
        assert told(found / name, root) == told(wanted / name, root)
    apart = {"run.json", "failures.csv", "report.html"}
    assert [name for name in one if one[name] != two[name] and name not in apart] == []


def test_images_at_an_address_give_the_bytes_of_those_in_a_folder(root: Path, wanted: Path, tmp_path: Path) -> None:
    done = count(root, "images=s3://survey/flight/", f"output={tmp_path / 'out'}")
    assert done.code == 3, done.log
    assert_same(tmp_path / "out", wanted, root)
    counts = pd.read_csv(wanted / "counts.csv").set_index("image")
    assert len(counts) == 6 and counts.loc["b/1.png", "surveyed_share"] == pytest.approx(80 / 150)


def test_results_at_an_address_are_the_files_of_a_folder_and_a_finished_run_is_known(
    store: Any, root: Path, wanted: Path, tmp_path: Path
) -> None:
    store.upload_file(str(root / "model.safetensors"), "survey", "models/model.safetensors")
    where = ["model=s3://survey/models/model.safetensors", "images=s3://survey/flight"]
    given = [*where, "output=s3://survey/both"]
    done = count(root, *given)
    assert done.code == 3, done.log
    assert "report: s3://survey/both/report.html" in done.log and not any((tmp_path / "cache").rglob("*.csv"))
    assert_same(gathered(store, "both", tmp_path / "one"), wanted, root)
    assert json.loads((tmp_path / "one/run.json").read_text())["model"]["path"] == where[0].removeprefix("model=")
    again = count(root, *given)
    assert again.code == 3 and "6 of 7 images are done" in again.log, again.log
    assert_same(gathered(store, "both", tmp_path / "two"), wanted, root)


def gathered(client: Any, prefix: str, folder: Path) -> Path:
    """What lies at an address as a run in a folder would have it: pieces of journals are put together."""
    download(client, "survey", prefix, folder)
    for journal in ("journal", "candidates"):
        pieces = sorted((folder / ".run" / journal).glob("*.jsonl"))
        (folder / f".run/{journal}.jsonl").write_bytes(b"".join(piece.read_bytes() for piece in pieces))
        shutil.rmtree(folder / ".run" / journal, ignore_errors=True)
    (folder / ".run/pictures.json").unlink()
    return folder


@pytest.mark.parametrize("machine", ["the same", "another"])
def test_a_run_that_was_lost_goes_on_from_the_address(
    store: Any, root: Path, wanted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: str
) -> None:
    """Pieces of 2 images are published; the driver is lost when it has recorded 3: the third is in the mirror alone.

    What another machine did is not undone by the first, whose mirror is older.
    """
    given = [f"images={root / 'images'}", f"output=s3://survey/lost-{machine.replace(' ', '-')}"]
    keep = PredictionFolder.keep

    def kept(self: PredictionFolder, name: str, each: Any) -> None:
        keep(self, name, each)
        if len(self.journal.records) == 3:
            raise LostError

    with monkeypatch.context() as patch:
        patch.setattr(segments, "MOST_RECORDS", 2)
        patch.setattr(PredictionFolder, "keep", kept)
        patch.setattr(PredictionFolder, "together", nullcontext)  # each is recorded by itself
        with pytest.raises(LostError):
            count(root, *given)
    prefix = f"lost-{machine.replace(' ', '-')}"
    assert "counts.csv" not in keys(store, "survey", prefix)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.suffix in (".tif", ".jpg")]
    if machine == "another":
        (tmp_path / "cache").rename(tmp_path / "first")
    done = count(root, *given)
    number = 3 if machine == "the same" else 2
    assert done.code == 3 and f"where {number} of 7 images are done" in done.log, done.log
    if machine == "another":
        shutil.rmtree(tmp_path / "cache")
        (tmp_path / "first").rename(tmp_path / "cache")
        again = count(root, *given)
        assert again.code == 3 and "where 6 of 7 images are done" in again.log, again.log
    assert_same(gathered(store, prefix, tmp_path / "found"), wanted, root)


def test_a_run_that_was_lost_before_it_published_its_tables_goes_on(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It writes formats that an earlier run at the address, which it went on with, did not."""
    given = [f"images={root / 'images/b'}", "output=s3://survey/late"]
    assert count(root, *given, "write=[tables]").code == 0

    def lost(self: Mirror) -> None:
        raise LostError

    with monkeypatch.context() as patch:
        patch.setattr(Mirror, "publish", lost)
        with pytest.raises(LostError):
            count(root, *given, "write=[tables,yolo,coco]")
    assert list((tmp_path / "cache").rglob("coco.json"))
    done = count(root, *given, "write=[tables,yolo,coco]")
    assert done.code == 0 and "4 of 4 images are done" in done.log, done.log


def test_what_a_person_changed_at_an_address_stays_until_it_is_overwritten(
    store: Any, root: Path, tmp_path: Path
) -> None:
    given = [f"images={root / 'images' / 'b' / '*.png'}", "output=s3://survey/edited"]
    assert count(root, *given).code == 0
    store.put_object(Bucket="survey", Key="edited/counts.csv", Body=b"image,total\n")
    store.put_object(Bucket="survey", Key="edited/mine.txt", Body=b"mine")
    done = count(root, *given)
    assert done.code == 2 and "s3://survey/edited/counts.csv was changed" in done.log, done.log
    other = count(root, *given, "threshold=0.9")
    assert other.code == 2
    done = count(root, f"images={root / 'images/b/1.png'}", given[1], "overwrite=true")
    assert done.code == 0, done.log
    left = keys(store, "survey", "edited")
    assert "mine.txt" in left and len(download_table(store, "edited/counts.csv")) == 1
    assert [key for key in left if key.startswith(("heatmaps/", "overlays/", ".run/thumbnails/"))] == [
        *(".run/thumbnails/1.png.jpg", "heatmaps/1.png.tif", "overlays/1.png.jpg")
    ]
    store.delete_object(Bucket="survey", Key="edited/.run/settings.json")
    done = count(root, *given)
    assert done.code == 2 and "output=s3://survey/edited holds run.json already" in done.log, done.log


def download_table(client: Any, key: str) -> pd.DataFrame:
    return pd.read_csv(client.get_object(Bucket="survey", Key=key)["Body"])


def test_names_patterns_and_single_images_at_an_address(root: Path, tmp_path: Path) -> None:
    done = count(root, "images='s3://survey/flight/b/*.png'", f"output={tmp_path / 'some'}", "write=[tables]")
    assert done.code == 0 and list(pd.read_csv(tmp_path / "some/counts.csv").image) == [f"{i}.png" for i in range(4)]
    done = count(root, "images=s3://survey/flight/lit.jpg", f"output={tmp_path / 'one'}", "write=[tables]")
    assert done.code == 0 and list(pd.read_csv(tmp_path / "one/counts.csv").image) == ["lit.jpg"], done.log


def test_errors_of_access_name_the_address_and_a_way_out(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from s3fs import S3FileSystem

    here, image = f"output={tmp_path / 'out'}", f"images={root / 'images/b'}"
    for given, said in [
        (("images=s3://nobody/flight", here), "s3://nobody/flight: no such bucket"),
        (("images=s3://survey/none", here), "no images at s3://survey/none"),
        ((image, "output=s3://nobody/counts"), "s3://nobody/counts: no such bucket"),
        (("images=s3://survey/flight", "output=s3://survey/flight/counts"), "lies inside images=s3://survey/flight"),
        (("images=s3://me:word@survey/flight", here), "without a password or a query"),
        (("images=ftp://survey/flight", here), "an address of s3://"),
        (("model=s3://survey/none.safetensors", image, here), "s3://survey/none.safetensors: no such model file"),
        (("model=s3://survey/flight/lit.jpg", image, here), "s3://survey/flight/lit.jpg: not a model file"),
    ]:
        done = count(root, *given)
        assert done.code == 2 and said in done.log and "word" not in done.log.replace("password", ""), done.log
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())
    with monkeypatch.context() as patch:
        patch.delenv("AWS_ACCESS_KEY_ID")
        patch.delenv("AWS_SECRET_ACCESS_KEY")
        S3FileSystem.clear_instance_cache()
        done = count(root, "images=s3://survey/flight", here)
        S3FileSystem.clear_instance_cache()
    assert done.code == 2 and "s3://survey/flight" in done.log and "set AWS_ACCESS_KEY_ID and" in done.log, done.log
    (tmp_path / "list.txt").write_text("s3://survey/flight/lit.jpg\n")
    done = count(root, f"images={tmp_path / 'list.txt'}", here)
    assert done.code == 3 and "no such image file" in done.log, done.log
    done = call("evaluate", "predictions=s3://survey/both", "annotations=a.csv", "output=x")
    assert done.code == 2 and "aws s3 sync" in done.log, done.log


def test_a_store_that_takes_no_results_ends_the_run_and_nothing_is_lost(
    store: Any, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = [f"images={root / 'images' / 'b' / '*.png'}", "output=s3://survey/full"]
    put, number = publisher.put, iter(range(1000))

    def refused(content: Any, address: Any) -> None:
        if next(number) >= 9:
            raise StoreError(f"{address}: cannot be written (SlowDown)")
        put(content, address)

    with monkeypatch.context() as patch:
        patch.setattr(publisher, "put", refused)
        done = count(root, *given)
    assert done.code == 2 and "the same command goes on" in done.log and "SlowDown" in done.log, done.log
    done = count(root, *given)
    assert done.code == 0 and "going on in s3://survey/full, where" in done.log, done.log


def test_credentials_are_nowhere_in_what_a_run_writes(store: Any, root: Path, tmp_path: Path) -> None:
    """The threshold is told by all scores, so that the images are read again for their overlays."""
    done = count(root, "images=s3://survey/flight/b", "output=s3://survey/open", "threshold=survey")
    assert done.code == 0, done.log
    assert len([key for key in keys(store, "survey", "open") if key.startswith("overlays/")]) == 4
    secrets = [SECRET, os.environ["AWS_ACCESS_KEY_ID"]]
    texts = [done.log.encode(), *files(download(store, "survey", "open", tmp_path / "open")).values()]
    assert not [each for each in secrets if any(each.encode() in text for text in texts)]


def test_several_processes_read_from_an_address_and_write_to_one(
    store: Any, root: Path, wanted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_choice, "usable_cores", lambda: 2)
    done = count(root, "images=s3://survey/flight", "output=s3://survey/two", "runtime.devices=2")
    assert done.code == 3 and "2 processes count the images" in done.log, done.log
    assert_same(gathered(store, "two", tmp_path / "found"), wanted, root)


def test_a_raster_at_an_address_that_names_another_object_is_refused(store: Any, root: Path, tmp_path: Path) -> None:
    path = tmp_path / "hostile.tif"
    shutil.copy(root / "images/wide.tif", path)
    with rasterio.open(path, "r+") as target:
        target.update_tags(ns="OVERVIEWS", OVERVIEW_FILE="/vsis3/survey/flight/wide.tif")
    store.upload_file(str(path), "survey", "hostile/hostile.tif")
    done = count(root, "images=s3://survey/hostile", f"output={tmp_path / 'out'}")
    assert done.code == 3 and "s3://survey/hostile/hostile.tif: names another file as its overviews" in done.log


def test_a_raster_is_read_from_the_store_in_a_block_of_others_and_leads_to_no_other(root: Path) -> None:
    """As in a unit of small images, for which GDAL's options are set once: it may reach nothing, but for the object."""
    address = Address("s3:", "survey", "flight", "wide.tif")
    scene = open_scene(address)
    with gdal_options(), SceneReader(scene, (1, 2, 3)) as reader:
        found = reader.read(scene.window)
        with gdal_options(path=reader._local):
            assert rasterio.open("/vsis3/survey/flight/wide.tif").shape == scene.shape
            with pytest.raises(rasterio.RasterioIOError):
                rasterio.open("/vsis3/survey/flight/lit.jpg")
        with pytest.raises(rasterio.RasterioIOError):
            rasterio.open("/vsis3/survey/flight/wide.tif")
    wanted = open_scene(root / "images/wide.tif")
    np.testing.assert_array_equal(found, read_window(wanted, wanted.window, (1, 2, 3)))
