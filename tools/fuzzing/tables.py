"""Inputs of the kind tables: annotations, given to `detect.preview` and `detect.evaluate`."""

import csv
import io
import shutil
from random import Random

from .case import Case, Material, Place
from .mutations import changed_bytes

CELLS = (
    "",
    "0",
    "-1",
    "1e400",
    "-1e308",
    "nan",
    "inf",
    "9" * 5000,
    "0x10",
    "1_0",
    "1,5",
    "٣",
    "=1+1",
    "@x",
    "-x",
    "../../outside/secret.png",
    "..",
    ".",
    "/",
    "C:\\a.png",
    "a\x00b",
    "a\rb",
    "a\nb",
    "\ufeff",
    "x" * 200_000,
    '"',
    "total",
    "image",
    "0.PNG",
    "./0.png",
    "sub/../0.png",
    "<b>",
    "http://{address}/a.png",
    "{outside}/secret.png",
    "{outside}/pipe",
    "con",
)
"""What stands in place of a cell or of the text of an element."""

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "cp1252", "utf-7")

OBJECT = (
    "<object><name>square</name><bndbox><xmin>10</xmin><ymin>10</ymin><xmax>30</xmax><ymax>30</ymax></bndbox></object>"
)


def make_table_case(place: Place, material: Material) -> Case:
    """Make annotations of the two small images, with something wrong, and a command that reads them."""
    place.input.mkdir()
    rng = place.rng
    if rng.random() < 0.5:
        path, (data, what) = place.input / "points.csv", _csv(place)
    else:
        path, (data, what) = place.input / f"0{rng.choice(('.xml', '.xml', '.XML'))}", _voc(place)
    path.write_bytes(data)
    given = place.input if path.suffix == ".xml" and rng.random() < 0.5 else path
    if rng.random() < 0.5:
        found = place.out / "predictions"
        shutil.copytree(material.predictions, found)
        names = [f"predictions={found}", f"output={place.out / 'scores'}"]
        if rng.random() < 0.3:
            names += [f"annotations={material.data / 'points.csv'}", f"data.labels.ignored_regions={path}"]
            return Case(f"regions: {what}", (("evaluate", *names),))
        return Case(what, (("evaluate", *names, f"annotations={given}"),))
    place.out.mkdir()
    own = [each for each in material.settings if each.startswith("net.")]
    names = [f"data.root={material.data / 'images'}", f"data.annotations={given}", f"output={place.out / 'sheet.jpg'}"]
    return Case(what, (("preview", *names, *own, "samples=4", "data.sampling.samples=16"),))


def _filled(place: Place) -> str:
    cell = place.rng.choice(CELLS)
    return cell.replace("{address}", place.address).replace("{outside}", str(place.outside))


def _csv(place: Place) -> tuple[bytes, str]:
    """Return a table of points or boxes with cells, columns, rows, marks or bytes changed."""
    rng = place.rng
    boxes = rng.random() < 0.5
    header = ["image", *(("xmin", "ymin", "xmax", "ymax") if boxes else ("x", "y")), "label", "split", "group"]
    rows = [
        [name, *((x - 9, y - 9, x + 9, y + 9) if boxes else (x, y)), "square", side, ""]
        for name, side in (("0.png", "train"), ("1.png", "val"))
        for x, y in ((20, 20), (70, 30), (40, 75), (100, 90))
    ]
    table = [header, *([str(each) for each in row] for row in rows)]
    words = []
    for _ in range(rng.choice((1, 1, 2, 5))):
        row, col = rng.randrange(len(table)), rng.randrange(len(header))
        if len(table[row]) > col:
            table[row][col] = _filled(place)
            words.append(f"{row},{col}={table[row][col][:20]!r}")
    if rng.random() < 0.2:
        table[rng.randrange(len(table))] += ["more"] * rng.choice((1, 5000))
        words.append("longer row")
    if rng.random() < 0.05:
        table += table[1:2] * 50_000
        words.append("50,000 rows")
    file = io.StringIO()
    mark, dialect = rng.choice((",", ",", ",", ";", "\t", "|")), rng.choice(("excel", "unix"))
    end = rng.choice(("\n", "\r\n", "\r"))
    csv.writer(file, dialect, delimiter=mark, lineterminator=end).writerows(table)
    return _encoded(file.getvalue(), rng, f"csv {words} {mark!r} {end!r}")


def _encoded(text: str, rng: Random, what: str) -> tuple[bytes, str]:
    encoding = rng.choice(ENCODINGS) if rng.random() < 0.3 else "utf-8"
    data = text.encode(encoding, "surrogatepass" if encoding.startswith("utf-") and encoding != "utf-7" else "replace")
    if rng.random() < 0.3:
        data, more = changed_bytes(data, rng)
        what += f" {more}"
    return data, f"{what} {encoding}"


def _voc(place: Place) -> tuple[bytes, str]:
    """Return a VOC file with entities, nesting, numbers or bytes changed."""
    rng = place.rng
    kind = rng.choice(("entity", "external", "dtd", "laughs", "parameter", "deep", "cells", "cells", "cells", "wide"))
    before, name, objects = "", "0.png", OBJECT
    if kind == "entity":
        before, name = '<!DOCTYPE annotation [<!ENTITY a "0.png">]>', "&a;"
    elif kind == "external":
        addresses = (f"file://{place.outside}/secret.txt", f"http://{place.address}/e", str(place.outside / "pipe"))
        where = rng.choice(addresses)
        before, name = f'<!DOCTYPE annotation [<!ENTITY a SYSTEM "{where}">]>', "&a;"
    elif kind == "dtd":
        where = rng.choice((f"file://{place.outside}/secret.txt", f"http://{place.address}/d"))
        before = f'<!DOCTYPE annotation SYSTEM "{where}">'
    elif kind == "parameter":
        before = f'<!DOCTYPE annotation [<!ENTITY % a SYSTEM "http://{place.address}/p"> %a;]>'
    elif kind == "laughs":
        lines = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
        before, name = f'<!DOCTYPE annotation [<!ENTITY l0 "ha">{lines}]>', "&l11;"
    elif kind == "deep":
        depth = rng.choice((1000, 100_000))
        objects = "<a>" * depth + "</a>" * depth
    elif kind == "wide":
        objects = OBJECT * 20_000
    else:
        for _ in range(rng.choice((1, 2))):
            old = rng.choice(("<xmin>10<", "<ymax>30<", "<name>square<"))
            tag = old[: old.index(">") + 1]
            objects = objects.replace(old, f"{tag}{_plain(_filled(place))}<")
        name = _plain(_filled(place)) if rng.random() < 0.4 else name
    side = rng.choice(("128", "0", "-1", "9" * 5000, "²", "٣", "x"))
    size = f"<size><width>{side}</width><height>128</height><depth>3</depth></size>"
    text = f'<?xml version="1.0"?>{before}<annotation><filename>{name}</filename>{size}{objects}</annotation>'
    return _encoded(text, rng, f"voc {kind}, width {side[:9]}, name {name[:20]!r}")


def _plain(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
