"""Dots painted on photographs, saved as JPEG, that touch, that are blacked out, or are alone on black."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from detect.labels.annotation_files import read_annotations, read_unchecked
from detect.labels.annotations import AnnotationError, Annotations
from detect.labels.dotted import marks
from detect.labels.regions import area_outside
from detect.reporting.label_summary import short_summary

Make = Callable[..., Path]
Dot = tuple[float, float, str]

COLOURS = {
    "red": (243, 8, 5), "magenta": (244, 8, 242), "brown": (84, 46, 10), "blue": (25, 52, 176), "green": (40, 175, 20)
}  # fmt: off
RADIUS = 5


def photograph(seed: int, width: int = 400, height: int = 300) -> Image.Image:
    """Rock and sand in greys and browns, with grain."""
    generator = np.random.default_rng(seed)
    coarse = generator.uniform(60, 190, (height // 20 + 2, width // 20 + 2, 1)) * np.array([1.0, 0.92, 0.8])
    smooth = Image.fromarray(coarse.astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
    grain = generator.normal(0, 6, (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(smooth) + grain, 0, 255).astype(np.uint8))


def painted(plain: Image.Image, dots: Sequence[Dot], radius: float = RADIUS) -> Image.Image:
    """A copy with discs, drawn at four times the size so that their middles are exact."""
    large = plain.resize((plain.width * 4, plain.height * 4), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(large)
    for x, y, colour in dots:
        draw.ellipse([4 * (x - radius), 4 * (y - radius), 4 * (x + radius), 4 * (y + radius)], fill=COLOURS[colour])
    return large.resize(plain.size, Image.Resampling.BOX)


def scattered(seed: int, number: int, width: int = 400, height: int = 300) -> list[Dot]:
    """Dots at least three radii apart, of all colours."""
    generator = np.random.default_rng(seed)
    found: list[Dot] = []
    while len(found) < number:
        x, y = generator.uniform((10, 10), (width - 10, height - 10)).tolist()
        if all(np.hypot(x - other[0], y - other[1]) > 3 * RADIUS for other in found):
            found.append((x, y, list(COLOURS)[len(found) % len(COLOURS)]))
    return found


def save(image: Image.Image, path: Path, quality: int = 90) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=quality)


def check(read: Annotations, image: int, dots: Sequence[Dot], within: float = 1.5) -> None:
    """Every dot is found once, within some pixels, with its colour, and nothing else is."""
    objects = read.images[image].objects
    assert len(objects) == len(dots)
    for x, y, colour in dots:
        distance = np.hypot(*(objects.xy - [x, y]).T)
        assert distance.min() <= within
        assert objects.names[int(distance.argmin())] == colour


@pytest.mark.parametrize("quality", [95, 75])
def test_dots_are_found_with_their_colours_whatever_jpeg_does(tmp_path: Path, quality: int) -> None:
    truth = {}
    for seed in (1, 2):
        plain, truth[seed] = photograph(seed), scattered(seed, 40)
        save(plain, tmp_path / f"data/{seed}.jpg", 92)
        save(painted(plain, truth[seed]), tmp_path / f"dotted/{seed}.jpg", quality)
    read = read_annotations(tmp_path / "dotted", tmp_path / "data")
    assert not read.boxes and read.classes == tuple(sorted(COLOURS))
    check(read, 0, truth[1])
    check(read, 1, truth[2])


def test_dots_that_touch_or_overlap_are_told_apart(tmp_path: Path) -> None:
    dots = scattered(3, 20)
    pairs = [
        (60, 60, "red"),
        (67, 60, "red"),
        (160, 60, "brown"),
        (166, 64, "blue"),
        (260, 60, "green"),
        (269, 60, "green"),
    ]
    dots = [each for each in dots if each[1] > 90] + pairs + [(330, 50, "red"), (338, 50, "red"), (334, 57, "red")]
    plain = photograph(3)
    save(plain, tmp_path / "data/a.jpg", 92)
    save(painted(plain, dots), tmp_path / "dotted/a.jpg", 90)
    check(read_annotations(tmp_path / "dotted", tmp_path / "data"), 0, dots, within=3)


def test_what_is_blacked_out_has_no_dots_and_is_ignored(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    plain = photograph(4)
    save(plain, tmp_path / "data/a.jpg", 92)
    dots = [each for each in scattered(4, 40) if not (180 < each[0] < 380 and 80 < each[1] < 220)]
    copy = painted(plain, dots)
    ImageDraw.Draw(copy).rectangle([200, 100, 360, 200], fill=(0, 0, 0))
    save(copy, tmp_path / "dotted/a.jpg", 90)
    read = read_annotations(tmp_path / "dotted", tmp_path / "data")
    check(read, 0, dots)
    ignored = read.images[0].ignored
    assert (ignored[:, 0].min(), ignored[:, 1].min()) == pytest.approx((200, 100), abs=16)
    assert (ignored[:, 2].max(), ignored[:, 3].max()) == pytest.approx((360, 200), abs=16)
    assert len(ignored) < 10 and area_outside((300, 400), ignored) == pytest.approx(400 * 300 - 160 * 100, rel=0.03)
    assert "blacked out" in caplog.text and "a.jpg (12 %)" in caplog.text


def test_a_copy_without_dots_is_an_image_without_objects(tmp_path: Path) -> None:
    for name, dots in (("a", scattered(5, 10)), ("b", [])):
        plain = photograph(5)
        save(plain, tmp_path / f"data/{name}.jpg", 92)
        save(painted(plain, dots), tmp_path / f"dotted/{name}.jpg", 60)
    read = read_annotations(tmp_path / "dotted", tmp_path / "data")
    assert [(image.name, len(image.objects)) for image in read.images] == [("a.jpg", 10), ("b.jpg", 0)]


def test_retouched_places_are_told_and_are_no_dots(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    plain, dots = photograph(6), [each for each in scattered(6, 30) if each[1] < 200]
    save(plain, tmp_path / "data/a.jpg", 92)
    copy = painted(plain, dots)
    ImageDraw.Draw(copy).rectangle([50, 230, 110, 250], fill=(250, 250, 250))
    save(copy, tmp_path / "dotted/a.jpg", 90)
    check(read_annotations(tmp_path / "dotted", tmp_path / "data"), 0, dots)
    assert "marks of another size, shape or colour" in caplog.text


@pytest.mark.parametrize("ending", ["_dots.png", "_dotted.jpg", "-dots.png"])
def test_dots_on_black_beside_their_image(tmp_path: Path, ending: str) -> None:
    dots = [(x, y, "red") for x, y, _ in scattered(7, 30)]
    save(photograph(7), tmp_path / "data/a.png")
    save(painted(Image.new("RGB", (400, 300)), dots, 2.5), tmp_path / f"data/a{ending}", 95)
    read = read_annotations(tmp_path / "data", tmp_path / "data")
    assert [image.name for image in read.images] == ["a.png"]
    check(read, 0, dots)
    assert [len(each) for each in read_unchecked(tmp_path / f"data/a{ending}").truth.values()] == [30]


def test_single_pixels_of_one_bit_are_dots(tmp_path: Path) -> None:
    save(photograph(8), tmp_path / "data/a.png")
    dots = Image.new("1", (400, 300))
    places = [(10, 10), (50, 60), (51, 61), (399, 299), (0, 0)]
    for place in places:
        dots.putpixel(place, 1)
    save(dots, tmp_path / "data/a_dots.png")
    read = read_annotations(tmp_path / "data", tmp_path / "data")
    assert read.classes == ("white",)
    assert sorted(read.images[0].objects.xy.tolist()) == sorted([x + 0.5, y + 0.5] for x, y in places)


@pytest.mark.parametrize("size", [(400, 300), (300, 400)])
def test_what_is_no_copy_is_an_error_that_names_it(tmp_path: Path, size: tuple[int, int]) -> None:
    save(photograph(9), tmp_path / "data/a.jpg")
    save(photograph(10, *size), tmp_path / "dotted/a.jpg")
    message = r"a\.jpg.*copy" if size == (400, 300) else r"a\.jpg.*of one size.*300 x 400 and 400 x 300"
    with pytest.raises(AnnotationError, match=message):
        read_annotations(tmp_path / "dotted", tmp_path / "data")


def test_vivid_dots_are_found_without_the_plain_photograph_which_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dots = [each for each in scattered(11, 60) if each[2] != "brown"]
    save(painted(photograph(11), dots), tmp_path / "data/a.jpg", 85)
    read = read_annotations(tmp_path / "data", tmp_path / "data")
    check(read, 0, dots)
    assert "COUNTS ARE TOO LOW" in caplog.text and read.partial


def test_photographs_in_which_nothing_is_vivid_are_not_said_to_be_empty(tmp_path: Path) -> None:
    """A folder of plain photographs that was given as annotations, or one in which all dots are brown."""
    save(photograph(11), tmp_path / "data/a.jpg", 85)
    read = read_annotations(tmp_path / "data", tmp_path / "data")
    assert read.partial and "COUNTS ARE TOO LOW" in read.told[0]
    assert short_summary(read).startswith("at least 0 points")


def test_marks_do_not_depend_on_the_tiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, dots = photograph(12), scattered(12, 60)
    save(plain, tmp_path / "data/a.jpg", 92)
    copy = painted(plain, dots)
    ImageDraw.Draw(copy).rectangle([200, 100, 360, 200], fill=(0, 0, 0))
    save(copy, tmp_path / "dotted/a.jpg", 80)
    whole = read_annotations(tmp_path / "dotted", tmp_path / "data").images[0]
    monkeypatch.setattr(marks, "_CORE", (64, 96))
    tiled = read_annotations(tmp_path / "dotted", tmp_path / "data").images[0]
    assert sorted(whole.objects.xy.tolist()) == sorted(tiled.objects.xy.tolist())
    assert sorted(whole.ignored.tolist()) == sorted(tiled.ignored.tolist())


def test_without_the_plain_photograph_the_way_out_is_named(tmp_path: Path) -> None:
    save(painted(photograph(1), scattered(1, 5)), tmp_path / "dotted/a.jpg")
    (tmp_path / "data").mkdir()
    with pytest.raises(AnnotationError, match=r"a\.jpg.*plain copy.*none below"):
        read_annotations(tmp_path / "dotted", tmp_path / "data")
    with pytest.raises(AnnotationError, match=r"a\.jpg.*data\.root"):
        read_unchecked(tmp_path / "dotted")
