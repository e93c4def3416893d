"""From a line typed in a terminal to a function that runs: hydra, exit codes, the log."""

import ctypes
import functools
import logging
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from rich.console import Console
from rich.logging import RichHandler

from detect.assembly.settings import check_kinds, default_settings

logger = logging.getLogger(__name__)

DONE, WRONG_USE, SOME_FAILED, STOPPED = 0, 2, 3, 130
"""Exit codes: every image done; wrong use or bad input; some images in failures.csv; Ctrl-C."""


USER_ERRORS = (ValueError, OSError, OmegaConfBaseException, MisconfigurationException)
"""Errors that are about the input; they are shown as one message, not as a traceback."""


def conf_folder() -> Path:
    """Give the folder of the configuration: inside the installed package, or beside it in a checkout."""
    inside = Path(__file__).parents[1] / "conf"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "conf"


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


def in_multirun() -> bool:
    """Say whether this is one of the runs of hydra's `-m`."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN
