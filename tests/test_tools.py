"""The parts of tools/ that decide what is measured or written."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tools import learning_tables, stack_template, wafer_maps


def test_a_thinned_set_keeps_a_share_of_each_class_and_all_that_is_held_back(tmp_path: Path) -> None:
    """Of 20 patches a half is 10 and a twentieth 1, of which two are kept; valid and test stay whole."""
    for side, number in (("train", 20), ("valid", 3), ("test", 4)):
        for name in ("a", "b"):
            folder = tmp_path / "set" / side / name
            folder.mkdir(parents=True)
            for i in range(number):
                (folder / f"{i}.png").write_bytes(b"x")

    def held(made: Path, side: str, name: str) -> set[str]:
        return {each.name for each in (made / side / name).iterdir()}

    first, same, other = (
        learning_tables.thinned(tmp_path / "set", (0.5, 0.05), seed, tmp_path / into)
        for seed, into in ((0, "one"), (0, "two"), (1, "one"))
    )
    assert [len(held(first, "train", name)) for name in "ab"] == [10, 2]
    assert [len(held(first, side, "a")) for side in ("valid", "test")] == [3, 4]
    assert held(first, "train", "a") == held(same, "train", "a") != held(other, "train", "a")


def test_unequal_classes_fall_to_a_twentieth() -> None:
    for cell in learning_tables.cells("imbalance", 6, 360):
        assert cell.thinned[0] == 1 and cell.thinned[-1] == pytest.approx(1 / 20)
        assert np.ptp(np.diff(np.log(cell.thinned))) == pytest.approx(0, abs=1e-9)
    assert len(learning_tables.cells("regimes", 6, 360)) == 4 * 3


def test_what_a_template_lacks_is_magenta_and_what_it_has_green(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image, template = (np.zeros((4, 6), np.uint8) for _ in range(2))
    image[0, 0], template[1, 1], image[2, 2], template[2, 2] = 255, 255, 80, 80
    for name, pixels in (("0_test", image), ("0_temp", template)):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    (tmp_path / "boxes.csv").write_text("image,xmin,ymin,xmax,ymax,label\n0_test.jpg,0,0,1,1,short\n")
    monkeypatch.setattr(
        sys,
        "argv",
        [
            "stack_template",
            "--images",
            str(tmp_path / "*_test.png"),
            "--replace",
            "_test",
            "_temp",
            "--into",
            str(tmp_path / "out"),
            "--annotations",
            str(tmp_path / "boxes.csv"),
        ],
    )
    stack_template.main()
    found = np.asarray(Image.open(tmp_path / "out" / "0_test.png"))
    assert found[0, 0].tolist() == [255, 0, 255]
    assert found[1, 1].tolist() == [0, 255, 0]
    assert found[2, 2].tolist() == [80, 80, 80]
    assert pd.read_csv(tmp_path / "out" / "boxes.csv")["image"].tolist() == ["0_test.png"]
    assert "1 images" in capsys.readouterr().out
    (tmp_path / "0_temp.png").unlink()
    with pytest.raises(SystemExit, match="there is no template"):
        stack_template.main()


def test_a_template_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(4, 6\).*\(4, 7\)"):
        stack_template.stacked(np.zeros((4, 6), np.uint8), np.zeros((4, 7), np.uint8))


def test_maps_with_several_patterns_become_pictures_and_a_row_a_pattern(tmp_path: Path) -> None:
    """The first map has Center and Scratch, columns 0 and 6; the second has none and a code 3, drawn as bad."""
    maps = np.zeros((2, 4, 5), np.int32)
    maps[0, 1, 1:4], maps[1, 2, 2] = (1, 2, 1), 3
    there = np.zeros((2, 8), np.int32)
    there[0, [0, 6]] = 1
    np.savez(tmp_path / "mixed.npz", maps, there)
    assert wafer_maps.write_maps(wafer_maps.mixed_maps(tmp_path / "mixed.npz"), tmp_path / "out") == 1
    table = pd.read_csv(tmp_path / "out/labels.csv", keep_default_na=False)
    assert table.values.tolist() == [
        ["maps/000/000000.png", "Center"],
        ["maps/000/000000.png", "Scratch"],
        ["maps/000/000001.png", ""],
    ]
    pixels = np.asarray(Image.open(tmp_path / "out/maps/000/000000.png"))
    assert pixels.shape == (4, 5) and pixels[1].tolist() == [0, 127, 255, 127, 0]
    assert np.asarray(Image.open(tmp_path / "out/maps/000/000001.png"))[2, 2] == 255


def test_labelled_maps_by_lot_keep_the_sides_of_their_authors(tmp_path: Path) -> None:
    cell = np.array([["Edge-Ring"]], dtype=object)
    rows = pd.DataFrame(
        {
            "waferMap": [np.array([[0, 1], [2, 1]])] * 2,
            "lotName": ["lot7", "lot8"],
            "failureType": [cell, np.empty((0, 0), object)],
            "trianTestLabel": [np.array([["Training"]], dtype=object), np.empty((0, 0), object)],
        }
    )
    assert wafer_maps.write_maps(wafer_maps.wm811k_maps(rows), tmp_path) == 0
    table = pd.read_csv(tmp_path / "labels.csv", keep_default_na=False)
    assert table.values.tolist() == [["maps/000/000000.png", "Edge-Ring", "train", "lot7"]]


def test_an_archive_of_something_else_is_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", maps=np.zeros(3))
    with pytest.raises(ValueError, match="arr_0 and arr_1"):
        next(wafer_maps.mixed_maps(tmp_path / "other.npz"))
