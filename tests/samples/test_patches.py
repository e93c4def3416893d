import math
from dataclasses import replace

import numpy as np
import pytest

from detect.samples.epochs import PatchDraw
from detect.samples.labelled_scenes import LabelledScene
from detect.samples.patches import Sampler

RECIPE = PatchDraw(
    samples=200,
    background_fraction=0.4,
    near_fraction=0.5,
    negative_fraction=0.25,
    jitter=3.0,
    exclusion=10.0,
    balance=0.0,
)


@pytest.fixture
def scenes(scene) -> list[LabelledScene]:
    """Ten a and one b in two images, a third without objects, two hard negatives."""
    first = [(20.0 + 30 * i, 50.0, "a") for i in range(6)]
    second = [*((20.0 + 30 * i, 30.0, "a") for i in range(4)), (100.0, 80.0, "b")]
    return [
        scene("1.png", first, width=200, negatives=np.array([(5.0, 95.0), (190.0, 5.0)])),
        scene("2.png", second, width=150),
        scene("33.png", height=60, width=60),
    ]


def nearest(labelled: LabelledScene, x: float, y: float) -> float:
    return min((math.dist((x, y), place) for place in labelled.objects.xy), default=math.inf)


def test_a_seed_and_an_epoch_decide_what_is_drawn(scenes) -> None:
    first = Sampler(scenes, RECIPE, 1).draw(4)
    assert Sampler(scenes, RECIPE, 1).draw(4) == first
    assert Sampler(scenes, RECIPE, 1).draw(5) != first != Sampler(scenes, RECIPE, 2).draw(4)
    sampler = Sampler(scenes, RECIPE, 1)
    sampler.draw(3)
    assert sampler.draw(4) == first  # a resumed run draws epoch 4 without having drawn epoch 3


def test_shares_are_kept(scenes) -> None:
    """Of 200, 40 % are background, 80; of these 25 % are hard negatives, 20, half the rest are near objects, 30."""
    drawn = Sampler(scenes, RECIPE, 0).draw(0)
    background = [s for s in drawn if s.output == 0]
    hard_negatives = [s for s in background if (s.x, s.y) in {(5.0, 95.0), (190.0, 5.0)}]
    near = [
        s for s in background if s not in hard_negatives and nearest(scenes[s.scene], s.x, s.y) <= 2 * RECIPE.exclusion
    ]
    assert (len(drawn), len(background), len(hard_negatives)) == (200, 80, 20)
    assert len(near) >= 30
    only_near = Sampler(scenes, replace(RECIPE, near_fraction=1.0, negative_fraction=0.0), 0).draw(0)
    for s in only_near:
        assert s.output or RECIPE.exclusion <= nearest(scenes[s.scene], s.x, s.y) <= 2 * RECIPE.exclusion


def test_backgrounds_are_never_nearer_than_the_exclusion_and_always_on_the_image(scenes) -> None:
    sampler = Sampler(scenes, replace(RECIPE, negative_fraction=0.0), 0)
    drawn = [s for epoch in range(10) for s in sampler.draw(epoch) if s.output == 0] + [
        s for s in sampler.fixed() if s.output == 0
    ]
    assert len(drawn) > 800 and {s.scene for s in drawn} == {0, 1, 2}
    for s in drawn:
        height, width = scenes[s.scene].scene.shape
        assert 0 <= s.x < width and 0 <= s.y < height
        assert nearest(scenes[s.scene], s.x, s.y) >= RECIPE.exclusion


def test_backgrounds_are_not_drawn_where_it_is_not_known_what_there_is(scenes) -> None:
    """A region over the left half of every image."""
    half = [replace(labelled, ignored=np.array([(0.0, 0.0, 70.0, 100.0)])) for labelled in scenes[:2]]
    drawn = Sampler(half, replace(RECIPE, negative_fraction=0.0), 0).draw(0)
    assert all(s.x >= 70 for s in drawn if s.output == 0) and any(s.x < 70 for s in drawn if s.output)


def test_objects_are_drawn_within_the_jitter_and_keep_their_class(scenes) -> None:
    for s in Sampler(scenes, RECIPE, 0).draw(0):
        if s.output:
            objects = scenes[s.scene].objects
            at = np.flatnonzero((np.abs(objects.xy - (s.x, s.y)) <= RECIPE.jitter).all(axis=1))
            assert len(at) == 1 and objects.label[at[0]] + 1 == s.output


@pytest.mark.parametrize(
    ("balance", "share"),
    [
        (0.0, 1 / 11),  # as often as they occur: 1 of 11 objects is a b
        (0.5, 1 / (1 + math.sqrt(10))),  # 1 against 10^(1 - 1/2)
        (1.0, 1 / 2),
    ],
)
def test_classes_are_drawn_by_a_power_of_their_share(scenes, balance: float, share: float) -> None:
    """2000 draws; a share p is met to 5 standard errors, sqrt(p (1 - p) / 2000)."""
    recipe = replace(RECIPE, samples=2000, background_fraction=0.0, balance=balance)
    outputs = np.array([s.output for s in Sampler(scenes, recipe, 0).draw(0)])
    assert set(outputs) == {1, 2}
    assert abs((outputs == 2).mean() - share) < 5 * math.sqrt(share * (1 - share) / 2000)


def test_validation_sees_every_object_once_where_it_is(scenes) -> None:
    """11 objects at 40 % background make 11 * 0.4 / 0.6 = 7.3, so 7 backgrounds."""
    fixed = Sampler(scenes, RECIPE, 0).fixed()
    objects = [(s.scene, s.x, s.y, s.output) for s in fixed if s.output]
    wanted = [
        (i, x, y, label + 1)
        for i, labelled in enumerate(scenes)
        for (x, y), label in zip(labelled.objects.xy.tolist(), labelled.objects.label.tolist(), strict=True)
    ]
    assert sorted(objects) == sorted(wanted) and len(fixed) == 11 + 7
    assert Sampler(scenes, RECIPE, 0).fixed() == fixed


def test_without_objects_there_is_nothing_to_learn(scene) -> None:
    with pytest.raises(ValueError, match=r"training images.*no objects.*data\.split"):
        Sampler([scene("1.png")], RECIPE, 0)


def test_a_crowded_image_is_an_error_with_a_way_out(scene) -> None:
    """Objects every 10 pixels leave no place 10 pixels from all of them: the farthest is 5 * sqrt(2) = 7.07 away."""
    crowd = [(float(x), float(y), "a") for x in range(0, 101, 10) for y in range(0, 101, 10)]
    with pytest.raises(ValueError, match=r"only 0 of \d+ .*\b10 pixels.*lower data\.sampling\.exclusion"):
        Sampler([scene("1.png", crowd)], RECIPE, 0).draw(0)


def test_where_near_is_too_crowded_backgrounds_come_from_elsewhere(scene) -> None:
    """A packed corner of one image; the other is empty."""
    crowd = [(float(x), float(y), "a") for x in range(0, 41, 8) for y in range(0, 41, 8)]
    packed, empty = scene("1.png", crowd, height=36, width=36), scene("22.png")
    drawn = Sampler([packed, empty], replace(RECIPE, near_fraction=1.0), 0).draw(0)
    assert [s.scene for s in drawn if s.output == 0] == [1] * 80


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"near_fraction": 1.1}, r"data\.sampling\.near_fraction.*\[0, 1\], got 1.1"),
        ({"negative_fraction": -0.1}, r"data\.sampling\.negative_fraction.*\[0, 1\], got -0.1"),
        ({"balance": 2}, r"data\.sampling\.balance.*\[0, 1\], got 2"),
        ({"background_fraction": 1.0}, r"data\.sampling\.background_fraction.*\[0, 1\), got 1.0"),
        ({"samples": 0}, r"data\.sampling\.samples.*got 0"),
        ({"jitter": 10.0}, r"data\.sampling\.jitter.*\[0, exclusion 10.0\), got 10.0"),
    ],
)
def test_numbers_that_make_no_recipe(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(RECIPE, **change)
