"""One input, made, run and judged."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from random import Random

from .canary import Canary, Listener, state_of
from .case import KINDS, Maker, Material, Place
from .checkpoints import make_checkpoint_case
from .folders import make_folder_case
from .formats import make_format_case
from .images import make_image_case
from .judge import judge, word
from .material import run_commands
from .models import make_model_case
from .tables import make_table_case
from .watched import Bounds, watch

MAKERS: dict[str, Maker] = {
    "images": make_image_case,
    "tables": make_table_case,
    "models": make_model_case,
    "checkpoints": make_checkpoint_case,
    "folders": make_folder_case,
    "formats": make_format_case,
}
"""What makes the inputs of each kind."""


@dataclass(frozen=True)
class Result:
    """What became of an input.

    Attributes:
        number: of the input; with the seed it makes the same input again.
        kind: of the input.
        what: the input in words.
        became: accepted or refused.
        wrong: everything that may not be; empty where all is well.
        seconds: that it took.
        memory_mib: most memory above what the process began with.
        log: what the commands wrote.
    """

    number: int
    kind: str
    what: str
    became: str
    wrong: list[str]
    seconds: float
    memory_mib: int
    log: str


def kind_of(number: int) -> str:
    """Return the kind of the input of a number."""
    return "formats" if number % 15 == 1 else KINDS[number % 5]


@dataclass(frozen=True)
class Fuzzer:
    """Makes, runs and judges inputs.

    Attributes:
        workplace: a folder for them.
        material: what they are made from.
        listener: an address that nobody may ask.
        seed: of all draws.
        seconds: most that an input may take.
        memory_mib: most that it may take above what the process begins with.
    """

    workplace: Path
    material: Material
    listener: Listener
    seed: int
    seconds: float
    memory_mib: int

    def run(self, number: int, *, keep: bool = False) -> Result:
        """Make an input, run its commands in a child, and judge what they did.

        Args:
            number: of the input.
            keep: whether its folder stays.
        """
        kind, folder = kind_of(number), self.workplace / f"{number}"
        folder.mkdir()
        token = f"canary-{self.seed}-{number}"
        with Canary(folder / "outside", token) as canary:
            rng = Random(f"{self.seed}/{number}")
            place = Place(folder, canary.folder, self.listener.address, rng)
            case = MAKERS[kind](place, self.material)
            before = state_of(place.input)
            writable = (place.out, self.workplace / "cache")
            bounds = Bounds(self.seconds, self.memory_mib, writable, (canary.folder,), folder / "scratch")
            watched = watch(lambda tell: run_commands(case.commands, tell), bounds, self.listener)
            wrong = judge(case, place, watched, canary, before, self.material.good)
        if not keep:
            shutil.rmtree(folder)
        became = word(watched.codes)
        return Result(number, kind, case.what, became, wrong, watched.seconds, watched.memory_mib, watched.log)
