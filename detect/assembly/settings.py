"""Settings held against the kinds of their defaults."""

import logging
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

logger = logging.getLogger(__name__)

FREE = ("augment.transforms", "trainer.clip")
"""Settings that other libraries read, which take several kinds, or null for none."""


FRACTIONAL = ("radius", "data.match_radius")
"""Settings whose defaults are whole numbers, and which need not be."""


WHERE_NULL: dict[str, Any] = {
    "data.bands": [1],
    "data.gsd": 1.0,
    "data.match_iou": 0.5,
    "finetune.top": 1,
    "net.stages": 1,
    "threshold": 0.5,
    "trainer.ema": 0.5,
    "iou": 0.5,
}
"""Settings that may be null, and otherwise must be of the kind of these examples."""


def default_settings() -> DictConfig:
    """Compose the running command's configuration of its groups as they are, without an experiment's settings."""
    settings = HydraConfig.get()
    groups = [
        f"{group}={choice}"
        for group, choice in settings.runtime.choices.items()
        if choice is not None and group != "experiment" and not group.startswith("hydra/")
    ]
    return (
        GlobalHydra.instance()
        .config_loader()
        .load_configuration(config_name=settings.job.config_name, overrides=groups, run_mode=RunMode.RUN)
    )


def check_kinds(given: DictConfig, defaults: DictConfig) -> None:
    """See that every setting is of the kind of its default; where that is a word, anything goes.

    Raises:
        ValueError: a setting is not.
    """
    _check(OmegaConf.to_container(given), OmegaConf.to_container(defaults), "")


def _check(given: Any, default: Any, name: str) -> None:
    if name in FREE:
        return
    if name in WHERE_NULL:
        if given is None:
            return
        default = WHERE_NULL[name]
    if isinstance(default, dict):
        if not isinstance(given, dict):
            raise ValueError(  # noqa: TRY004, a wrong setting, not a wrong type
                f"{name} must be a group of settings, {', '.join(map(str, default))}, got {given}"
            )
        for key in default.keys() & given.keys():
            _check(given[key], default[key], f"{name}.{key}".lstrip("."))
    elif not _alike(given, default, whole=name not in FRACTIONAL):
        raise ValueError(f"{name} must be {_kind(default, name)}, got {'null' if given is None else given}")


def _alike(given: Any, default: Any, *, whole: bool) -> bool:
    if isinstance(default, bool):
        return isinstance(given, bool)
    if isinstance(default, int | float):
        wanted = int if whole and isinstance(default, int) else int | float
        return isinstance(given, wanted) and not isinstance(given, bool)
    if isinstance(default, list):
        return isinstance(given, list) and (
            not default or isinstance(default[0], str) or all(_alike(each, default[0], whole=whole) for each in given)
        )
    return True


def _kind(default: Any, name: str) -> str:
    if isinstance(default, bool):
        return "true or false"
    if isinstance(default, list):
        what = "numbers, such as [0.4,0.7]" if default and isinstance(default[0], float) else "such as [a,b]"
        what = "whole numbers, such as [1,2,3]" if default and isinstance(default[0], int) else what
        return f"a list of {what}" if "numbers" in what else f"a list, {what}"
    return "a whole number" if isinstance(default, int) and name not in FRACTIONAL else "a number"


def given_path(cfg: DictConfig, key: str, what: str) -> Path:
    """Read a path that must be there.

    Raises:
        FileNotFoundError: nothing is there.
    """
    path = Path(str(OmegaConf.select(cfg, key, throw_on_missing=True))).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"{key}={path}: no such {what}")
    return path


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
