"""Inputs of the kind images: folders with a good image and something else, given to `detect.predict`."""

import os
from pathlib import Path

from .case import Case, Material, Place, predict
from .material import GOOD_SEED, write_image
from .mutations import changed_bytes
from .pictures import SIDE, WRITERS, claimed, picture, with_field

GOOD = "good.png"
"""The image that must be counted whatever lies beside it."""

NAMES = (
    "=1+1.png",
    "@SUM(A1).png",
    "+1.png",
    "-1.png",
    "\t=1.png",
    "a\rb.png",
    "a\nb.png",
    "a\x01b.png",
    "<script>alert(1)</script>.png",
    "{{7*7}}.png",
    "%2e%2e%2fa.png",
    "a'b\"c.png",
    " .png",
    "con.png",
    "\udcff.png",
    "\u202egnp.png",
    "n" * 251 + ".png",
    ".x.part/1.png",
    ".x.png",
    ".a.part.png",
    ".x.xml/1.png",
    "a.png/b.png",
    "heatmaps/a.png",
    "=a/b.png",
)
"""Names of good images; the longest is as long as a file's name can be."""


def vrt_source(name: str, address: str, outside: Path) -> str:
    """Return the file that a VRT names as its source."""
    return {
        "outside": str(outside / "secret.tif"),
        "up": "../outside/secret.tif",
        "fifo": str(outside / "pipe"),
        "curl": f"/vsicurl/http://{address}/a.tif",
        "wms": f"<GDAL_WMS><Service name='WMS'><ServerUrl>http://{address}/?</ServerUrl></Service></GDAL_WMS>",
        "zip": f"/vsizip/{outside / 'secret.tif'}/a",
        "url": f"http://{address}/a.png",
        "subdataset": f"GTIFF_DIR:1:{outside / 'secret.tif'}",
        "own": GOOD,
    }[name]


def vrt(sources: list[str], kinds: list[str], *, relative: bool = False, side: int = SIDE) -> str:
    """Return a VRT of a band a source."""
    bands = "".join(
        f'<VRTRasterBand dataType="{kind}" band="{band}"><SimpleSource><SourceFilename relativeToVRT="{relative:d}">'
        f"{escaped(source)}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>"
        for band, (source, kind) in enumerate(zip(sources, kinds, strict=True), start=1)
    )
    return f'<VRTDataset rasterXSize="{side}" rasterYSize="{side}">{bands}</VRTDataset>'


def raw_vrt(source: str) -> str:
    """Return a VRT that shows the bytes of any file as pixels."""
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}" subClass="VRTRawRasterBand"><SourceFilename relativeToVRT="0">'
        f"{escaped(source)}</SourceFilename><ImageOffset>0</ImageOffset><PixelOffset>1</PixelOffset>"
        f"<LineOffset>{SIDE // 2}</LineOffset></VRTRasterBand>"
        for band in (1, 2, 3)
    )
    return f'<VRTDataset rasterXSize="{SIDE // 2}" rasterYSize="{SIDE // 2}">{bands}</VRTDataset>'


def escaped(text: str) -> str:
    """Return a text as it stands in XML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def programs(address: str, outside: Path) -> dict[str, str]:
    """Return texts that GDAL runs when it opens them, by their name."""
    window = (
        "<DataWindow><UpperLeftX>-180</UpperLeftX><UpperLeftY>90</UpperLeftY><LowerRightX>180</LowerRightX>"
        f"<LowerRightY>-90</LowerRightY><SizeX>{SIDE}</SizeX><SizeY>{SIDE}</SizeY></DataWindow>"
    )
    tiles = f"<ServerUrl>http://{address}/${{z}}/${{x}}/${{y}}.png</ServerUrl>"
    return {
        "wms": f'<GDAL_WMS><Service name="TMS">{tiles}</Service>{window}<BandsCount>3</BandsCount></GDAL_WMS>',
        "wms of a file": f'<GDAL_WMS><Service name="TMS"><ServerUrl>file://{outside}/secret.png</ServerUrl></Service>'
        f"{window}<BandsCount>3</BandsCount></GDAL_WMS>",
        "wcs": f"<WCS_GDAL><ServiceURL>http://{address}/wcs?</ServiceURL><CoverageName>a</CoverageName></WCS_GDAL>",
        "wmts": f"<GDAL_WMTS><GetCapabilitiesUrl>http://{address}/wmts</GetCapabilitiesUrl><Layer>a</Layer></GDAL_WMTS>",
        "derived": '<VRTDataset rasterXSize="64" rasterYSize="64"><VRTRasterBand dataType="Byte" band="1" '
        'subClass="VRTDerivedRasterBand"><PixelFunctionType>f</PixelFunctionType><PixelFunctionLanguage>Python'
        f"</PixelFunctionLanguage><PixelFunctionCode><![CDATA[\nopen({str(outside / 'made')!r}, 'w')\n]]>"
        "</PixelFunctionCode></VRTRasterBand></VRTDataset>",
        "stacta": f'{{"stac_version":"1.0.0","stac_extensions":["https://stac-extensions.github.io/tiled-assets/v1.0.0'
        f'/schema.json"],"asset_templates":{{"a":{{"href":"http://{address}/a"}}}}}}',
        "raw": raw_vrt(str(outside / "secret.txt")),
        "passwd": raw_vrt(str(outside / "keep/a.txt")),
    }


def make_image_case(place: Place, material: Material) -> Case:
    """Make a folder with a good image and something else."""
    place.input.mkdir()
    write_image(place.input / GOOD, GOOD_SEED)
    family = place.rng.choice(FAMILIES)
    what, names, runs = family(place)
    command = predict(material.model, place.input, place.out)
    shown = tuple(each for each in names if not any(part.startswith(".") for part in each.split("/")))
    return Case(what, (command,) * runs, counted=(GOOD,), accounted=shown)


Made = tuple[str, list[str], int]
"""In words what was made, the names of images that must be in a table, and how often the command runs."""


def _changed_picture(place: Place) -> Made:
    kind = place.rng.choice(list(WRITERS))
    data, what = picture(kind), "as it is"
    if place.rng.random() < 0.9:
        data, what = (with_field if place.rng.random() < 0.5 else changed_bytes)(data, place.rng)
    name = f"a{WRITERS[kind][0]}"
    (place.input / name).write_bytes(data)
    return f"{kind}, {what}", [name], 1


def _program(place: Place) -> Made:
    texts = programs(place.address, place.outside)
    kind = place.rng.choice(list(texts))
    name = "a" + place.rng.choice((".jpg", ".tif", ".png", ".vrt", ".jp2", ".bmp"))
    (place.input / name).write_text(texts[kind])
    return f"{kind} called {name}", [name], 1


def _vrt(place: Place) -> Made:
    name = "a" + place.rng.choice((".vrt", ".vrt", ".jpg", ".tif"))
    kind = place.rng.choice(("outside", "up", "fifo", "curl", "wms", "zip", "url", "subdataset", "own"))
    types = place.rng.choice((["Byte"] * 3, ["Byte", "UInt16", "Float32"], ["CFloat64"] * 3))
    source = vrt_source(kind, place.address, place.outside)
    side = place.rng.choice((SIDE, SIDE, 128, 40_000))
    text = vrt([source] * 3, types, relative=kind in ("up", "own"), side=side)
    (place.input / name).write_text(text)
    return f"vrt of {kind} as {'/'.join(types)}, side {side}, called {name}", [name], 1


def _vrt_chain(place: Place) -> Made:
    """Make VRTs of which each shows the next three times, the last a file outside, the FIFO, itself or the first."""
    length, last = place.rng.choice((2, 10)), place.rng.choice(("outside", "fifo", "own", "loop"))
    end = "0.vrt" if last == "loop" else vrt_source(last, place.address, place.outside)
    names = [f"{i}.vrt" for i in range(length)]
    for i, name in enumerate(names):
        source = names[i + 1] if i + 1 < length else end
        (place.input / name).write_text(vrt([source] * 3, ["Byte"] * 3, relative=not source.startswith("/")))
    return f"chain of {length} vrts, the last of {last}", names, 1


def _side_car(place: Place) -> Made:
    """Make a good image with a file beside it that GDAL opens with it."""
    kind = place.rng.choice(("tiff stripped", "jpeg", "png"))
    name = f"a{WRITERS[kind][0]}"
    (place.input / name).write_bytes(picture(kind))
    secret = place.outside / "secret.tif"
    overviews = f"<MDI key='OVERVIEW_FILE'>{secret}</MDI>"
    texts = {
        **programs(place.address, place.outside),
        "vrt": vrt([str(secret)] * 3, ["Byte"] * 3, side=SIDE // 2),
        "overviews": f"<PAMDataset><Metadata domain='OVERVIEWS'>{overviews}</Metadata></PAMDataset>",
        "world": "1e308\n0\n0\n-1e308\nnan\ninf\n",
    }
    what = place.rng.choice(list(texts))
    side = name + place.rng.choice((".ovr", ".msk", ".aux.xml", ".aux"))
    if what == "world":
        side = place.rng.choice(("a.tfw", "a.jgw", "a.pgw", "a.wld"))
    (place.input / side).write_text(texts[what])
    return f"{name} with {what} as {side}", [name], 1


def _no_file(place: Place) -> Made:
    kind = place.rng.choice(("fifo", "broken link", "loop", "folder", "empty", "device", "link to fifo", "socket"))
    path = place.input / ("a" + place.rng.choice((".jpg", ".tif", ".vrt")))
    links = {"broken link": "nowhere.jpg", "loop": path.name, "device": "/dev/zero", "link to fifo": "b.jpg"}
    if kind in links:
        path.symlink_to(links[kind])
    elif kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    if kind in ("fifo", "link to fifo"):
        os.mkfifo(path if kind == "fifo" else place.input / "b.jpg")
    if kind == "socket":
        os.mknod(path, 0o140644)
    names = [path.name, "b.jpg"] if kind == "link to fifo" else [path.name]
    return f"{kind} called {path.name}", [] if kind == "folder" else names, 1


def _claimed(place: Place) -> Made:
    sides = (2**31 - 1, 10**8, 3 * 10**7, 2**31, 2**32 - 1, 10**6, 100_000, 70_000, 0, 1)
    height, width = place.rng.choice(sides), place.rng.choice(sides)
    if place.rng.random() < 0.5:
        width = height
    tiled = place.rng.random() < 0.5
    (place.input / "a.tif").write_bytes(claimed(height, width, tiled=tiled))
    return f"{'tiled' if tiled else 'stripped'} tiff that claims {height} x {width}", ["a.tif"], 1


def _named(place: Place) -> Made:
    """Make good images of odd names; the same command runs twice, and once more with an image taken away."""
    names = place.rng.sample(NAMES, 4)
    made = []
    for name in names:
        path = place.input / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path, 2, (64, 64))
            made.append(name)
        except OSError:
            continue
    return f"names {made}"[:200], made, 2


FAMILIES = (
    _changed_picture,
    _changed_picture,
    _changed_picture,
    _changed_picture,
    _program,
    _vrt,
    _vrt,
    _vrt_chain,
    _side_car,
    _no_file,
    _claimed,
    _named,
)
"""Families of inputs; one that stands more than once is drawn more often."""
