"""Write others' data sets of wafer maps as pictures and a table of their classes, which `net=whole` learns from.

    python tools/wafer_maps.py Wafer_Map_Datasets.npz out          # MixedWM38: maps with any number of eight patterns
    python tools/wafer_maps.py LSWMD.pkl out --trust-pickle        # WM-811K: maps with one of nine patterns, by lot

Both are on Kaggle. A map becomes a grey PNG: 0 no die, 127 a good die, 255 a bad one. `labels.csv` has `image,label`
and, of WM-811K, `split` (as its authors divided it) and `group` (the lot); of several patterns each has a row, of none
the label is empty, so that training takes `net.labels=many`.

Of a pickle, reading it runs what is in it: only of a file whose origin is trusted, once, and never by `detect` itself.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

MIXED = ("Center", "Donut", "Edge-Loc", "Edge-Ring", "Loc", "Near-full", "Scratch", "Random")
"""The patterns of MixedWM38, in the order of its columns."""

SHADES = np.array([0, 127, 255], np.uint8)
"""What a code is drawn as: no die, good, bad."""

FOLDER_MAPS = 10_000
"""Maps in one folder."""

Row = tuple[NDArray[np.integer[Any]], Sequence[str], str, str]
"""A map of codes, its labels, its side and its group; the last two are empty where they are not known."""


def mixed_maps(path: Path) -> Iterator[Row]:
    """Yield the maps of MixedWM38 (Wang et al. 2020): `arr_0` (N, h, w) codes and `arr_1` (N, 8) patterns.

    Raises:
        ValueError: arrays of other names or shapes, or such as need a pickle.
    """
    with np.load(path, allow_pickle=False) as arrays:
        if not {"arr_0", "arr_1"} <= set(arrays.files):
            raise ValueError(f"{path}: MixedWM38 has the arrays arr_0 and arr_1, this has {arrays.files}")
        maps, there = arrays["arr_0"], arrays["arr_1"]
    if maps.ndim != 3 or there.shape != (len(maps), len(MIXED)):
        raise ValueError(
            f"{path}: arr_0 must be (N, h, w) and arr_1 (N, {len(MIXED)}), got {maps.shape}, {there.shape}"
        )
    for codes, each in zip(maps, there, strict=True):
        yield codes, [name for name, has in zip(MIXED, each, strict=True) if has], "", ""


def wm811k_maps(table: pd.DataFrame) -> Iterator[Row]:
    """Yield the labelled maps of WM-811K's table (Wu et al. 2015); those that nobody labelled are left out.

    Args:
        table: `waferMap`, `lotName`, `failureType`, and the side in a column that it calls `trianTestLabel`.
    """
    sides = {"training": "train", "test": "test"}
    for row in table.to_dict("records"):
        label, side = _one(row["failureType"]), _one(row.get("trianTestLabel", ""))
        if label:
            yield np.asarray(row["waferMap"]), [label], sides.get(side.lower(), ""), str(row["lotName"])


def _one(cell: Any) -> str:
    """Return the text in a cell, which may be in arrays of arrays; empty of an empty one."""
    flat = np.ravel(np.asarray(cell, dtype=object))
    while len(flat) and isinstance(flat[0], np.ndarray | list):
        flat = np.ravel(np.asarray(flat[0], dtype=object))
    return str(flat[0]).strip() if len(flat) else ""


def write_maps(rows: Iterator[Row], out: Path) -> int:
    """Write maps as PNGs and their classes as `labels.csv`; return how many dies have a code above 2, drawn as bad.

    Raises:
        FileExistsError: the table is there.
        ValueError: a map that is not two-dimensional or has negative codes.
    """
    if (out / "labels.csv").exists():
        raise FileExistsError(f"{out / 'labels.csv'} is there; name another folder")
    listed, strange = [], 0
    for number, (codes, labels, side, group) in enumerate(rows):
        if codes.ndim != 2 or codes.size == 0 or codes.min() < 0:
            raise ValueError(f"map {number}: must be (h, w) of codes 0, 1 and 2, got {codes.shape}")
        strange += int((codes > 2).sum())
        name = f"maps/{number // FOLDER_MAPS:03}/{number:06}.png"
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(SHADES[np.minimum(codes, 2).astype(np.intp)]).save(out / name)
        listed += [(name, label, side, group) for label in labels or [""]]
    table = pd.DataFrame(listed, columns=["image", "label", "split", "group"])
    filled = [column for column in table if column in ("image", "label") or table[column].ne("").any()]
    table[filled].to_csv(out / "labels.csv", index=False)
    return strange


def main() -> None:
    """Write the maps that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--trust-pickle", action="store_true", help="the .pkl may run what is in it")
    given = parser.parse_args()
    if given.file.suffix == ".npz":
        rows = mixed_maps(given.file)
    elif given.trust_pickle:
        rows = wm811k_maps(pd.read_pickle(given.file))
    else:
        sys.exit(
            f"{given.file} is no .npz; reading a pickle runs what is in it: --trust-pickle, if you trust its origin"
        )
    strange = write_maps(rows, given.out)
    if strange:
        print(f"{strange} dies have codes above 2 and are drawn as bad")
    print(f"wrote {given.out / 'labels.csv'}")


if __name__ == "__main__":
    main()
