"""A run whose threshold is told by all its scores: the same tables and pictures whichever way it came to its end."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from detect.evaluation.score_mixture import survey_threshold
from detect.nets.modelfile import save_model
from tests.commands import Called, call
from tests.engines import write
from tests.grids import lively_grid

OWN = 0.6
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    net, card = lively_grid()
    save_model(path, net, replace(card, threshold=OWN))
    return path


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for number in range(4):
        write(folder / f"{number}.png", 260, 300, number)
    return folder


def predicted(model: Path, images: object, output: Path, *more: str) -> Called:
    base = (f"model={model}", f"images={images}", f"output={output}", "runtime=torch", "runtime.device=cpu")
    return call("predict", *base, *more)


@pytest.fixture(scope="module")
def whole(model: Path, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "out"
    done = predicted(model, images, out, "threshold=survey")
    assert done.code == 0, done.log
    return out


def test_the_threshold_is_that_of_all_scores(model: Path, images: Path, whole: Path, tmp_path: Path) -> None:
    """The scores of a run from 0.1 on tell it; the tables are those of a run with that threshold given."""
    assert predicted(model, images, tmp_path / "all", "threshold=0.1").code == 0
    scores = pd.read_csv(tmp_path / "all/detections.csv")["score"].to_numpy()
    facts = json.loads((whole / "run.json").read_text())
    told = facts["model"]["threshold"]
    assert told == pytest.approx(survey_threshold(scores, OWN).value, abs=0.02)
    assert any("threshold=survey" in note for note in facts["notes"])
    assert facts["settings"]["threshold"] == "survey"
    assert predicted(model, images, tmp_path / "given", f"threshold={told}").code == 0
    for name in ("counts.csv", "detections.csv"):
        assert (whole / name).read_bytes() == (tmp_path / "given" / name).read_bytes()
    assert len(pd.read_csv(whole / "detections.csv")) < len(scores)
    for number in range(4):
        mine, theirs = (
            np.asarray(Image.open(folder / f"overlays/{number}.png.jpg"), int) for folder in (whole, tmp_path / "given")
        )
        np.testing.assert_array_equal(mine, theirs)


def test_law_7_a_run_in_two_parts_is_a_run_in_one(model: Path, images: Path, whole: Path, tmp_path: Path) -> None:
    """Two images first, whose own threshold is another; then all four, of which those two are not looked at again."""
    out, part = tmp_path / "out", tmp_path / "part"
    part.mkdir()
    for number in range(2):
        shutil.copy2(images / f"{number}.png", part)
    assert predicted(model, part, out, "threshold=survey").code == 0
    before = (out / "counts.csv").read_bytes()
    for number in range(2, 4):
        shutil.copy2(images / f"{number}.png", part)
    done = predicted(model, part, out, "threshold=survey")
    assert done.code == 0 and "2 of 4 images are done" in done.log
    assert (out / "counts.csv").read_bytes() != before
    for name in ("counts.csv", "detections.csv", *(f"overlays/{number}.png.jpg" for number in range(4))):
        assert (out / name).read_bytes() == (whole / name).read_bytes()


def test_a_folder_of_another_threshold_is_refused(model: Path, images: Path, whole: Path) -> None:
    done = predicted(model, images, whole, "threshold=0.3")
    assert done.code == 2 and "threshold: 'survey' then, 0.3 now" in done.log


def test_law_9_counts_add_up(whole: Path) -> None:
    counts, found = pd.read_csv(whole / "counts.csv"), pd.read_csv(whole / "detections.csv")
    assert counts["total"].sum() == len(found) > 0
    assert (counts[["a", "b"]].sum(axis=1) == counts["total"]).all()


def test_an_image_that_is_gone_keeps_no_overlay_and_the_rest_is_written(
    model: Path, images: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """All is counted; then one is replaced by something that cannot be read, between counting and drawing."""
    from detect.assembly.prediction import run_threshold

    def reader(engine: object):
        made = picture_reader(engine)

        def picture(path: Path) -> np.ndarray:
            return made(path.with_name("gone.png") if path.name == "2.png" else path)

        return picture

    picture_reader = run_threshold.picture_reader
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_threshold, "picture_reader", reader)
        done = predicted(model, images, tmp_path / "out", "threshold=survey")
    assert done.code == 0 and "2.png: its overlay cannot be drawn" in done.log
    assert sorted(path.name for path in (tmp_path / "out/overlays").iterdir()) == [f"{i}.png.jpg" for i in (0, 1, 3)]


def test_areas_do_not_go_with_it(model: Path, images: Path, tmp_path: Path) -> None:
    done = predicted(model, images, tmp_path / "out", "threshold=survey", "within=areas.geojson")
    assert done.code == 2 and "threshold=survey is told by whole images" in done.log
