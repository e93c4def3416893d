"""Another threshold of a run that a person reviewed: counts, estimate and page are of the same detections."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio

from detect.assembly.surveys.surveying import drawn_survey
from detect.labels.corrections import Corrections, ReviewedWindow, corrections_bytes
from detect.nets.modelfile import save_model
from detect.reporting.survey.person_columns import digest_of
from tests.commands import call
from tests.engines import coarse, lively, write


def done(name: str, *given: str, code: int = 0) -> str:
    called = call(name, *given)
    assert called.code == code, called.log
    return called.log


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rasters of 30 x 26 m, the second half a width further east; a survey of them, of which all is reviewed."""
    root = tmp_path_factory.mktemp("root")
    (root / "images").mkdir()
    save_model(root / "model.safetensors", *lively())
    for number, left in enumerate((5e5, 5e5 + 15)):
        pixels = np.moveaxis(coarse(260, 300, 3 + number), 2, 0)
        place = rasterio.Affine(0.1, 0, left, 0, -0.1, 5.5e6)
        profile = {"driver": "GTiff", "count": 3, "height": 260, "width": 300, "dtype": "uint8", "crs": "EPSG:32633"}
        with rasterio.open(root / f"images/{number}.tif", "w", **profile, transform=place) as target:
            target.write(pixels)
    out = root / "out"
    given = [f"model={root / 'model.safetensors'}", f"images={root / 'images'}", f"output={out}", "runtime=torch"]
    done("predict", *given, "threshold=0.5", "write=[tables,report,candidates]")
    return out


def test_the_survey_of_images_that_overlap_says_so(run: Path) -> None:
    """They show 60 m, of which 15 again."""
    assert "25 % of what the images show is ground" in done("survey", f"predictions={run}", "windows=3", "side=90")
    assert json.loads((run / "survey.json").read_text())["shared_ground"] == pytest.approx(0.25, abs=0.002)


def test_another_threshold_estimates_anew(run: Path) -> None:
    done("survey", f"predictions={run}", "windows=3", "side=90")
    drawn = drawn_survey(run)
    assert drawn is not None
    found = drawn.run.found
    said = [ReviewedWindow(name, w, found[name][w.contains_xy(found[name].xy)]) for name, w in drawn.tasks]
    (run / "corrections.csv").write_bytes(corrections_bytes(Corrections(tuple(said), drawn.run.classes)))
    done("survey", f"predictions={run}")
    (run / "scores.json").write_text("{}")
    before = json.loads((run / "survey.json").read_text())
    middle = round(float(pd.read_csv(run / "detections.csv")["score"].median()), 4)
    log = done("report", f"predictions={run}", f"threshold={middle}")
    told = json.loads((run / "survey.json").read_text())
    assert told["detections"] == digest_of(run / "detections.csv") != before["detections"]
    counts = pd.read_csv(run / "counts.csv")
    assert told["count"] == counts["total"].sum() < before["count"]
    assert counts["estimate"].sum() == pytest.approx(told["estimate"], abs=0.002)
    assert "threshold=0.5 brings the run's own counts back" in log
    assert "objects estimated" in log and "is of other counts" not in (run / "report.html").read_text()
    assert not (run / "scores.json").exists()


def test_a_changed_estimate_is_not_replaced_and_scores_stay_with_it(run: Path) -> None:
    done("survey", f"predictions={run}")
    (run / "scores.json").write_text("{}")
    told = (run / "survey.json").read_bytes()
    (run / "survey.json").write_bytes(told + b"\n")
    assert "survey.json was changed" in done("report", f"predictions={run}", "threshold=0.7", code=2)
    assert (run / "scores.json").exists()
    (run / "survey.json").write_bytes(told)


def test_a_survey_that_cannot_be_read_leaves_counts_without_an_estimate(run: Path) -> None:
    done("survey", f"predictions={run}")
    design = (run / "survey/design.csv").read_bytes()
    (run / "survey/design.csv").write_bytes(b"draw\n")
    assert "still of the earlier ones" in done("report", f"predictions={run}", "threshold=0.8")
    assert "estimate" not in pd.read_csv(run / "counts.csv").columns
    assert "is of other counts" in (run / "report.html").read_text()
    (run / "survey/design.csv").write_bytes(design)


def test_a_recount_takes_no_candidates_of_a_file_that_was_replaced(tmp_path: Path) -> None:
    """Another photograph came under the same name, of which the run kept no candidates: those kept are of the old."""
    (tmp_path / "images").mkdir()
    save_model(tmp_path / "model.safetensors", *lively())
    out, images = tmp_path / "out", [tmp_path / f"images/{number}.png" for number in range(2)]
    for number, path in enumerate(images):
        write(path, 120, 150, number)
    given = [f"model={tmp_path / 'model.safetensors'}", f"images={tmp_path / 'images'}", f"output={out}"]
    given += ["runtime=torch", "threshold=0.5"]
    done("predict", *given, "write=[tables,candidates]")
    done("report", f"predictions={out}", "threshold=0.7")
    done("report", f"predictions={out}", "threshold=0.5")
    write(images[1], 120, 152, 5)
    done("predict", *given, "write=[tables]")
    log = done("report", f"predictions={out}", "threshold=0.7", code=2)
    assert "1.png has no candidates kept" in log
