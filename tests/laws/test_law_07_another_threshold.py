"""Law 7 for another threshold without the network: the files are those that a run with it writes, and back again."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from shapely.geometry import box

from detect.nets.modelfile import save_model
from tests.commands import call
from tests.engines import coarse, lively, write
from tests.grids import lively_grid
from tests.laws.test_law_07_resumed_runs import files

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
WRITE = "write=[tables,report,overlays,candidates,geojson,coco,yolo,voc,labelstudio,cvat]"
OTHERS = ("run.json", "report.html")
"""Files that say that another threshold was set later."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier and a grid, two photographs, and two rasters of ground that is partly the same."""
    root = tmp_path_factory.mktemp("root")
    (root / "images/deep").mkdir(parents=True)
    save_model(root / "patch.safetensors", *lively())
    save_model(root / "grid.safetensors", *lively_grid())
    write(root / "images/deep/1.png", 120, 90, 1)
    for number, left in enumerate((5e5, 5e5 + 15)):
        pixels = np.moveaxis(coarse(260, 300, 3 + number), 2, 0)
        place = rasterio.Affine(0.1, 0, left, 0, -0.1, 5.5e6)
        profile = {"driver": "GTiff", "count": 3, "height": 260, "width": 300, "dtype": "uint8", "crs": "EPSG:32633"}
        with rasterio.open(root / f"images/{number}.tif", "w", **profile, transform=place) as target:
            target.write(pixels)
    return root


def predict(root: Path, out: Path, kind: str, *more: str, images: str = "images") -> None:
    given = [f"model={root / f'{kind}.safetensors'}", f"images={root / images}", f"output={out}", "runtime=torch"]
    done = call("predict", *given, WRITE, *more)
    assert done.code == 0, done.log


def quantile(out: Path, share: float) -> float:
    """Return a score that a share of the candidates is below."""
    tables = [pd.read_csv(path) for path in (out / "candidates").rglob("*.csv")]
    return round(float(pd.concat(tables)["score"].quantile(share)), 4)


def same(one: Path, other: Path, *, but: tuple[str, ...] = ()) -> None:
    first, second = files(one), files(other)
    assert sorted(first) == sorted(second)
    assert [name for name in first if name not in but and first[name] != second[name]] == []


@pytest.mark.parametrize("kind", ["patch", "grid"])
def test_law_7_a_threshold_set_later_writes_what_a_run_with_it_writes(root: Path, tmp_path: Path, kind: str) -> None:
    """Lower, higher, and back to the run's own: a run of the middle against one of each other from the start."""
    predict(root, tmp_path / "out", kind, "threshold=0.5")
    before, low, high = files(tmp_path / "out"), quantile(tmp_path / "out", 0.3), quantile(tmp_path / "out", 0.9)
    totals = []
    for name, threshold in (("low", low), ("high", high)):
        predict(root, tmp_path / name, kind, f"threshold={threshold}")
        for _ in range(2):
            done = call("report", f"predictions={tmp_path / 'out'}", f"threshold={threshold}")
            assert done.code == 0 and "without the network" in done.log, done.log
            same(tmp_path / "out", tmp_path / name, but=OTHERS)
        facts = json.loads((tmp_path / "out/run.json").read_text())
        assert facts["model"]["threshold"] == facts["settings"]["threshold"] == threshold
        assert "without the network" in facts["notes"][0] or any("without the network" in n for n in facts["notes"])
        assert "without the network" in (tmp_path / "out/report.html").read_text()
        totals.append(int(pd.read_csv(tmp_path / "out/counts.csv")["total"].sum()))
    assert totals[0] > totals[1] > 0
    assert call("report", f"predictions={tmp_path / 'out'}", "threshold=0.5").code == 0
    after = files(tmp_path / "out")
    assert [name for name in before if before[name] != after[name]] == []


def test_law_7_areas_and_objects_seen_twice_are_those_of_a_run_with_the_threshold(root: Path, tmp_path: Path) -> None:
    (root / "maps").mkdir(exist_ok=True)
    for number in range(2):
        (root / f"maps/{number}.tif").write_bytes((root / f"images/{number}.tif").read_bytes())
    areas = gpd.GeoDataFrame(
        {"name": ["west", "east"]},
        geometry=[box(5e5, 5.5e6 - 20, 5e5 + 20, 5.5e6), box(5e5 + 18, 5.5e6 - 25, 5e5 + 40, 5.5e6 - 3)],
        crs="EPSG:32633",
    )
    areas.to_file(tmp_path / "areas.gpkg")
    more = (f"within={tmp_path / 'areas.gpkg'}", "overlap=merge")
    predict(root, tmp_path / "out", "patch", "threshold=0.5", *more, images="maps")
    low = quantile(tmp_path / "out", 0.2)
    predict(root, tmp_path / "low", "patch", f"threshold={low}", *more, images="maps")
    done = call("report", f"predictions={tmp_path / 'out'}", f"threshold={low}")
    assert done.code == 0, done.log
    assert "unique" in pd.read_csv(tmp_path / "out/counts.csv").columns
    same(tmp_path / "out", tmp_path / "low", but=OTHERS)
    ours, theirs = (json.loads((tmp_path / each / "run.json").read_text()) for each in ("out", "low"))
    assert (ours["overlap"], ours["areas"]) == (theirs["overlap"], theirs["areas"])
    assert set(theirs["notes"]) < set(ours["notes"])


def test_law_9_a_threshold_a_class_counts_each_class_at_its_own(root: Path, tmp_path: Path) -> None:
    """Each class has as many objects as candidates at its threshold or above; rows and counts agree."""
    out = tmp_path / "out"
    predict(root, out, "patch", "threshold=0.5")
    tables = pd.concat([pd.read_csv(path) for path in (out / "candidates").rglob("*.csv")])
    classes = [name for name in pd.read_csv(out / "counts.csv").columns[1:] if name in set(tables["label"])]
    limits = {name: 0.1 + 0.3 * number for number, name in enumerate(classes)}
    given = ",".join(f"{name}: {value}" for name, value in limits.items())
    done = call("report", f"predictions={out}", f"threshold={{{given}}}")
    assert done.code == 0, done.log
    counts, rows = pd.read_csv(out / "counts.csv"), pd.read_csv(out / "detections.csv")
    for name, value in limits.items():
        wanted = int((tables[tables["label"] == name]["score"] >= value).sum())
        assert counts[name].sum() == (rows["label"] == name).sum() == wanted
    every = {name: limits.get(name, 0.5) for name in json.loads((out / "run.json").read_text())["model"]["classes"]}
    assert json.loads((out / "run.json").read_text())["model"]["threshold"] == every
    first, given = tmp_path / "first", ",".join(f"{name}: {value}" for name, value in every.items())
    predict(root, first, "patch", f"threshold={{{given}}}")
    same(out, first, but=OTHERS)
    own = files(first)
    for threshold in ("0.5", f"{{{given}}}"):
        done = call("report", f"predictions={first}", f"threshold={threshold}")
        assert done.code == 0, done.log
        assert (files(first) == own) is (threshold != "0.5")


def test_a_threshold_of_a_class_that_there_is_not_is_told_before_the_work(root: Path, tmp_path: Path) -> None:
    given = (f"model={root / 'patch.safetensors'}", f"images={root / 'images'}", f"output={tmp_path / 'out'}")
    done = call("predict", *given, "threshold={nobody: 0.4}")
    assert done.code == 2 and "there is no class 'nobody'; the classes are a, b" in done.log
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_counted_again_is_refused_with_the_way_out(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    predict(root, out, "patch", "threshold=0.5")
    before = files(out)
    for given, why in (
        ("0.001", "candidates were kept from a score of 0.02 on"),
        ("{nobody: 0.4}", "there is no class 'nobody'"),
        ("1.5", "must be a number in [0, 1]"),
    ):
        done = call("report", f"predictions={out}", f"threshold={given}")
        assert done.code == 2 and why in done.log, done.log
    (out / ".run/candidates.jsonl").unlink()
    done = call("report", f"predictions={out}", "threshold=0.4")
    assert done.code == 2 and "candidates kept" in done.log and "candidates among write=" in done.log
    assert files(out) == before
    (out / "counts.csv").write_text("a person's")
    done = call("report", f"predictions={out}", "threshold=0.5")
    assert done.code == 2 and "counts.csv was changed" in done.log
