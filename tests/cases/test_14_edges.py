"""Case 14: objects at and beyond an image's edge, and coordinates that are no pixels, cut and told or refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from detect.labels.annotation_files import read_annotations, read_unchecked
from detect.labels.annotations import AnnotationError, Annotations
from tests.cases.discs import HEIGHT, WIDTH, write_boxes
from tests.commands import call

CORNERS = ["xmin", "ymin", "xmax", "ymax"]
Table = pd.DataFrame


@pytest.fixture(scope="module")
def boxes(photographs: Path) -> Table:
    """80 boxes of 10 x 10 pixels in four images, 320 wide and 240 high."""
    return pd.read_csv(write_boxes(photographs))


@pytest.fixture(scope="module")
def points(photographs: Path) -> Table:
    return pd.read_csv(photographs / "points.csv")


def read(photographs: Path, path: Path, table: Table, *more: str) -> Annotations:
    path.write_text(table.to_csv(index=False) + "".join(f"{line}\n" for line in more))
    return read_annotations(path, photographs)


@pytest.mark.parametrize(
    ("row", "kept"),
    [
        ("a.png,-12.5,100,20,120,disc", [0, 100, 20, 120]),
        ("a.png,300,200,331,260,disc", [300, 200, WIDTH, HEIGHT]),
        ("a.png,-30,100,8,120,disc", [0, 100, 8, 120]),
    ],
)
def test_a_box_that_hangs_over_is_cut_and_told(
    photographs: Path, tmp_path: Path, boxes: Table, row: str, kept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """Its centre may be outside."""
    found = read(photographs, tmp_path / "t.csv", boxes, row)
    assert found.images[0].objects.boxes_xyxy[-1].tolist() == kept
    assert "beyond the edge of their image are cut there: line 82" in caplog.text


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("a.png,319.9,10,335,30,disc", "line 82: the box 319.9,10,335,30 is with 99 % of its area outside a.png"),
        ("a.png,-60,100,-20,120,disc", "line 82: the box -60,100,-20,120 is outside a.png, 320 wide and 240 high"),
        ("a.png,50,60,50,70,disc", "line 82: the box 50,60,50,70 has no size"),
        ("a.png,0.1,0.2,0.15,0.25,disc", "line 82: the box 0.1,0.2,0.15,0.25 is in shares of the image's sides"),
    ],
)
def test_a_box_without_a_part_in_its_image_is_left_out_and_listed(
    photographs: Path, tmp_path: Path, boxes: Table, row: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    found = read(photographs, tmp_path / "t.csv", boxes, row)
    assert [len(image.objects) for image in found.images] == [20, 20, 20, 20]
    assert "1 row left out" in caplog.text and why in caplog.text
    assert any(why in sentence for sentence in found.told)


def test_exchanged_corners_are_put_right_and_told_without_images_too(
    photographs: Path, tmp_path: Path, boxes: Table, caplog: pytest.LogCaptureFixture
) -> None:
    found = read(photographs, tmp_path / "t.csv", boxes, "a.png,50,60,40,70,disc")
    assert found.images[0].objects.boxes_xyxy[-1].tolist() == [40, 60, 50, 70]
    assert "corners of boxes in another order are put right: line 82" in caplog.text
    assert read_unchecked(tmp_path / "t.csv").truth["a.png"].boxes_xyxy[-1].tolist() == [40, 60, 50, 70]


@pytest.mark.parametrize(("x", "kept"), [("320", 320), ("319.99", 319.99), ("320.4", 320), ("-0.4", 0), ("-1.5", None)])
def test_a_point_at_the_edge_counts_and_one_far_beyond_does_not(
    photographs: Path, tmp_path: Path, points: Table, x: str, kept: float | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Up to one pixel beyond, which is how programs round; told, unless it is on the edge itself."""
    found = read(photographs, tmp_path / "t.csv", points, f"a.png,{x},100,disc")
    assert len(found.images[0].objects) == 20 + (kept is not None)
    if kept is not None:
        assert found.images[0].objects.xy[-1].tolist() == [kept, 100]
    assert ("line 82" in caplog.text) == (x not in ("320", "319.99"))


def exchanged(table: Table) -> Table:
    names = {"xmin": "ymin", "ymin": "xmin", "xmax": "ymax", "ymax": "xmax", "x": "y", "y": "x"}
    return table.rename(columns=names)


def normalised(table: Table) -> Table:
    sides = {name: WIDTH if name[0] == "x" else HEIGHT for name in table if name[0] in "xy"}
    return table.assign(**{name: table[name] / side for name, side in sides.items()})


def sized(table: Table) -> Table:
    return table.assign(xmax=table["xmax"] - table["xmin"], ymax=table["ymax"] - table["ymin"])


def negative(table: Table) -> Table:
    return table.assign(**{name: -table[name] for name in table if name[0] == "y"})


def doubled(table: Table) -> Table:
    return table.assign(**{name: 2 * table[name] for name in table if name[0] in "xy"})


@pytest.mark.parametrize("kind", ["points", "boxes"])
@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        (exchanged, "with x and y exchanged all are inside"),
        (normalised, "are shares of the image's sides and not pixels; multiply"),
        (negative, "y is counted upwards"),
        (doubled, "as if made for larger ones; give the images that were labelled"),
    ],
)
def test_coordinates_that_are_no_pixels_are_one_error_with_the_cause(
    photographs: Path, tmp_path: Path, request: pytest.FixtureRequest, kind: str, changed: Callable, cause: str
) -> None:
    with pytest.raises(AnnotationError, match=cause) as error:
        read(photographs, tmp_path / "t.csv", changed(request.getfixturevalue(kind)))
    assert len(str(error.value).splitlines()) == 1 and "t.csv line" in str(error.value)


def test_width_and_height_as_corners_are_named_with_images_and_without(
    photographs: Path, tmp_path: Path, boxes: Table
) -> None:
    """Called by what they are, the same columns are read."""
    path = tmp_path / "t.csv"
    with pytest.raises(AnnotationError, match="they are width and height and not a corner; call the columns left,top"):
        read(photographs, path, sized(boxes))
    with pytest.raises(AnnotationError, match="they are width and height"):
        read_unchecked(path)
    renamed = sized(boxes).rename(columns=dict(zip(CORNERS, ("left", "top", "width", "height"), strict=True)))
    found = read(photographs, path, renamed)
    wanted = read(photographs, path, boxes)
    for one, other in zip(found.images, wanted.images, strict=True):
        np.testing.assert_allclose(one.objects.boxes_xyxy, other.objects.boxes_xyxy, atol=1e-9)


@pytest.mark.parametrize(
    ("x", "y", "how"),
    [
        (False, True, "with y counted from the bottom"),
        (True, False, "with x counted from the right"),
        (True, True, "with the image turned by 180 degrees"),
        (False, False, None),
    ],
)
def test_labels_that_lie_right_when_turned_are_told(
    photographs: Path, tmp_path: Path, points: Table, x: bool, y: bool, how: str | None
) -> None:
    """All are in their images, and only the pixels under them show it."""
    table = points.assign(x=WIDTH - points["x"] if x else points["x"], y=HEIGHT - points["y"] if y else points["y"])
    told = read(photographs, tmp_path / "t.csv", table).told
    assert [how in sentence for sentence in told] == ([] if how is None else [True])


def test_no_training_begins_on_coordinates_that_are_no_pixels(photographs: Path, tmp_path: Path, points: Table) -> None:
    normalised(points).to_csv(tmp_path / "t.csv", index=False)
    done = call(
        "train", f"data.root={photographs}", f"data.annotations={tmp_path / 't.csv'}", f"output={tmp_path / 'run'}"
    )
    assert done.code == 2 and "shares of the image's sides" in done.log
    assert not (tmp_path / "run" / "model.safetensors").exists()
