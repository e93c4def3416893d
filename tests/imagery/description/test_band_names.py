"""What bands are called, from what people and programs write."""

import pytest

from detect.imagery.description.band_names import display_numbers, plain_band_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Red", "red"),
        ("R", "red"),
        ("grey", "gray"),
        ("B4 (Red)", "red"),
        ("Band 5: NIR", "nir"),
        ("near_infrared", "nir"),
        ("Red Edge", "rededge"),
        ("B8A", "b8a"),
        ("dem", "dem"),
        ("Band 4", ""),
        ("band_4", ""),
        ("B04", ""),
        ("4", ""),
        ("", ""),
        ("a" * 65, ""),
        ("re\x00d", ""),
    ],
)
def test_names_are_compared_plainly(text: str, name: str) -> None:
    assert plain_band_name(text) == name
    assert plain_band_name(name) == name


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (("gray",), (1,)),
        (("gray", "alpha"), (1,)),
        (("red", "green", "blue", "alpha"), (1, 2, 3)),
        (("blue", "green", "red", "nir"), (3, 2, 1)),
        (("", "", "", "", ""), (1, 2, 3)),
        (("alpha", "", "", ""), (2, 3, 4)),
        (("", ""), (1,)),
    ],
)
def test_a_picture_shows_red_green_and_blue_or_one_band(names: tuple[str, ...], numbers: tuple[int, ...]) -> None:
    assert display_numbers(names) == numbers
