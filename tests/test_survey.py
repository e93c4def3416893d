"""`detect.survey`: draws, goes on, estimates, refuses what does not fit; laws 7 and 9 for its files."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from detect.assembly.surveys.surveying import drawn_survey, estimator, write_corrected
from detect.imagery.windows import Window
from detect.labels.corrections import Corrections, ReviewedWindow, corrections_bytes
from detect.reporting.output.layout import PredictionPaths
from detect.reporting.output.written import WrittenFiles
from detect.reporting.page.report_page import write_report
from detect.reporting.survey.drawn_survey import DrawnSurvey
from detect.reporting.tables import read_counts, read_facts
from tests.commands import call
from tests.reporting.survey.runs import CLASSES, SHAPE, review, scene, write_run

IMAGES = ("flight1/a.jpg", "flight1/b.jpg", "flight2/c.jpg")


@pytest.fixture
def truth():
    return {name: scene(seed) for seed, name in enumerate(IMAGES)}


@pytest.fixture
def folder(tmp_path, truth):
    return write_run(tmp_path / "run", truth)


def survey(folder: Path, *settings: str, code: int = 0) -> str:
    done = call("survey", f"predictions={folder}", *settings)
    assert done.code == code, done.log
    return done.log


def facts(folder: Path) -> dict:
    return json.loads((folder / "survey.json").read_text())


LOCAL = ("written.json", "lock", "written.lock")
"""Files of the state folder that say nothing of the survey, or list earlier hashes too."""


def files(folder: Path) -> dict[str, bytes]:
    """The bytes of all files; the record of what was written may list hashes of earlier ones too."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name not in LOCAL)
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_windows_are_drawn_and_then_the_total_is_estimated(folder, truth):
    log = survey(folder, "windows=20")
    assert "of about 512 px drawn of 72" in log and "detect.review" in log  # 3 images of 4 x 6 windows
    empty = facts(folder)
    assert empty["estimate"] is None and empty["windows_reviewed"] == 0 and empty["windows_left"] > 10
    drawn = drawn_survey(folder)
    said = review(folder, drawn, truth)
    survey(folder, "windows=20")
    told = facts(folder)
    assert told["windows_left"] == 0 and told["windows_reviewed"] == len(drawn.tasks) == told["windows_drawn"]
    whole = sum(map(len, truth.values()))
    assert told["low"] <= whole <= told["high"] and told["count"] < whole
    assert told["low"] >= sum(len(each.objects) for each in said.windows)
    assert 0 < told["recall"]["value"] < 1 and told["precision"]["value"] == 1
    assert estimator(folder)(said) == told  # the page's way


def test_parts_add_up_to_the_whole_in_every_file(folder, truth):
    """Law 9: over classes, images and groups, in survey.json and in counts.csv."""
    survey(folder, "windows=20")
    review(folder, drawn_survey(folder), truth)
    survey(folder)
    told = facts(folder)
    for parts in ("per_class", "per_image", "per_group"):
        assert sum(each["estimate"] for each in told[parts].values()) == pytest.approx(told["estimate"])
        assert sum(each["count"] for each in told[parts].values()) == told["count"]
    assert set(told["per_group"]) == {"flight1", "flight2"}
    cells = read_facts(folder / "counts.csv")
    assert sum(map(float, cells["estimate"].values())) == pytest.approx(told["estimate"], abs=0.002)
    counts = read_counts(folder / "counts.csv")
    assert counts["total"].sum() == told["count"]
    columns = list(pd.read_csv(folder / "counts.csv").columns)
    assert columns[:8] == ["image", *CLASSES, "total", "estimate", "low", "high", "corrected"]


def test_corrected_counts_are_what_was_said_and_what_was_counted_elsewhere(folder, truth):
    survey(folder, "windows=20")
    drawn = drawn_survey(folder)
    review(folder, drawn, truth, most=5)
    survey(folder)
    cells = read_facts(folder / "counts.csv")["corrected"]
    found = drawn.run.found
    for name in {name for name, _ in drawn.tasks[:5]}:
        wanted = len(found[name])
        for window in (window for image, window in drawn.tasks[:5] if image == name):
            wanted += window.contains_xy(truth[name].xy).sum() - window.contains_xy(found[name].xy).sum()
        assert int(cells[name]) == wanted
    assert set(cells) == {name for name, _ in drawn.tasks[:5]}


def test_more_windows_leave_those_that_there_are(folder):
    survey(folder, "windows=10")
    first = (folder / "survey/design.csv").read_text()
    assert "drawn before; windows=20 draws more" in survey(folder, "windows=10")
    assert (folder / "survey/design.csv").read_text() == first
    survey(folder)
    assert (folder / "survey/design.csv").read_text() == first
    survey(folder, "windows=30")
    assert (folder / "survey/design.csv").read_text().startswith(first)
    assert json.loads((folder / "survey/settings.json").read_text())["windows"] == 30


def test_fewer_windows_than_before_are_told_to_stay(folder):
    survey(folder, "windows=10")
    first = (folder / "survey/design.csv").read_text()
    assert "windows=5 is less than the 10 that were asked for before" in survey(folder, "windows=5")
    assert (folder / "survey/design.csv").read_text() == first
    assert "less than" not in survey(folder)
    survey(folder, "windows=1000")
    assert "every one that can be" in survey(folder)


def test_more_windows_later_are_those_that_would_have_been_drawn_at_once(folder, tmp_path, truth):
    """Law 7."""
    other = write_run(tmp_path / "other", truth)
    survey(folder, "windows=10")
    survey(folder, "windows=30")
    survey(folder, "windows=30")
    survey(other, "windows=30")
    assert files(folder) == files(other)


@pytest.mark.parametrize("left", [1, 2, 3])
def test_a_survey_that_was_killed_goes_on(folder, tmp_path, truth, left):
    """Law 7: of the three files that are written one after the other, only the first ones may be there."""
    whole = write_run(tmp_path / "whole", truth)
    survey(whole, "windows=10")
    survey(folder, "windows=10")
    for name in ("survey/settings.json", "survey/design.csv", "survey/known.csv")[:left]:
        (folder / name).unlink()
    (folder / "survey.json").unlink()
    survey(folder, "windows=10")
    assert files(folder) == files(whole)


def test_a_design_with_more_windows_than_were_recorded_goes_on(folder):
    survey(folder, "windows=10")
    settings = (folder / "survey/settings.json").read_bytes()
    survey(folder, "windows=30")
    wanted = (folder / "survey/design.csv").read_bytes()
    (folder / "survey/settings.json").write_bytes(settings)
    PredictionPaths(folder).written.unlink()
    survey(folder, "windows=30")
    assert (folder / "survey/design.csv").read_bytes() == wanted


def test_all_windows_are_counted_in_the_end(folder, truth):
    assert "that is every window" in survey(folder, "windows=72")
    review(folder, drawn_survey(folder), truth)
    assert "every window was reviewed" in survey(folder)
    told = facts(folder)
    assert told["estimate"] == told["low"] == told["high"] == sum(map(len, truth.values()))
    assert told["method"] == "counted"


def test_windows_that_were_reviewed_before_are_known_and_not_drawn(folder, truth):
    """The first two rows of windows of an image: 12 windows of 512 pixels."""
    part = Window(0, 0, 1024, SHAPE[1])
    name = IMAGES[0]
    inside = truth[name][part.contains_xy(truth[name].xy)]
    known = Corrections((ReviewedWindow(name, part, inside),), CLASSES)
    elsewhere = folder.parent / "known.csv"
    elsewhere.write_bytes(corrections_bytes(known))
    assert "12 windows reviewed before" in survey(folder, "windows=20", f"known=[{elsewhere}]")
    drawn = drawn_survey(folder)
    assert not any(image == name and window.row < 1024 for image, window in drawn.tasks)
    elsewhere.unlink()
    review(folder, drawn, truth)
    survey(folder)
    told = facts(folder)
    assert told["windows_known"] == 12 and told["low"] <= sum(map(len, truth.values())) <= told["high"]


def test_classes_are_surveyed_alone(folder, truth):
    survey(folder, "classes=[sheep]", "windows=20")
    review(folder, drawn_survey(folder), truth)
    survey(folder)
    told = facts(folder)
    assert list(told["per_class"]) == ["sheep"] and told["estimate"] == told["per_class"]["sheep"]["estimate"]
    assert told["count"] == sum(each.counts()["sheep"] for each in drawn_survey(folder).run.found.values())
    assert "no goat" in survey(folder, "classes=[goat]", code=2)


@pytest.mark.parametrize("classes", [("sheep",), None])
def test_over_many_draws_the_total_is_right(folder, truth, classes):
    """Law 10 for what the command puts together: the mean of 25 surveys is within 3.5 of its errors of the truth."""
    survey(folder, "windows=20")
    drawn, estimates = drawn_survey(folder), []
    for seed in range(25):
        one = DrawnSurvey(drawn.run, drawn.ground, replace(drawn.plan, seed=seed, classes=classes), drawn.known)
        estimates.append(one.facts(review(folder, one, truth))["estimate"])
    wanted = sum(len(each) if classes is None else each.counts()["sheep"] for each in truth.values())
    assert abs(np.mean(estimates) - wanted) < 3.5 * np.std(estimates) / 5


def test_polygons_are_surveyed_alone_and_add_up(folder, truth):
    """Two halves of every image, in pixels: objects outside of both count for nothing."""
    import geopandas
    import shapely

    halves = [shapely.box(0, 0, 1500, 2048), shapely.box(1500, 0, 2500, 2048)]
    path = folder.parent / "plots.geojson"
    frame = geopandas.GeoDataFrame({"name": ["west", "east"]}, geometry=halves)
    frame.to_file(path.with_suffix(".gpkg"))
    survey(folder, f"within={path.with_suffix('.gpkg')}", "windows=20")
    drawn = drawn_survey(folder)
    assert all(window.col < 2500 for _, window in drawn.tasks)
    review(folder, drawn, truth)
    survey(folder)
    told = facts(folder)
    wanted = sum(int((each.xy[:, 0] < 2500).sum()) for each in truth.values())
    assert told["low"] <= wanted <= told["high"]
    assert set(told["per_polygon"]) == {"west", "east"}
    assert sum(each["estimate"] for each in told["per_polygon"].values()) == pytest.approx(told["estimate"])
    assert "other polygons" in survey(write_moved(path, frame, folder), code=2)


def write_moved(path, frame, folder):
    """The same file with other polygons in it."""
    frame.translate(100, 0).to_file(path.with_suffix(".gpkg"))
    return folder


def test_polygons_beside_all_images_and_known_windows_of_two_images_are_refused(folder):
    import geopandas
    import shapely

    frame = geopandas.GeoDataFrame({"name": ["far"]}, geometry=[shapely.box(9000, 0, 9100, 100)])
    frame.to_file(folder.parent / "far.gpkg")
    assert "far.gpkg: none of its polygons meets" in survey(folder, f"within={folder.parent / 'far.gpkg'}", code=2)
    other = write_run(folder.parent / "two", {"x/a.jpg": scene(0), "y/a.jpg": scene(1)})
    known = Corrections((ReviewedWindow("a.jpg", Window(0, 0, 9, 9), scene(0)[:0]),), CLASSES)
    (folder.parent / "known.csv").write_bytes(corrections_bytes(known))
    log = survey(other, f"known=[{folder.parent / 'known.csv'}]", code=2)
    assert "known.csv: " in log and "write more of the path" in log


def test_other_settings_and_other_detections_are_refused(folder, truth):
    survey(folder, "windows=20")
    assert "side: 512 then, 256 now" in survey(folder, "side=256", code=2)
    assert "seed" in survey(folder, "seed=3", code=2)
    assert "classes: all then" in survey(folder, "classes=[cow]", code=2)
    candidates = folder / "candidates/flight1/a.jpg.csv"
    candidates.write_text("".join(candidates.read_text().splitlines(keepends=True)[:-1]))
    assert "drawn of other detections" in survey(folder, code=2)


def test_a_floor_that_was_given_once_need_not_be_given_again(folder):
    survey(folder, "windows=20", "floor=0.1")
    survey(folder, "windows=30")
    assert "floor: 0.1 then, 0.05 now" in survey(folder, "floor=0.05", code=2)


@pytest.mark.parametrize(
    "name", ["survey/design.csv", "survey/settings.json", "survey/known.csv", "detections.csv", "counts.csv"]
)
def test_files_that_a_person_changed_are_refused(folder, name):
    survey(folder, "windows=20")
    text = (folder / name).read_text()
    (folder / name).write_text(text + "\n")
    assert f"{name} was changed after a run wrote it" in survey(folder, code=2)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("survey/settings.json", "[]"),
        ("survey/settings.json", '{"windows": -1}'),
        ("survey/design.csv", "draw,image\n"),
        ("survey/known.csv", "image,x\na,b\n"),
        ("corrections.csv", "image,x\na,b\n"),
    ],
)
def test_damaged_files_are_one_error(folder, name, text):
    survey(folder, "windows=20")
    (folder / name).write_text(text)
    PredictionPaths(folder).written.unlink()
    log = survey(folder, code=2)
    assert name in log and "Traceback" not in log


def test_corrections_of_other_images_are_told_and_windows_beside_an_image_refused(folder, truth):
    survey(folder, "windows=10")
    drawn = drawn_survey(folder)
    said = review(folder, drawn, truth)
    other = ReviewedWindow("other.jpg", Window(0, 0, 9, 9), truth[IMAGES[0]][:0])
    (folder / "corrections.csv").write_bytes(corrections_bytes(Corrections((*said.windows, other), CLASSES)))
    assert "images that the run has not: 1 (other.jpg)" in survey(folder)
    assert facts(folder)["windows_left"] == 0
    large = ReviewedWindow(IMAGES[0], Window(0, 0, SHAPE[0] + 1, 9), truth[IMAGES[0]][:0])
    (folder / "corrections.csv").write_bytes(corrections_bytes(Corrections((*said.windows, large), CLASSES)))
    assert "flight1/a.jpg is 3072 x 2048 pixels, and the reviewed window" in survey(folder, code=2)


def test_corrections_that_were_changed_or_are_gone_are_told(folder):
    survey(folder, "windows=10")
    paths = PredictionPaths(folder)
    WrittenFiles(folder).write({"corrections.csv": corrections_bytes(Corrections((), CLASSES))})
    assert "changed by hand" not in survey(folder)
    with paths.corrections.open("a") as file:
        file.write(f"{IMAGES[0]},,,,,,0,0,9,9\n")
    assert "corrections.csv was changed by hand" in survey(folder)
    paths.corrections.unlink()
    paths.acts.parent.mkdir()
    paths.acts.write_text("{}")
    assert "detect.review makes it of them" in survey(folder)


def test_without_candidates_windows_are_drawn_by_the_counts(tmp_path, truth):
    folder = write_run(tmp_path / "bare", truth, candidates=False)
    assert "candidates are kept of 0 of 3 images" in survey(folder, "windows=20")
    review(folder, drawn_survey(folder), truth)
    survey(folder)
    assert facts(folder)["estimate"] > facts(folder)["count"]


def test_ranked_windows_are_not_those_of_the_survey(folder):
    survey(folder, "windows=20")
    before = (folder / "survey/design.csv").read_bytes()
    assert "nothing can be estimated" in survey(folder, "rank=uncertain", "windows=10")
    ranked = pd.read_csv(folder / "ranked.csv")
    assert len(ranked) == 10 and ranked["rank"].tolist() == list(range(1, 11))
    assert (np.diff(ranked["uncertain"]) <= 0).all()
    drawn = {(name, window.row, window.col) for name, window in drawn_survey(folder).tasks}
    assert not drawn & set(zip(ranked["image"], ranked["row"], ranked["col"], strict=True))
    assert (folder / "survey/design.csv").read_bytes() == before


def test_a_ranking_has_no_seed_and_no_floor(folder):
    assert "seed is for windows that are drawn by chance" in survey(folder, "rank=uncertain", "seed=1", code=2)
    assert "floor is for" in survey(folder, "rank=uncertain", "floor=0.1", code=2)


def test_ranked_windows_are_of_the_ground_and_the_classes_of_the_survey(folder):
    """The western half of every image: windows that begin at 1536 and beyond are of no use."""
    import geopandas
    import shapely

    frame = geopandas.GeoDataFrame({"name": ["west"]}, geometry=[shapely.box(0, 0, 1536, 2048)])
    frame.to_file(folder.parent / "west.gpkg")
    survey(folder, f"within={folder.parent / 'west.gpkg'}", "windows=5", "classes=[sheep]")
    survey(folder, "rank=uncertain", "windows=100")
    ranked = pd.read_csv(folder / "ranked.csv")
    assert len(ranked) and (ranked["col"] < 1536).all()
    survey(folder, "rank=uncertain", "windows=100", "classes=[cow,sheep]")
    assert pd.read_csv(folder / "ranked.csv")["uncertain"].sum() > ranked["uncertain"].sum()


def test_no_part_is_below_what_was_seen_and_an_image_reviewed_whole_is_counted(folder, truth):
    """Law 9 all the same: parts add up to the whole."""
    survey(folder, "windows=30")
    drawn = drawn_survey(folder)
    name = drawn.tasks[0][0]
    windows = [ReviewedWindow(each, w, truth[each][w.contains_xy(truth[each].xy)]) for each, w in drawn.tasks]
    whole = ReviewedWindow(name, Window(0, 0, *SHAPE), truth[name])
    told = drawn.facts(Corrections((*windows, whole), CLASSES))
    mine = told["per_image"][name]
    assert mine["estimate"] == mine["low"] == mine["high"] == len(truth[name])
    for key in ("per_class", "per_image", "per_group"):
        parts = told[key].values()
        assert sum(each["estimate"] for each in parts) == pytest.approx(told["estimate"])
        assert all(each["seen"] <= each["low"] <= each["estimate"] <= each["high"] for each in parts)


def test_images_beside_the_folders_are_a_group_of_their_own(tmp_path):
    folder = write_run(tmp_path / "run", {"a.jpg": scene(0), "flight/b.jpg": scene(1)})
    survey(folder, "windows=5")
    assert set(facts(folder)["per_group"]) == {".", "flight"}


def test_an_estimate_of_other_counts_is_not_shown(folder, truth):
    survey(folder, "windows=20")
    review(folder, drawn_survey(folder), truth)
    survey(folder)
    told = facts(folder) | {"detections": "0" * 64}
    (folder / "survey.json").write_text(json.dumps(told))
    page = write_report(folder, None, 0).read_text()
    assert "is of other counts" in page and "95 % interval" not in page


def test_a_file_is_no_folder(folder):
    assert "name the folder that it is in" in survey(folder / "counts.csv", code=2)


def test_counts_are_corrected_without_a_survey_too(folder, truth):
    whole = Window(0, 0, *SHAPE)
    said = Corrections((ReviewedWindow(IMAGES[1], whole, truth[IMAGES[1]]),), CLASSES)
    (folder / "corrections.csv").write_bytes(corrections_bytes(said))
    write_corrected(folder)
    cells = read_facts(folder / "counts.csv")
    assert cells == {"corrected": {IMAGES[1]: str(len(truth[IMAGES[1]]))}}
    page = write_report(folder, None, 0).read_text()
    assert "A person reviewed 1 window of 1 image." in page and "not drawn by chance" in page


def test_the_report_says_whether_a_person_looked(folder, truth):
    page = write_report(folder, None, 0).read_text()
    assert page.index("Not checked by a person") < page.index("Totals")
    survey(folder, "windows=20")
    assert "Not checked by a person" in (folder / "report.html").read_text()
    review(folder, drawn_survey(folder), truth)
    survey(folder)
    page = (folder / "report.html").read_text()
    assert "Not checked by a person" not in page and "95 % interval" in page and "Recall at this threshold" in page
