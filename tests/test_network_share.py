import pytest

from tools.network_share import POSSIBLE, possible_share, shares


def test_what_is_decoded_is_not_computed() -> None:
    """Of 100 s of the processor 20 go to decoding for every 80 of the network: it runs at 0.8 of its own rate."""
    assert possible_share(80, 20) == pytest.approx(0.8)
    assert possible_share(0.15, 0) == 1


def test_shares_are_of_the_same_tiles() -> None:
    """10 megapixels of tiles a second are 8 of images where tiles have 1.25 times their pixels: 6 are 0.75 of that."""
    found = shares({"network": 10, "a": 6, "b": None}, 1.25, {"network": 0.09, "decoding": 0.01}, ("a", "b", "c"))
    assert found == pytest.approx({"a": 0.75, POSSIBLE: 0.9})
    assert shares({"network": None, "a": 6}, 1.25, {"decoding": 0.01}, ("a",)) == {}
