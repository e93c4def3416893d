"""Folders and images with the names that people give them, as the shell hands them on."""

import shutil
import unicodedata
from pathlib import Path

import pandas as pd
import pytest

from detect.imagery.finding.listing import images_root, list_images
from tests.assembly.commandline.test_quoting import composed
from tests.cases.discs import PATCH_NET, write_photographs
from tests.commands import call

NAMES = (
    "Möwen",
    "鸟类",
    "photos (2024)",
    "A & B",
    "it's",
    "x=1",
    "p[1]",
    "a,b",
    "{a}",
    "$x",
    "#1",
    "100%",
    "~x",
    " a ",
)
ALL_OF_THEM = "Möwen 鸟类 (2024) & it's x=1, p[1] {a} $x"


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_any_name_is_listed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).mkdir()
    Path(name, "a.png").touch()
    images = composed("predict", "model=m", f"images={name}", "output=o")["images"]
    root = composed("train", f"data.root={name}")["data"]["root"]
    assert [each for each, _ in list_images(Path(images))] == ["a.png"] and Path(root, "a.png").is_file()
    assert images_root(Path(images)) == Path(name)


@pytest.mark.parametrize("net", ["patch", "grid"])
def test_both_nets_count_in_folders_of_such_names(net: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    model = tmp_path / f"{ALL_OF_THEM}.safetensors"
    shutil.copy(request.getfixturevalue(f"{net}_model"), model)
    images = write_photographs(tmp_path / ALL_OF_THEM, "e")
    (images / "e.png").rename(images / f"{ALL_OF_THEM}.png")
    (images / "._e.png").write_bytes(b"\0\5\x16\7")
    output = tmp_path / f"counts {ALL_OF_THEM}"
    done = call("predict", f"model={model}", f"images={images}", f"output={output}")
    assert done.code == 0 and "1 hidden" in done.log, done.log
    counts = pd.read_csv(output / "counts.csv")
    assert list(counts["image"]) == [f"{ALL_OF_THEM}.png"] and counts["disc"].between(19, 21).all()
    table = pd.read_csv(images / "points.csv").assign(image=unicodedata.normalize("NFD", f"C:\\x\\{ALL_OF_THEM}"))
    table.to_csv(images / "points.csv", index=False)
    scores = tmp_path / f"scores {ALL_OF_THEM}"
    given = (f"predictions={output}", f"annotations={images / 'points.csv'}", f"output={scores}")
    done = call("evaluate", *given, "radius=8")
    assert done.code == 0 and "1 images are named otherwise" in done.log, done.log
    assert call("report", f"predictions={output}", f"scores={scores / 'scores.json'}").code == 0


def test_a_training_from_such_a_folder(tmp_path: Path) -> None:
    folder = write_photographs(tmp_path / ALL_OF_THEM, "ad")
    (folder / "d.png").rename(folder / "鸟 (1), d.png")
    table = pd.read_csv(folder / "points.csv").replace({"image": {"d.png": "/home/x/鸟 (1), d.png"}})
    table.to_csv(folder / "labels, [1].csv", index=False)
    (folder / "labels of all.txt").write_text("# tables\nlabels, [1].csv\n", encoding="utf-8")
    output = tmp_path / f"run {ALL_OF_THEM}"
    given = (f"data.root={folder}", f"data.annotations={folder / 'labels of all.txt'}", f"output={output}")
    small = ("data.sampling.samples=32", "trainer.max_epochs=1", "data.split.val=['鸟 (1), d.png']")
    done = call("train", *given, *PATCH_NET, *small)
    assert done.code == 0 and "not named as on the disk" in done.log, done.log
    assert (output / "model.safetensors").is_file()


def test_a_list_of_images_counts_them_and_tells_what_is_missing(patch_model: Path, tmp_path: Path) -> None:
    write_photographs(tmp_path / "photos", "efg")
    (tmp_path / "some.txt").write_text("# seen today\nphotos/e.png\nphotos/f.png\nphotos/gone.png\n")
    done = call("predict", f"model={patch_model}", f"images={tmp_path / 'some.txt'}", f"output={tmp_path / 'counts'}")
    assert done.code == 3 and "1 of 3 paths lead nowhere" in done.log, done.log
    assert list(pd.read_csv(tmp_path / "counts/counts.csv")["image"]) == ["e.png", "f.png"]
    assert list(pd.read_csv(tmp_path / "counts/failures.csv")["image"]) == ["gone.png"]
