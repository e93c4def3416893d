"""An image of a run without a result; and how large the pictures are that come with results; without torch."""

from dataclasses import dataclass

MAX_PREVIEW_SIDE = 2400
"""Greatest side in pixels of the reduced picture of a scene that comes with its result."""


@dataclass(frozen=True)
class Failure:
    """An image without a result, and the reason.

    Attributes:
        name: of the image.
        error: the reason.
        strip: the first batch of the strip of it that failed; None where that is not one of several.
    """

    name: str
    error: str
    strip: int | None = None
