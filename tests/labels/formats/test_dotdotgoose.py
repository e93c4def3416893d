import json
from collections.abc import Callable
from pathlib import Path

import pytest

from detect.labels.annotation_files import read_annotations
from detect.labels.annotations import AnnotationError

Make = Callable[..., Path]


def pnt(images: dict) -> str:
    """A file as DotDotGoose 1.7 saves it."""
    return json.dumps(
        {
            "classes": ["bird", "seal"], "points": images, "colors": {"bird": [255, 0, 0], "seal": [0, 0, 255]},
            "metadata": {"survey_id": "s1", "coordinates": {}}, "custom_fields": {"fields": [], "data": {}},
            "ui": {"grid": {"size": 200, "color": [255, 255, 255]}, "point": {"radius": 25, "color": [255, 255, 0]}},
        }
    )  # fmt: off


def test_points_of_each_class_and_images_without(root: Path, table: Make, caplog: pytest.LogCaptureFixture) -> None:
    images = {"a.png": {"seal": [{"x": 1.5, "y": 2.0}], "bird": [{"x": 3, "y": 4}]}, "5.jpg": {}}
    read = read_annotations(table(pnt(images), "survey.pnt"), root)
    assert not read.boxes and read.classes == ("bird", "seal")
    assert read.images[0].objects.xy.tolist() == [[1.5, 2], [3, 4]]
    assert read.images[0].objects.names == ["seal", "bird"]
    assert read.images[1].name == "images/5.jpg" and not len(read.images[1].objects)
    assert "count as looked at" in caplog.text


def test_the_table_of_points_that_it_exports_is_read(root: Path, table: Make) -> None:
    text = "survey id,image,class,x,y\ns1,a.png,seal,1.5,2.0\ns1,5.jpg,bird,3,4"
    read = read_annotations(table(text), root)
    assert [(image.name, image.objects.names) for image in read.images] == [
        ("a.png", ["seal"]),
        ("images/5.jpg", ["bird"]),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (pnt({"a.png": {"seal": [{"x": 1}]}}), r"pnt point 1.*x and y.*None"),
        (pnt({"a.png": {"seal": 3}}), r"image 'a\.png'.*lists by class"),
        (pnt({"none.png": {"seal": [{"x": 1, "y": 1}]}}), r"point 1.*none\.png"),
        ("[]", r"pnt.*points by image"),
        ("{", r"pnt.*not valid JSON"),
    ],
)
def test_each_problem_names_the_point_and_the_cause(root: Path, table: Make, text: str, message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        read_annotations(table(text, "survey.pnt"), root)
