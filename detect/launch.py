"""What the commands share: where the configuration lies, exit codes, the log, output folders."""

import ctypes
import functools
import logging
import re
import shutil
import sys
import warnings
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from rich.console import Console
from rich.logging import RichHandler

from detect.kinds import check_kinds, default_settings

DONE, WRONG_USE, SOME_FAILED, STOPPED = 0, 2, 3, 130
"""Exit codes: every image done; wrong use or bad input; some images in failures.csv; Ctrl-C."""

USER_ERRORS = (ValueError, OSError, OmegaConfBaseException, MisconfigurationException)
"""Errors that are about the input; they are shown as one message, not as a traceback."""

LONG = 40
"""Characters of a setting in the name of a folder."""

logger = logging.getLogger(__name__)


def conf_folder() -> Path:
    """Give the folder of the configuration: inside the installed package, or beside it in a checkout."""
    inside = Path(__file__).parent / "conf"
    return inside if inside.is_dir() else Path(__file__).parents[1] / "conf"


def command(name: str) -> Callable[[Callable[[DictConfig], int]], Callable[[], None]]:
    """Make a command of a function that takes the composed configuration and gives an exit code.

    Args:
        name: of the root configuration.
    """

    def decorate(function: Callable[[DictConfig], int]) -> Callable[[], None]:
        @functools.wraps(function)
        def main() -> None:
            codes: list[int] = []

            def task(cfg: DictConfig) -> int:
                codes.append(DONE)
                codes[-1] = _guarded(function, cfg)
                if codes[-1] == STOPPED or (codes[-1] and not in_multirun()):
                    sys.exit(codes[-1])
                return codes[-1]

            try:
                hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name=name)(task)()
            except SystemExit as stop:
                if stop.code and not codes:
                    raise SystemExit(WRONG_USE) from None
                raise
            if any(codes):
                logger.error("%d of %d runs failed", sum(map(bool, codes)), len(codes))
                sys.exit(max(codes))

        return main

    return decorate


def _guarded(function: Callable[[DictConfig], int], cfg: DictConfig) -> int:
    start_log()
    keep_freed_memory()
    try:
        check_kinds(cfg, default_settings())
        return function(cfg)
    except USER_ERRORS as error:
        logger.error("%s", _message(error))
        logger.debug("where it happened", exc_info=error)
        return WRONG_USE
    except KeyboardInterrupt as stop:
        logger.error("stopped by the user%s", f"; {stop}" if str(stop) else "")
        return STOPPED


def _message(error: BaseException) -> str:
    if isinstance(error, OmegaConfBaseException):
        key = getattr(error, "full_key", None)
        return f"{key} must be given: {key}=..." if "mandatory" in str(error).lower() else str(error).splitlines()[0]
    if isinstance(error, PermissionError) and error.filename:
        return f"{error.filename}: no permission; check its owner and rights, or choose another path"
    return str(error)


def keep_freed_memory() -> None:
    """Let glibc keep freed blocks for the next tile or batch instead of handing them back to the system.

    A network's activations are large blocks, which would be mapped and zeroed anew for every layer; keeping them made
    torch two to three times as fast on tiles of 1,024 pixels (`tools/bench_allocator.py`). Elsewhere it does nothing.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        m_trim_threshold, m_mmap_max = -1, -4
        mallopt(m_mmap_max, 0)
        mallopt(m_trim_threshold, 2**31 - 1)


def start_log() -> None:
    """Log to the terminal: our decisions and results, libraries from warnings up."""
    if sys.stderr.isatty():
        handler: logging.Handler = RichHandler(
            console=Console(stderr=True), show_path=False, show_level=False, markup=False, highlighter=None
        )
        handler.setFormatter(logging.Formatter("%(message)s", datefmt="%H:%M:%S"))
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("detect").setLevel(logging.INFO)
    for noisy in ("pytorch_lightning", "lightning", "lightning.pytorch"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"pytorch_lightning\..*")


def given_path(cfg: DictConfig, key: str, what: str) -> Path:
    """Read a path that must be there.

    Raises:
        FileNotFoundError: nothing is there.
    """
    path = Path(str(OmegaConf.select(cfg, key, throw_on_missing=True))).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"{key}={path}: no such {what}")
    return path


def in_multirun() -> bool:
    """Say whether this is one of the runs of hydra's `-m`."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


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


def parse_bytes(text: str | int) -> int:
    """Read a size such as `4GiB`, `500MiB` or a plain number of bytes.

    Raises:
        ValueError: it is no size.
    """
    units = {"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40, "b": 1}
    lowered = str(text).strip().lower()
    for unit, factor in units.items():
        if lowered.endswith(unit):
            lowered, scale = lowered[: -len(unit)].strip(), factor
            break
    else:
        scale = 1
    try:
        size = int(float(lowered) * scale)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a size; write 2GiB, 500MiB or a number of bytes") from None
    if size <= 0:
        raise ValueError(f"a size must be positive, got {text}")
    return size


def auto(cfg: DictConfig, name: str, otherwise: float) -> float:
    """Read a setting that is a number or `auto`.

    Raises:
        ValueError: it is neither.
    """
    value = OmegaConf.select(cfg, name)
    if value in ("auto", None):
        return otherwise
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number, or auto, got {value}") from None


def names(values: Any) -> list[str]:
    """Read a list of names; hydra takes `[2]` for a number."""
    return [str(value) for value in values]
