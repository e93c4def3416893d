"""From a line typed in a terminal to a function that runs: hydra, exit codes, the log."""

import contextlib
import ctypes
import functools
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detect.nets.machine.orderly_end import sigterm_as_ctrl_c, sigterm_has_come

if TYPE_CHECKING:
    from omegaconf import DictConfig

DONE, WRONG_USE, SOME_FAILED, STOPPED = 0, 2, 3, 130
"""Exit codes: every image done; wrong use or bad input; some images in failures.csv; Ctrl-C or SIGTERM."""

HYDRA_RAISES = "HYDRA_FULL_ERROR"
"""Variable of the environment that lets hydra raise its errors."""

HELP = ("--help", "-h")
"""Arguments on which a command prints its settings and ends."""

logger = logging.getLogger(__name__)


def conf_folder() -> Path:
    """Return the folder of the configuration: inside the installed package, or beside it in a checkout."""
    inside = Path(__file__).parents[1] / "conf"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "conf"


def command(name: str) -> Callable[[Callable[[Any], int]], Callable[[], None]]:
    """Make a command of a function that takes typed settings and returns an exit code.

    Args:
        name: of the root configuration, and of the settings in `detect.assembly.settings.command_settings.SETTINGS`.
    """

    def decorate(function: Callable[[Any], int]) -> Callable[[], None]:
        @functools.wraps(function)
        def main() -> None:
            start_log()
            _quote_texts(name)
            _choose_net(name)
            if any(each in HELP for each in sys.argv[1:]):
                _show_help(name)
                return
            _check_names(name)
            _put_settings_first()
            _compose_and_run(name, function)

        return main

    return decorate


def _quote_texts(name: str) -> None:
    from detect.assembly.commandline.quoting import in_hydras_grammar
    from detect.assembly.settings.command_settings import SETTINGS

    sys.argv[1:] = in_hydras_grammar(SETTINGS[name], sys.argv[1:])


def _choose_net(name: str) -> None:
    from detect.assembly.settings.command_settings import SETTINGS
    from detect.assembly.settings.train_settings import LearningSettings

    if issubclass(SETTINGS[name], LearningSettings):
        from detect.assembly.commandline.net_choice import with_net
        from detect.assembly.starting.given_model import with_model

        sys.argv[1:] = with_net(name, with_model(sys.argv[1:]), conf_folder())


def _check_names(name: str) -> None:
    from detect.assembly.commandline.refusals import refused

    said = refused(name, sys.argv[1:], conf_folder())
    for each in said:
        logger.error("%s", each)
    if said:
        sys.exit(WRONG_USE)


def _put_settings_first() -> None:
    from detect.assembly.renamed import settings_first

    sys.argv[1:] = settings_first(sys.argv[1:])


def _show_help(name: str) -> None:
    from hydra.errors import HydraException

    from detect.assembly.commandline.refusals import composition_message
    from detect.assembly.help import help_text

    try:
        sys.stdout.write(help_text(name, sys.argv[1:], conf_folder()))
    except (HydraException, ValueError) as error:
        logger.error("%s", composition_message(name, sys.argv[1:], error, conf_folder()))
        raise SystemExit(WRONG_USE) from None


def _compose_and_run(name: str, function: Callable[[Any], int]) -> None:
    """Compose the configuration with hydra, once or for each run of `-m`, and end with an exit code."""
    import hydra
    from hydra.errors import HydraException

    from detect.assembly.commandline.refusals import composition_message
    from detect.assembly.help import check_files
    from detect.assembly.multirun import in_multirun

    codes: list[int] = []
    given, here = list(sys.argv), os.getpid()

    def task(cfg: "DictConfig") -> int:
        if os.getpid() != here:
            return _elsewhere(name, function, cfg, given)
        codes.append(DONE)
        codes[-1] = _guarded(name, function, cfg)
        if codes[-1] == STOPPED or (codes[-1] and not in_multirun()):
            sys.exit(codes[-1])
        return codes[-1]

    try:
        with _own_errors():
            check_files(name, sys.argv[1:], conf_folder())
            hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name=name)(task)()
    except (HydraException, ValueError) as error:
        if codes:
            raise
        logger.error("%s", composition_message(name, sys.argv[1:], error, conf_folder()))
        raise SystemExit(WRONG_USE) from None
    except FailedElsewhereError as error:
        logger.error("%s", error)
        sys.exit(error.code)
    except SystemExit as stop:
        if stop.code and not codes:
            raise SystemExit(WRONG_USE) from None
        raise
    if any(codes):
        logger.error("%d of %d runs failed", sum(map(bool, codes)), len(codes))
        sys.exit(max(codes))


class FailedElsewhereError(RuntimeError):
    """A run of `-m` that a launcher has sent to another process, and that failed there."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message, code)
        self.code = code

    def __str__(self) -> str:
        return str(self.args[0])


def _elsewhere(name: str, function: Callable[[Any], int], cfg: "DictConfig", given: list[str]) -> int:
    """Run one of the runs of `-m` in a process to which a launcher has sent it, with the command line as it was given.

    Raises:
        FailedElsewhereError: it failed; its own log says why.
    """
    from hydra.core.hydra_config import HydraConfig

    sys.argv[:] = given
    code = _guarded(name, function, cfg)
    if code:
        job = HydraConfig.get().job
        told = f"run {job.num} of -m ({', '.join(HydraConfig.get().overrides.task)}) failed with exit code {code}"
        raise FailedElsewhereError(f"{told}: its log, below output/.submitit, says why", code)
    return code


@contextlib.contextmanager
def _own_errors() -> Iterator[None]:
    """Make hydra raise its errors instead of printing them and ending the process."""
    before = os.environ.get(HYDRA_RAISES)
    os.environ[HYDRA_RAISES] = "1"
    try:
        yield
    finally:
        os.environ.pop(HYDRA_RAISES)
        if before is not None:
            os.environ[HYDRA_RAISES] = before


def _guarded(name: str, function: Callable[[Any], int], cfg: "DictConfig") -> int:
    from hydra.core.hydra_config import HydraConfig
    from omegaconf.errors import OmegaConfBaseException

    from detect.assembly.commandline.image_opening import opened_as_set
    from detect.assembly.commandline.net_choice import log_net
    from detect.assembly.gate import check_hydra, checked
    from detect.assembly.output_folders import unused_removed
    from detect.assembly.settings.command_settings import SETTINGS

    start_log()
    keep_freed_memory()
    with sigterm_as_ctrl_c():
        try:
            check_hydra(HydraConfig.get())
            settings: Any = checked(cfg, SETTINGS[name])
            log_net(HydraConfig.get().runtime.choices)
            with opened_as_set(settings), unused_removed(getattr(settings, "output", None)):
                return function(settings)
        except BaseException as error:
            if sigterm_has_come() or isinstance(error, KeyboardInterrupt):
                return _stopped(error)
            if not isinstance(error, (ValueError, OSError, MemoryError, OmegaConfBaseException, *_lightning_errors())):
                raise
            logger.error("%s", _message(error))
            logger.debug("where it happened", exc_info=error)
            return WRONG_USE


def _stopped(error: BaseException) -> int:
    """Log that a command was stopped; by SIGTERM any error may say so, as of a process that was ended with this one."""
    said = str(error) if isinstance(error, KeyboardInterrupt) else ""
    how = "with the signal SIGTERM" if sigterm_has_come() else "by the user"
    logger.error("stopped %s%s", how, f"; {said}" if said else "")
    logger.debug("where it happened", exc_info=error)
    return STOPPED


def _lightning_errors() -> tuple[type[Exception], ...]:
    """Return Lightning's errors about settings, where Lightning was imported."""
    module = sys.modules.get("pytorch_lightning.utilities.exceptions")
    return () if module is None else (module.MisconfigurationException,)


def _message(error: BaseException) -> str:
    from omegaconf.errors import OmegaConfBaseException

    if isinstance(error, OmegaConfBaseException):
        key = getattr(error, "full_key", None)
        if "mandatory" in str(error).lower():
            return f"{key} must be given: {key}=..."
        said = str(error).splitlines()[0]
        means = "; ${...} stands for another setting, and for a text that is meant as it stands write \\${...}"
        return f"{key}: {said}{means}" if "interpolation" in said.lower() else said
    if isinstance(error, PermissionError) and error.filename:
        return f"{error.filename}: no permission; check its owner and rights, or choose another path"
    return str(error)


def keep_freed_memory() -> None:
    """Set glibc to keep freed blocks for the next tile or batch instead of handing them back to the system.

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
    """Set the log to the terminal: our decisions and results, libraries from warnings up."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.logging import RichHandler

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
    warnings.filterwarnings("ignore", module=r"pytorch_lightning\..*")
