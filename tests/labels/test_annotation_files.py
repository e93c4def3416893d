"""Every format of the tables: recognised, read, written, and read back (law 6)."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from detect.labels.annotation_files import READERS, read_annotations, read_unchecked
from detect.labels.annotations import AnnotatedImage, AnnotationError, Annotations
from detect.labels.detections import Detections
from detect.labels.writing.annotation_writing import write_annotations

Make = Callable[..., Path]
POINTS = "image,x,y,label\n"
NEGATIVE = "look-alike"

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6).filter(
    lambda text: text == text.strip() and text.isprintable()
)
sides = st.sampled_from([None, "train", "val", "test"])


@st.composite
def annotations(draw: st.DrawFn, root: Path, files: list[str], boxes: bool) -> Annotations:
    classes = tuple(draw(st.lists(names.filter(lambda name: name != NEGATIVE), min_size=1, max_size=3, unique=True)))
    side = st.floats(0.01, 5)
    images = []
    for file in files:
        rows = draw(
            st.lists(
                st.tuples(st.floats(3, 35), st.floats(3, 25), side, side, st.sampled_from([*classes, NEGATIVE])),
                max_size=4,
                unique_by=lambda row: (round(row[0], 6), round(row[1], 6)),
            )
        )
        things = [row for row in rows if row[4] != NEGATIVE]
        others = [row for row in rows if row[4] == NEGATIVE]
        numbers, rest = (np.array([row[:4] for row in part]).reshape(-1, 4) for part in (things, others))
        images.append(
            AnnotatedImage(
                name=file,
                path=root / file,
                shape=(30, 40),
                objects=Detections.truth(
                    numbers[:, :2], [row[4] for row in things], classes, numbers[:, 2:] if boxes else None
                ),
                negatives=rest[:, :2],
                split=draw(sides),
                group=draw(st.none() | st.just(f"group of {file}")),
                negative_names=(NEGATIVE,) * len(rest),
                negative_wh=rest[:, 2:] if boxes else None,
            )
        )
    return Annotations(tuple(images), classes, boxes, root)


def assert_same(one: Annotations, other: Annotations) -> None:
    assert one.classes == other.classes and one.boxes == other.boxes
    assert len(one.images) == len(other.images)
    for a, b in zip(one.images, other.images, strict=True):
        assert (a.name, a.path, a.shape, a.split, a.group) == (b.name, b.path, b.shape, b.split, b.group)
        assert a.objects.names == b.objects.names and a.negative_names == b.negative_names
        if one.boxes:
            np.testing.assert_allclose(a.objects.boxes_xyxy, b.objects.boxes_xyxy, rtol=0, atol=1e-12)
            np.testing.assert_allclose(a.negative_wh, b.negative_wh, rtol=0, atol=1e-12)
            np.testing.assert_allclose(a.negatives, b.negatives, rtol=0, atol=1e-12)
        else:
            np.testing.assert_array_equal(a.objects.xy, b.objects.xy)
            np.testing.assert_array_equal(a.negatives, b.negatives)


@pytest.mark.parametrize(("ending", "boxes"), [(".csv", False), (".csv", True), ("", True)])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_law_6_annotations_come_back_from_every_format(
    root: Path, tmp_path: Path, ending: str, boxes: bool, data: st.DataObject
) -> None:
    """Pascal VOC, the folder, holds boxes alone."""
    written = data.draw(annotations(root, ["a.png", "images/5.jpg"], boxes))
    path = tmp_path / f"out{ending}"
    write_annotations(written, path)
    read = read_annotations(path, root, negative_labels=[NEGATIVE], classes=written.classes)
    assert_same(written, read)
    assert not list(tmp_path.rglob("*.part"))


def test_what_is_written_is_recognised_by_one_reader_alone(root: Path, tmp_path: Path) -> None:
    box = Detections.truth(np.full((1, 2), 9.0), ["t"], ("t",), np.ones((1, 2)))
    image = AnnotatedImage("a.png", root / "a.png", (30, 40), box, np.empty((0, 2)), negative_wh=np.empty((0, 2)))
    recognised = []
    for ending in (".csv", ""):
        write_annotations(Annotations((image,), ("t",), True, root), tmp_path / f"out{ending}")
        found = [name for name, (recognises, _) in READERS.items() if recognises(tmp_path / f"out{ending}")]
        assert len(found) == 1
        recognised += found
    assert len(set(recognised)) == 2


def test_a_missing_file_is_named(root: Path, tmp_path: Path) -> None:
    for name in ("none.csv", "none.xml"):
        with pytest.raises(AnnotationError, match=name):
            read_annotations(tmp_path / name, root)


def test_truth_is_read_without_the_images(table: Make) -> None:
    path = table(POINTS + "gone/b.png,900,1,t\n./c.png,,,\ngone/b.png,2,2,rock\n")
    truth = read_unchecked(path, negative_labels=["rock"]).truth
    assert {name: len(objects) for name, objects in truth.items()} == {"gone/b.png": 1, "c.png": 0}
    repeated = read_unchecked(table(POINTS + "b.png,9,1,t\n./b.png,9,1,t\n")).truth
    assert {name: len(objects) for name, objects in repeated.items()} == {"b.png": 1}


def test_a_list_of_files_is_read_as_one(root: Path, table: Make) -> None:
    table(POINTS + "a.png,1,1,t\n", "one.csv"), table(POINTS + "images/5.jpg,2,2,t\n", "sub/two.csv")
    path = table("# both\n\none.csv\nsub/two.csv\n", "labels.txt")
    found = {image.name: len(image.objects) for image in read_annotations(path, root).images}
    assert found == {"a.png": 1, "images/5.jpg": 1}
    table(POINTS + "a.png,1,1,t\n", "sub/two.csv")
    assert [len(image.objects) for image in read_annotations(path, root).images] == [1], "repeats are one object"
    table("image,xmin,ymin,xmax,ymax,label\na.png,1,1,9,9,t\n", "sub/two.csv")
    with pytest.raises(AnnotationError, match=r"one\.csv has points and .*two\.csv boxes"):
        read_annotations(path, root)
    with pytest.raises(AnnotationError, match=r"gone\.csv: no such file"):
        read_annotations(table("one.csv\nsub/two.csv\ngone.csv\n", "labels.txt"), root)
    with pytest.raises(AnnotationError, match=r"more\.txt: a list of paths among those"):
        read_annotations(table("one.csv\nmore.txt\n" + table("one.csv\n", "more.txt").name + "\n", "labels.txt"), root)


def test_labels_get_other_names_in_every_format(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Image.new("L", (40, 30)).save(tmp_path / "a.png")
    path = tmp_path / "t.csv"
    path.write_text("image,x,y,label\na.png,1,1,Seal\na.png,9,9,seal\na.png,20,9,rock\n")
    names = {"Seal": "seal", "rock": "stone", "bird": "gull"}
    read = read_annotations(path, tmp_path, names=names, negative_labels=["stone"])
    assert read.classes == ("seal",) and read.images[0].negative_names == ("stone",)
    truth = read_unchecked(path, names=names, negative_labels=["stone"]).truth
    assert {name: found.counts() for name, found in truth.items()} == {"a.png": {"seal": 2}}
    assert "no label is called" in caplog.text and "'bird'" in caplog.text and "differ" not in caplog.text
