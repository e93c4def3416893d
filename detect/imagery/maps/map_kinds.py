"""How the probabilities of a map are stored in its file: as bytes, or as they are."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

STEPS = 254
"""Steps of a probability that is stored in a byte: 0 and 1 are exact, and a value is off by 1/508 at most."""


@dataclass(frozen=True)
class MapKind:
    """How a map is stored.

    Attributes:
        dtype: numpy name of the stored values.
        nodata: what is stored of a cell without a valid pixel.
        scale: probability of a stored 1, which is the scale of every band; readers of a GIS multiply by it.
        predictor: of the TIFF: 1 none, 3 that of floating point numbers.
        level: how hard deflate tries, from 1 to 9.
    """

    dtype: str
    nodata: float
    scale: float
    predictor: int
    level: int

    def stored(self, heat: NDArray[np.float32]) -> NDArray[np.generic]:
        """Return what is stored of probabilities, NaN where there are none.

        Raises:
            ValueError: one lies outside [0, 1] by more than rounding, and is to be stored in a byte.
        """
        if self.dtype == "float32":
            return heat.astype(np.float32, copy=False)
        steps = np.rint(heat * np.float32(STEPS))
        gone = np.isnan(steps)
        if gone.any():
            steps[gone] = self.nodata
        if steps.size and not (steps.min() >= 0 and steps[~gone].max(initial=0) <= STEPS):
            raise ValueError(f"probabilities must be in [0, 1], got {np.nanmin(heat):g} to {np.nanmax(heat):g}")
        return steps.astype(np.uint8)

    def probabilities(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """Return the probabilities (float32) of stored values, NaN of cells without a valid pixel."""
        if self.dtype == "float32":
            return stored.astype(np.float32, copy=False)
        values = stored.astype(np.float32) / np.float32(STEPS)
        values[stored == self.nodata] = np.nan
        return values


BYTES = MapKind("uint8", 255, 1 / STEPS, 1, 1)
"""A byte a value: its probability in steps of 1/254, and 255 without one. Deflate is what every TIFF reader has; at
level 1, and without a predictor, which such maps do not gain by."""

FLOATS = MapKind("float32", math.nan, 1.0, 3, 4)
"""The values themselves: 50 times as large a file, as their last digits are noise."""

KINDS = {kind.dtype: kind for kind in (BYTES, FLOATS)}
"""By the names that settings have."""


def kind_of(dtypes: set[str], nodata: set[float | None], scales: set[float], offsets: set[float]) -> MapKind:
    """Return the kind of a map by what the file says of its bands.

    Raises:
        ValueError: no map is stored so.
    """
    kind = KINDS.get(next(iter(dtypes))) if len(dtypes) == 1 else None
    if kind is None:
        raise ValueError(f"a heatmap holds {' or '.join(KINDS)}, this file {', '.join(sorted(dtypes))}")
    if kind == BYTES and (nodata, scales, offsets) != ({kind.nodata}, {kind.scale}, {0.0}):
        raise ValueError(
            f"a heatmap of bytes has nodata {kind.nodata} and a scale of 1/{STEPS}, this file nodata "
            f"{sorted(map(str, nodata))}, scale {sorted(scales)} and offset {sorted(offsets)}"
        )
    return kind
