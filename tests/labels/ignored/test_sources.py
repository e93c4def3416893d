import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import Affine

from detect.labels.annotations import AnnotatedImage, AnnotationError
from detect.labels.detections import Detections
from detect.labels.ignored.sources import ignored_areas
from detect.labels.regions import area_outside

SIZE = (40, 60)
"""Height and width of the images."""


@pytest.fixture
def images(tmp_path: Path) -> dict[str, AnnotatedImage]:
    """Two images, `a.png` and `b.png`."""
    found = {}
    for name in ("a.png", "b.png"):
        Image.new("RGB", SIZE[::-1]).save(tmp_path / name)
        found[name] = AnnotatedImage(name, tmp_path / name, SIZE, Detections.empty(("x",)), np.empty((0, 2)))
    return found


def area(boxes: np.ndarray) -> float:
    """How many pixels of an image are ignored."""
    return SIZE[0] * SIZE[1] - area_outside(SIZE, boxes)


def test_a_table_has_polygons_as_well_known_text(images: dict[str, AnnotatedImage], tmp_path: Path) -> None:
    """A right triangle of legs of 20 pixels, and a rectangle of 10 x 5."""
    table = tmp_path / "ignored.csv"
    table.write_text(
        'image,wkt\na.png,"POLYGON ((0 0, 20 0, 0 20, 0 0))"\na.png,"POLYGON ((40 5, 50 5, 50 10, 40 10, 40 5))"\n'
    )
    found, unknown = ignored_areas(table, images)
    assert list(found) == ["a.png"] and unknown == []
    assert area(found["a.png"]) == pytest.approx(200 + 50, abs=10)  # pixels on the diagonal are in or out as a whole


def test_settings_hold_rectangles_and_polygons(images: dict[str, AnnotatedImage]) -> None:
    given = {"a.png": [[0, 0, 10, 10]], "b.png": "POLYGON ((0 0, 30 0, 30 10, 0 10, 0 0))", "c.png": [[0, 0, 1, 1]]}
    found, unknown = ignored_areas(given, images)
    assert area(found["a.png"]) == 100 and area(found["b.png"]) == 300 and unknown == ["c.png"]


def test_geojson_in_pixels_names_its_images(images: dict[str, AnnotatedImage], tmp_path: Path) -> None:
    square = {"type": "Polygon", "coordinates": [[[400, 5], [410, 5], [410, 15], [400, 15], [400, 5]]]}
    inside = {"type": "Polygon", "coordinates": [[[5, 5], [15, 5], [15, 25], [5, 25], [5, 5]]]}
    features = [
        {"type": "Feature", "properties": {"image": name}, "geometry": shape}
        for name, shape in (("b.png", inside), ("b.png", square), ("z.png", inside))
    ]
    file = tmp_path / "ignored.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    found, unknown = ignored_areas(file, images)
    assert list(found) == ["b.png"] and area(found["b.png"]) == 200 and unknown == ["z.png"]


def test_polygons_on_the_map_are_found_in_the_raster(tmp_path: Path) -> None:
    """Half a metre a pixel from (500000, 4000000): 5 m x 10 m from the corner are 10 x 20 pixels."""
    path = tmp_path / "map.tif"
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=40,
        width=60,
        count=1,
        dtype="uint8",
        crs="EPSG:32611",
        transform=Affine(0.5, 0, 500_000, 0, -0.5, 4_000_000),
    ) as file:
        file.write(np.zeros((1, 40, 60), np.uint8))
    outline = [[500_000, 4_000_000], [500_005, 4_000_000], [500_005, 3_999_990], [500_000, 3_999_990]]
    vector = tmp_path / "ignored.geojson"
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32611"}}
    shape = {"type": "Polygon", "coordinates": [[*outline, outline[0]]]}
    feature = {"type": "Feature", "properties": {}, "geometry": shape}
    vector.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": [feature]}))
    image = AnnotatedImage("map.tif", path, SIZE, Detections.empty(("x",)), np.empty((0, 2)))
    found, _ = ignored_areas(vector, {"map.tif": image})
    assert area(found["map.tif"]) == 10 * 20


def test_a_folder_of_masks_and_a_table_add_up(images: dict[str, AnnotatedImage], tmp_path: Path) -> None:
    """`mask_a` of half the size is white in its left half; the table adds a rectangle on the right."""
    folder = tmp_path / "masks"
    folder.mkdir()
    half = np.zeros((20, 30), np.uint8)
    half[:, :15] = 255
    Image.fromarray(half).save(folder / "mask_a.png")
    table = tmp_path / "more.csv"
    table.write_text("image,xmin,ymin,xmax,ymax\na.png,50,0,60,40\n")
    found, unknown = ignored_areas([folder, table], images)
    assert list(found) == ["a.png"] and unknown == []
    assert area(found["a.png"]) == 30 * 40 + 10 * 40


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"a.png": "POLYGON ((0 0, 1"}, r"a\.png.*POLYGON"),
        ({"a.png": "POINT (3 4)"}, r"a\.png.*polygon.*POINT"),
    ],
)
def test_what_is_no_polygon_is_named(images: dict[str, AnnotatedImage], given: dict[str, str], message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        ignored_areas(given, images)


def test_a_mask_of_another_form_or_of_nobody_is_an_error(images: dict[str, AnnotatedImage], tmp_path: Path) -> None:
    folder = tmp_path / "masks"
    folder.mkdir()
    Image.new("L", (30, 30)).save(folder / "a.png")
    with pytest.raises(AnnotationError, match=r"a\.png.*30 x 30.*40 x 60"):
        ignored_areas(folder, images)
    (folder / "a.png").rename(folder / "z.png")
    with pytest.raises(AnnotationError, match="no mask of any"):
        ignored_areas(folder, images)


def test_polygons_on_the_map_need_an_image_that_is_on_it(images: dict[str, AnnotatedImage], tmp_path: Path) -> None:
    shape = {"type": "Polygon", "coordinates": [[[5, 5], [15, 5], [15, 25], [5, 25], [5, 5]]]}
    feature = {"type": "Feature", "properties": {}, "geometry": shape}
    file = tmp_path / "ignored.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    with pytest.raises(AnnotationError, match=r"ignored\.geojson.*none of the images.*property image"):
        ignored_areas(file, images)


def test_masks_of_any_colour_and_of_jpeg_are_read(
    images: dict[str, AnnotatedImage], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A green left half; a JPEG, whose black is not exact but whose 8 x 8 blocks are; a name with both endings."""
    folder = tmp_path / "masks"
    folder.mkdir()
    green = np.zeros((40, 60, 3), np.uint8)
    green[:, :32, 1] = 200
    Image.fromarray(green).save(folder / "a.png.png")
    Image.fromarray(np.where(green > 0, 255, 7).max(axis=2).astype(np.uint8)).save(folder / "b.jpg", quality=60)
    found, unknown = ignored_areas(folder, images)
    assert area(found["a.png"]) == 32 * 40 and area(found["b.png"]) == 32 * 40 and unknown == []
    Image.new("L", (60, 40)).save(folder / "a.png.png")
    ignored_areas(folder, images)
    assert "a.png.png is all black" in caplog.text
