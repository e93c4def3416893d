"""The runs of hydra's `-m`, each in a folder named by what is varied."""

import re
import sys
import zlib
from pathlib import Path

NAME_LENGTH = 40
"""Characters of a setting in the name of a folder, at most."""


def in_multirun() -> bool:
    """Return whether this is one of the runs of hydra's `-m`."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def run_folder(output: Path) -> Path:
    """Return the folder that a run writes: `output`, or, of hydra's `-m`, a folder below it named by what is varied.

    `-m data.split.fold=1/2,2/2 seed=0,1 output=cv` writes `cv/fold-1-2_seed-0` and so on: the same names in every call.
    """
    if not in_multirun():
        return output
    from hydra.core.hydra_config import HydraConfig
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parser = OverridesParser.create()
    given = parser.parse_overrides([each for each in sys.argv[1:] if "=" in each and not each.startswith("-")])
    varied = {each.key_or_group for each in given if each.is_sweep_override()} - {"output"}
    pairs = (each.partition("=")[::2] for each in HydraConfig.get().overrides.task)
    name = "_".join(f"{key.rpartition('.')[2]}-{_plain(value)}" for key, value in pairs if key.lstrip("+") in varied)
    return output / (name or f"run-{HydraConfig.get().job.num}")


def _plain(value: str) -> str:
    """Make a piece of a folder's name of a setting; where something is left out, with a number that it alone has."""
    text = re.sub(r"[^\w.+]+", "-", value).strip("-")
    whole = text == value.strip("[]'\"").replace("/", "-") and len(text) <= NAME_LENGTH
    return text if whole else f"{text[:NAME_LENGTH]}-{zlib.crc32(value.encode()):08x}"
