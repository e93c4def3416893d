"""Mosaics beside their images: what is looked at, so that nothing is counted twice or missed."""

import os
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from detect.imagery.finding.mosaic_tiles import images_shown, shown_twice
from detect.imagery.mosaics import MosaicRule, mosaics_by
from tests.imagery.rasters import HEIGHT, WIDTH, noise, write_tiff

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

ALL = (0, 0, WIDTH, HEIGHT)


def piece(name: str, taken: tuple[float, ...] | None = ALL, put: tuple[float, ...] | None = ALL) -> str:
    """A source of a VRT: what is taken of it and where that is put."""

    def rectangle(tag: str, box: tuple[float, ...] | None) -> str:
        keys = ("xOff", "yOff", "xSize", "ySize")
        at = " ".join(f'{key}="{value}"' for key, value in zip(keys, box or (), strict=box is not None))
        return f"<{tag} {at}/>" if box else ""

    named = f'<SourceFilename relativeToVRT="1">{escape(name)}</SourceFilename><SourceBand>1</SourceBand>'
    return f"<SimpleSource>{named}{rectangle('SrcRect', taken)}{rectangle('DstRect', put)}</SimpleSource>"


def beside(left: int) -> tuple[int, int, int, int]:
    return (left, 0, WIDTH, HEIGHT)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.tif", "b.tif"):
        write_tiff(tmp_path / name, noise(1))
    return tmp_path


def vrt(path: Path, *pieces: str, wide: int = 2) -> Path:
    size = f'rasterXSize="{wide * WIDTH}" rasterYSize="{HEIGHT}"'
    band = f'<VRTRasterBand dataType="Byte" band="1">{"".join(pieces)}</VRTRasterBand>'
    path.write_text(f"<VRTDataset {size}>{band}</VRTDataset>")
    return path


def twice(folder: Path, *names: str) -> tuple[dict[str, str], list[str]]:
    found = shown_twice([folder / name for name in names])
    return {path.name: other.name for path, other in found.instead.items()}, [path.name for path in found.unclear]


def test_a_mosaic_of_whole_images_stands_for_them(folder: Path) -> None:
    vrt(folder / "m.vrt", piece("a.tif"), piece("b.tif", None, beside(WIDTH)))
    assert twice(folder, "a.tif", "b.tif", "m.vrt") == ({"a.tif": "m.vrt", "b.tif": "m.vrt"}, [])
    assert twice(folder, "a.tif", "m.vrt") == ({"a.tif": "m.vrt"}, []), "b is in the mosaic alone"
    assert twice(folder, "m.vrt") == ({}, []) == twice(folder, "a.tif", "b.tif")
    assert images_shown([folder / "m.vrt", folder / "a.tif"]) == {folder / "m.vrt": [folder / "a.tif"]}


@pytest.mark.parametrize(
    ("taken", "put"),
    [
        ((0, 0, WIDTH - 5, HEIGHT), (0, 0, WIDTH - 5, HEIGHT)),
        (ALL, (0, 0, WIDTH / 2, HEIGHT / 2)),
        (ALL, (-5, 0, WIDTH, HEIGHT)),
        (ALL, (0, 4, WIDTH, HEIGHT)),
    ],
    ids=["a part", "smaller", "over the left edge", "over the lower edge"],
)
def test_a_mosaic_of_parts_gives_way_to_its_images(folder: Path, taken: tuple, put: tuple) -> None:
    vrt(folder / "m.vrt", piece("a.tif", taken, put), piece("b.tif", ALL, beside(WIDTH)))
    assert twice(folder, "a.tif", "b.tif", "m.vrt") == ({"m.vrt": "a.tif"}, [])
    assert twice(folder, "a.tif", "m.vrt") == ({}, ["m.vrt"]), "b is in the mosaic alone, so neither can be left out"


@pytest.mark.parametrize(("bands", "dtype"), [(3, "uint8"), (1, "uint16")], ids=["fewer bands", "another type"])
def test_a_mosaic_that_shows_less_of_its_images_gives_way_to_them(folder: Path, bands: int, dtype: str) -> None:
    """It has one band of bytes."""
    write_tiff(folder / "a.tif", noise(bands, dtype))
    vrt(folder / "m.vrt", piece("a.tif"), wide=1)
    assert twice(folder, "a.tif", "m.vrt") == ({"m.vrt": "a.tif"}, [])


def test_virtual_tiles_without_their_image_are_all_looked_at(folder: Path) -> None:
    for name, left in (("l.vrt", 0), ("r.vrt", 20)):
        vrt(folder / name, piece("a.tif", (left, 0, 20, HEIGHT), (0, 0, 20, HEIGHT)), wide=1)
    assert twice(folder, "l.vrt", "r.vrt") == ({}, [])
    assert twice(folder, "l.vrt", "r.vrt", "a.tif") == ({"l.vrt": "a.tif", "r.vrt": "a.tif"}, [])


def test_a_mosaic_of_mosaics_stands_for_all_below(folder: Path) -> None:
    vrt(folder / "inner.vrt", piece("a.tif"), wide=1)
    vrt(folder / "outer.vrt", piece("inner.vrt"), piece("b.tif", ALL, beside(WIDTH)))
    instead = dict.fromkeys(("inner.vrt", "a.tif", "b.tif"), "outer.vrt")
    assert twice(folder, "a.tif", "b.tif", "inner.vrt", "outer.vrt") == (instead, [])
    vrt(folder / "half.vrt", piece("inner.vrt", (0, 0, 9, HEIGHT), (0, 0, 9, HEIGHT)), wide=1)
    assert twice(folder, "a.tif", "half.vrt") == ({"half.vrt": "a.tif"}, [])


def test_two_mosaics_of_the_same_images_are_one(folder: Path) -> None:
    for name in ("m.vrt", "n.vrt"):
        vrt(folder / name, piece("a.tif"), piece("b.tif", ALL, beside(WIDTH)))
    found, unclear = twice(folder, "n.vrt", "a.tif", "b.tif", "m.vrt")
    assert found == {"n.vrt": "m.vrt", "a.tif": "m.vrt", "b.tif": "m.vrt"} and not unclear


def test_links_are_the_files_that_they_lead_to(folder: Path) -> None:
    vrt(folder / "m.vrt", piece("a.tif"), wide=1)
    (folder / "link.tif").symlink_to("a.tif")
    assert twice(folder, "link.tif", "m.vrt") == ({"link.tif": "m.vrt"}, [])


def test_a_mosaic_that_is_not_opened_shows_nothing(folder: Path) -> None:
    """Its images are looked at, and opening it is the error that it was."""
    vrt(folder / "m.vrt", piece("a.tif"), piece("gone.tif"), wide=1)
    (folder / "n.vrt").write_text("<VRTDataset")
    (folder / "o.vrt").write_bytes(b"")
    vrt(folder / "p.vrt", piece("a.tif", ALL, (float("nan"), 0, WIDTH, HEIGHT)), wide=1)
    assert twice(folder, "a.tif", "m.vrt", "n.vrt", "o.vrt", "p.vrt") == ({}, [])


def test_one_that_is_trusted_gives_way_where_it_is_more_than_a_mosaic(folder: Path) -> None:
    kinds = piece("a.tif").replace("SimpleSource", "KernelFilteredSource")
    kernel = "<Kernel><Size>3</Size><Coefs>1 1 1 1 1 1 1 1 1</Coefs></Kernel></KernelFilteredSource>"
    vrt(folder / "m.vrt", kinds.replace("</KernelFilteredSource>", kernel), wide=1)
    assert twice(folder, "a.tif", "m.vrt") == ({}, [])
    with mosaics_by(MosaicRule(folder, trusted=True)):
        assert twice(folder, "a.tif", "m.vrt") == ({"m.vrt": "a.tif"}, [])


def test_hundreds_of_tiles_take_a_moment(folder: Path) -> None:
    pieces = []
    for i in range(300):
        os.link(folder / "a.tif", folder / f"t{i}.tif")
        pieces.append(piece(f"t{i}.tif", ALL, beside(i * WIDTH)))
    vrt(folder / "m.vrt", *pieces, wide=300)
    assert len(shown_twice(sorted(folder.glob("[mt]*"))).instead) == 300
