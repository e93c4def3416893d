"""Colours of dots: groups of like colours, and the words for them."""

import numpy as np
from numpy.typing import NDArray

NAMED = {
    "red": [(255, 0, 0), (200, 20, 20)],
    "orange": [(255, 140, 0)],
    "yellow": [(255, 255, 0)],
    "green": [(0, 255, 0), (0, 128, 0), (40, 170, 30)],
    "cyan": [(0, 255, 255), (0, 160, 160)],
    "blue": [(0, 0, 255), (30, 60, 170), (60, 120, 255)],
    "purple": [(128, 0, 128), (100, 40, 180)],
    "magenta": [(255, 0, 255), (220, 10, 220)],
    "pink": [(255, 170, 190)],
    "brown": [(90, 50, 15), (139, 69, 19)],
    "white": [(255, 255, 255)],
    "grey": [(128, 128, 128)],
    "black": [(0, 0, 0)],
}
"""Words for colours, each with some red, green and blue values of it."""

ALIKE = 30.0
"""Distance in CIELAB within which two dots are of one colour; compression moves a dot's colour by a third of it."""

_TIGHT = 15.0
_SAMPLE = 2000
_PALER = 0.4


def lab_of(rgb: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return CIELAB (CIE 1976, D65) of sRGB colours in 0 to 255, (N, 3)."""
    share = np.asarray(rgb, np.float64).reshape(-1, 3) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    xyz = linear @ np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]])
    ratio = xyz / np.array([0.9505, 1.0, 1.089])
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def colour_groups(colours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the middles (K, 3) of groups of like colours, the largest first.

    Args:
        colours: (N, 3) CIELAB, one of each dot; groups are found in an even sample of some thousands.
    """
    left = (
        colours[np.linspace(0, len(colours) - 1, min(len(colours), _SAMPLE)).astype(int)] if len(colours) else colours
    )
    middles = []
    while len(left):
        near = np.linalg.norm(left[:, None] - left[None], axis=2) <= _TIGHT
        middle = np.median(left[near[int(near.sum(axis=1).argmax())]], axis=0)
        middles.append(middle)
        away = np.linalg.norm(left - middle, axis=1) > ALIKE
        if away.all():
            break
        left = left[away]
    return np.array(middles, np.float64).reshape(-1, 3)


def nearest(colours: NDArray[np.float64], middles: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the nearest of the middles for each colour (N, 3) in CIELAB, and its distance."""
    distance = np.linalg.norm(colours[:, None] - middles[None], axis=2)
    best = distance.argmin(axis=1)
    return best, distance[np.arange(len(colours)), best]


def names_of(middles: NDArray[np.float64]) -> list[str]:
    """Return a word for each group of colours; the second group of one word is numbered, as in `blue_2`.

    Hue counts most, as compression makes dots paler and leaves it.
    """
    words = [word for word, values in NAMED.items() for _ in values]
    places = lab_of(np.array([value for values in NAMED.values() for value in values]))
    found: list[str] = []
    for middle in middles:
        best = words[int(_unlike(middle, places).argmin())]
        number = sum(name.split("_")[0] == best for name in found)
        found.append(best if not number else f"{best}_{number + 1}")
    return found


def _unlike(colour: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how unlike a CIELAB colour and others (N, 3) are (N,): hue in full, lightness and chroma less."""
    chroma, chromas = np.hypot(*colour[1:]), np.hypot(*others[:, 1:].T)
    hue = np.maximum(0, ((others[:, 1:] - colour[1:]) ** 2).sum(axis=1) - (chromas - chroma) ** 2)
    paler = _PALER**2 * ((others[:, 0] - colour[0]) ** 2 + (chromas - chroma) ** 2)
    return np.asarray(hue + paler)
