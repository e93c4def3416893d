"""Puts pictures that `detect.explain` wrote side by side, with their names below, as README shows them.

    python tools/explain_strip.py runs/explain data/explain.png [--names photograph smoothgrad_objectness ...]

Pictures are reduced to one height and to 256 colours, which keeps the file small.
"""

import argparse
import json
from pathlib import Path

from PIL import Image, ImageDraw

from detect.explaining.method_names import WORDS
from detect.reporting.pictures.captions import INK, PAPER, caption_font

NAMES = ("photograph", "smoothgrad_objectness", "gradcam_objectness", "occlusion_objectness")
SIDE, GAP, LINE = 240, 8, 24


def strip(folder: Path, names: list[str]) -> Image.Image:
    """Return the pictures of some names in a row."""
    sheet = Image.new("RGB", (len(names) * (SIDE + GAP) + GAP, SIDE + LINE + GAP), PAPER)
    draw, font = ImageDraw.Draw(sheet), caption_font(14)
    for place, name in enumerate(names):
        with Image.open(folder / f"{name}.png") as picture:
            small = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        left = GAP + place * (SIDE + GAP)
        sheet.paste(small, (left, GAP))
        method = next((each for each in WORDS if name.startswith(f"{each}_")), "")
        draw.text((left, GAP + SIDE + 3), WORDS.get(method, name.capitalize()), fill=INK, font=font)
    return sheet.quantize(256, Image.Quantize.MAXCOVERAGE)


def main() -> None:
    """Make the strip and print its size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("into", type=Path)
    parser.add_argument("--names", nargs="+", default=list(NAMES))
    given = parser.parse_args()
    strip(given.folder, given.names).save(given.into, optimize=True)
    what = dict(json.loads((given.folder / "explain.json").read_text(encoding="utf-8"))["what"])
    print(f"{given.into}: {given.into.stat().st_size >> 10} kB, {what['Explained']}")


if __name__ == "__main__":
    main()
