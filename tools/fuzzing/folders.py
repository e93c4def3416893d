"""Inputs of the kind folders: folders of predictions, given to report, evaluate and predict again."""

import csv
import io
import json
import os
import shutil
import warnings
import zlib
from functools import cache
from pathlib import Path
from struct import pack
from typing import Any

from .case import ENDS, Case, Material, Place, predict
from .mutations import changed_bytes, changed_data
from .pictures import chunk, claimed
from .tables import CELLS

TABLES = ("counts.csv", "detections.csv", "failures.csv")
DATA = ("run.json", ".run/settings.json", ".run/journal.jsonl")
PICTURES = ("heatmaps/0.png.tif", "overlays/0.png.jpg", ".run/thumbnails/0.png.jpg")
ROOMS = ("heatmaps", "overlays", ".run", ".run/thumbnails", "errors")

SCORES: dict[str, Any] = {
    "f1": 0.5,
    "precision": 0.5,
    "recall": 0.5,
    "radius": 30.0,
    "per_class": {"square": {"f1": 0.5, "found": 3, "true": 4, "precision": 0.5, "recall": 0.5}},
    "per_image": {"0.png": {"f1": 0.5, "found": 3, "true": 4, "per_class": {"square": {"found": 3, "true": 4}}}},
    "confusion": {"labels": ["square", "background"], "matrix": [[3, 1], [1, 0]]},
}
"""What `detect.evaluate` writes, in little."""


def make_folder_case(place: Place, material: Material) -> Case:
    """Make a folder of predictions with something wrong, and three commands that read it."""
    shutil.copytree(material.predictions, place.out)
    family = place.rng.choice((_table, _table, _data, _data, _scores, _bytes, _tags, _huge, _no_file, _no_file))
    what = family(place)
    scores = (f"scores={place.out / 'scores.json'}",) if (place.out / "scores.json").exists() else ()
    points, images = material.data / "points.csv", material.data / "images"
    commands = (
        ("report", f"predictions={place.out}", *scores),
        ("evaluate", f"predictions={place.out}", f"annotations={points}", f"output={place.out}"),
        predict(material.model, images, place.out),
    )
    number = place.rng.choice((1, 1, 2, 3))
    mine = tuple(place.out.rglob("mine.txt"))
    chosen = commands[:number] if place.rng.random() < 0.5 else commands[-number:]
    return Case(what, chosen, kept=mine, tables=False, ends=(0,) if mine else ENDS)


def _table(place: Place) -> str:
    """Change cells of a table."""
    rng = place.rng
    path = place.out / rng.choice(TABLES[:2])
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
    words = []
    for _ in range(rng.choice((1, 1, 3))):
        row = rng.choice(rows)
        at = rng.randrange(len(row))
        row[at] = rng.choice(CELLS).replace("{outside}", str(place.outside)).replace("{address}", place.address)
        words.append(row[at][:20])
    if rng.random() < 0.1:
        rows += rows[1:2] * 20_000
        words.append("20,000 rows")
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(rows)
    path.write_text(file.getvalue(), encoding="utf-8", newline="")
    return f"{path.name}: {words}"


def _data(place: Place) -> str:
    """Change values of JSON, or point the sources of images elsewhere."""
    rng = place.rng
    path = place.out / rng.choice(DATA)
    lines = path.read_text(encoding="utf-8").splitlines() if path.suffix == ".jsonl" else [path.read_text("utf-8")]
    data = json.loads(lines[0])
    if path.name == "run.json" and rng.random() < 0.4:
        where = rng.choice(("{outside}/secret.tif", "{outside}/pipe", "http://{address}/a.tif", "/dev/zero", "."))
        where = where.format(outside=place.outside, address=place.address)
        data["sources"] = dict.fromkeys(data["sources"], where)
        what = f"sources {where}"
    elif rng.random() < 0.1:
        lines[0], what = rng.choice(("[" * 50_000, "null", "[]", "9" * 5000, '{"a":' * 5000, "NaN")), "another text"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return f"{path.name}: {what} {lines[0][:9]}"
    else:
        data, what = changed_data(data, rng)
    lines[0] = json.dumps(data)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"{path.name}: {what[:120]}"


def _scores(place: Place) -> str:
    data, what = changed_data(SCORES, place.rng)
    if place.rng.random() < 0.3:
        data, more = changed_data(data, place.rng)
        what += f", {more}"
    (place.out / "scores.json").write_text(json.dumps(data), encoding="utf-8")
    return f"scores.json: {what}"


def _bytes(place: Place) -> str:
    path = place.out / place.rng.choice((*TABLES, *DATA, *PICTURES, "report.html"))
    data, what = changed_bytes(path.read_bytes() or b"x", place.rng)
    path.write_bytes(data)
    return f"{path.name}: {what}"


def _tags(place: Place) -> str:
    """Change what a heatmap says of itself."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    name = place.rng.choice(("stride", "stride", "offset", "classes"))
    value = place.rng.choice(("0", "-1", "nan", "inf", "1e308", "1e-308", "", "x", "0 0", "4 nan", "9" * 5000, "1 2 3"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        target = rasterio.open(place.out / PICTURES[0], "r+", IGNORE_COG_LAYOUT_BREAK="YES")
    with target:
        target.update_tags(**{name: value})
    return f"heatmap {name}={value[:9]!r}"


@cache
def huge_png(height: int, width: int) -> bytes:
    """Return a PNG of grey zeros of any size, a thousandth of it in bytes."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(b"\0" * ((width + 1) * 100)) for _ in range(height // 100)) + packer.flush()
    header = pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def _huge(place: Place) -> str:
    """Put a picture of a great or a claimed size in the place of one."""
    name = place.rng.choice(PICTURES)
    sizes = {"heatmaps/0.png.tif": ("claimed", "bomb")}
    kind = place.rng.choice(sizes.get(name, ("bomb", "large", "claimed")))
    side = place.rng.choice((10_000, 60_000))
    path = place.out / name
    if kind == "claimed":
        path.write_bytes(claimed(side, side, tiled=True))
    else:
        path.write_bytes(_small_jpeg_of(side) if kind == "large" and side < 65_500 else huge_png(side // 4, side))
    return f"{name}: {kind} of {side}"


def _small_jpeg_of(side: int) -> bytes:
    """Return a JPEG of 16 pixels that claims `side`."""
    from PIL import Image

    file = io.BytesIO()
    Image.new("L", (16, 16)).save(file, "JPEG")
    data = bytearray(file.getvalue())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = pack(">HH", side, side)
    return bytes(data)


def _no_file(place: Place) -> str:
    """Put a folder, FIFO or link in the place of a file, or a link or file in that of a folder."""
    name = place.rng.choice((*TABLES, *DATA, *PICTURES, *PICTURES, *ROOMS, "report.html", "scores.json", ".run/lock"))
    path = place.out / name
    room = name in ROOMS
    kind = place.rng.choice(("folder", "fifo", "link out", "broken link", "link to itself", "part folder"))
    if kind == "part folder":
        part = (path if room else path.parent) / ".x.part"
        part.mkdir(parents=True, exist_ok=True)
        (part / "mine.txt").write_text("mine")
        return f"a folder {part.relative_to(place.out)}"
    _remove(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "folder":
        path.touch() if room else (path / "a").mkdir(parents=True)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        ends = {"link out": "keep" if room else "secret.txt", "broken link": "made"}
        path.symlink_to(path.name if kind == "link to itself" else place.outside / ends[kind])
    return f"{name}: {'file' if kind == 'folder' and room else kind}"


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
