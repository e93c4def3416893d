"""Photographs with an EXIF orientation, labelled as a viewer shows them, in training, prediction and evaluation."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.cases.discs import GRID_NET, PATCH_NET, disc_pixels, disc_places, train_on, write_photographs
from tests.commands import call

STORED = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
"""How shown pixels are turned to be stored with an orientation: the other way round."""


def turn_all(folder: Path, orientation: int) -> None:
    """Store every photograph of a folder turned, with the orientation that shows it as it was."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    for path in sorted(folder.glob("*.png")):
        with Image.open(path) as image:
            image.transpose(STORED[orientation]).save(path, exif=exif)


@pytest.mark.parametrize("net", ["patch", "grid"])
@pytest.mark.parametrize("orientation", [3, 6])
def test_turned_photographs_are_counted_like_upright_ones(
    net: str, orientation: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Detections, the table's places and F1 are those of the same photographs stored upright."""
    model = request.getfixturevalue(f"{net}_model")
    images = write_photographs(tmp_path / "upright", "ef")
    turned = write_photographs(tmp_path / "turned", "ef")
    turn_all(turned, orientation)
    found = []
    for folder in (images, turned):
        done = call("predict", f"model={model}", f"images={folder}", f"output={tmp_path / folder.name}_counts")
        assert done.code == 0, done.log
        found.append((tmp_path / f"{folder.name}_counts" / "detections.csv").read_text())
    assert "2 of 2 images: turned as their EXIF orientation says, as viewers show them, such as e.png " in done.log
    assert f"(orientation {orientation})" in done.log
    assert found[0] == found[1]
    for kind in ("overlays", "heatmaps"):
        upright, shown = (sorted((tmp_path / f"{name}_counts" / kind).rglob("e.*")) for name in ("upright", "turned"))
        assert [path.name for path in upright] == [path.name for path in shown]
        if kind == "overlays":
            assert np.array_equal(*(np.asarray(Image.open(paths[0])) for paths in (upright, shown)))
    scores = tmp_path / "scores"
    labels = turned / "points.csv"
    done = call(
        "evaluate", f"predictions={tmp_path / 'turned_counts'}", f"annotations={labels}", f"output={scores}", "radius=8"
    )
    assert done.code == 0, done.log
    assert json.loads((scores / "scores.json").read_text())["f1"] >= 0.95
    assert "predict again" not in done.log
    check_an_older_table_is_told(tmp_path / "turned_counts", labels, model, turned)


def check_an_older_table_is_told(counts: Path, labels: Path, model: Path, images: Path) -> None:
    """Check what is said of predictions of a version that did not turn images, and that no run goes on in them."""
    facts, kept = counts / "run.json", counts / ".run" / "settings.json"
    written = facts.read_bytes()
    run = json.loads(written)
    del run["settings"]["pixels"]
    facts.write_text(json.dumps(run))
    done = call("evaluate", f"predictions={counts}", f"annotations={labels}", f"output={counts / 'scores'}", "radius=8")
    assert "2 images are shown turned by their EXIF orientation, such as e.png" in done.log
    facts.write_bytes(written)
    settings = json.loads(kept.read_text())
    del settings["pixels"]
    kept.write_text(json.dumps(settings))
    done = call("predict", f"model={model}", f"images={images}", f"output={counts}")
    assert done.code == 2
    assert "pixels: None then, 'as viewers show them" in done.log


@pytest.mark.parametrize("net", [PATCH_NET, GRID_NET], ids=["patch", "grid"])
def test_labels_on_turned_photographs_train(net: tuple[str, ...], tmp_path: Path) -> None:
    """Portraits, stored lying down: what is learned from them finds the discs of an upright photograph."""
    folder = write_photographs(tmp_path / "photographs")
    turn_all(folder, 6)
    model = train_on(folder, tmp_path / "run", net)
    assert json.loads((tmp_path / "run" / "scores.json").read_text())["f1"] >= 0.95
    places = disc_places(ord("g"))
    Image.fromarray(disc_pixels(places, ord("g"))).save(tmp_path / "g.png")
    done = call("predict", f"model={model}", f"images={tmp_path / 'g.png'}", f"output={tmp_path / 'counts'}")
    assert done.code == 0, done.log
    assert pd.read_csv(tmp_path / "counts" / "counts.csv")["disc"].between(19, 21).all()


def test_a_stated_size_is_that_of_the_shown_image(tmp_path: Path) -> None:
    """A Pascal VOC file of a portrait states the size that a viewer shows."""
    folder = write_photographs(tmp_path / "photographs", "ab")
    points = pd.read_csv(folder / "points.csv")
    for name in "ab":
        with Image.open(folder / f"{name}.png") as image:
            portrait = image.transpose(Image.Transpose.ROTATE_270)
        portrait.save(folder / f"{name}.png")
        rows = points[points["image"] == f"{name}.png"]
        boxes = "".join(
            f"<object><name>disc</name><bndbox><xmin>{240 - y - 5}</xmin><ymin>{x - 5}</ymin><xmax>{240 - y + 5}</xmax>"
            f"<ymax>{x + 5}</ymax></bndbox></object>"
            for x, y in zip(rows["x"], rows["y"], strict=True)
        )
        size = "<size><width>240</width><height>320</height></size>"
        (folder / f"{name}.xml").write_text(f"<annotation><filename>{name}.png</filename>{size}{boxes}</annotation>")
    turn_all(folder, 6)
    done = call(
        "preview",
        f"data.root={folder}",
        f"data.annotations={folder}",
        f"output={tmp_path / 'sheet.jpg'}",
        "samples=4",
        "data.split.val=[b.png]",
        "net=patch",
        "net.backbone=lenet5",
        "net.weights=none",
        "net.stride=4",
        "net.patch_size=20",
        "net.margin=24",
    )
    assert done.code == 0, done.log


def test_labels_of_the_stored_pixels_are_an_error_that_says_so(tmp_path: Path) -> None:
    """A Pascal VOC file that states the size of the lying pixels of a portrait."""
    folder = write_photographs(tmp_path / "photographs", "a")
    turn_all(folder, 6)
    with Image.open(folder / "a.png") as image:
        width, height = image.size
    assert (width, height) == (240, 320)
    size = f"<size><width>{width}</width><height>{height}</height></size>"
    box = (
        "<object><name>disc</name><bndbox><xmin>5</xmin><ymin>5</ymin><xmax>15</xmax><ymax>15</ymax></bndbox></object>"
    )
    (folder / "a.xml").write_text(f"<annotation><filename>a.png</filename>{size}{box}</annotation>")
    done = call("preview", f"data.root={folder}", f"data.annotations={folder}", f"output={tmp_path / 'sheet.jpg'}")
    assert done.code == 2
    assert "made for an image of 240 x 320, but a.png is 320 x 240 as its EXIF orientation turns it" in done.log
