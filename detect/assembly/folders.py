"""Output folders: what each command writes into its own, and how one is made and cleared."""

import logging
import re
import shutil
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser

from detect.assembly.command import in_multirun

logger = logging.getLogger(__name__)

LONG = 40
"""Characters of a setting in the name of a folder."""


def run_folder(output: str) -> Path:
    """Give the folder that a run writes: `output`, or, of hydra's `-m`, a folder below it named by what is varied.

    `-m data.fold=1/2,2/2 seed=0,1 output=cv` writes `cv/fold-1-2_seed-0` and so on: the same names in every call.
    """
    if not in_multirun():
        return Path(output)
    parser = OverridesParser.create()
    given = parser.parse_overrides([each for each in sys.argv[1:] if "=" in each and not each.startswith("-")])
    varied = {each.key_or_group for each in given if each.is_sweep_override()} - {"output"}
    pairs = (each.partition("=")[::2] for each in HydraConfig.get().overrides.task)
    name = "_".join(f"{key.rpartition('.')[2]}-{_plain(value)}" for key, value in pairs if key.lstrip("+") in varied)
    return Path(output) / (name or f"run-{HydraConfig.get().job.num}")


def _plain(value: str) -> str:
    """Make a piece of a folder's name of a setting; where something is left out, with a number that it alone has."""
    text = re.sub(r"[^\w.+]+", "-", value).strip("-")
    whole = text == value.strip("[]").replace("/", "-") and len(text) <= LONG
    return text if whole else f"{text[:LONG]}-{zlib.crc32(value.encode()):08x}"


def output_folder(path: Path, *, results: Sequence[str], allowed: bool, way_out: str) -> Path:
    """Make the output folder and see that it can be written and holds no earlier result.

    Args:
        path: the folder.
        results: files or folders by which an earlier result is known.
        allowed: whether there may be one.
        way_out: what to do otherwise.

    Raises:
        FileExistsError: an earlier result is there and not allowed.
        OSError: it cannot be written.
    """
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(f"output={path} is a file; name a folder")
    path.mkdir(parents=True, exist_ok=True)
    probe = path / ".writable"
    try:
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise OSError(f"output={path} cannot be written ({error}); choose another folder") from error
    found = [name for name in results if (path / name).exists()]
    if found and not allowed:
        raise FileExistsError(f"output={path} holds {found[0]} already; {way_out}")
    return path


def clear(folder: Path, folders: Sequence[str], files: Sequence[str]) -> None:
    """Remove what an earlier run wrote into its output folder; anything else in it stays."""
    for name in folders:
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)
    for name in files:
        (folder / name).unlink(missing_ok=True)


TRAINED = ("model.safetensors", "scores.json", "metrics.csv", "curves.png", "config.yaml")
"""Files that a training run leaves, beside its folders."""
