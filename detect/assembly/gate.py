"""The gate: a composed configuration becomes typed settings, or an error that names what is wrong."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import yaml
from omegaconf import DictConfig, OmegaConf
from pydantic import TypeAdapter, ValidationError

from detect.assembly.command import conf_folder
from detect.assembly.fields import sentence
from detect.assembly.renamed import unknown_setting

T = TypeVar("T")


class SettingsError(ValueError):
    """Settings of the wrong kind or out of bounds: each by its full name, with what it must be and what it is."""


def checked(cfg: DictConfig, kind: type[T]) -> T:
    """Return the composed configuration as typed settings.

    Raises:
        SettingsError: a setting is of the wrong kind, out of bounds or unknown.
        omegaconf.errors.MissingMandatoryValue: a setting that must be given is not.
    """
    data: Any = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    return checked_data(data, kind)


def checked_data(data: Mapping[str, Any], kind: type[T]) -> T:
    """Return plain values as typed settings.

    Raises:
        SettingsError: a setting is of the wrong kind, out of bounds or unknown.
    """
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    whole = {**data, "config": data} if "config" in names else data
    try:
        made = TypeAdapter(kind).validate_json(json.dumps(whole), strict=True)
    except ValidationError as error:
        raise SettingsError("\n".join(dict.fromkeys(sentence(each, whole) for each in error.errors()))) from None
    unknown = list(_unknown(data, made))
    if unknown:
        known = list(_names(made))
        raise SettingsError("\n".join(unknown_setting(name, known) for name in unknown))
    return made


def inference_defaults() -> dict[str, Any]:
    """Read how a network is run over scenes by default: `conf/inference` and `conf/runtime`."""
    conf = conf_folder()
    runtime = yaml.safe_load((conf / "runtime" / "auto.yaml").read_text(encoding="utf-8"))
    return {"runtime": runtime, **yaml.safe_load((conf / "inference" / "default.yaml").read_text(encoding="utf-8"))}


def default_embed_limit() -> int:
    """Read how many images a report embeds by default: `conf/report.yaml`."""
    return int(yaml.safe_load((conf_folder() / "report.yaml").read_text(encoding="utf-8"))["embed_limit"])


def _unknown(data: Mapping[Any, Any], made: Any, name: str = "") -> Iterator[str]:
    """Yield the names of given settings that no field takes."""
    for key, value in data.items():
        if not hasattr(made, str(key)):
            yield f"{name}{key}"
        elif isinstance(value, dict) and is_dataclass(getattr(made, key)):
            yield from _unknown(value, getattr(made, key), f"{name}{key}.")


def _names(made: Any, name: str = "") -> Iterator[str]:
    """Yield the full names of the fields of nested settings."""
    for field in fields(made):
        value = getattr(made, field.name)
        if is_dataclass(value):
            yield from _names(value, f"{name}{field.name}.")
        else:
            yield f"{name}{field.name}"
