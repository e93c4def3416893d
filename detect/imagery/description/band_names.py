"""What the bands of an image are called, as far as its file says: by a description, or by what its colours are."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

RED, GREEN, BLUE = RGB = ("red", "green", "blue")
GREY, ALPHA = "gray", "alpha"
"""Names of the bands of photographs."""

LONGEST = 64
"""Most characters of a name that are kept; a longer description is no name."""

ALIASES = {
    "r": RED,
    "g": GREEN,
    "b": BLUE,
    "grey": GREY,
    "near infrared": "nir",
    "nearinfrared": "nir",
    "near ir": "nir",
    "red edge": "rededge",
    "pan": "panchromatic",
}
"""Other ways in which people write the names of bands."""

_NUMBERED = re.compile(r"(band|layer|channel|raster|b|ch)?\s*\d+")
"""Descriptions that are nothing but the number of the band."""

_IN_BRACKETS = re.compile(r"(?:band|b)\s*\d+\w?(?:\s*[:(,]|\s)\s*([a-z ]+)\)?")
"""A number and a name together, such as `B4 (red)`."""


def plain_band_name(text: str) -> str:
    """Return a band's name as it is compared: lower case, without a number; empty where the text is no name.

    `Red`, `B4 (Red)` and `R` are `red`; `Near-Infrared` and `NIR` are `nir`; `Band 4` is nothing.
    """
    words = " ".join(re.sub(r"[\s_-]+", " ", text.strip().lower()).split())
    if not words or len(words) > LONGEST or not words.isprintable() or _NUMBERED.fullmatch(words):
        return ""
    numbered = _IN_BRACKETS.fullmatch(words)
    words = numbered[1].strip() if numbered else words
    return ALIASES.get(words, words)


def band_names(source: Any) -> tuple[str, ...]:
    """Return a name for each band of an open image, in lower case; empty where it is not known.

    A description is believed before a colour. A name that several bands have is none, and grey is one only of an image
    whose one band it is, as files of many bands call the first one so.

    Args:
        source: a rasterio dataset or what shows it.
    """
    colours = ["" if each.name in ("undefined", "palette") else each.name for each in source.colorinterp]
    shown = sum(colour != ALPHA for colour in colours)
    colours = ["" if colour == GREY and shown > 1 else colour for colour in colours]
    described = [plain_band_name(text or "") for text in source.descriptions]
    names = [colour if colour == ALPHA else text or colour for text, colour in zip(described, colours, strict=True)]
    often = Counter(names)
    return tuple(name if often[name] == 1 else "" for name in names)


def display_numbers(names: Sequence[str]) -> tuple[int, ...]:
    """Return the bands to show of an image: red, green and blue where they are named, else the first three, or one.

    Args:
        names: of its bands, empty where they are not known; transparency is not shown.
    """
    if set(names) >= set(RGB):
        return tuple(names.index(name) + 1 for name in RGB)
    shown = [number for number, name in enumerate(names, start=1) if name != ALPHA]
    return tuple(shown[:3]) if len(shown) >= 3 else tuple(shown[:1])
