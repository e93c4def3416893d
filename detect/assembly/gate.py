"""The gate: a composed configuration becomes typed settings, or an error that names what is wrong."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import yaml
from omegaconf import DictConfig, OmegaConf
from pydantic import TypeAdapter, ValidationError

from detect.assembly.command import conf_folder
from detect.assembly.commandline.quoting import setting_name
from detect.assembly.fields.sentences import sentence
from detect.assembly.renamed import unknown_setting
from detect.nets.heads.specs import HEADS

T = TypeVar("T")

CONFIG = "config"
"""The field that takes the composed configuration, of commands with experiments; it is no setting."""


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
    whole = {**data, CONFIG: data} if CONFIG in names else data
    _check_text(data)
    try:
        made = TypeAdapter(kind).validate_json(json.dumps(whole), strict=True)
    except ValidationError as error:
        raise SettingsError("\n".join(dict.fromkeys(_sentence(each, whole) for each in error.errors()))) from None
    unknown = list(_unknown(data, made))
    if unknown:
        known = list(_names(made))
        raise SettingsError("\n".join(unknown_setting(name, known) for name in unknown))
    return made


def _check_text(data: Mapping[Any, Any], name: str = "") -> None:
    """Check that settings are text that can be written: a name of a file may be bytes of some older coding.

    Raises:
        SettingsError: one is not.
    """
    for key, value in data.items():
        if isinstance(value, dict):
            _check_text(value, f"{name}{key}.")
        elif isinstance(value, str) and not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                shown = value.encode(errors="surrogateescape").decode(errors="backslashreplace")
                raise SettingsError(
                    f"{name}{key}={shown}: a name that is not UTF-8 text; rename it (convmv -f latin1 -t utf8), or "
                    "give it a second name by a link (ln -s)"
                ) from None


def check_hydra(node: Any, name: str = "hydra") -> None:
    """Check that hydra has the settings that are given to it; it would ignore others.

    Args:
        node: hydra's own part of a composed configuration.
        name: of the node.

    Raises:
        SettingsError: an unknown one.
    """
    kind = OmegaConf.get_type(node)
    if not isinstance(node, DictConfig) or not is_dataclass(kind):
        return
    known = {field.name for field in fields(kind)} | {"env"}  # of hydra's own files, and none of its types
    for key in map(str, node):
        if key not in known:
            raise SettingsError(unknown_setting(f"{name}.{key}", [f"{name}.{each}" for each in sorted(known)]))
        if not OmegaConf.is_missing(node, key) and not OmegaConf.is_interpolation(node, key):
            check_hydra(node._get_node(key), f"{name}.{key}")


def inference_defaults() -> dict[str, Any]:
    """Read how a network is run over scenes by default: `conf/inference` and `conf/runtime`."""
    conf = conf_folder()
    runtime = yaml.safe_load((conf / "runtime" / "auto.yaml").read_text(encoding="utf-8"))
    return {"runtime": runtime, **yaml.safe_load((conf / "inference" / "default.yaml").read_text(encoding="utf-8"))}


def report_defaults() -> dict[str, Any]:
    """Read how a report is written by default: `conf/report.yaml`, without what only the command has."""
    data = yaml.safe_load((conf_folder() / "report.yaml").read_text(encoding="utf-8"))
    return {name: value for name, value in data.items() if name not in ("defaults", "hydra")}


def default_embed_limit() -> int:
    """Read how many images a report embeds by default: `conf/report.yaml`."""
    return int(report_defaults()["embed_limit"])


def _sentence(error: Any, data: Mapping[str, Any]) -> str:
    """Return what is wrong with a setting; one that is missing was removed, or an entry of another kind of group."""
    if error["type"] == "missing":
        *groups, last = (str(part) for part in error["loc"])
        name = ".".join([*(part for part in groups if part not in HEADS), last])
        return f"{name} is missing; a setting cannot be removed: leave ~{name} out"
    return sentence(error, data)


def _unknown(data: Mapping[Any, Any], made: Any, name: str = "") -> Iterator[str]:
    """Yield the names of given settings that no field takes."""
    known = {setting_name(field.name) for field in fields(made)} - {CONFIG}
    for key, value in data.items():
        if key not in known:
            yield f"{name}{key}"
        elif isinstance(value, dict) and is_dataclass(getattr(made, key)):
            yield from _unknown(value, getattr(made, key), f"{name}{key}.")


def _names(made: Any, name: str = "") -> Iterator[str]:
    """Yield the full names of the fields of nested settings."""
    for field in fields(made):
        value = getattr(made, field.name)
        if field.name == CONFIG:
            yield "experiment"
        elif is_dataclass(value):
            yield from _names(value, f"{name}{field.name}.")
        else:
            yield f"{name}{setting_name(field.name)}"
