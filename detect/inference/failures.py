"""An image of a run without a result; and how large the pictures are that come with results; without torch."""

from dataclasses import dataclass

MAX_PREVIEW_SIDE = 2400
"""Greatest side in pixels of the reduced picture of a scene that comes with its result."""


@dataclass(frozen=True)
class Failure:
    """An image without a result, and the reason."""

    name: str
    error: str
