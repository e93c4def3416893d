"""Make wafers with known patterns, as lists of defects: synthetic, every one a point process of the kind below.

    python tools/make_wafers.py OUTPUT [--wafers 20] [--format csv|klarf] [--seed 0] [--side 20000]

Writes OUTPUT/lists/, a list a wafer; OUTPUT/labels.csv (image,label,split,group: the lot is the group, and lots are
dealt to train, val and test); OUTPUT/clusters.csv (image,xmin,ymin,xmax,ymax,label), boxes of the local clusters in
the pixels of wafers that are drawn with `data.wafers.side` of --side. Wafers with other
patterns are not in it.

On every wafer lie defects by chance, as many as a Poisson law of a mean of its own, 50 to 400, says. A pattern adds:

    none      nothing
    random    1,000 to 8,000 more, evenly
    edge      an arc of 40 to 200 degrees at 0.90 to 0.97 of the radius, 300 to 3,000 defects
    ring      the same all around
    donut     a ring at 0.35 to 0.65 of the radius, 0.04 to 0.12 wide, 500 to 5,000
    center    a normal cloud around the centre, 0.08 to 0.2 of the radius, 500 to 4,000
    scratch   a bent line of 0.3 to 1.2 radii, 0.2 mm wide, 100 to 1,500
    cluster   2 to 8 normal clouds of 1 to 3 mm, 60 to 200 defects each
"""

import argparse
import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detect.imagery.wafers.defect_writing import write_defects
from detect.imagery.wafers.wafer import Wafer

DIAMETER_MM = 300.0
RADIUS_MM = DIAMETER_MM / 2
PITCH_MM = (10.0, 12.0)
PER_LOT = 10
"""Wafers of a lot."""

SIDES = ("train", "train", "train", "val", "test")
"""Sides to which lots are dealt in turn."""

Points = NDArray[np.float64]


def on_disk(chance: np.random.Generator, count: int) -> Points:
    """Return points (count, 2) in mm, evenly over the wafer."""
    return polar(RADIUS_MM * np.sqrt(chance.random(count)), chance.uniform(0, 2 * np.pi, count))


def polar(radius: Points, angle: Points) -> Points:
    """Return places (N, 2) in mm by distance from the centre and angle."""
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def edge(chance: np.random.Generator) -> Points:
    """Return an arc at the wafer's edge."""
    count, extent = int(chance.integers(300, 3001)), np.radians(chance.uniform(40, 200))
    angle = chance.uniform(0, 2 * np.pi) + extent * (chance.random(count) - 0.5)
    return polar(RADIUS_MM * np.clip(chance.normal(chance.uniform(0.90, 0.97), 0.015, count), 0, 0.999), angle)


def ring(chance: np.random.Generator) -> Points:
    """Return a ring at the wafer's edge."""
    count = int(chance.integers(300, 3001))
    radius = np.clip(chance.normal(chance.uniform(0.90, 0.97), 0.015, count), 0, 0.999)
    return polar(RADIUS_MM * radius, chance.uniform(0, 2 * np.pi, count))


def donut(chance: np.random.Generator) -> Points:
    """Return a ring around the middle."""
    count = int(chance.integers(500, 5001))
    radius = chance.normal(chance.uniform(0.35, 0.65), chance.uniform(0.04, 0.12) / 2, count)
    return polar(RADIUS_MM * np.abs(radius), chance.uniform(0, 2 * np.pi, count))


def center(chance: np.random.Generator) -> Points:
    """Return a cloud around the centre."""
    return chance.normal(0, RADIUS_MM * chance.uniform(0.08, 0.2), (int(chance.integers(500, 4001)), 2))


def scratch(chance: np.random.Generator) -> Points:
    """Return a bent line: its direction turns evenly along it."""
    count, length = int(chance.integers(100, 1501)), RADIUS_MM * chance.uniform(0.3, 1.2)
    along = np.linspace(0, 1, 400)
    angle = chance.uniform(0, 2 * np.pi) + chance.uniform(-1.5, 1.5) * along
    line = np.cumsum(np.stack([np.cos(angle), np.sin(angle)], axis=1), axis=0) * length / len(along)
    line += on_disk(chance, 1) * 0.5 - line.mean(axis=0)
    place = chance.random(count) * (len(along) - 1)
    xy = np.stack([np.interp(place, np.arange(len(along)), line[:, axis]) for axis in (0, 1)], axis=1)
    return xy + chance.normal(0, 0.1, xy.shape)


def random(chance: np.random.Generator) -> Points:
    """Return many points, evenly."""
    return on_disk(chance, int(chance.integers(1000, 8001)))


def clouds(chance: np.random.Generator) -> list[Points]:
    """Return local clusters, of which no two come near each other."""
    number, middles = int(chance.integers(2, 9)), np.zeros((0, 2))
    while len(middles) < number:
        place = on_disk(chance, 1) * 0.85
        if not len(middles) or np.hypot(*(middles - place).T).min() > 20:
            middles = np.concatenate([middles, place])
    return [middle + chance.normal(0, chance.uniform(1, 3), (int(chance.integers(60, 201)), 2)) for middle in middles]


PATTERNS: dict[str, Callable[[np.random.Generator], Points]] = {
    "edge": edge,
    "ring": ring,
    "donut": donut,
    "center": center,
    "scratch": scratch,
    "random": random,
}


def made_wafer(chance: np.random.Generator, pattern: str, lot: str, name: str) -> tuple[Wafer, list[Points]]:
    """Return a wafer of a pattern, and its local clusters (N, 2) in mm."""
    parts, local = [on_disk(chance, int(chance.poisson(chance.uniform(50, 400))))], []
    if pattern == "cluster":
        local = clouds(chance)
    elif pattern != "none":
        parts.append(PATTERNS[pattern](chance))
    xy = np.concatenate([*parts, *local])
    xy = xy[np.hypot(*xy.T) < RADIUS_MM]
    size = np.round(chance.lognormal(-6.0, 0.5, len(xy)), 6)
    die = np.floor(xy / PITCH_MM).astype(np.int64)
    kinds = np.zeros(len(xy), np.int64)
    return Wafer(
        lot, name, DIAMETER_MM, np.round(xy, 4), size, kinds, {0: "defect"}, die, PITCH_MM, "notch down"
    ), local


def write_klarf(path: Path, wafer: Wafer) -> None:
    """Write a wafer as KLARF 1.2: places in micrometres in a die, whose origin is the wafer's centre."""
    assert wafer.die is not None
    um = 1000 * (wafer.xy_mm - wafer.die * PITCH_MM)
    dies, numbers = np.unique(wafer.die, axis=0), range(1, len(wafer) + 1)
    rows = [
        f" {n} {x:.1f} {y:.1f} {col} {row} {1000 * s:.3f} 0"
        for n, (x, y), (col, row), s in zip(numbers, um, wafer.die, wafer.size_mm, strict=True)
    ]
    text = [
        "FileVersion 1 2;",
        "FileTimestamp 01-01-25 00:00:00;",
        'InspectionStationID "synthetic" "detect" "make_wafers";',
        "SampleType WAFER;",
        "ResultTimestamp 01-01-25 00:00:00;",
        f'LotID "{wafer.lot}";',
        f"SampleSize 1 {DIAMETER_MM:g};",
        'SetupID "synthetic" 01-01-25 00:00:00;',
        'StepID "synthetic";',
        "SampleOrientationMarkType NOTCH;",
        "OrientationMarkLocation DOWN;",
        f"DiePitch {1000 * PITCH_MM[0]:.6e} {1000 * PITCH_MM[1]:.6e};",
        "DieOrigin 0.000000e+00 0.000000e+00;",
        f'WaferID "{wafer.name}";',
        "Slot 1;",
        "SampleCenterLocation 0.000000e+00 0.000000e+00;",
        'ClassLookup 1\n 0 "defect";',
        "InspectionTest 1;",
        f"SampleTestPlan {len(dies)}" + "".join(f"\n {col} {row}" for col, row in dies) + ";",
        "AreaPerTest 7.068583e+10;",
        "DefectRecordSpec 7 DEFECTID XREL YREL XINDEX YINDEX DSIZE CLASSNUMBER ;",
        "DefectList\n" + "\n".join(rows) + ";",
        "SummarySpec 5 TESTNO NDEFECT DEFDENSITY NDIE NDEFDIE ;",
        f"SummaryList\n 1 {len(wafer)} {len(wafer) / 706.8583:.6f} {len(dies)} {len(dies)};",
        "EndOfFile;",
    ]
    path.write_text("\n".join(text) + "\n", encoding="ascii")


def box(points: Points, side: int) -> list[float]:
    """Return the box (xmin, ymin, xmax, ymax) of a cluster in the pixels of a wafer that is drawn with a side."""
    low, high = np.quantile(points, 0.02, axis=0), np.quantile(points, 0.98, axis=0)
    scale = side / DIAMETER_MM
    corners = low[0], -high[1], high[0], -low[1]
    return [round(float(np.clip(side / 2 + each * scale, 0, side)), 2) for each in corners]


def make(output: Path, wafers: int, ending: str, seed: int, side: int) -> None:
    """Make and write the wafers of every pattern, each lot with all patterns in it."""
    lists = output / "lists"
    lists.mkdir(parents=True)
    classes = ["none", "cluster", *PATTERNS]
    lots = max(len(SIDES), wafers * len(classes) // PER_LOT)
    rows: list[list[object]] = [["image", "label", "split", "group"]]
    boxes: list[list[object]] = [["image", "xmin", "ymin", "xmax", "ymax", "label", "split", "group"]]
    for number in range(wafers * len(classes)):
        pattern = classes[number % len(classes)]
        lot = f"LOT{number // len(classes) % lots + 1:03d}"
        share = SIDES[(int(lot[3:]) - 1) % len(SIDES)]
        chance = np.random.default_rng([seed, number])
        wafer, local = made_wafer(chance, pattern, lot, f"W{number + 1:05d}")
        name = f"{wafer.name}.klarf" if ending == "klarf" else f"{wafer.name}.wafer.csv"
        if ending == "klarf":
            write_klarf(lists / name, wafer)
        else:
            write_defects(lists / name, [wafer])
        rows.append([name, pattern, share, lot])
        if pattern in ("cluster", "none"):
            boxes += [[name, *box(points, side), "cluster", share, lot] for points in local]
            boxes += [] if local else [[name, *[""] * 5, share, lot]]
    for table, found in (("labels.csv", rows), ("clusters.csv", boxes)):
        with (output / table).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(found)


def main() -> None:
    """Read the command line and make the wafers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--wafers", type=int, default=20, help="of each pattern")
    parser.add_argument("--format", choices=["csv", "klarf"], default="csv")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--side", type=int, default=20000, help="data.wafers.side, for the boxes of clusters")
    given = parser.parse_args()
    make(given.output, given.wafers, given.format, given.seed, given.side)


if __name__ == "__main__":
    main()
