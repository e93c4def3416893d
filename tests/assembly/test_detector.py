"""The Python face: the numbers of `detect.predict`, from a file or from pixels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from PIL import Image

import detect
from detect import Detections, Detector, Scene
from detect.assembly.detector import CountedImage
from detect.imagery.resolution import Resolution
from detect.nets.modelfile import save_model
from tests.commands import call
from tests.engines import lively, write
from tests.grids import lively_grid


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models of both heads, one for images at half their size, and two images with what `detect.predict` finds."""
    folder = tmp_path_factory.mktemp("face")
    net, card = lively_grid(24.0, 8)
    save_model(folder / "grid.safetensors", net, replace(card, threshold=0.6))
    net, card = lively()
    save_model(folder / "patch.safetensors", net, card)
    save_model(folder / "half.safetensors", net, replace(card, resolution=Resolution(0.5)))
    (folder / "images").mkdir()
    for i in range(2):
        write(folder / "images" / f"{i}.png", 150, 170, seed=i)
    return folder


@pytest.mark.parametrize("name", ["grid", "patch", "half"])
@pytest.mark.parametrize("given", [("threshold=0.55",), ("tta=flips",)])
def test_the_numbers_are_those_of_predict(folder: Path, tmp_path: Path, name: str, given: tuple[str, ...]) -> None:
    """To the digits that detections.csv holds; the heatmap to its own."""
    model = folder / f"{name}.safetensors"
    done = call("predict", f"model={model}", f"images={folder / 'images'}", f"output={tmp_path / 'out'}", *given)
    assert done.code == 0, done.log
    table = pd.read_csv(tmp_path / "out/detections.csv", dtype={"image": str})
    counts = pd.read_csv(tmp_path / "out/counts.csv", index_col="image")
    options = {"threshold": 0.55} if "threshold" in given[0] else {"tta": "flips"}
    for i in range(2):
        found = Detector.load(model).count(folder / "images" / f"{i}.png", **options)
        wanted = table[table["image"] == f"{i}.png"].drop(columns="image").reset_index(drop=True)
        assert found.total == len(wanted) == counts.loc[f"{i}.png", "total"] and found.total > 1
        assert found.counts == {each: counts.loc[f"{i}.png", each] for each in ("a", "b")}
        own = found.table()
        assert own["label"].tolist() == wanted["label"].tolist()
        numbers = ["x", "y", "w", "h", "score"]
        np.testing.assert_allclose(own[numbers].astype(float), wanted[numbers].astype(float), rtol=0, atol=6e-4)
        with rasterio.open(tmp_path / "out/heatmaps" / f"{i}.png.tif") as heatmap:
            np.testing.assert_array_equal(found.heatmap, heatmap.read())


@pytest.mark.parametrize("name", ["grid", "patch", "half"])
def test_pixels_are_counted_as_their_file_is(folder: Path, name: str) -> None:
    detector = Detector.load(folder / f"{name}.safetensors", device="cpu", runtime="torch")
    path = folder / "images/0.png"
    by_file, by_pixels = detector.count(path), detector.count(np.asarray(Image.open(path)))
    assert by_file.total == by_pixels.total > 1
    np.testing.assert_array_equal(by_file.detections.xy, by_pixels.detections.xy)
    np.testing.assert_array_equal(by_file.heatmap, by_pixels.heatmap)


def test_of_several_images_each_comes_when_it_is_asked_for(folder: Path) -> None:
    """An iterator, so that one is in memory at a time: the file that is not there is not missed until then."""
    detector = Detector.load(folder / "patch.safetensors", runtime="torch")
    results = detector.count([folder / "images/0.png", str(folder / "images/1.png"), folder / "none.png"])
    assert [next(results).total for _ in range(2)] == [
        detector.count(folder / "images" / f"{i}.png").total for i in range(2)
    ]
    with pytest.raises(OSError, match=r"none\.png"):
        next(results)


@pytest.mark.parametrize(
    ("pixels", "named"),
    [
        (np.zeros((2, 40, 50, 3), np.uint8), r"\(2, 40, 50, 3\)"),
        (np.zeros((3, 40, 50), np.uint8), r"\(3, 40, 50\).*moveaxis"),
        (np.zeros((40, 50), np.uint8), "1, 2, 3"),
        (np.zeros((40, 50, 1), np.uint8), "1, 2, 3"),
        (np.zeros((0, 50, 3), np.uint8), r"\(0, 50, 3\)"),
        (np.zeros((40, 50, 3), np.float32), "float32.*uint8"),
    ],
)
def test_pixels_of_another_shape_or_kind_are_named(folder: Path, pixels: np.ndarray, named: str) -> None:
    detector = Detector.load(folder / "patch.safetensors", runtime="torch")
    with pytest.raises((ValueError, OSError), match=named):
        detector.count(pixels)


@pytest.mark.parametrize(("option", "named"), [({"threshold": 2}, "2"), ({"tta": "d8"}, "d8")])
def test_options_out_of_bounds_are_named(folder: Path, option: dict, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Detector.load(folder / "patch.safetensors", runtime="torch").count(folder / "images/0.png", **option)


def test_what_cannot_be_loaded_is_named(folder: Path) -> None:
    with pytest.raises(ValueError, match="none"):
        Detector.load(folder / "none.safetensors")
    with pytest.raises(ValueError, match="caffe"):
        Detector.load(folder / "patch.safetensors", runtime="caffe")


def test_a_result_shows_itself(folder: Path) -> None:
    found = Detector.load(folder / "grid.safetensors", runtime="torch").count(folder / "images/0.png")
    assert isinstance(found, CountedImage) and isinstance(found.detections, Detections)
    picture = found.draw()
    assert picture.width == 170 and picture.height > 150, "a legend is below"
    html = found._repr_html_()
    assert "data:image/jpeg;base64," in html and f"{found.total:,} objects" in html
    assert str(found.total) in repr(found)
    assert replace(found, name="<b>")._repr_html_().count("<b>") == 0, "names are escaped"


def test_the_face_is_what_it_says() -> None:
    assert set(detect.__all__) <= set(dir(detect)) and detect.Scene is Scene
    with pytest.raises(AttributeError, match="Elephant"):
        detect.Elephant  # noqa: B018
