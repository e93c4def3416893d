import numpy as np
import pytest

from detect.labels.dotted.dot_colours import NAMED, colour_groups, lab_of, names_of


def test_lab_of_white_grey_and_red_is_that_of_the_standard() -> None:
    found = lab_of(np.array([[255, 255, 255], [119, 119, 119], [255, 0, 0], [0, 0, 0]]))
    assert found == pytest.approx(np.array([[100, 0, 0], [50, 0, 0], [53.2, 80.1, 67.2], [0, 0, 0]]), abs=0.3)


@pytest.mark.parametrize("name", NAMED)
def test_each_colour_is_called_by_its_word(name: str) -> None:
    for value in NAMED[name]:
        assert names_of(lab_of(np.array([value]))) == [name]


@pytest.mark.parametrize("name", ["red", "magenta", "blue", "green", "brown"])
def test_a_colour_that_compression_made_paler_keeps_its_word(name: str) -> None:
    for value in NAMED[name]:
        paler = 0.8 * np.array(value) + 0.2 * 110
        assert names_of(lab_of(paler[None])) == [name]


def test_groups_are_found_in_any_number_and_two_of_one_word_are_numbered() -> None:
    generator = np.random.default_rng(0)
    middles = lab_of(np.array([(20, 40, 160), (120, 170, 255), (250, 0, 0)]))
    numbers = zip(middles, (60, 40, 5), strict=True)
    colours = np.concatenate([generator.normal(middle, 3, (number, 3)) for middle, number in numbers])
    found = colour_groups(colours)
    assert len(found) == 3 and names_of(found)[2] == "red"
    assert names_of(found)[:2] == ["blue", "blue_2"]
