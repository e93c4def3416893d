"""One input of the fuzzer: what lies in its folder, and the commands that are given it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

KINDS = ("images", "tables", "models", "checkpoints", "folders", "formats")
"""Kinds of inputs; number n is of kind n modulo five, and every third one of the tables a format."""


ENDS = (0, 2, 3)
"""Exit codes of the product: done, wrong use or bad input, some images in failures.csv."""


@dataclass(frozen=True)
class Material:
    """What inputs are made from: small, and made once by the product's own commands.

    Attributes:
        data: images, and `points.csv`.
        training: the folder of a training that has an epoch to go.
        settings: of that training, without its output.
        predictions: the folder of a prediction of the images.
        model: a model file that finds things in the images.
        good: how many it finds in the image that lies beside each hostile one.
    """

    data: Path
    training: Path
    settings: tuple[str, ...]
    predictions: Path
    model: Path
    good: int


@dataclass(frozen=True)
class Place:
    """Where an input is made, and what it may not reach.

    Attributes:
        folder: its own, empty.
        outside: the canary beside it.
        address: host and port that nobody may ask.
        rng: seeded by the input's number.
    """

    folder: Path
    outside: Path
    address: str
    rng: Random

    @property
    def input(self) -> Path:
        """Folder of what is read."""
        return self.folder / "input"

    @property
    def out(self) -> Path:
        """Folder of what is written."""
        return self.folder / "out"


@dataclass(frozen=True)
class Case:
    """An input and its commands.

    Attributes:
        what: in words, for the table of failures.
        commands: name and settings of each.
        counted: images that must be counted, whatever else is in the folder.
        accounted: images that must be in a table, be it that of failures; hidden ones are passed over.
        kept: files of the user that must stay as they are.
        ends: exit codes of its commands.
        tables: whether the tables in the output are the product's own, not inputs.
    """

    what: str
    commands: tuple[tuple[str, ...], ...]
    counted: tuple[str, ...] = ()
    accounted: tuple[str, ...] = ()
    kept: tuple[Path, ...] = ()
    tables: bool = True
    ends: tuple[int, ...] = ENDS


Maker = Callable[[Place, Material], Case]
"""Makes an input in its place."""


def predict(model: Path, images: Path, out: Path, *more: str) -> tuple[str, ...]:
    """Return `detect.predict` with settings that keep it small."""
    given = (f"model={model}", f"images={images}", f"output={out}")
    return ("predict", *given, "runtime=torch", "threshold=0.3", "max_memory=256MiB", *more)
