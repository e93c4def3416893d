"""Law 8: augmentation moves pixels and labels together, and never touches validation or test."""

import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from PIL import Image
from scipy import ndimage

from detect.assembly.command import conf_folder
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.resolution import Resolution
from detect.imagery.scenes import Scene
from detect.inference.decoding.grid import turned_channels
from detect.labels.detections import Detections
from detect.labels.formats.patch_folder import read_patch_folder
from detect.nets.net_spec import BackboneSpec
from detect.samples.augment import GEOMETRIC, Augment
from detect.samples.bare.folder_dataset import FolderDataset
from detect.samples.bare.folder_samples import FolderDraw, folder_samples_of
from detect.samples.bare.folder_spec import folder_spec
from detect.samples.crop_draws import Crop
from detect.samples.crops import CropDataset, crop_samples_of
from detect.samples.epochs import CropDraw
from detect.samples.labelled_scenes import LabelledScene, SceneSplit
from detect.samples.pixel_cache import PixelSource
from detect.samples.targets import Objects, PatchEncoder
from detect.samples.values.normalisation import ValueRange
from tests.grids import D4, encode, grid_card, objects, turned_image, turned_objects
from tests.laws.planted import planted_objects

SIDE = 81
MIRRORED = 4  # OpenCV's BORDER_REFLECT_101
TURNS = {"scale": [0.87, 1.25], "rotate": [-30, 30], "shear": [-5, 5], "p": 1.0}
CHAINS = {
    "symmetry": {"D4": {}},
    "affine": {"Affine": TURNS},
    "mirrored": {"Affine": {**TURNS, "border_mode": MIRRORED}},
    "two mirrors": {
        "Perspective": {"scale": [0.02, 0.05], "border_mode": MIRRORED, "p": 1.0},
        "Affine": {"scale": [0.9, 1.1], "rotate": [-15, 15], "border_mode": MIRRORED, "p": 1.0},
    },
    "all": {"SquareSymmetry": {}, "Affine": {**TURNS, "border_mode": MIRRORED}, "RandomBrightnessContrast": {"p": 1.0}},
}
GROUPS = [path.stem for path in sorted(conf_folder().glob("augment/*.yaml"))]
LIGHT = {"RandomBrightnessContrast": {"brightness_limit": [0.2, 0.3], "p": 1.0}, "D4": {}}
inner = st.floats(30, SIDE - 30)


def blob(x: float, y: float, bands: int, dtype: str, height: int = SIDE) -> np.ndarray:
    """A round hill of sigma 2 pixels, 200 high at (x, y) over 20; pixel i spans [i, i + 1)."""
    rows, cols = np.mgrid[:height, :SIDE] + 0.5
    hill = 20 + 200 * np.exp(-((rows - y) ** 2 + (cols - x) ** 2) / 8)
    return np.repeat(hill[None], bands, axis=0).astype(dtype)


def centroid(pixels: np.ndarray) -> tuple[float, float]:
    """Where the hill stands: the mean place of what rises over the middle between the image's extremes."""
    band = pixels[0].astype(float)
    weight = np.clip(band - (band.max() + band.min()) / 2, 0, None)
    rows, cols = np.mgrid[: band.shape[0], : band.shape[1]] + 0.5
    return (weight * cols).sum() / weight.sum(), (weight * rows).sum() / weight.sum()


@pytest.mark.parametrize("name", CHAINS)
@given(x=inner, y=inner, seed=st.integers(0, 2**40), kind=st.sampled_from([(3, "uint8"), (1, "uint8"), (5, "uint16")]))
@settings(deadline=None, max_examples=25)
def test_a_point_goes_with_its_pixels(name: str, x: float, y: float, seed: int, kind: tuple[int, str]) -> None:
    image = blob(x, y, *kind)
    moved, xy = Augment(CHAINS[name])(image, np.array([[x, y], [0.0, 0.0]]), seed)
    assert (moved.shape, moved.dtype, xy.shape) == (image.shape, image.dtype, (2, 2))
    assert np.abs(xy[0] - centroid(moved)).max() < 0.2


@given(row=st.integers(0, 6), col=st.integers(0, 8), seed=st.integers(0, 999))
@settings(deadline=None, max_examples=40)
def test_flips_and_quarter_turns_move_a_pixel_exactly(row: int, col: int, seed: int) -> None:
    """An image that is not square, so that an exchange of height and width would show."""
    image = np.zeros((1, 7, 9), np.uint8)
    image[0, row, col] = 255
    moved, xy = Augment({"D4": {}})(image, np.array([[col + 0.5, row + 0.5]]), seed)
    at = np.argwhere(moved[0] == 255)
    np.testing.assert_allclose(xy, at[:, ::-1] + 0.5, atol=1e-6)


def test_all_eight_symmetries_are_drawn() -> None:
    image = np.arange(16, dtype=np.uint8).reshape(1, 4, 4)
    seen = {Augment({"D4": {}})(image, np.empty((0, 2)), seed)[0].tobytes() for seed in range(200)}
    assert len(seen) == 8


@pytest.mark.parametrize("name", CHAINS)
def test_a_seed_decides_and_points_do_not(name: str) -> None:
    image = blob(40, 33, 3, "uint8")
    augment = Augment(CHAINS[name])
    first, xy = augment(image, np.array([[40.0, 33.0]]), 5)
    others = [augment(image, np.empty((0, 2)), seed)[0] for seed in (6, 7, 8)]
    again, none = Augment(CHAINS[name])(image, np.empty((0, 2)), 5)
    np.testing.assert_array_equal(first, again)
    assert (len(xy), len(none)) == (1, 0)
    assert any((other != first).any() for other in others)


@cache
def group(name: str) -> dict:
    """The transforms of a choice of `augment`."""
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        cfg = compose("train", [f"augment={name}", "data.root=x"])
    return OmegaConf.to_container(cfg.augment.transforms)


@cache
def always(name: str) -> Augment:
    """The geometric transforms of a choice of `augment`, every one applied."""
    return Augment({each: {**given, "p": 1.0} for each, given in group(name).items() if each in GEOMETRIC})


@pytest.mark.parametrize("name", GROUPS)
@given(x=inner, y=inner, seed=st.integers(0, 2**40), kind=st.sampled_from([(3, "uint8"), (1, "uint8"), (5, "uint16")]))
@settings(deadline=None, max_examples=20)
def test_in_every_group_a_point_goes_with_its_pixels(
    name: str, x: float, y: float, seed: int, kind: tuple[int, str]
) -> None:
    """Within half a pixel: shears and perspective stretch the hill, and a wafer's nearest pixel is half a pixel off."""
    image = blob(x, y, *kind)
    moved, xy = always(name)(image, np.array([[x, y]]), seed)
    row, col = np.floor(xy[0, ::-1]).astype(int)
    edge = np.array([xy[0].min(), SIDE - xy[0].max()]).min()
    if edge > 10:  # the hill is whole, and its mirror image is not in sight
        near = moved[:, row - 9 : row + 10, col - 9 : col + 10]
        assert np.abs(xy[0] - centroid(near) - (col - 9, row - 9)).max() < 0.5
    assert (moved.shape, moved.dtype) == (image.shape, image.dtype)


@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.parametrize("kind", [(3, "uint8"), (1, "uint8"), (5, "uint16"), (1, "float32")])
def test_every_group_varies_every_kind_of_image_without_a_warning(name: str, kind: tuple[int, str]) -> None:
    """With each transform applied by its own probability, in 60 draws; the same seed gives the same image."""
    augment, again = Augment(group(name)), Augment(group(name))
    image = blob(40, 33, *kind)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        varied = [augment(image, np.empty((0, 2)), seed)[0] for seed in range(60)]
    assert {(each.shape, str(each.dtype)) for each in varied} == {(image.shape, kind[1])}
    number = len({each.tobytes() for each in varied})
    assert number == 1 if name == "none" else number > (8 if name == "industrial" else 30)
    np.testing.assert_array_equal(varied[7], again(image, np.empty((0, 2)), 7)[0])


@pytest.mark.parametrize("name", ["wafer", "none"])
def test_a_map_of_codes_keeps_them(name: str) -> None:
    """Codes 40, 90 and 200, and the 0 outside the wafer: no turn makes a value between."""
    codes = np.random.default_rng(0).choice(np.array([40, 90, 200], np.uint8), (1, SIDE, SIDE))
    augment = Augment(group(name))
    for seed in range(30):
        assert set(np.unique(augment(codes, np.empty((0, 2)), seed)[0])) <= {0, 40, 90, 200}


def test_industrial_things_stay_straight() -> None:
    """A horizontal or vertical edge is one still, but for shifts and scale of a few pixels."""
    image = np.zeros((1, SIDE, SIDE), np.uint8)
    image[:, :, 40:] = 255
    for seed in range(40):
        moved = always("industrial")(image, np.empty((0, 2)), seed)[0][0]
        assert np.ptp(moved, axis=0).max() == 0 or np.ptp(moved, axis=1).max() == 0


def test_what_comes_in_from_beyond_the_border_is_not_valid() -> None:
    """Shrunk to a half: a quarter of the pixels is of the image, also where mirrors fill the rest."""
    augment = Augment({"Affine": {"scale": [0.5, 0.5], "border_mode": MIRRORED, "p": 1.0}})
    _, _, valid = augment.vary(blob(40, 40, 3, "uint8"), np.empty((0, 2)), np.ones((SIDE, SIDE), bool), 0)
    assert valid.mean() == pytest.approx(0.25, abs=0.02) and valid[SIDE // 2, SIDE // 2]


def test_light_does_not_follow_geometry() -> None:
    """Each kind has draws of its own: brightness is as often up when an image is mirrored as when it is not."""
    augment = Augment({"HorizontalFlip": {"p": 0.5}, "RandomBrightnessContrast": {"contrast_limit": 0, "p": 1.0}})
    image = np.full((1, 8, 8), 100, np.uint8)
    image[:, :, :4] = 90
    varied = [augment(image, np.empty((0, 2)), seed)[0][0] for seed in range(300)]
    up = {side: np.mean([v.mean() > 95 for v in varied if (v[0, 0] > v[0, -1]) == side]) for side in (True, False)}
    assert up[True] == pytest.approx(0.5, abs=0.12) and up[False] == pytest.approx(0.5, abs=0.12)


@pytest.mark.parametrize("kind", [(3, "float32"), (4, "uint16"), (4, "uint8")])
def test_light_is_varied_where_the_range_of_values_is_known(kind: tuple[int, str]) -> None:
    """Values of images that are no photographs mean something: a flip may move them, nothing else without a range."""
    image = (blob(40, 33, *kind) * 20).astype(kind[1])
    moved = Augment(LIGHT)(image, np.empty((0, 2)), 3)[0]
    np.testing.assert_array_equal(np.sort(moved, axis=None), np.sort(image, axis=None))
    for known, seen in ((Augment(LIGHT), blob(40, 33, 3, "uint8")), (Augment(LIGHT).within(range_of(image)), image)):
        varied = known(seen, np.empty((0, 2)), 3)[0]
        assert (np.sort(varied, axis=None) != np.sort(seen, axis=None)).any()


def range_of(image: np.ndarray) -> ValueRange:
    bands = len(image)
    return ValueRange((float(image.min()),) * bands, (float(image.max()),) * bands)


@pytest.mark.parametrize("name", GROUPS)
@given(seed=st.integers(0, 2**40), kind=st.sampled_from([(3, "uint8"), (5, "uint16"), (4, "float32")]))
@settings(deadline=None, max_examples=20)
def test_a_mask_of_valid_pixels_goes_with_them(name: str, seed: int, kind: tuple[int, str]) -> None:
    """What is not valid is black, on ground that is not: after any transforms the mask is false where it is black.

    Between the two lies a rim of a pixel or two that is interpolated or blurred; nothing is said of that.
    """
    rows, cols = np.mgrid[:SIDE, :SIDE]
    valid = cols > 15 + rows // 4
    image = np.where(valid, 180, 0).astype(kind[1])[None].repeat(kind[0], axis=0)
    augment = always(name).within(ValueRange((0.0,) * kind[0], (255.0,) * kind[0]))
    moved, _, mask = augment.vary(image, np.empty((0, 2)), valid, seed)
    inside = ndimage.binary_erosion(mask, iterations=3)
    outside = ndimage.binary_erosion(~mask, iterations=3)
    black = moved[0] < 60
    assert not (black & inside).any()
    if not any("border_mode" in given for given in group(name).values()) or mask.mean() > 0.99:
        assert black[outside].all()


@pytest.mark.parametrize(
    ("transforms", "message"),
    [
        ({"Flop": {}}, r"transforms\.Flop\b"),
        ({"Affine": {"scal": [1, 2]}}, r"transforms\.Affine\b.*scal"),
        ({"CoarseDropout": {}}, r"transforms\.CoarseDropout\b.*D4"),
        ({"D4": {"p": 2}}, r"transforms\.D4\b.*\bp\b"),
    ],
)
def test_a_transform_or_argument_that_does_not_exist_is_an_error(transforms: dict, message: str) -> None:
    with pytest.raises(ValueError, match=rf"(?s)augment\.{message}"):
        Augment(transforms)


def labelled(path: Path, seed: int) -> LabelledScene:
    pixels = np.random.default_rng(seed).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    objects = Detections.truth(np.array([[60.0, 60.0], [140.0, 120.0]]), ["a", "a"], ["a"])
    return LabelledScene(path.name, open_scene(path), objects, np.empty((0, 2)))


def plain_crop(scene: Scene, crop: Crop) -> np.ndarray:
    around = crop.window.width
    whole = np.pad(np.asarray(Image.open(scene.path)), ((around, around), (around, around), (0, 0)), mode="reflect")
    top, left = crop.window.row + around, crop.window.col + around
    return np.moveaxis(whole[top : top + around, left : left + around], 2, 0)


def test_validation_crops_of_a_patch_classifier_are_the_file_s_own_pixels(tmp_path: Path) -> None:
    """Of 32 pixels with 24 of context on each side, which reach beyond the edge and are mirrored there."""
    train, val = labelled(tmp_path / "t.png", 0), labelled(tmp_path / "v.png", 1)
    draw = CropDraw(8, 32, 0.25, 0.0, 0.0, context=24)
    split, encoder = SceneSplit((train,), (val,), (), ""), PatchEncoder(16, 1, 12.0, 20.0, 24)
    samples = crop_samples_of(split, PixelSource((1, 2, 3), 1 << 30), encoder, draw, Augment(LIGHT), 0)
    drawn = samples.epoch(0)
    for crops, scene, same in ((samples.val, val, True), (drawn, train, False)):
        assert isinstance(crops, CropDataset) and len(crops) in (2, 8)
        for i, crop in enumerate(crops.crops):
            assert (crop.window.height, crop.window.width) == (80, 80)
            assert (crops[i][0].numpy() == plain_crop(scene.scene, crop)).all() == same


def test_validation_patches_of_a_folder_are_the_files_own_pixels(tmp_path: Path) -> None:
    for i in range(8):
        for name in "ab":
            path = tmp_path / name / f"{i}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(np.random.default_rng(i).integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(path)
    folder = read_patch_folder(tmp_path)
    spec = folder_spec(folder, [], lambda bands: BackboneSpec("test_resnet", 16, bands=bands), None, Resolution())
    samples = folder_samples_of(folder, spec, Augment(LIGHT), FolderDraw((), 0.25, 0.5, 0), 0)
    for patches, same in ((samples.val, True), (samples.epoch(0), False)):
        assert isinstance(patches, FolderDataset)
        for i, path in enumerate(patches.paths):
            file = np.moveaxis(np.asarray(Image.open(path)), 2, 0)
            assert (patches[i][0].numpy() == file).all() == same


def test_transforms_draw_for_themselves() -> None:
    """Two inversions of one half each, of the first bit and of the last: all four outcomes, 100 each of 400.

    The deviation of such a count is sqrt(400 * 0.25 * 0.75) = 8.7; four of them are 35.
    """
    augment = Augment({"HorizontalFlip": {"p": 0.5}, "VerticalFlip": {"p": 0.5}, "InvertImg": {"p": 0.5}})
    image = np.zeros((1, 2, 2), np.uint8)
    image[0, 0, 0] = 1
    seen = [tuple(augment(image, np.empty((0, 2)), seed)[0].ravel().tolist()) for seed in range(400)]
    places = [min(range(4), key=lambda i: abs(each[i] - (1 if 0 in each else 254))) for each in seen]
    for place in range(4):
        assert abs(places.count(place) - 100) < 35
    inverted = [0 not in each for each in seen]
    assert abs(sum(inverted) - 200) < 40 and abs(np.corrcoef(inverted, places)[0, 1]) < 0.2


def test_a_transform_must_keep_the_size_and_the_kind_of_number() -> None:
    image = np.zeros((3, 32, 32), np.uint8)
    for transforms in ({"Normalize": {"p": 1.0}}, {"Rotate": {"limit": [30, 30], "crop_border": True, "p": 1.0}}):
        with pytest.raises(ValueError, match=r"augment\.transforms.*(Normalize|Rotate)"):
            Augment(transforms)(image, np.empty((0, 2)), 0)


@given(
    case=planted_objects(boxes=True),
    turn=st.sampled_from(D4),
    slots=st.integers(1, 2),
    ignored=st.lists(st.tuples(*[st.integers(0, 90)] * 4), max_size=2),
)
@settings(deadline=None, max_examples=60)
def test_the_targets_of_a_turned_crop_are_the_turned_targets(
    case: tuple[Objects, tuple[int, int]], turn: tuple[bool, bool, bool], slots: int, ignored: list[tuple[int, ...]]
) -> None:
    """Cells lie where the turn takes them; offsets change their signs and sizes their places, as of a mirrored tile."""
    things = case[0]
    regions = [(min(a, c), min(b, d), max(a, c) + 1, max(b, d) + 1) for a, b, c, d in ignored]
    things = objects(things.xy, things.wh, things.label, regions)
    shape, card = (128, 136), grid_card(17.0, slots)
    plain_targets = encode(things, card, shape)
    turned = encode(turned_objects(things, turn, shape), card, shape[::-1] if turn[0] else shape)
    for name in ("objectness", "weight", "label", "learned"):
        np.testing.assert_allclose(turned[name], turned_image(plain_targets[name], turn), rtol=0, atol=1e-6)
    assert turned["lost"] == plain_targets["lost"]
    box = np.concatenate([turned["objectness"][:, None], turned["box"]], axis=1).reshape(1, -1, *turned["label"].shape)
    back = turned_image(box, (False, *turn[1:]))
    back = turned_channels(np.swapaxes(back, 2, 3) if turn[0] else back, slots, turn)
    wanted = np.concatenate([plain_targets["objectness"][:, None], plain_targets["box"]], axis=1)
    np.testing.assert_allclose(back[0].reshape(wanted.shape), wanted, rtol=0, atol=1e-6)
