import numpy as np
from PIL import Image

from detect.reporting.pictures.captions import caption_font, shorten, with_legend
from detect.reporting.pictures.colours import PALETTE
from tests.reporting.conftest import detections


def test_the_legend_leaves_the_picture_as_it_is_and_shows_every_colour():
    picture = Image.fromarray(np.full((200, 400, 3), 90, np.uint8))
    page = with_legend(picture, detections([(1, 1, 0, 1)]))
    assert page.width == 400 and page.height > 200
    assert (np.asarray(page)[:200] == 90).all()
    strip = {tuple(colour) for colour in np.asarray(page)[200:].reshape(-1, 3).tolist()}
    assert {PALETTE[0], PALETTE[1]} <= strip


def test_many_classes_take_more_lines():
    picture = Image.new("RGB", (300, 200))
    few = with_legend(picture, detections([], ["a", "b"]))
    many = with_legend(picture, detections([], [f"a class with a name {i}" for i in range(9)]))
    assert many.width == 300 and many.height > few.height


def test_long_words_are_cut_with_an_ellipsis():
    font = caption_font(12)
    assert shorten("cow", 100, font) == "cow"
    short = shorten("a very long name\nof a class", 60, font)
    assert short.endswith("…") and font.getlength(short) <= 60
