"""`ReviewedImage` and `SurveyTask`: the images of a run under review, and the windows that a survey drew of them."""

from dataclasses import dataclass
from pathlib import Path

from detect.imagery.windows import Window


@dataclass(frozen=True)
class ReviewedImage:
    """An image of a run under review.

    Attributes:
        name: as the tables have it.
        path: the image file.
        shape: (height, width) in pixels.
        count: how many objects the run found.
        reviewed: how many windows of it were reviewed.
    """

    name: str
    path: Path
    shape: tuple[int, int]
    count: int
    reviewed: int


@dataclass(frozen=True)
class SurveyTask:
    """A window that a survey drew.

    Attributes:
        image: the image's name.
        window: in pixels of the file.
        reviewed: whether reviewed windows cover it whole.
    """

    image: str
    window: Window
    reviewed: bool
