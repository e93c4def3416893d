"""A strip: some batches of the tiles of one raster, counted as a task of its own; and the joint of all of them.

It is plain data: what is found of a strip lies in a file, and is never sent.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Strip:
    """Batches of a raster's own tiling, one after the other, so that their maps are those of the whole raster.

    Attributes:
        folder: for what is found of the raster's strips until they are joined.
        first, stop: batches, from 0.
        pixels: of the scene in their cores.
    """

    folder: Path
    first: int
    stop: int
    pixels: int

    @property
    def file(self) -> Path:
        """The file for what is found of it."""
        return self.folder / f"{self.first:07d}-{self.stop:07d}.npz"


@dataclass(frozen=True)
class Joint:
    """All strips of a raster, in the order of its tiles."""

    strips: tuple[Strip, ...]


Part = Strip | Joint


def strip_number(part: Part | None) -> int | None:
    """Return the first batch of a strip, which tells it from the others of its image; None of all else."""
    return part.first if isinstance(part, Strip) else None
