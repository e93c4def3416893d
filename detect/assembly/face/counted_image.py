"""What was found in an image, as the Python face gives it."""

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from detect.imagery.scenes import Scene, original
from detect.inference.scene_result import SceneResult
from detect.labels.detections import Detections
from detect.nets.card import ModelCard

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image


@dataclass(frozen=True, eq=False)
class CountedImage:
    """What was found in an image.

    Attributes:
        name: the file's path; `array` for pixels.
        scene: the image, at the model's resolution.
        card: the model's.
        result: detections and map.
    """

    name: str
    scene: Scene
    card: ModelCard
    result: SceneResult

    @property
    def detections(self) -> Detections:
        """The objects, in pixels of the image."""
        return self.result.detections

    @property
    def counts(self) -> dict[str, int]:
        """The number of objects of each class."""
        return self.detections.counts()

    @property
    def total(self) -> int:
        """The number of objects."""
        return len(self.detections)

    @property
    def expected(self) -> float | None:
        """The number of objects by the sum of the probabilities of all that may be one; None where scores are none."""
        every = self.result.candidates
        return None if every is None or self.card.calibration is None else float(every.score.sum())

    @property
    def unknown(self) -> bool | None:
        """Whether the image as a whole is of none of the classes; None where the model does not tell."""
        return self.result.unknown

    @property
    def unlike_in(self) -> str:
        """In what the image is unlike those that the model learned from (light, blur, scale, content), else empty."""
        return self.result.unlike.words

    @property
    def unlike(self) -> float | None:
        """How far the image is from those that the model learned from: from 0.95 on one in twenty of them is so far.

        None where the model does not know.
        """
        return self.result.unlike.share

    @property
    def heatmap(self) -> NDArray[np.float32]:
        """The probability of every class in each cell of the map: (classes, h, w) in [0, 1]."""
        return self.result.heatmap

    def table(self) -> "pd.DataFrame":
        """Return the objects as a table: `x y w h score label` in pixels of the image, `w` and `h` NaN for points."""
        import pandas as pd

        found = self.detections
        names = pd.Series(found.names, dtype=str)
        sizes = np.full((len(found), 2), np.nan) if found.wh is None else found.wh
        columns = {"x": found.xy[:, 0], "y": found.xy[:, 1], "w": sizes[:, 0], "h": sizes[:, 1]}
        return pd.DataFrame({**columns, "score": found.score, "label": names})

    def draw(self) -> "Image":
        """Draw the objects on the image, reduced to a picture for the eye."""
        from detect.reporting.pictures.captions import with_legend
        from detect.reporting.pictures.colours import to_display
        from detect.reporting.pictures.overlays import overlay

        assert self.result.preview is not None
        pixels = to_display(self.result.preview, nodata=self.scene.nodata)
        scale = pixels.shape[1] / original(self.scene).shape[1]
        radius = self.card.head.typical_size / 2 / self.scene.factor_xy[0]
        return with_legend(overlay(pixels, self.detections, scale, radius), self.detections)

    def _repr_html_(self) -> str:
        """Return the counts and the picture, as notebooks show them."""
        from detect.reporting.page.figures import data_address

        rows = "".join(f"<tr><td>{escape(name)}</td><td>{number:,}</td></tr>" for name, number in self.counts.items())
        unlike = f"<p>unlike what the model learned from: {escape(self.unlike_in)}</p>" if self.unlike_in else ""
        picture = f'<img src="{data_address(self.draw())}" style="max-width:100%">'
        return f"<p>{escape(self.name)}: {self.total:,} objects</p>{unlike}<table>{rows}</table>{picture}"

    def __repr__(self) -> str:
        counts = ", ".join(f"{number} {name}" for name, number in self.counts.items())
        return f"<{self.name}: {self.total} objects ({counts})>"
