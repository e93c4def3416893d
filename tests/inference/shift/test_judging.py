"""Whether an image is unlike the training scenes: by numbers that are drawn, so that chance is known."""

import json
from dataclasses import replace

import numpy as np
import pytest

from detect.inference.shift.judging import WARNING, ShiftJudge
from detect.inference.shift.measuring import Measured
from detect.nets.card import ModelCard
from detect.nets.facts.looks import Looks
from detect.nets.facts.window_looks import CHANGES, WindowLooks
from tests.cards import patch_card

SCENES, WINDOWS, CONTENT = 12, 12, 8


def scene(rng: np.random.Generator) -> Measured:
    """Windows of a scene: each number differs by 1 from scene to scene, and by 1 from window to window."""
    return Measured(*(rng.normal(0, 1, n) + rng.normal(0, 1, (WINDOWS, n)) for n in (4, 3, CONTENT)))


def known(rng: np.random.Generator) -> WindowLooks:
    every = Measured.joined(scene(rng) for _ in range(SCENES))
    changes = {name: np.eye(3 + CONTENT)[place] for place, name in enumerate(CHANGES)}
    numbers = np.repeat(np.arange(SCENES), WINDOWS).tolist()
    return WindowLooks.of(numbers, numbers, every.light, every.texture, every.content, changes, None)


def test_about_one_in_twenty_of_further_scenes_is_said_to_be_unlike() -> None:
    """400 scenes, 20 expected: three times that would be beyond chance, sqrt(400 * 0.05 * 0.95) = 4.4."""
    rng = np.random.default_rng(1)
    judges = [ShiftJudge(known(rng)) for _ in range(20)]
    false = sum(bool(judge.unlike(scene(rng)).kinds) for judge in judges for _ in range(20))
    assert false <= 60


def test_the_training_scenes_themselves_are_not_unlike() -> None:
    rng = np.random.default_rng(2)
    looks = known(rng)
    judge = ShiftJudge(looks)
    for number in range(SCENES):
        own = slice(number * WINDOWS, (number + 1) * WINDOWS)
        seen = Measured(*(np.array(each[own]) for each in (looks.light, looks.texture, looks.content)))
        assert judge.unlike(seen).kinds == ()


@pytest.mark.parametrize("name", CHANGES)
def test_what_moves_as_a_known_change_is_called_so(name: str) -> None:
    rng = np.random.default_rng(3)
    looks = known(rng)
    change = 30 * np.array(looks.changes[name])
    own = scene(rng)
    moved = Measured(own.light, own.texture + change[:3], own.content + change[3:])
    found = ShiftJudge(looks).unlike(moved)
    assert found.share is not None and found.share >= WARNING and found.kinds == (CHANGES[name],)


def test_another_light_and_other_things_are_called_so() -> None:
    rng = np.random.default_rng(4)
    judge, own = ShiftJudge(known(rng)), scene(rng)
    assert judge.unlike(Measured(own.light + 30, own.texture, own.content)).kinds == ("light",)
    other = np.zeros(CONTENT)
    other[-1] = 40
    assert judge.unlike(Measured(own.light, own.texture, own.content + other)).kinds == ("content",)


def test_sizes_of_objects_tell_the_scale() -> None:
    rng = np.random.default_rng(5)
    judge, own = ShiftJudge(replace(known(rng), object_sizes=(10.0, 15.0, 20.0))), scene(rng)
    moved = Measured(own.light, own.texture + 30, own.content)
    assert judge.unlike(moved, np.full(10, 40.0)).kinds == ("scale",)


def test_a_card_keeps_them_and_earlier_formats_have_none() -> None:
    photograph = Looks.of(np.arange(300).reshape(3, 100) % 256)
    card = patch_card(looks=photograph, window_looks=known(np.random.default_rng(6)))
    assert ModelCard.from_json(card.to_json()) == card
    header = json.loads(card.to_json())
    with pytest.raises(ValueError, match="does not have: window_looks"):
        ModelCard.from_json(json.dumps({**header, "format": "detect/3"}))
    pieces = ({"piece": [0]}, {"image": [0]}, {"image": list(range(SCENES * WINDOWS))})
    for wrong in (*pieces, {"light": [[float("nan")] * 4]}, {"changes": {}}, {"object_sizes": [3, 2, 1]}):
        damaged = {**header, "window_looks": {**header["window_looks"], **wrong}}
        with pytest.raises(ValueError, match="cannot be read"):
            ModelCard.from_json(json.dumps(damaged))


def test_an_image_whose_quarters_lie_around_its_middle_is_not_unlike() -> None:
    """The quarters of the first of seven images differ by 3 from its middle, those of the others by 0.1.

    What is measured of the first image as a whole lies in its middle: 3 from each quarter, where 24 of the 28 pieces
    are at most 0.14 from another, but 0 from the image that was learned from.
    """
    corners = np.array([[1.0, 0], [0, 1], [-1, 0], [0, -1]])
    away = np.concatenate([(3 if image == 0 else 0.1) * corners + 20 * image for image in range(7)])
    light = np.repeat(np.pad(away, ((0, 0), (0, 2))), 3, axis=0)
    rng = np.random.default_rng(7)
    texture, content = rng.normal(0, 1, (84, 3)), rng.normal(0, 1, (84, CONTENT))
    changes = {name: np.ones(3 + CONTENT) for name in CHANGES}
    looks = WindowLooks.of(
        np.repeat(np.arange(28), 3).tolist(),
        np.repeat(np.arange(7), 12).tolist(),
        light,
        texture,
        content,
        changes,
        None,
    )
    share = ShiftJudge(looks).unlike(Measured(light[:12], texture[:12], content[:12])).share
    assert share is not None and share < 0.5
