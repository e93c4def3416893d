"""The command with a labelling team: windows drawn and exported, corrections taken, the estimate; laws 6, 7 and 9."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from detect.labels.corrections import read_corrections
from detect.reviewing.session import ReviewSession
from tests.commands import call
from tests.reviewing.conftest import CLASSES, HOSTILE, ONE, SHAPE, acts_of, write_run
from tests.reviewing.tasks.labellers import number_of_objects, opened

PROGRAMS = ["label_studio", "cvat"]


@pytest.fixture(params=[False, True], ids=["points", "boxes"])
def folder(tmp_path, request) -> Path:
    """A run of two images, one with a hostile name; a survey cuts each into windows of 300 x 267 pixels."""
    return write_run(tmp_path, drawn=False, boxes=request.param)


def survey(folder: Path, *settings: str, code: int = 0) -> str:
    done = call("survey", f"predictions={folder}", "side=260", "seed=1", *settings)
    assert done.code == code, done.log
    return done.log


def taken(program: str, path: Path) -> list[str]:
    return [f"corrections={path}", *(["reviewed=tagged"] if program == "cvat" else [])]


def files(folder: Path) -> dict[str, bytes]:
    """The bytes of all files; the record of what was written may list hashes of earlier ones too."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name not in ("written.json", "lock"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.parametrize("program", PROGRAMS)
def test_windows_go_out_and_come_back_as_an_estimate(folder, tmp_path, program):
    """All windows are looked at by a team that misses nothing, so that the objects are counted and add up (law 9).

    Windows are 267 columns wide: the run's objects at x 500, 600 and 700 lie in two of them, and 10 of 12 are empty.
    """
    log = survey(folder, "windows=12", f"export={program}")
    assert "export: 12 windows with 3 objects are in" in log and "corrections=FILE" in log
    team = opened(folder, program)
    assert len(team.drawn) == 12 and number_of_objects(team.drawn) == 3
    picture = next(name for name, objects in team.drawn.items() if objects)
    _, numbers = team.drawn[picture][0]
    team.drawn[picture].append((CLASSES[0], tuple(each + 30 for each in numbers)))
    log = survey(folder, *taken(program, team.save(tmp_path / "export")))
    assert "12 windows of" in log and "10 of them empty" in log and "3 objects left as they were, 1 added" in log
    said = read_corrections(folder / "corrections.csv")
    assert len(said.windows) == 12 and sum(len(each.objects) for each in said.windows) == 4
    told = json.loads((folder / "survey.json").read_text())
    assert told["windows_left"] == 0 and told["estimate"] == told["low"] == told["high"] == 4
    with (folder / "counts.csv").open() as file:
        rows = {row["image"]: row for row in csv.DictReader(file)}
    assert [rows[name]["corrected"] for name in (ONE, HOSTILE)] == ["4", "0"]
    assert "is nothing to export" in survey(folder, f"export={program}")


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_second_time_nothing_changes(folder, tmp_path, program):
    """Law 7: exporting twice, and taking the same file twice, leaves the same bytes; more windows keep the first."""
    survey(folder, "windows=4", f"export={program}")
    first = files(folder)
    survey(folder, f"export={program}")
    assert files(folder) == first
    path = opened(folder, program).save(tmp_path / "export")
    survey(folder, *taken(program, path))
    first, acts = files(folder), acts_of(folder)
    log = survey(folder, *taken(program, path))
    assert "windows were recorded before and are the same" in log and acts_of(folder) == acts
    assert files(folder) == first
    log = survey(folder, "windows=9", f"export={program}")
    assert "more are reviewed already" in log
    assert not set(opened(folder, program).drawn) & set(opened_names(first))
    assert "are the same" in survey(folder, *taken(program, path))


def opened_names(written: dict[str, bytes]) -> list[str]:
    return [Path(name).name for name in written if name.endswith(".png")]


def test_what_did_not_come_back_is_told_and_not_taken_as_empty(folder, tmp_path):
    survey(folder, "windows=12", "export=label_studio")
    team = opened(folder, "label_studio")
    names = list(team.drawn)
    team.skipped = {*names[:3]}
    del team.drawn[names[3]]
    log = survey(folder, f"corrections={team.save(tmp_path / 'export')}")
    assert "3 pictures came back unlabelled (or skipped), and are not taken as empty" in log
    assert f"1 exported windows are not in the file, and not reviewed yet: {names[3]!r}" in log
    assert "first that is not reviewed, which is number 1 of 12; 8 reviewed ones come after it" in log
    assert json.loads((folder / "survey.json").read_text())["windows_left"] == 4


def test_windows_that_a_person_reviewed_are_not_exported_and_stay(folder, tmp_path):
    survey(folder, "windows=12", "export=label_studio")
    team = opened(folder, "label_studio")
    session = ReviewSession(folder)
    window = session.windows[0]
    session.act({"act": "add", "image": window.image, "label": CLASSES[0], **middle(window.window)})
    at = window.window
    session.act({"act": "done", "image": window.image, "window": [at.row, at.col, at.height, at.width]})
    path = team.save(tmp_path / "export")
    log = survey(folder, f"corrections={path}")
    assert "1 pictures are not taken: a person has said otherwise of them already; overrule=true takes them" in log
    assert "11 windows of" in log
    assert "1 windows of" in survey(folder, f"corrections={path}", "overrule=true")
    assert json.loads((folder / "survey.json").read_text())["estimate"] == 3


def middle(window) -> dict[str, float]:
    return {"x": window.col + window.width / 2, "y": window.row + window.height / 2}


def test_classes_of_a_team_must_be_known_or_given(folder, tmp_path):
    survey(folder, "windows=12", "export=label_studio")
    team = opened(folder, "label_studio")
    picture = next(name for name, objects in team.drawn.items() if objects)
    team.drawn[picture] = [("goat", numbers) for _, numbers in team.drawn[picture]]
    path = team.save(tmp_path / "export")
    log = survey(folder, f"corrections={path}", code=2)
    assert "are of 'goat', and the classes are cow," in log and "new_classes=[...]" in log
    assert not (folder / "corrections.csv").exists() and not acts_of(folder)
    survey(folder, f"corrections={path}", "new_classes=[goat]")
    assert "goat" in json.loads((folder / "survey.json").read_text())["per_class"]


def test_wrong_uses_say_the_way_out(folder, tmp_path):
    path = tmp_path / "export.json"
    path.write_text('[{"data": {"image": "a.png"}, "annotations": []}]')
    assert "no such file" in survey(folder, f"corrections={tmp_path / 'none.json'}", code=2)
    log = survey(folder, f"corrections={path}", code=2)
    assert "survey/tasks/tasks.csv says where the pictures were cut from" in log
    assert "leave it out to exchange drawn ones" in survey(folder, "rank=uncertain", "export=cvat", code=2)
    assert "give corrections too" in survey(folder, "reviewed=all", code=2)
    assert "export" in survey(folder, "export=labelme", code=2)
    log = survey(folder, "export=label_studio", "address=https://host/tasks", code=2)
    assert "address=https://host/tasks: names of pictures are put behind it" in log
    survey(folder, "windows=4", "export=cvat")
    log = survey(folder, f"corrections={folder / 'survey/tasks/annotations.xml'}", "reviewed=all", code=2)
    assert "is what was exported from here, as nobody has looked at it yet" in log
    (folder / "survey/tasks/labels.json").write_text("[]")
    assert "was changed after a run wrote it; move it away" in survey(folder, "export=cvat", code=2)
    assert "none of its 1 pictures is one of the" in survey(folder, f"corrections={path}", code=2)


def test_a_photograph_that_was_changed_is_told_and_one_of_another_size_refused(folder):
    from PIL import Image

    survey(folder, "windows=12")
    for image in ReviewSession(folder).images:
        Image.new("RGB", SHAPE[::-1]).save(image.path)
    assert "2 images were changed or copied after they were counted" in survey(folder, "export=cvat")
    Image.new("RGB", (50, 50)).save(image.path)
    assert "has 50 x 50 pixels, and had 800 x 600 when it was counted" in survey(folder, "export=cvat", code=2)
    image.path.unlink()
    log = survey(folder, "export=cvat", code=2)
    assert f"export: 1 of 2 images are not where they were counted, such as {image.path}; put them back there" in log


def test_a_team_of_another_flight_whose_photographs_have_the_same_names_is_refused(folder, tmp_path):
    """The same names, sizes in pixels and windows; only the files differ, here in what follows the picture in them."""
    survey(folder, "windows=12", "export=label_studio")
    path = opened(folder, "label_studio").save(tmp_path / "export")
    shutil.rmtree(folder / "survey/tasks")
    for image in ReviewSession(folder).images:
        image.path.write_bytes(image.path.read_bytes() + bytes(1))
    survey(folder, "windows=12", "export=label_studio")
    log = survey(folder, f"corrections={path}", code=2)
    assert "none of its 12 pictures is one of the 12 in survey/tasks; is it the file of another run?" in log


def test_context_that_cuts_objects_is_told(folder):
    assert "is less than half of a typical object" in survey(folder, "windows=4", "context=0", "export=cvat")
    assert "is less than half" not in survey(folder, "windows=4", "export=cvat")


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_is_beside_a_window_is_shown_and_counts_in_its_own(folder, tmp_path, program):
    """With 300 pixels of context each of the 3 objects is in several pictures; each counts once."""
    log = survey(folder, "windows=12", "context=300", f"export={program}")
    team = opened(folder, program)
    assert "12 windows with 3 objects" in log and number_of_objects(team.drawn) > 6
    log = survey(folder, *taken(program, team.save(tmp_path / "export")))
    assert "3 objects left as they were, 0 added, 0 moved, 0 relabelled, 0 taken out" in log
    assert f"{number_of_objects(team.drawn) - 3} objects beside the windows" in log
    assert json.loads((folder / "survey.json").read_text())["estimate"] == 3
