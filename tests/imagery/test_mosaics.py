import os
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import pytest
import rasterio
import rasterio.shutil

from detect.imagery import mosaics
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.maps.map_reading import read_preview
from detect.imagery.mosaics import MosaicRule, mosaics_by, plain_mosaic
from detect.imagery.reading import SceneReader, read_window
from detect.imagery.scenes import SceneError
from tests.imagery.rasters import HEIGHT, WIDTH, noise, write, write_tiff

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

TRANSFORM = (0.5, 0.0, 1000.0, 0.0, -0.5, 2000.0)


def source(name: str, kind: str = "SimpleSource", more: str = "", band: str = "1", left: int = 0) -> str:
    box = f'yOff="0" xSize="{WIDTH}" ySize="{HEIGHT}"'
    return (
        f'<{kind}><SourceFilename relativeToVRT="1">{escape(name)}</SourceFilename><SourceBand>{band}</SourceBand>'
        f'<SrcRect xOff="0" {box}/><DstRect xOff="{left}" {box}/>{more}</{kind}>'
    )


def mosaic(*sources: str, band: str = "", dataset: str = "", wide: int = 1, top: str = "") -> str:
    return (
        f'<VRTDataset rasterXSize="{wide * WIDTH}" rasterYSize="{HEIGHT}"{top}>{dataset}'
        f'<VRTRasterBand dataType="Byte" band="1"{band}>{"".join(sources)}</VRTRasterBand></VRTDataset>'
    )


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def first_band(path: Path, rule: MosaicRule | None = None) -> np.ndarray:
    with mosaics_by(rule or MosaicRule()):
        scene = open_scene(path)
    return read_window(scene, scene.window, (1,))


def test_a_mosaic_of_images_beside_it_is_read_with_its_georeference(tmp_path: Path) -> None:
    """As gdalbuildvrt writes it: a coordinate system, metadata, sizes of the sources, and a value without data."""
    (tmp_path / "tiles").mkdir()
    write(tmp_path / "tiles/a.tif"), write(tmp_path / "tiles/b.png")
    properties = f'<SourceProperties RasterXSize="{WIDTH}" RasterYSize="{HEIGHT}" DataType="Byte" BlockXSize="16"/>'
    text = mosaic(
        "<NoDataValue>7</NoDataValue><ColorInterp>Gray</ColorInterp><Metadata><MDI key='k'>v</MDI></Metadata>",
        source("tiles/a.tif", "ComplexSource", f"{properties}<NODATA>7</NODATA>"),
        source("tiles/b.png", band="2", left=WIDTH),
        dataset='<SRS dataAxisToSRSAxisMapping="1,2">EPSG:32617</SRS><GeoTransform>1000,.5,0,2000,0,-.5</GeoTransform>'
        '<OverviewList resampling="average">2 4</OverviewList>',
        wide=2,
    )
    path = written(tmp_path / "all.vrt", text)
    scene = open_scene(path)
    assert (scene.shape, scene.nodata, scene.transform) == ((HEIGHT, 2 * WIDTH), 7, TRANSFORM)
    assert scene.crs is not None and "UTM zone 17N" in scene.crs
    wanted = np.concatenate([noise()[0], noise()[1]], axis=1)
    np.testing.assert_array_equal(first_band(path)[0][wanted != 7], wanted[wanted != 7])


def test_mosaics_may_build_on_mosaics_three_deep(tmp_path: Path) -> None:
    write(tmp_path / "tiles" / "a.tif") if (tmp_path / "tiles").mkdir() is None else None
    written(tmp_path / "tiles/1.vrt", mosaic(source("a.tif")))
    written(tmp_path / "2.vrt", mosaic(source("tiles/1.vrt")))
    third = written(tmp_path / "3.vrt", mosaic(source("2.vrt")))
    np.testing.assert_array_equal(first_band(third)[0], noise()[0])
    fourth = written(tmp_path / "4.vrt", mosaic(source("3.vrt")))
    loop = written(tmp_path / "loop.vrt", mosaic(source("loop.vrt")))
    for path in (fourth, loop):
        with pytest.raises(SceneError, match="3 VRTs build on each other"):
            open_scene(path)


def test_sources_lie_below_the_images_folder_which_may_be_above_the_vrt(tmp_path: Path) -> None:
    """Without a rule the folder is the VRT's own; a link that leads out of it leads out of it."""
    images = tmp_path / "images"
    images.mkdir()
    write(tmp_path / "outside.tif"), write(images / "a.tif")
    (images / "link.tif").symlink_to(tmp_path / "outside.tif")
    inner = written(images / "sub/a.vrt", mosaic(source("../a.tif")))
    np.testing.assert_array_equal(first_band(inner, MosaicRule(images))[0], noise()[0])
    refused = [
        (inner, MosaicRule()),
        (written(images / "b.vrt", mosaic(source("../outside.tif"))), MosaicRule(images)),
        (written(images / "c.vrt", mosaic(source(str(tmp_path / "outside.tif")))), MosaicRule(images)),
        (written(images / "d.vrt", mosaic(source("link.tif"))), MosaicRule(images)),
    ]
    for path, rule in refused:
        with mosaics_by(rule), pytest.raises(SceneError, match=r"not below .*trusted"):
            open_scene(path)


def test_a_trusted_vrt_is_opened_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    write(tmp_path / "outside.tif")
    path = written(tmp_path / "images/a.vrt", mosaic(source("../outside.tif")))
    np.testing.assert_array_equal(first_band(path, MosaicRule(trusted=True))[0], noise()[0])


NAMES = [
    *(
        "/etc/passwd",
        "/vsicurl/http://127.0.0.1:9/a.tif",
        "http://127.0.0.1:9/a.tif",
        "/vsizip/a.zip/a.tif",
        "text.txt",
    ),
    *("WMS:http://127.0.0.1:9/", "/vsisubfile/0_10,a.tif", "gone.tif", "", "folder", "/dev/zero", "\u0000", "pipe"),
    *("<VRTDataset/>", "a.tif|b", "DERIVED_SUBDATASET:AMPLITUDE:a.tif", "GTIFF_DIR:1:a.tif"),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("relative", ["0", "1"])
def test_no_source_leads_elsewhere(tmp_path: Path, name: str, relative: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.tif")
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.txt").write_text("root:x:0:0")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
    text = mosaic(source(name)).replace('relativeToVRT="1"', f'relativeToVRT="{relative}"')
    with pytest.raises(SceneError, match=r"a\.vrt: this VRT is not opened|text\.txt: not a readable|folder|pipe"):
        open_scene(written(tmp_path / "a.vrt", text))


RAW = "<SourceFilename relativeToVRT='1'>a.tif</SourceFilename><ImageOffset>0</ImageOffset>"
PIXEL = "<PixelFunctionType>sum</PixelFunctionType>"
TEXTS = {
    "raw band": mosaic(RAW, band=' subClass="VRTRawRasterBand"'),
    "raw elements": mosaic(RAW),
    "derived band": mosaic(PIXEL, source("a.tif"), band=' subClass="VRTDerivedRasterBand"'),
    "pixel function": mosaic(PIXEL, source("a.tif")),
    "warped": mosaic(source("a.tif"), top=' subClass="VRTWarpedDataset"'),
    "warp options": mosaic(source("a.tif"), dataset="<GDALWarpOptions/>"),
    "pansharpened": mosaic(source("a.tif"), dataset="<PansharpeningOptions/>"),
    "array": mosaic("<ArraySource><SingleSourceArray/></ArraySource>"),
    "filter": mosaic(source("a.tif", "KernelFilteredSource")),
    "options": mosaic(source("a.tif", more="<OpenOptions><OOI key='a'>b</OOI></OpenOptions>")),
    "group": mosaic(source("a.tif"), dataset="<Group name='/'/>"),
    "two names": mosaic(source("a.tif", more="<SourceFilename>/etc/passwd</SourceFilename>")),
    "lower case": mosaic(source("a.tif")).replace("SimpleSource", "simplesource"),
    "system by address": mosaic(source("a.tif"), dataset="<SRS>http://127.0.0.1:9/wkt</SRS>"),
    "system by file": mosaic(source("a.tif"), dataset="<SRS>/etc/passwd</SRS>"),
    "entities": '<!DOCTYPE a [<!ENTITY b "c">]>' + mosaic(source("a.tif")),
    "another top": "<OGRVRTDataSource/>",
    "no XML": "<VRTDataset",
    "no sizes": "<VRTDataset/>",
    "greatest": mosaic(source("a.tif"))
    .replace(f'rasterXSize="{WIDTH}"', 'rasterXSize="2147483647"')
    .replace(f'rasterYSize="{HEIGHT}"', 'rasterYSize="2147483647"'),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_what_is_no_plain_mosaic_is_refused(tmp_path: Path, text: str) -> None:
    write(tmp_path / "a.tif")
    with pytest.raises(SceneError, match=r"a\.vrt: (this VRT is not opened|.*(greatest scene|rasterXSize))"):
        open_scene(written(tmp_path / "a.vrt", text))


def test_a_source_that_names_other_files_itself_is_refused(tmp_path: Path) -> None:
    with rasterio.open(write_tiff(tmp_path / "a.tif", noise()), "r+") as target:
        target.update_tags(ns="OVERVIEWS", OVERVIEW_FILE="/vsicurl/http://127.0.0.1:9/a.tif")
    with pytest.raises(SceneError, match="overviews"):
        open_scene(written(tmp_path / "a.vrt", mosaic(source("a.tif"))))


def test_what_names_other_files_without_effect_on_pixels_is_left_out(tmp_path: Path) -> None:
    write(tmp_path / "a.tif")
    address = "/vsicurl/http://127.0.0.1:9/a.tif"
    extra = f"<Metadata domain='OVERVIEWS'><MDI key='OVERVIEW_FILE'>{address}</MDI></Metadata>"
    overview = f"<Overview><SourceFilename>{address}</SourceFilename><SourceBand>1</SourceBand></Overview>"
    path = written(tmp_path / "a.vrt", mosaic(overview, source("a.tif"), dataset=extra))
    assert "127.0.0.1" not in plain_mosaic(path, MosaicRule())
    np.testing.assert_array_equal(first_band(path)[0], noise()[0])


def test_a_mask_that_lies_beside_a_source_is_not_left_out_in_silence(tmp_path: Path) -> None:
    write(tmp_path / "a.tif")
    path = written(tmp_path / "a.vrt", mosaic(source("a.tif", "ComplexSource", "<UseMaskBand>true</UseMaskBand>")))
    np.testing.assert_array_equal(first_band(path)[0], noise()[0])
    write_tiff(tmp_path / "b.tif", noise()).rename(tmp_path / "a.tif.msk")
    os.utime(tmp_path / "a.tif", ns=(0, 0))
    with pytest.raises(SceneError, match="mask beside"):
        open_scene(path)


def test_a_source_that_changes_is_looked_at_again(tmp_path: Path) -> None:
    write(tmp_path / "a.tif")
    path = written(tmp_path / "a.vrt", mosaic(source("a.tif")))
    assert first_band(path).shape == (1, HEIGHT, WIDTH)
    (tmp_path / "a.tif").write_text("<VRTDataset/>")
    with pytest.raises(SceneError, match="not a readable image"):
        open_scene(path)


def test_texts_that_grow_by_building_on_each_other_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.tif")
    written(tmp_path / "1.vrt", mosaic(*[source("a.tif")] * 30))
    path = written(tmp_path / "2.vrt", mosaic(*[source("1.vrt")] * 30))
    monkeypatch.setattr(mosaics, "MOST_BYTES", 100_000)
    with pytest.raises(SceneError, match="longer than"):
        open_scene(path)


def test_a_vrt_that_is_named_often_is_read_once_and_its_length_is_known_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2,000 times 7 kB are 14 MB."""
    write(tmp_path / "a.tif")
    written(tmp_path / "1.vrt", mosaic(*[source("a.tif")] * 30))
    path = written(tmp_path / "2.vrt", mosaic(*[source("1.vrt")] * 2000))
    monkeypatch.setattr(mosaics, "MOST_BYTES", 1_000_000)
    made: list[int] = []
    real = mosaics.tostring
    monkeypatch.setattr(mosaics, "tostring", lambda *given, **how: made.append(0) or real(*given, **how))
    with pytest.raises(SceneError, match="longer than"):
        open_scene(path)
    assert len(made) == 1


def test_elements_beside_the_sources_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """60 MiB of empty ones, which are not kept, would be 1.4 GiB of memory."""
    monkeypatch.setattr(mosaics, "MOST_ELEMENTS", 100)
    write(tmp_path / "a.tif")
    for more, good in ((90, True), (100, False)):
        path = written(tmp_path / "a.vrt", mosaic(source("a.tif"), dataset=f"<GCPList>{'<a/>' * more}</GCPList>"))
        if good:
            assert open_scene(path).shape == (HEIGHT, WIDTH)
            continue
        with pytest.raises(SceneError, match="more than 100 elements"):
            open_scene(path)


def test_the_vrt_that_gdal_itself_writes_of_a_file_is_read(tmp_path: Path) -> None:
    tile = write_tiff(tmp_path / "a.tif", noise(), crs="EPSG:32617", transform=TRANSFORM, nodata=7, tiled=True)
    with rasterio.open(tile, "r+") as target:
        target.update_tags(1, STATISTICS_MEAN="1")
        target.update_tags(a="b")
        target.set_band_description(1, "red")
    rasterio.shutil.copy(tile, tmp_path / "a.vrt", driver="VRT")
    scene, plain = open_scene(tmp_path / "a.vrt"), open_scene(tile)
    assert (scene.shape, scene.crs, scene.transform, scene.nodata) == (plain.shape, plain.crs, TRANSFORM, 7)
    np.testing.assert_array_equal(read_window(scene, scene.window, (1, 2, 3)), noise())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_trusting_vrts_trusts_no_file_beside_another_image(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif")
    os.mkfifo(tmp_path / "a.tif.ovr")
    with mosaics_by(MosaicRule(trusted=True)):
        scene = open_scene(path)
        read_preview(path, 8)
    with SceneReader(scene, (1,)) as reader:
        assert reader.preview(8).shape[0] == 1
