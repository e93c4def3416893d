"""Law 7 for all that `write=` names: killed and gone on with, or asked for later, the files have the same bytes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio

from detect.nets.modelfile import save_model
from detect.reporting.output.products import PRODUCTS
from tests.commands import call
from tests.engines import coarse, lively, write
from tests.laws.test_law_07_resumed_runs import assert_same_run, ended, files, recorded
from tests.zygote import Zygote

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
EVERYTHING = f"write=[{','.join(PRODUCTS)}]"
FORMATS = "write=[tables,geojson,gpkg,coco,yolo,voc,labelstudio,cvat]"
KILLED = -9


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, and two photographs beside a raster that lies turned on the ground."""
    root = tmp_path_factory.mktemp("root")
    (root / "images/deep").mkdir(parents=True)
    save_model(root / "model.safetensors", *lively())
    write(root / "images/0.png", 100, 150, 0)
    write(root / "images/deep/1.png", 120, 90, 1)
    pixels = np.moveaxis(coarse(260, 300, 3), 2, 0)
    place = rasterio.Affine(0.08, 0.06, 5e5, 0.06, -0.08, 5.5e6)
    profile = {"driver": "GTiff", "count": 3, "height": 260, "width": 300, "dtype": "uint8", "crs": "EPSG:32633"}
    with rasterio.open(root / "images/geo.tif", "w", **profile, transform=place) as target:
        target.write(pixels)
    return root


def given(root: Path, out: Path, *more: str) -> list[str]:
    return [f"model={root / 'model.safetensors'}", f"images={root / 'images'}", f"output={out}", "runtime=torch", *more]


@pytest.fixture(scope="module")
def whole(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that wrote everything at once."""
    out = tmp_path_factory.mktemp("whole") / "out"
    done = call("predict", *given(root, out, EVERYTHING))
    assert done.code == 0, done.log
    assert len(pd.read_csv(out / "detections.csv")) > 20
    return out


def test_law_7_formats_of_a_killed_run_have_the_same_bytes(
    zygote: Zygote, root: Path, whole: Path, tmp_path: Path
) -> None:
    """Killed before pictures, tables and each kind of format are put into place.

    The first run writes its settings and dies at a picture. With all three images done come the hashes and four tables,
    hash and file of geojson (6, 7), gpkg (8, 9) and coco (10, 11), yolo's hashes and four files (12 to 16), those of
    voc (17 to 20), labelstudio (21, 22), cvat (23, 24) and the report (25, 26).
    """
    out = tmp_path / "out"
    log = tmp_path / "log"
    for number in (4, *(3, 7, 9, 10, 11, 12, 14, 16, 19, 22, 24, 26)):
        code = zygote.start(log, *given(root, out, EVERYTHING, "workers=1"), die_at=number).wait()
        assert code == KILLED, log.read_text()
        if recorded(out) < 3:
            assert ended(zygote, out, given(root, out, "write=[tables,report,overlays,heatmaps]")).code == 0
    assert ended(zygote, out, given(root, out, EVERYTHING)).code == 0
    assert_same_run(out, whole)
    assert not [path for path in out.rglob(".detect-*") if path.is_file()]


def test_law_7_formats_asked_for_later_are_made_of_the_records(
    zygote: Zygote, root: Path, whole: Path, tmp_path: Path
) -> None:
    """The tables first, then the formats, without looking at an image again; then the pictures, for which it must."""
    out = tmp_path / "out"
    assert ended(zygote, out, given(root, out, "write=[tables]")).code == 0
    assert sorted(files(out)) == ["counts.csv", "detections.csv", "failures.csv", "run.json"]
    assert not any((out / ".run").rglob("*.jpg"))
    journal = (out / ".run/journal.jsonl").stat().st_mtime_ns
    done = ended(zygote, out, given(root, out, FORMATS))
    assert done.code == 0 and "3 of 3 images are done" in done.log
    assert (out / ".run/journal.jsonl").stat().st_mtime_ns == journal
    done = ended(zygote, out, given(root, out, EVERYTHING))
    assert done.code == 0 and "3 images are looked at again for pictures" in done.log
    assert_same_run(out, whole)


def test_what_is_not_named_again_stays_and_is_told(zygote: Zygote, root: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert ended(zygote, out, given(root, out, "write=[tables,coco,yolo]")).code == 0
    before = files(out)
    done = ended(zygote, out, given(root, out, "write=[voc]"))
    assert "not written again, as write= does not name it: counts.csv, detections.csv, coco.json, yolo" in done.log
    after = files(out)
    assert {name for name in after if name not in before} == {"voc/0.xml", "voc/deep/1.xml", "voc/geo.xml"}
    assert all(after[name] == content for name, content in before.items() if name != "run.json")


def test_files_of_formats_that_a_person_changed_or_made_are_not_replaced(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert call("predict", *given(root, out, "write=[tables,yolo]")).code == 0
    (out / "yolo/labels/0.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    (out / "coco.json").write_text("a person's")
    for name, why in (
        ("yolo", "0.txt was changed after a run wrote it"),
        ("coco", "coco.json was not written by a run"),
    ):
        done = call("predict", *given(root, out, f"write=[{name}]"))
        assert done.code == 2 and why in done.log and "overwrite=true" in done.log
    assert call("predict", *given(root, out, "write=[tables]")).code == 0
    assert (out / "coco.json").read_text() == "a person's"
    done = call("predict", *given(root, out, "write=[coco]", "overwrite=true"))
    assert done.code == 0, done.log
    assert set(files(out)) == {"coco.json", "failures.csv", "run.json"}


def test_files_of_images_that_are_gone_go_too(root: Path, tmp_path: Path) -> None:
    out, images = tmp_path / "out", tmp_path / "images"
    images.mkdir()
    for name in ("0.png", "deep/1.png"):
        (images / name.replace("/", "-")).write_bytes((root / "images" / name).read_bytes())
    overrides = [*given(root, out, "write=[tables,yolo]"), f"images={images}"]
    assert call("predict", *overrides).code == 0
    (images / "0.png").unlink()
    assert call("predict", *overrides).code == 0
    assert sorted(path.name for path in (out / "yolo/labels").iterdir()) == ["deep-1.txt"]


def test_images_that_would_share_a_file_are_refused_before_they_are_looked_at(root: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for name in ("a.png", "a.tif"):
        (images / name).write_bytes((root / "images/0.png").read_bytes())
    overrides = [*given(root, tmp_path / "out"), f"images={images}"]
    done = call("predict", *overrides, "write=[tables,yolo]")
    assert done.code == 2 and "a.png and a.tif" in done.log
    assert call("predict", *overrides, "write=[tables,coco]").code == 0


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("[tables,geojsn]", "got geojsn; did you mean geojson?"),
        ("[]", "must be one or more of tables, report"),
        ("[report]", "add tables"),
        ("geojson", "must be a list"),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_ones(root: Path, tmp_path: Path, wanted: str, said: str) -> None:
    done = call("predict", *given(root, tmp_path / "out", f"write={wanted}"))
    assert done.code == 2 and said in done.log and not (tmp_path / "out").exists()
