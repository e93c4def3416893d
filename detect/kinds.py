"""Settings must be of the kind of their defaults: a number where a number stands, a list where a list stands."""

from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

FREE = ("augment.transforms", "trainer.clip")
"""Settings that other libraries read, which take several kinds, or null for none."""


def default_settings() -> DictConfig:
    """Compose the running command's configuration from its groups alone, without single settings."""
    hydra, settings = GlobalHydra.instance(), HydraConfig.get()
    names = settings.runtime.choices
    groups = [each for each in settings.overrides.task if each.lstrip("+").partition("=")[0] in names]
    return hydra.config_loader().load_configuration(
        config_name=settings.job.config_name, overrides=groups, run_mode=RunMode.RUN
    )


def check_kinds(given: DictConfig, defaults: DictConfig) -> None:
    """See that every setting is of the kind of its default; where that is null or a word, anything goes.

    Raises:
        ValueError: a setting is not.
    """
    _check(
        OmegaConf.to_container(given, throw_on_missing=False),
        OmegaConf.to_container(defaults, throw_on_missing=False),
        "",
    )


def _check(given: Any, default: Any, name: str) -> None:
    if name in FREE:
        return
    if isinstance(default, dict):
        if not isinstance(given, dict):
            raise ValueError(  # noqa: TRY004, a wrong setting, not a wrong type
                f"{name} must be a group of settings, {', '.join(map(str, default))}, got {given}"
            )
        for key in default.keys() & given.keys():
            _check(given[key], default[key], f"{name}.{key}".lstrip("."))
        return
    for kind, what in (bool, "true or false"), ((int, float), "a number"), (list, "a list, such as [a,b]"):
        if isinstance(default, kind):
            if not isinstance(given, kind) or (isinstance(given, bool) and kind is not bool):
                raise ValueError(f"{name} must be {what}, got {'null' if given is None else given}")
            return
