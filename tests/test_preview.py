"""The sheet of training samples: written whole, from the very samples that train."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.commands import call

GRID = ("net=grid", "net.deepest=16", "data.sampling.crop=64", "data.sampling.samples=8")


def bright(path: Path) -> int:
    """How many pixels of a sheet are of a disc's yellow."""
    pixels = np.asarray(Image.open(path)).astype(int)
    return int(((pixels[..., 0] > 180) & (pixels[..., 1] > 140) & (pixels[..., 2] < 110)).sum())


@pytest.fixture
def data(planted: Path) -> tuple[str, str]:
    return f"data.root={planted}", f"data.annotations={planted / 'points.csv'}"


def test_a_sheet_of_crops_shows_what_is_superimposed(data: tuple[str, str], tmp_path: Path) -> None:
    plain, pasted = tmp_path / "plain.jpg", tmp_path / "pasted.jpg"
    common = (*data, *GRID, "samples=6", "net.object_size=30")
    done = call("preview", *common, "augment=none", f"output={plain}")
    assert done.code == 0, done.log
    more = ("augment.superimpose.p=1", "augment.superimpose.number=[2,2]")
    done = call("preview", *common, "augment=none", *more, f"output={pasted}")
    assert done.code == 0, done.log
    assert "objects stand free (a point stands for 30 pixels: net.object_size)" in done.log
    assert Image.open(plain).size == Image.open(pasted).size
    assert bright(pasted) > 1.2 * bright(plain) > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pasted.jpg", "plain.jpg"]


def test_a_picture_is_replaced_only_when_told_to(data: tuple[str, str], tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.jpg"
    sheet.write_bytes(b"mine")
    done = call("preview", *data, *GRID, "samples=1", f"output={sheet}")
    assert done.code == 2 and "is there already; overwrite=true replaces it" in done.log
    assert sheet.read_bytes() == b"mine"
    done = call("preview", *data, *GRID, "samples=1", f"output={sheet}", "overwrite=true")
    assert done.code == 0 and Image.open(sheet).format == "JPEG"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("samples=9", "samples must be in [1, 8], the samples of an epoch, got 9"),
        ("output=sheet.png", "output=sheet.png must end in .jpg: the sheet is a JPEG"),
    ],
)
def test_wrong_use(data: tuple[str, str], override: str, message: str, tmp_path: Path) -> None:
    done = call("preview", *data, *GRID, f"output={tmp_path / 'a.jpg'}", override)
    assert done.code == 2 and message in done.log and not (tmp_path / "a.jpg").exists()


def test_a_sheet_of_crops_of_a_classifier(data: tuple[str, str], tmp_path: Path) -> None:
    done = call(
        *("preview", *data, "net=patch", "data.sampling.samples=12", "augment=heavy", "samples=8"),
        f"output={tmp_path / 'a.jpg'}",
    )
    assert done.code == 0, done.log
    assert "not used here" not in done.log
    assert Image.open(tmp_path / "a.jpg").width > 6 * 512


def test_a_sheet_of_mixed_patches_of_a_folder(tmp_path: Path) -> None:
    """Patches of 16 bits and one band, of two classes; every batch is mixed."""
    for i in range(8):
        path = tmp_path / "patches" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((32, 32), 1000 * (i + 1), np.uint16)).save(path)
    given = (
        f"data.root={tmp_path / 'patches'}",
        "samples=6",
        "data.loading.batch_size=4",
        f"output={tmp_path / 'a.jpg'}",
    )
    done = call("preview", *given, "augment.mixup={p: 0.5, alpha: 1}", "augment.cutmix={p: 0.5, alpha: 1}")
    assert done.code == 0, done.log
    assert (tmp_path / "a.jpg").exists()


def test_mixtures_are_for_bare_patches(data: tuple[str, str], tmp_path: Path) -> None:
    output = f"output={tmp_path / 'a.jpg'}"
    for net in (("net=patch",), GRID):
        done = call("preview", *data, *net, "augment.cutmix.p=0.5", output, "samples=1", "overwrite=true")
        assert done.code == 0 and "augment.cutmix is for folders of patches: not used here" in done.log


def test_boxes_and_ignored_regions_are_drawn(planted: Path, tmp_path: Path) -> None:
    """The discs as boxes, one image's labelled unknown: hatched, its rows are no objects."""
    points = pd.read_csv(planted / "points.csv")
    boxes = pd.DataFrame(
        {
            "image": points.image,
            "xmin": points.x - 12,
            "ymin": points.y - 12,
            "xmax": points.x + 12,
            "ymax": points.y + 12,
            "label": np.where(points.index % 3 == 0, "crowd", "disc"),
            "split": points.split,
        }
    )
    boxes.to_csv(tmp_path / "boxes.csv", index=False)
    given = (f"data.root={planted}", f"data.annotations={tmp_path / 'boxes.csv'}", *GRID, "augment=heavy", "samples=8")
    done = call("preview", *given, "data.labels.ignored=[crowd]", f"output={tmp_path / 'a.jpg'}")
    assert done.code == 0, done.log
    assert "boxes at a stride of 8 pixels" in done.log and (tmp_path / "a.jpg").stat().st_size > 10_000


def test_a_sheet_of_patches_of_a_folder_whose_objects_move(tmp_path: Path) -> None:
    """A bright disc on a dark patch moves onto a grey one, so that its corners turn grey."""
    rows, cols = np.mgrid[:64, :64] - 31.5
    rng = np.random.default_rng(0)
    for i in range(8):
        for name, level in (("disc", 20), ("ground", 120)):
            pixels = rng.normal(level, 3, (64, 64, 3))
            if name == "disc":
                pixels[np.hypot(rows, cols) < 12] = 230
            path = tmp_path / "patches" / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(path)
    given = (f"data.root={tmp_path / 'patches'}", "data.labels.negative=[ground]", "samples=8", "augment=none")
    plain, moved = tmp_path / "plain.jpg", tmp_path / "moved.jpg"
    done = call("preview", *given, f"output={plain}")
    assert done.code == 0 and "superimposition" not in done.log, done.log
    done = call("preview", *given, "augment.superimpose.p=1", f"output={moved}")
    assert done.code == 0 and "can be cut out, of up to 40 looked at: 100% of disc" in done.log, done.log
    dark = [(np.asarray(Image.open(path).convert("L")) < 40).mean() for path in (plain, moved)]
    assert dark[0] > 0.15 and dark[1] < 0.02
