"""Output folders that a person put something into, changed something in, or was given: nothing of theirs is lost."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.nets.modelfile import save_model
from detect.reporting.tables import read_counts
from tests.commands import Called, call
from tests.engines import lively, write


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_model(path, *lively())
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """One small image, whose name a spreadsheet would run."""
    (tmp_path / "images").mkdir()
    return write(tmp_path / "images/=3.png", 90, 100).parent


@pytest.fixture
def out(model: Path, images: Path, tmp_path: Path) -> Path:
    """The folder of a run."""
    done = predict(model, images, tmp_path / "out")
    assert done.code == 0, done.log
    return tmp_path / "out"


def predict(model: Path, images: Path, output: Path, *more: str) -> Called:
    given = (f"model={model}", f"images={images}", f"output={output}", "runtime=torch", "tile=300")
    return call("predict", *given, *more)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_table_that_a_person_changed_is_not_replaced(model: Path, images: Path, out: Path) -> None:
    """Nothing is written; moved away or overwritten, the run goes on. What is there unchanged is no reason to stop."""
    for name in ("counts.csv", "detections.csv", "failures.csv", "run.json", "report.html"):
        whole = (out / name).read_bytes()
        (out / name).write_bytes(whole + b"\n")
        before = files(out)
        done = predict(model, images, out)
        assert done.code == 2 and name in done.log and "overwrite=true" in done.log and "move it away" in done.log
        assert files(out) == before
        (out / name).write_bytes(whole)
    (out / "report.html").rename(out / "mine.html")
    assert predict(model, images, out).code == 0 and (out / "report.html").exists()
    (out / "counts.csv").write_text("mine")
    done = predict(model, images, out, "overwrite=true")
    assert done.code == 0 and "counts.csv was changed after a run wrote it, and is replaced" in done.log
    assert len(read_counts(out / "counts.csv")) == 1


def test_it_is_refused_before_anything_is_computed(
    model: Path, images: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(images / "new.png", 90, 100)
    monkeypatch.setattr(TorchRuntime, "__call__", lambda *arguments: pytest.fail("computed"))
    (out / "counts.csv").write_text("mine")
    assert predict(model, images, out).code == 2
    assert (out / "counts.csv").read_text() == "mine"


def test_a_folder_of_an_earlier_version_is_gone_on_with_and_the_log_says_so(
    model: Path, images: Path, out: Path
) -> None:
    (out / ".run/written.json").unlink()
    done = predict(model, images, out)
    assert done.code == 0 and "counts.csv: no record" in done.log


def test_a_report_and_scores_that_a_person_changed_are_not_replaced(out: Path, tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text("image,x,y,label\n=3.png,10,10,cow\n")
    given = (f"predictions={out}", f"annotations={tmp_path / 'truth.csv'}", f"output={tmp_path / 'scores'}")
    for _ in range(2):
        assert call("evaluate", *given).code == 0
        assert call("report", f"predictions={out}").code == 0
    (tmp_path / "scores/scores.json").write_text("{}")
    done = call("evaluate", *given)
    assert done.code == 2 and "scores.json" in done.log and "another output folder" in done.log
    (tmp_path / "scores/scores.json").unlink()
    (out / "report.html").write_text("mine")
    for done in (call("report", f"predictions={out}"), call("evaluate", *given)):
        assert done.code == 2 and "report.html" in done.log
    assert (out / "report.html").read_text() == "mine" and not (tmp_path / "scores/scores.json").exists()


def test_overwriting_removes_what_runs_wrote_and_nothing_else(model: Path, images: Path, out: Path) -> None:
    """Pictures of an image that is gone, which the journal names, are removed, and a person's beside them are not."""
    (images / "a").mkdir()
    write(images / "a/gone.png", 90, 100)
    assert predict(model, images, out).code == 0
    (images / "a/gone.png").unlink()
    mine = ("heatmaps/notes.txt", "overlays/a/gone.jpg", "overlays/other.jpg.jpg", ".run/thumbnails/x.jpg", ".x.part")
    for name in mine:
        (out / name).write_text("mine")
    (out / "overlays/.y.part").mkdir()
    done = predict(model, images, out, "overwrite=true")
    assert done.code == 0 and "files that no run wrote stay" in done.log
    assert all((out / name).read_text() == "mine" for name in mine) and (out / "overlays/.y.part").is_dir()
    assert not list(out.rglob("gone.png*")) and not (out / "heatmaps/a").exists()
    assert (out / "overlays/=3.png.jpg").is_file()


@pytest.mark.parametrize("more", [(), ("overwrite=true",)])
@pytest.mark.parametrize("name", ["overlays", ".run", ".run/thumbnails", ".run/journal.jsonl", ".run/lock", "errors"])
def test_links_that_lead_out_of_the_folder_are_not_followed(
    model: Path, images: Path, tmp_path: Path, name: str, more: tuple[str, ...]
) -> None:
    """A folder that was made to harm: what a run writes, empties or removes there would be a person's."""
    outside, out = tmp_path / "home", tmp_path / "hostile"
    (outside / "thumbnails").mkdir(parents=True)
    for each in ("=3.png.jpg", "1.jpg", "lock", "journal.jsonl", "thumbnails/=3.png.jpg", "settings.json"):
        (outside / each).write_text("a person's")
    (outside / "index.csv").write_text("picture,image,missed,false_alarms\n1.jpg,=3.png,0,0\n")
    (out / name).parent.mkdir(parents=True)
    (out / name).symlink_to(outside if "." not in name[1:] and name != ".run/lock" else outside / Path(name).name)
    before = files(outside)
    done = predict(model, images, out, *more)
    assert done.code == 0 or (done.code == 2 and "leads out of" in done.log), done.log
    assert files(outside) == before


def test_only_an_image_that_the_run_counted_is_drawn(out: Path, images: Path, tmp_path: Path) -> None:
    """A journal made elsewhere names a file of this machine, and cannot know when it was changed."""
    (tmp_path / "truth.csv").write_text("image,x,y,label\n=3.png,10,10,cow\n")
    given = (f"predictions={out}", f"annotations={tmp_path / 'truth.csv'}", f"output={tmp_path / 'scores'}")
    assert call("evaluate", *given).code == 0 and (tmp_path / "scores/errors/1.jpg").is_file()
    journal = out / ".run/journal.jsonl"
    line = json.loads(journal.read_text())
    for wrong in (
        {"mtime_ns": line["mtime_ns"] // 10**9 * 10**9 + 1},
        {"size": line["size"] + 1},
        {"path": "/dev/zero"},
    ):
        journal.write_text(json.dumps({**line, **wrong}) + "\n")
        done = call("evaluate", *given)
        assert done.code == 0 and "no picture of =3.png" in done.log
        assert not (tmp_path / "scores/errors").exists()
    journal.unlink()
    os.mkfifo(journal)
    done = call("evaluate", *given)
    assert done.code == 2 and "journal.jsonl" in done.log


def test_a_name_that_a_spreadsheet_would_run_is_a_name_again_in_every_table(out: Path, tmp_path: Path) -> None:
    """Written with an apostrophe; with it or without, as a person writes it, an annotation is of that image."""
    assert pd.read_csv(out / "counts.csv")["image"].tolist() == ["'=3.png"]
    assert set(pd.read_csv(out / "detections.csv")["image"]) == {"'=3.png"}
    assert read_counts(out / "counts.csv")["image"].tolist() == ["=3.png"]
    assert list(json.loads((out / "run.json").read_text())["sources"]) == ["=3.png"]
    for name in ("=3.png", "'=3.png"):
        (tmp_path / "truth.csv").write_text(f"image,x,y,label\n{name},10,10,cow\n")
        given = (f"predictions={out}", f"annotations={tmp_path / 'truth.csv'}", f"output={tmp_path / 'scores'}")
        assert call("evaluate", *given).code == 0
        assert list(json.loads((tmp_path / "scores/scores.json").read_text())["per_image"]) == ["=3.png"]
    assert pd.read_csv(tmp_path / "scores/errors/index.csv")["image"].tolist() == ["'=3.png"]


def test_a_class_that_no_table_can_hold_is_refused_before_anything_is_computed(images: Path, tmp_path: Path) -> None:
    net, card = lively()
    path = tmp_path / "other.safetensors"
    save_model(path, net, replace(card, classes=("total", *card.classes[1:])))
    done = predict(path, images, tmp_path / "new")
    assert done.code == 2 and "'total'" in done.log and not (tmp_path / "new").exists()
