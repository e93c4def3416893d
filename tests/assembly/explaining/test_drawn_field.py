"""What is said of the frames in a picture of receptive fields."""

from detect.assembly.explaining.drawn_field import FRAME_COLOURS, frame_words
from detect.reporting.pictures.colours import PALETTE


def test_colours_are_those_of_the_frames_that_are_drawn() -> None:
    """Without a measured halo the second frame is the theoretical field, which is orange then."""
    assert frame_words(["a", "b", "c"], ["a", "b", "c"]) == "Frames: blue is a, orange is b, pink is c."
    assert frame_words(["a", "c"], ["a", "c"]) == "Frames: blue is a, orange is c."
    assert frame_words(["a", "b", "c"], ["a", "b"]) == "Frames: blue is a, orange is b; beyond the picture is c."


def test_colours_have_their_names() -> None:
    """Blue has most of blue; of orange and pink, red leads, and blue is last and second."""
    order = ["".join(sorted("rgb", key=dict(zip("rgb", colour, strict=True)).get)) for colour in PALETTE[:3]]
    assert dict(zip(FRAME_COLOURS, order, strict=True)) == {"blue": "rgb", "orange": "bgr", "pink": "gbr"}
