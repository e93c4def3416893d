"""Images are placed by what lies in them or beside them, and only the place is taken of that."""

import os
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.control import GroundControlPoint
from rasterio.rpc import RPC

from detect.imagery.description.placing import from_points
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.scenes import Scene, SceneError
from tests.imagery.rasters import HEIGHT, WIDTH, noise, write, write_tiff

TURNED = (0.5, 0.1, 1000.0, 0.2, -0.4, 2000.0)
"""(a, b, c, d, e, f): pixel (x, y) lies at (0.5 x + 0.1 y + 1000, 0.2 x - 0.4 y + 2000)."""

WKT = rasterio.crs.CRS.from_epsg(32617).to_wkt()
ESRI = (
    'PROJCS["WGS_1984_UTM_Zone_17N",GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,'
    '298.257223563]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],'
    'PARAMETER["False_Easting",500000.0],PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",-81.0],'
    'PARAMETER["Scale_Factor",0.9996],PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]'
)

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def points(off: float = 0.0, number: int = 6) -> list[GroundControlPoint]:
    """Points of `TURNED`; the first is put `off` pixels to the right of where it is."""
    rng = np.random.default_rng(3)
    places = rng.uniform(0, (WIDTH, HEIGHT), (number, 2))
    a, b, c, d, e, f = TURNED
    shifts = np.zeros(number)
    shifts[0] = off
    return [
        GroundControlPoint(y, x + shift, a * x + b * y + c, d * x + e * y + f)
        for (x, y), shift in zip(places, shifts, strict=True)
    ]


def told(scene: Scene) -> str:
    return " ".join(f"{remark.kind} ({remark.detail})" for remark in scene.remarks)


def aux_xml(inner: str) -> str:
    return f"<PAMDataset>{inner}</PAMDataset>"


def test_ground_control_points_give_the_nearest_affine_transform(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", noise(), gcps=points(), crs="EPSG:32617")
    scene = open_scene(path)
    np.testing.assert_allclose(scene.transform, TURNED, atol=1e-6)
    assert scene.crs is not None and "UTM zone 17N" in scene.crs
    assert "placed by ground control points, by least squares (6 points, off by" in told(scene)


def test_the_residual_is_in_pixels() -> None:
    """Of four corners of a square, one off by 4 along x: the affine plane misses each by 1, in turns."""
    square = [(0, 0), (100, 0), (0, 100), (100, 100)]
    moved = [GroundControlPoint(y, x, 10 * x + 40 * (x == y == 0), -10 * y) for x, y in square]
    transform, remark = from_points(moved, 100)
    assert transform is not None
    assert remark.detail == "4 points, off by 1 pixels at most"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (points(off=20), r"pixels at most, more than 2 % of the image"),
        (points(number=2), r"2 on a line, three off a line are needed"),
        ([GroundControlPoint(i, 2 * i, i, i) for i in range(5)], r"5 on a line"),
        ([GroundControlPoint(i * i, 2 * i, i, i) for i in range(5)], r"they put the image on a line|5 points, off by"),
    ],
)
def test_points_that_give_no_place_are_told(tmp_path: Path, given: list[GroundControlPoint], reason: str) -> None:
    scene = open_scene(write_tiff(tmp_path / "a.tif", noise(), gcps=given, crs="EPSG:32617"))
    assert (scene.transform, scene.crs) == (None, None)
    assert scene.remarks[0].warns
    assert re.search(reason, told(scene))


def test_a_camera_model_is_told(tmp_path: Path) -> None:
    numbers = [1.0] + [0.0] * 19
    shifts = {f"{name}_{what}": 1.0 for name in ("height", "lat", "line", "long", "samp") for what in ("off", "scale")}
    curves = {f"{name}_{what}_coeff": numbers for name in ("line", "samp") for what in ("num", "den")}
    model = RPC(**shifts, **curves, err_bias=None, err_rand=None)
    scene = open_scene(write_tiff(tmp_path / "a.tif", noise(), rpcs=model))
    assert scene.transform is None
    assert "camera model (RPC)" in told(scene)


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.jpg"])
def test_a_side_file_of_gdal_places(tmp_path: Path, name: str) -> None:
    """As GDAL itself writes and reads it."""
    path = write(tmp_path / name)
    before = open_scene(path)
    text = f"<SRS>{WKT}</SRS><GeoTransform>1000, 0.5, 0.1, 2000, 0.2, -0.4</GeoTransform>"
    (tmp_path / f"{name}.aux.xml").write_text(aux_xml(text))
    scene = open_scene(path)
    with rasterio.open(path) as source:
        assert scene.transform == tuple(source.transform)[:6] == TURNED
        assert scene.crs == source.crs.to_wkt()
    assert before.transform is None
    assert "placed by a file beside them, .aux.xml" in told(scene)


def test_points_of_a_side_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png")
    listed = "".join(f'<GCP Id="" Pixel="{p.col}" Line="{p.row}" X="{p.x}" Y="{p.y}" Z="0"/>' for p in points())
    quoted = WKT.replace('"', "&quot;")
    (tmp_path / "a.png.aux.xml").write_text(aux_xml(f'<GCPList Projection="{quoted}">{listed}</GCPList>'))
    scene = open_scene(path)
    np.testing.assert_allclose(scene.transform, TURNED, atol=1e-6)
    assert scene.crs == rasterio.crs.CRS.from_epsg(32617).to_wkt()


@pytest.mark.parametrize("text", [WKT, ESRI])
def test_a_projection_beside_a_world_file(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "a.png")
    (tmp_path / "a.prj").write_text(text)
    assert open_scene(path).crs is None
    (tmp_path / "a.pgw").write_text("0.5\n0\n0\n-0.5\n1000.25\n1999.75\n")
    scene = open_scene(path)
    assert scene.transform == (0.5, 0.0, 1000.0, 0.0, -0.5, 2000.0)
    assert scene.crs is not None
    assert rasterio.crs.CRS.from_wkt(scene.crs).to_epsg() == 32617


@pytest.mark.parametrize(
    "text",
    [
        "<PAMDataset><SRS>",
        '<!DOCTYPE x [<!ENTITY a "aaaa">]><PAMDataset><SRS>&a;</SRS></PAMDataset>',
        aux_xml("<GeoTransform>1, 2, three</GeoTransform>"),
        aux_xml("<GeoTransform>1, 2, nan, 4, 5, 6</GeoTransform>"),
        aux_xml("<SRS>/etc/passwd</SRS>"),
        aux_xml("<SRS>https://example.com/crs</SRS>"),
        aux_xml("<GCPList><GCP Pixel='1' Line='x' X='1' Y='1'/></GCPList>"),
        "x" * ((4 << 20) + 1),
    ],
)
def test_a_side_file_that_is_damaged_or_not_plain_is_told_and_not_used(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "a.png")
    (tmp_path / "a.png.aux.xml").write_text(text)
    scene = open_scene(path)
    assert (scene.transform, scene.crs) == (None, None)
    assert "is not used (a.png.aux.xml" in told(scene)
    assert "passwd" not in told(scene)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
@pytest.mark.parametrize("name", ["a.png.aux.xml", "a.aux.xml", "a.prj"])
def test_a_pipe_beside_an_image_is_not_waited_for(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "a.png")
    (tmp_path / "a.pgw").write_text("0.5\n0\n0\n-0.5\n1000.25\n1999.75\n")
    os.mkfifo(tmp_path / name)
    assert open_scene(path).crs is None


def test_nothing_of_a_side_file_but_the_place_is_taken(tmp_path: Path) -> None:
    """Nodata, masks and names of files in it have no effect, and nothing is written beside an image."""
    path = write(tmp_path / "a.tif")
    evil = tmp_path / "evil.tif"
    band = "<PAMRasterBand band='1'><NoDataValue>7</NoDataValue></PAMRasterBand>"
    overview = f"<Metadata domain='OVERVIEWS'><MDI key='OVERVIEW_FILE'>{evil}</MDI></Metadata>"
    (tmp_path / "a.tif.aux.xml").write_text(aux_xml(f"<SRS>{WKT}</SRS>{band}{overview}"))
    before = sorted(tmp_path.iterdir())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scene = open_scene(path)
    assert (scene.nodata, scene.masked) == (None, False)
    assert sorted(tmp_path.iterdir()) == before


def test_a_side_file_keeps_a_turned_image_as_it_is_stored(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.moveaxis(noise(), 0, -1)).save(tmp_path / "a.jpg", exif=exif)
    assert open_scene(tmp_path / "a.jpg").shape == (WIDTH, HEIGHT)
    (tmp_path / "a.jpg.aux.xml").write_text(aux_xml("<GeoTransform>1000, 0.5, 0.1, 2000, 0.2, -0.4</GeoTransform>"))
    scene = open_scene(tmp_path / "a.jpg")
    assert (scene.shape, scene.orientation, scene.transform) == ((HEIGHT, WIDTH), 1, TURNED)


@pytest.mark.parametrize(("name", "beside"), [("photo", "photo.wld"), ("a.jpg", "a.jgw"), ("a.b.jpeg", "a.b.WLD")])
def test_a_world_file_is_found_under_every_name_that_a_driver_reads(tmp_path: Path, name: str, beside: str) -> None:
    """An image without an ending too; one that is a pipe is refused, as the driver would wait for it."""
    write(tmp_path / "made.jpg").rename(tmp_path / name)
    assert open_scene(tmp_path / name).transform is None
    (tmp_path / beside).write_text("0.5\n0\n0\n-0.5\n1000.25\n1999.75\n")
    assert open_scene(tmp_path / name).transform == (0.5, 0.0, 1000.0, 0.0, -0.5, 2000.0)
    if hasattr(os, "mkfifo"):
        (tmp_path / beside).unlink()
        os.mkfifo(tmp_path / beside)
        with pytest.raises(SceneError, match="is no file; remove it"):
            open_scene(tmp_path / name)
