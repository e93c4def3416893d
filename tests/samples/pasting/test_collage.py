from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import label

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.windows import Window
from detect.labels.detections import Detections
from detect.samples.crop_draws import Crop
from detect.samples.crops import CropDataset, crop_samples_of
from detect.samples.epochs import CropDraw
from detect.samples.labelled_scenes import LabelledScene, SceneSplit
from detect.samples.pasting.collage import PasteObjects, point_size
from detect.samples.pasting.paste_settings import GroundSettings, PasteSettings
from detect.samples.pixel_cache import PixelSource
from detect.samples.targets import Objects, TargetEncoder
from tests.grids import grid_card, objects

SIDE = 160
NEVER = PasteSettings(0.0, (1, 1), 0.3, 0.0)
OFTEN = PasteSettings(1.0, (2, 3), 0.3, 0.0)
GROUND = GroundSettings(1.0, (2, 3), 0.7, (0.2, 0.4))
BARE = GroundSettings(0.0, (1, 1), 0.3, (0.2, 0.4))
SOURCE = PixelSource((1, 2, 3), 1 << 30)


def write_scene(
    path: Path, places: list[tuple[int, int]], *, grey: int = 60, points: bool = False, ignored: object = ()
) -> LabelledScene:
    """Noise about a grey with discs of 12 pixels across: class a red, class b green, by turns."""
    rng = np.random.default_rng(grey)
    pixels = np.clip(rng.normal(grey, 3, (SIDE, SIDE, 3)), 0, 255)
    rows, cols = np.mgrid[:SIDE, :SIDE] + 0.5
    for i, (x, y) in enumerate(places):
        pixels[np.hypot(rows - y, cols - x) < 6] = (220, 30, 30) if i % 2 == 0 else (30, 220, 30)
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    xy = np.array(places, float).reshape(-1, 2)
    wh = None if points else np.full((len(places), 2), 12.0)
    label = np.arange(len(places)) % 2
    truth = Detections(xy, np.ones(len(places)), label, ("a", "b"), wh)
    return LabelledScene(
        path.name, open_scene(path), truth, np.empty((0, 2)), np.asarray(ignored, float).reshape(-1, 4)
    )


@pytest.fixture
def scene(tmp_path: Path) -> LabelledScene:
    return write_scene(tmp_path / "a.png", [(40, 40), (120, 50), (50, 120), (118, 122)])


def empty(grey: int, side: int = 96) -> np.ndarray:
    return np.full((3, side, side), grey, np.uint8)


def none(points: bool = False) -> Objects:
    return objects(np.empty((0, 2)), None if points else np.empty((0, 2)))


def colour_of(pixels: np.ndarray, xy: np.ndarray) -> int:
    """0 where red is highest, 1 where green is."""
    col, row = np.floor(xy).astype(int)
    return int(pixels[:2, row, col].argmax())


@pytest.mark.parametrize("points", [False, True])
def test_pasted_objects_are_where_their_labels_say(tmp_path: Path, points: bool) -> None:
    """Discs on flat ground: each label lies on its colour's middle, its box around what is coloured, within a pixel."""
    scene = write_scene(tmp_path / "a.png", [(40, 40), (120, 50), (50, 120), (118, 122)], points=points)
    paste = PasteObjects([scene], SOURCE, OFTEN, BARE, 16.0, 0.0)
    assert len(paste.cutouts.isolated) == 4
    number = 0
    for seed in range(12):
        pixels, found = paste(empty(60), none(points), np.ones((96, 96), bool), seed)
        assert 2 <= len(found.xy) <= 3 and len(found.label) == len(found.xy)
        assert (found.wh is None) == points
        for i, xy in enumerate(found.xy):
            assert colour_of(pixels, xy) == found.label[i]
            width = (12, 12) if points else found.wh[i]
            near = np.abs(np.stack(np.meshgrid(*[np.arange(96) + 0.5] * 2), axis=-1) - xy).max(axis=-1) < width[0] * 0.6
            rows, cols = np.nonzero((np.abs(pixels.astype(int) - 60).max(axis=0) > 60) & near)
            np.testing.assert_allclose((cols.mean() + 0.5, rows.mean() + 0.5), xy, atol=1)
            if not points:
                np.testing.assert_allclose((np.ptp(cols) + 1, np.ptp(rows) + 1), width, atol=2)
            number += 1
    assert number > 24


def test_nothing_is_laid_over_objects_ignored_regions_or_what_is_not_of_the_image(scene: LabelledScene) -> None:
    """Their pixels stay, byte for byte, and pasted objects and their rims do not touch one another."""
    valid = np.ones((96, 96), bool)
    valid[:, 80:] = False
    things = objects([(20, 20)], [(24, 24)], [1], [(8, 50, 40, 90)])
    paste = PasteObjects([scene], SOURCE, replace(OFTEN, number=(3, 5)), GROUND, 12.0, 0.0)
    changed = np.zeros((96, 96), bool)
    for seed in range(30):
        pixels, found = paste(empty(90), things, valid, seed)
        changed |= (pixels != 90).any(axis=0)
        np.testing.assert_array_equal(found.xy[0], (20, 20))
        assert found.ignored.tolist() == [[8, 50, 40, 90]]
        low, high = found.xy - found.wh / 2, found.xy + found.wh / 2
        for i in range(len(found.xy)):
            others = np.arange(len(found.xy)) != i
            apart = (low[i] >= high[others]) | (high[i] <= low[others])
            assert apart.any(axis=1).all()
    assert not changed[8:32, 8:32].any() and not changed[50:90, 8:40].any() and not changed[:, 80:].any()
    assert changed.mean() > 0.3


@pytest.mark.parametrize("number", [1, 3])
def test_what_is_pasted_has_its_middle_where_something_is_learned(scene: LabelledScene, number: int) -> None:
    """Of a crop of 160 pixels with 40 of context the middle 80 count: a quarter of the places, and all of the pastes.

    Sides of ground are 0.2 to 0.4 of the 80: of 32 pixels at most, it reaches 16 beyond them at most.
    """
    learned = PasteObjects([scene], SOURCE, replace(OFTEN, number=(number, number)), BARE, 12.0, 0.0, context=40)
    xy = [learned(empty(60, 160), none(), np.ones((160, 160), bool), seed)[1].xy for seed in range(40)]
    found = np.concatenate(xy)
    assert len(found) == 40 * number and (found >= 40).all() and (found < 120).all()
    assert found.min() < 50 and found.max() > 110
    ground = PasteObjects([scene], SOURCE, NEVER, GROUND, 12.0, 0.0, context=40)
    changed = np.zeros((160, 160), bool)
    for seed in range(40):
        pixels, _ = ground(empty(90, 160), none(), np.ones((160, 160), bool), seed)
        changed |= (pixels != 90).any(axis=0)
    assert changed[40:120, 40:120].mean() > 0.9
    changed[24:136, 24:136] = False
    assert not changed.any()


def test_without_a_context_the_places_are_those_of_every_crop(scene: LabelledScene) -> None:
    """Law 7: the draws of a grid head's crops are those of `rng.integers(0, last + 1)`, as of former models."""
    paste = PasteObjects([scene], SOURCE, OFTEN, BARE, 12.0, 0.0)
    pixels, _ = paste(empty(60), none(), np.ones((96, 96), bool), 3)
    cutout = paste.cutouts.draw(np.random.default_rng(1), 96.0)[0]
    drawn = np.random.default_rng(5).integers(0, np.array(pixels.shape[1:]) - cutout.hw + 1, size=(25, 2))
    place = paste._free_place(cutout, empty(60), np.empty((0, 4)), np.ones((96, 96), bool), np.random.default_rng(5))
    assert place == tuple(drawn[0])


def test_objects_are_cut_only_where_they_stand_free(tmp_path: Path) -> None:
    """Of five one hangs over the edge, two are neighbours 13 pixels apart, one lies in an ignored region."""
    places = [(3, 80), (60, 60), (73, 60), (120, 120), (120, 30)]
    scene = write_scene(tmp_path / "a.png", places, ignored=[(110, 110, 130, 130)])
    assert PasteObjects([scene], SOURCE, OFTEN, BARE, 12.0, 0.0).cutouts.isolated == [(0, 4)]


def test_without_room_or_objects_a_crop_stays_as_it_is(scene: LabelledScene, tmp_path: Path) -> None:
    valid = np.ones((96, 96), bool)
    full = objects([(48, 48)], [(96, 96)])
    for paste, things in (
        (PasteObjects([scene], SOURCE, OFTEN, GROUND, 12.0, 0.0), full),
        (PasteObjects([write_scene(tmp_path / "none.png", [])], SOURCE, OFTEN, BARE, 12.0, 0.0), none()),
        (PasteObjects([scene], SOURCE, NEVER, BARE, 12.0, 0.0), none()),
    ):
        pixels, found = paste(empty(60), things, valid, 3)
        np.testing.assert_array_equal(pixels, empty(60))
        assert len(found.xy) == len(things.xy)
    small, found = PasteObjects([scene], SOURCE, OFTEN, BARE, 12.0, 0.0)(empty(60, 8), none(), np.ones((8, 8), bool), 0)
    assert (small == 60).all() and not len(found.xy)


def test_so_many_of_what_is_pasted_are_of_a_class_of_few(tmp_path: Path) -> None:
    """31 objects of class a, 2 of class b: with a share of 0.6 half of the class drawn is b, and of the rest 2 in 33.

    0.6 + 0.4 x 2 / 33 = 0.624, whose deviation over some 300 pastes is 0.028; with 0, 2 / 33. Class a alone is not few.
    """
    scene = write_scene(tmp_path / "a.png", [(15 + 24 * (i % 6), 15 + 24 * (i // 6)) for i in range(33)])
    label = np.zeros(33, int)
    label[[1, 3]] = 1
    scene = replace(scene, objects=replace(scene.objects, label=label))
    for share, wanted in ((0.6, 0.624), (0.0, 2 / 33)):
        paste = PasteObjects([scene], SOURCE, PasteSettings(1.0, (3, 3), 0.3, share), BARE, 12.0, 0.0)
        assert paste.cutouts is not None and len(paste.cutouts.isolated) == 33 and paste.cutouts.few == [1]
        labels = [paste(empty(60), none(), np.ones((96, 96), bool), seed)[1].label for seed in range(100)]
        found = np.concatenate(labels)
        assert len(found) > 280 and abs(found.mean() - wanted) < 0.1


def test_without_a_class_of_few_pasting_goes_on_as_without_a_share(tmp_path: Path) -> None:
    """30 objects are not fewer than 30: as often of each class as they occur."""
    scene = write_scene(tmp_path / "a.png", [(15 + 24 * (i % 6), 15 + 24 * (i // 6)) for i in range(30)])
    scene = replace(scene, objects=replace(scene.objects, label=np.zeros(30, int)))
    paste = PasteObjects([scene], SOURCE, replace(OFTEN, rare=1.0), BARE, 12.0, 0.0)
    assert paste.cutouts is not None and paste.cutouts.few == []
    assert len(paste(empty(60), none(), np.ones((96, 96), bool), 0)[1].xy) >= 2


def test_an_object_that_would_not_show_is_not_pasted(tmp_path: Path) -> None:
    """A red disc on red ground: half of its contrast with its own ground is wanted."""
    scene = write_scene(tmp_path / "a.png", [(40, 40)])
    red = np.broadcast_to(np.array([220, 30, 30], np.uint8)[:, None, None], (3, 96, 96))
    paste = PasteObjects([scene], SOURCE, OFTEN, BARE, 12.0, 0.0)
    assert not len(paste(red, none(), np.ones((96, 96), bool), 0)[1].xy)


def test_long_objects_of_points_are_not_laid_over_one_another(tmp_path: Path) -> None:
    """A bar of 36 by 8 pixels, labelled by a point of size 24: as many bars as labels, each as large as alone."""
    scene = write_scene(tmp_path / "a.png", [(80, 80)], points=True)
    pixels = np.random.default_rng(0).normal(60, 3, (SIDE, SIDE, 3)).astype(np.uint8)
    pixels[76:84, 62:98] = 220
    Image.fromarray(pixels).save(tmp_path / "a.png")
    paste = PasteObjects([scene], SOURCE, replace(OFTEN, number=(5, 5)), BARE, 24.0, 0.0)
    for seed in range(10):
        laid, found = paste(empty(60, 160), none(True), np.ones((160, 160), bool), seed)
        parts, number = label(laid[0] > 120)
        assert number == len(found.xy) > 1
        assert all(90 < (parts == part).sum() < 600 for part in range(1, number + 1))


@pytest.mark.parametrize("points", [False, True])
def test_what_cannot_be_told_from_its_ground_is_laid_with_its_box_or_not_at_all(tmp_path: Path, points: bool) -> None:
    """Labels on nothing but noise about 60, laid on 140: squares of 12 where boxes are labelled."""
    place = [(40, 40)]
    scene = write_scene(tmp_path / "a.png", place, points=points)
    Image.fromarray(np.random.default_rng(0).normal(60, 3, (SIDE, SIDE, 3)).astype(np.uint8)).save(tmp_path / "a.png")
    paste = PasteObjects([scene], SOURCE, replace(OFTEN, number=(1, 1)), BARE, 12.0, 0.0)
    assert paste.cutouts.isolated == [(0, 0)] and paste.cutouts.object_cutouts.rates == {0: 0.0}
    pixels, found = paste(empty(140), none(points), np.ones((96, 96), bool), 0)
    rows, cols = np.nonzero((pixels < 100).all(axis=0))
    assert len(found.xy) == (not points) and len(rows) == pytest.approx(0 if points else found.wh.prod(), rel=0.4)
    if not points:
        np.testing.assert_allclose((cols.mean() + 0.5, rows.mean() + 0.5), found.xy[0], atol=1)


def test_ground_is_empty_ground(tmp_path: Path) -> None:
    """Red discs everywhere but in the scene's right third: no red is ever laid, what is laid is of its grey."""
    places = [(x, y) for x in range(10, 100, 20) for y in range(10, 160, 20)]
    scene = write_scene(tmp_path / "a.png", places, grey=120)
    paste = PasteObjects([scene], SOURCE, NEVER, GROUND, 12.0, 0.0)
    seen = np.zeros((96, 96), bool)
    for seed in range(10):
        pixels, found = paste(empty(60), none(), np.ones((96, 96), bool), seed)
        assert not len(found.xy) and np.ptp(pixels.astype(int), axis=0).max() < 40
        assert pixels.min() >= 59 and pixels.max() <= 140
        seen |= pixels[0] > 100
    assert seen.any()


def test_a_seed_decides(scene: LabelledScene) -> None:
    valid = np.ones((96, 96), bool)
    one, other = (PasteObjects([scene], SOURCE, OFTEN, GROUND, 12.0, 0.0) for _ in range(2))
    first, again, next_one = (c(empty(60), none(), valid, seed) for c, seed in ((one, 5), (other, 5), (one, 6)))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1].xy, again[1].xy)
    assert (first[0] != next_one[0]).any()
    share = np.mean(
        [
            len(
                PasteObjects([scene], SOURCE, replace(OFTEN, p=0.3), BARE, 12.0, 0.0)(empty(60), none(), valid, seed)[
                    1
                ].xy
            )
            > 0
            for seed in range(100)
        ]
    )
    assert share == pytest.approx(0.3, abs=0.12)


def test_points_stand_for_squares_as_wide_as_their_neighbours_are_far(tmp_path: Path) -> None:
    """On a line at 10, 20 and 40 the nearest are 10, 10 and 20 away: the median is 10; a lone point tells nothing."""
    line = write_scene(tmp_path / "a.png", [(10, 20), (20, 20), (40, 20)], points=True)
    lone = write_scene(tmp_path / "b.png", [(50, 50)], points=True)
    assert point_size([line, lone], 64) == 10
    assert point_size([line], 8) == 8
    assert point_size([lone], 64) == 64


def test_law_8_validation_gets_no_collage(scene: LabelledScene, tmp_path: Path) -> None:
    """Training crops hold more than is labelled in them; those that validate are the image's own."""
    other = write_scene(tmp_path / "v.png", [(80, 80)], grey=100)
    paste = PasteObjects([scene], SOURCE, OFTEN, GROUND, 12.0, 0.0)
    recipe = CropDraw(6, 64, 0.0, 0.0, 0.0)
    encoder = TargetEncoder(grid_card(16.0).head, 8, 0.8)
    samples = crop_samples_of(SceneSplit((scene,), (other,), (), ""), SOURCE, encoder, recipe, None, 0, paste)
    train, val = samples.epoch(0), samples.val
    assert isinstance(train, CropDataset) and isinstance(val, CropDataset)
    added = 0
    for i in range(6):
        plain = replace_collage(train, None).sample(i)
        one, again = train.sample(i), train.sample(i)
        np.testing.assert_array_equal(one[0], again[0])
        added += len(one[1].xy) - len(plain[1].xy)
    assert added > 3
    for i, crop in enumerate(val.crops):
        np.testing.assert_array_equal(val.sample(i)[0], SOURCE.read(other.scene, crop.window))
        assert len(val.sample(i)[1].xy) <= 1


def replace_collage(data: CropDataset, paste: PasteObjects | None) -> CropDataset:
    return CropDataset(data.scenes, data.crops, data.source, data.encoder, data.augment, data.seed, paste)


def test_pasted_objects_are_learnt(scene: LabelledScene, tmp_path: Path) -> None:
    """The targets of an empty crop hold as many positives as were pasted."""
    ground = write_scene(tmp_path / "g.png", [])
    paste = PasteObjects([scene], SOURCE, OFTEN, BARE, 12.0, 0.0)
    crops = [Crop(0, Window(16, 16, 128, 128))] * 4
    data = CropDataset([ground], crops, SOURCE, TargetEncoder(grid_card(16.0).head, 8, 0.8), None, 0, paste)
    for i in range(4):
        assert int((data[i][1]["objectness"] == 1).sum()) == len(data.sample(i)[1].xy) >= 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PasteSettings(1.5, (1, 2), 0.3, 0.0), r"^p.*\[0, 1\], got 1.5"),
        (lambda: PasteSettings(0.5, (0, 2), 0.3, 0.0), r"^number.*got \[0, 2\]"),
        (lambda: PasteSettings(0.5, (3, 2), 0.3, 0.0), r"^number.*got \[3, 2\]"),
        (lambda: PasteSettings(0.5, (1, 2), 0.3, 1.5), r"^rare.*\[0, 1\], got 1.5"),
        (lambda: PasteSettings(0.5, (1, 2), 0.0, 0.0), r"^feather.*\(0, 2\], got 0.0"),
        (
            lambda: GroundSettings(0.5, (1, 2), 0.3, (0.5, 0.2)),
            r"^side.*\[0, 1\], got \[0.5, 0.2\]",
        ),
    ],
)
def test_pastings_that_cannot_be(make: Callable[[], PasteSettings], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
