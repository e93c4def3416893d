"""The light of an image brought to that of the training images: an affine map of each band's values."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.imagery.reading import SceneReader
from detect.inference.meeting.sample_windows import Sample, SampleGrid
from detect.nets.facts.looks import Looks

LIGHT_GRID, LIGHT_STEP = SampleGrid(side=63, number=144), 3
"""Many small windows, and the distance of their rows and columns that are measured: light differs from place to place.
"""


@dataclass(frozen=True)
class LightMap:
    """An affine map of values, gain * value + shift, a number a band.

    It moves no pixel, and is the same for every tile of an image.

    Attributes:
        gain: positive.
        shift: in values of the images.
    """

    gain: tuple[float, ...]
    shift: tuple[float, ...]

    @classmethod
    def of(cls, image: Looks, training: Looks, share: float = 1.0) -> "LightMap":
        """Return what gives an image the mean and the spread (low to high percentile) of the training images.

        Args:
            image: of its valid pixels.
            training: of those of all training images, in the same bands.
            share: of the way to there, in (0, 1]. Gains multiply and means add up, so that they go it in steps of
                their own kind. A band of one value, here or there, keeps its spread.
        """
        gain, shift = [], []
        for mine, theirs in zip(image.bands, training.bands, strict=True):
            times = (theirs.range / mine.range) ** share if theirs.range > 0 and mine.range > 0 else 1.0
            mean = mine.mean + share * (theirs.mean - mine.mean)
            gain.append(times)
            shift.append(mean - times * mine.mean)
        return cls(tuple(gain), tuple(shift))

    def __call__(self, pixels: NDArray[np.generic], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Map pixels (..., bands, H, W) to float32; those that are not valid (..., H, W) stay as they are filled."""
        gain, shift = (np.array(each, np.float32)[:, None, None] for each in (self.gain, self.shift))
        values = pixels.astype(np.float32)
        mapped = values * gain + shift
        return mapped if valid.all() else np.where(valid[..., None, :, :], mapped, values)

    def __str__(self) -> str:
        """Return it in words."""
        gains = ", ".join(f"{each:.2f}" for each in self.gain)
        return f"light {gains} times {', '.join(f'{each:+.4g}' for each in self.shift)}"


def light_map(reader: SceneReader, training: Looks, share: float) -> LightMap | None:
    """Return the map of an image's light, measured on its sample; None of one without valid pixels.

    Raises:
        SceneError: the file is damaged, or holds infinite pixels.
    """
    image = Looks.of(Sample.of(reader, LIGHT_GRID).values(LIGHT_STEP))
    return None if image is None else LightMap.of(image, training, share)
