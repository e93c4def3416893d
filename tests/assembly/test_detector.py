"""The Python face: the numbers of `detect.predict`, from a file or from pixels."""

import gc
import io
import pickle
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
import torch
from PIL import Image

import detect
from detect import Detections, Detector, Scene
from detect.assembly.face.counted_image import CountedImage
from detect.imagery.resolution import Resolution
from detect.nets.modelfile import build_net, save_model
from tests.commands import call
from tests.engines import coarse, lively, write
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


def test_the_folder_of_temporary_files_can_be_told(folder: Path, tmp_path: Path) -> None:
    model = folder / "patch.safetensors"
    assert Detector.load(model, scratch=tmp_path)._engine(None, "none").plan.folder == tmp_path
    assert Detector.load(model)._engine(None, "none").plan.folder is None


@pytest.mark.parametrize("name", ["grid", "patch", "half"])
@pytest.mark.parametrize(
    "given", [("threshold=0.55",), ("tta=flips",), ("tta=scales",), ("adapt=batchnorm",), ("rescale=1.2",)]
)
def test_the_numbers_are_those_of_predict(folder: Path, tmp_path: Path, name: str, given: tuple[str, ...]) -> None:
    """To the digits that detections.csv holds; the heatmap to its own."""
    model = folder / f"{name}.safetensors"
    done = call("predict", f"model={model}", f"images={folder / 'images'}", f"output={tmp_path / 'out'}", *given)
    assert done.code == 0, done.log
    table = pd.read_csv(tmp_path / "out/detections.csv", dtype={"image": str})
    counts = pd.read_csv(tmp_path / "out/counts.csv", index_col="image")
    option, _, value = given[0].partition("=")
    options: dict[str, Any] = {option: float(value) if option in ("threshold", "rescale") else value}
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
            np.testing.assert_allclose(found.heatmap, heatmap.read() * heatmap.scales[0], rtol=0, atol=0.5 / 254 + 1e-6)


def test_probabilities_are_added_up_and_scores_are_not(tmp_path: Path) -> None:
    """Odds of twice the score's at each object, down to a score of 0.02, and none of a model whose scores are none."""
    net, card = lively()
    image = write(tmp_path / "a.png")
    record = {"slope": 1.0, "intercept": float(np.log(2))}
    for name, calibration in (("plain", None), ("made", record)):
        save_model(tmp_path / f"{name}.safetensors", net, replace(card, calibration=calibration, threshold=0.02))
    plain, made = (Detector.load(tmp_path / f"{name}.safetensors").count(image) for name in ("plain", "made"))
    odds = plain.detections.score / (1 - plain.detections.score)
    assert plain.expected is None and made.expected == pytest.approx((2 * odds / (1 + 2 * odds)).sum(), rel=1e-4)


@pytest.mark.parametrize("name", ["grid", "patch", "half"])
def test_pixels_are_counted_as_their_file_is(folder: Path, name: str) -> None:
    detector = Detector.load(folder / f"{name}.safetensors", device="cpu", runtime="torch")
    path = folder / "images/0.png"
    by_file, by_pixels = detector.count(path), detector.count(np.asarray(Image.open(path)))
    assert by_file.total == by_pixels.total > 1
    np.testing.assert_array_equal(by_file.detections.xy, by_pixels.detections.xy)
    np.testing.assert_array_equal(by_file.heatmap, by_pixels.heatmap)
    larger = [detector.count(image, rescale=1.3) for image in (path, np.asarray(Image.open(path)))]
    np.testing.assert_array_equal(larger[0].heatmap, larger[1].heatmap)
    assert larger[0].heatmap.shape != by_file.heatmap.shape


@pytest.mark.parametrize("name", ["grid", "patch", "half"])
def test_masked_pixels_are_counted_as_a_file_with_a_mask_and_transparency_in_an_array_is_told(
    folder: Path, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    detector = Detector.load(folder / f"{name}.safetensors", device="cpu", runtime="torch")
    pixels = np.asarray(Image.open(folder / "images/0.png"))
    hidden = np.zeros(pixels.shape[:2], bool)
    hidden[:, 90:] = True
    shown = np.dstack([pixels, np.where(hidden, 0, 255).astype(np.uint8)])
    Image.fromarray(shown).save(tmp_path / "a.png")
    by_file = detector.count(tmp_path / "a.png")
    by_mask = detector.count(np.ma.masked_array(pixels, np.repeat(hidden[..., None], 3, 2)))
    assert "transparency" not in caplog.text
    assert 0 < by_file.total == by_mask.total < detector.count(shown).total
    np.testing.assert_array_equal(by_file.detections.xy, by_mask.detections.xy)
    np.testing.assert_array_equal(by_file.heatmap, by_mask.heatmap)
    assert "band 4" in caplog.text and "np.ma.masked_array" in caplog.text


def test_of_several_images_each_comes_when_it_is_asked_for(folder: Path) -> None:
    """An iterator, so that one is in memory at a time: the file that is not there is not missed until then."""
    detector = Detector.load(folder / "patch.safetensors", runtime="torch")
    results = detector.count([folder / "images/0.png", str(folder / "images/1.png"), folder / "none.png"])
    assert [next(results).total for _ in range(2)] == [
        detector.count(folder / "images" / f"{i}.png").total for i in range(2)
    ]
    with pytest.raises(OSError, match=r"none\.png"):
        next(results)


def test_of_many_images_no_more_than_two_are_in_memory(folder: Path) -> None:
    """The one that the caller holds and the one that is made: the others are given back, pixels and results."""
    made: list[weakref.ref] = []

    def pixels() -> Iterator[np.ndarray]:
        for i in range(5):
            image = coarse(40, 50, i).copy()
            made.append(weakref.ref(image))
            yield image
            del image

    most = 0
    for found in Detector.load(folder / "patch.safetensors", runtime="torch").count(pixels()):
        made.append(weakref.ref(found))
        gc.collect()
        most = max(most, sum(each() is not None for each in made))
    assert len(made) == 10 and most <= 4, "the pixels of two images and two results"


@pytest.mark.parametrize(
    ("pixels", "named"),
    [
        (np.zeros((2, 40, 50, 3), np.uint8), r"\(2, 40, 50, 3\).*list\(pixels\)"),
        (np.zeros((2, 2, 40, 50, 3), np.uint8), r"\(2, 2, 40, 50, 3\)"),
        (np.zeros((3, 40, 50), np.uint8), r"\(3, 40, 50\).*moveaxis.*pixels\[\.\.\., :3\]"),
        (np.zeros((4, 40, 50), np.uint8), r"\(4, 40, 50\).*moveaxis"),
        (np.zeros((8, 40, 2), np.uint8), r"1, 2, 3.*\(8, 40, 2\).*moveaxis"),
        (np.zeros((40, 50), np.uint8), r"1, 2, 3.*\(40, 50\)"),
        (np.zeros((40, 50, 1), np.uint8), r"1, 2, 3.*\(40, 50, 1\)"),
        (np.zeros((0, 50, 3), np.uint8), r"\(0, 50, 3\)"),
        (np.zeros((40, 50, 3), np.float32), "float32.*uint8"),
    ],
)
def test_pixels_of_another_shape_or_kind_are_named(folder: Path, pixels: np.ndarray, named: str) -> None:
    detector = Detector.load(folder / "patch.safetensors", runtime="torch")
    with pytest.raises((ValueError, OSError), match=named):
        detector.count(pixels)


@pytest.mark.parametrize("shape", [(10, 40, 224), (3, 40, 3), (4, 40, 3), (3, 40, 4), (40, 50, 5)])
def test_bands_are_the_last_axis(folder: Path, shape: tuple[int, ...]) -> None:
    """A flat image of many bands is no image with its bands first: the first three are looked at."""
    detector = Detector.load(folder / "patch.safetensors", runtime="torch")
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    found, wanted = detector.count(pixels), detector.count(pixels[..., :3])
    assert found.scene.shape == shape[:2]
    np.testing.assert_array_equal(found.heatmap, wanted.heatmap)


def test_the_way_out_of_a_wrong_guess_is_one(folder: Path) -> None:
    detector = Detector.load(folder / "patch.safetensors", runtime="torch")
    assert detector.count(np.zeros((3, 40, 50), np.uint8)[..., :3]).scene.shape == (3, 40)


def test_a_grey_image_needs_no_axis_of_bands(tmp_path: Path) -> None:
    card = lively()[1]
    one = replace(card, bands=(1,), backbone=replace(card.backbone, bands=1), offset=(127.0,), scale=(64.0,))
    save_model(tmp_path / "grey.safetensors", build_net(one), one)
    detector = Detector.load(tmp_path / "grey.safetensors", runtime="torch")
    pixels = coarse(60, 70)[..., 0]
    np.testing.assert_array_equal(detector.count(pixels).heatmap, detector.count(pixels[..., None]).heatmap)


@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_the_order_of_bytes_is_no_other_kind(tmp_path: Path, order: str) -> None:
    net, card = lively(dtype="uint16")
    save_model(tmp_path / "deep.safetensors", net, card)
    pixels = np.random.default_rng(0).integers(0, 2600, (80, 90, 3), np.uint16)
    detector = Detector.load(tmp_path / "deep.safetensors", runtime="torch")
    found = detector.count(pixels.astype(order))
    assert found.total == detector.count(pixels).total > 0
    np.testing.assert_array_equal(found.heatmap, detector.count(pixels).heatmap)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (torch.zeros(40, 50, 3), "torch Tensor.*asarray"),
        (torch.zeros(3), "torch Tensor"),
        (Image.new("RGB", (50, 40)), "PIL image.*asarray"),
        (pd.DataFrame({"path": ["a.png"]}), "DataFrame"),
        (b"photo.png", "bytes"),
        (io.BytesIO(b"photo"), "BytesIO"),
        ({"a": "a.png"}, "dict"),
        (None, "None"),
        (5, "5"),
        ([np.zeros((40, 50, 3), np.uint8), None], "None among several"),
        ([[1, 2], [3, 4]], "list among several"),
    ],
)
def test_what_is_no_image_is_named_at_the_call(folder: Path, given: object, named: str) -> None:
    with pytest.raises(TypeError, match=rf"a path, an array .*, got .*{named}"):
        Detector.load(folder / "patch.safetensors", runtime="torch").count(given)


@pytest.mark.parametrize("several", [tuple, iter, pd.Series], ids=["tuple", "iterator", "series"])
def test_several_images_come_in_anything_that_holds_them(folder: Path, several: Callable) -> None:
    results = Detector.load(folder / "patch.safetensors", runtime="torch").count(several([folder / "images/0.png"] * 2))
    assert len({found.total for found in results}) == 1


def test_what_an_iterator_holds_is_named_when_it_comes(folder: Path) -> None:
    results = Detector.load(folder / "patch.safetensors", runtime="torch").count(iter([folder / "images/0.png", 5]))
    next(results)
    with pytest.raises(TypeError, match="got 5 among several"):
        next(results)


def test_an_empty_path_is_named(folder: Path) -> None:
    with pytest.raises(ValueError, match="''"):
        Detector.load(folder / "patch.safetensors", runtime="torch").count("")


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ({"threshold": 2}, "2"),
        ({"threshold": "0.5"}, "threshold must be a number.*'0.5'"),
        ({"threshold": float("nan")}, "nan"),
        ({"tta": "d8"}, "d8"),
        ({"rescale": "survey"}, "rescale=survey is of a run over many images; take auto, or a number"),
        ({"rescale": -1.0}, "none, auto, survey or a number in .*-1"),
        ({"adapt": "dark"}, "none, light, batchnorm or a list of these, got .*dark"),
    ],
)
def test_options_out_of_bounds_are_named(folder: Path, option: dict, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Detector.load(folder / "patch.safetensors", runtime="torch").count(folder / "images/0.png", **option)


def test_what_cannot_be_loaded_is_named(folder: Path) -> None:
    with pytest.raises(ValueError, match="none"):
        Detector.load(folder / "none.safetensors")


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ({"runtime": "caffe"}, "^runtime must be .*caffe"),
        ({"device": "gpu"}, "^device=gpu"),
        ({"device": "cuda:99"}, "^device=cuda:99"),
        ({"device": None}, "^device=None"),
        ({"device": "meta"}, "^device=meta"),
    ],
)
def test_arguments_are_checked_at_loading_and_named_as_arguments(folder: Path, option: dict, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Detector.load(folder / "patch.safetensors", **option)


def test_counts_are_those_of_the_objects_whatever_becomes_of_a_copy(folder: Path) -> None:
    found = Detector.load(folder / "grid.safetensors", runtime="torch").count(folder / "images/0.png")
    found.counts["a"] = 0
    assert found.counts == found.detections.counts()
    again = pickle.loads(pickle.dumps(found))
    assert again.counts == found.counts, "a result can be sent to another process"


@pytest.mark.parametrize("name", ["grid", "patch"])
def test_the_columns_of_a_table_are_of_one_kind_with_objects_and_without(folder: Path, name: str) -> None:
    found = Detector.load(folder / f"{name}.safetensors", runtime="torch").count(folder / "images/0.png")
    nothing = replace(found, result=replace(found.result, detections=found.detections[:0]))
    assert found.total > 0 == nothing.total
    assert nothing.table().dtypes.to_dict() == found.table().dtypes.to_dict()
    assert pd.api.types.is_string_dtype(nothing.table()["label"])


@pytest.mark.parametrize("name", ["grid", "patch", "half"])
@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 5, 3), (1, 40, 3)])
def test_the_smallest_images_are_shown_too(folder: Path, name: str, shape: tuple[int, ...]) -> None:
    """The picture is of the network's resolution, at least a pixel; the heatmap has a cell a stride begun."""
    found = Detector.load(folder / f"{name}.safetensors", runtime="torch").count(np.full(shape, 90, np.uint8))
    scene = found.scene
    cells = tuple(-(-side // found.result.geometry.stride) for side in scene.shape)
    assert found.heatmap.shape == (2, *cells)
    assert found.draw().width == scene.shape[1] and "<img" in found._repr_html_()


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
    assert {name for name in dir(detect) if not name.startswith("_")} == {"Detections", "Detector", "Scene"}
    assert set(detect.__all__) <= set(dir(detect)) and detect.Scene is Scene
    with pytest.raises(AttributeError, match="Elephant"):
        detect.Elephant  # noqa: B018
