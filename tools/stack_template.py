"""Put images and the defect-free template of each into one colour image, in which differences have a colour.

    python tools/stack_template.py --images 'DIR/*_test.jpg' --replace _test _temp --into DIR2

Red and blue are the image, green is its template: what is alike is grey, what the image has and the template lacks is
magenta, what it lacks is green. Networks trained on colour photographs see that at once. Names stay (but for the
ending, .png, since JPEG would blur colours), so that annotations fit when their `image` column gets that ending:
`--annotations boxes.csv` writes such a table into the new folder.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from detect.imagery.files import replace_file
from detect.reporting.tables import read_text_table, write_table


def stacked(image: NDArray[np.uint8], template: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Stack (H, W) grey pixels and their template's to (H, W, 3).

    Raises:
        ValueError: they differ in size.
    """
    if image.shape != template.shape:
        raise ValueError(f"the image is {image.shape}, its template {template.shape} (height, width); align them first")
    return np.stack([image, template, image], axis=-1)


def main() -> None:
    """Stack every image of a pattern."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", required=True, help="pattern of the images' files")
    parser.add_argument(
        "--replace", nargs=2, required=True, metavar=("PART", "BY"), help="turns a name into its template's"
    )
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--annotations", type=Path, help="CSV with a column `image`")
    known = parser.parse_args()
    pattern = Path(known.images)
    sources = {pattern.parent.resolve(), *([known.annotations.parent.resolve()] if known.annotations else [])}
    if known.into.resolve() in sources:
        raise SystemExit(f"--into {known.into} holds the images or the table: name another folder")
    known.into.mkdir(parents=True, exist_ok=True)
    paths = sorted(pattern.parent.glob(pattern.name))
    if not paths:
        raise SystemExit(f"--images: no file fits {known.images}")
    for path in paths:
        other = path.with_name(path.name.replace(*known.replace))
        if other == path or not other.exists():
            raise SystemExit(f"{path}: there is no template {other}; see --replace")
        pixels = stacked(*(np.asarray(Image.open(each).convert("L")) for each in (path, other)))
        with replace_file(known.into / f"{path.stem}.png") as part:
            Image.fromarray(pixels).save(part, format="png")
    if known.annotations:
        table = read_text_table(known.annotations)
        table["image"] = [str(Path(str(name)).with_suffix(".png")) for name in table["image"]]
        write_table(table, known.into / known.annotations.name)
    print(f"{len(paths)} images with their templates in {known.into}")


if __name__ == "__main__":
    main()
