"""What libraries make of our own files, made once: tests compose `conf/` and render the pages hundreds of times.

Nothing that is kept depends on a command line or on a run: the settings of a command line are parsed and applied, and
the pages filled, each time.
"""

import copy
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

import jinja2
from hydra._internal import config_loader_impl
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.defaults_list import DefaultsList
from hydra._internal.hydra import Hydra

from detect.assembly import gate
from detect.assembly.command import conf_folder
from detect.assembly.machine import run_memory
from detect.nets.machine.host_memory import HostMemory

OURS = {"hydra": "pkg://hydra.conf", "main": f"file://{conf_folder()}", "schema": "structured://"}
"""Where a configuration comes from if it is only of hydra's files and those of `conf/`, by who provides it."""


def only_ours(repo: Any) -> bool:
    """Return whether hydra looks through nothing but its own files and those of `conf/`: no `--config-dir`."""
    return {each.provider: each.full_path() for each in repo.get_sources()} == OURS


def kept_lists(create: Callable[..., DefaultsList]) -> Callable[..., DefaultsList]:
    """Make hydra's list of the files of a command one that is kept for each choice of groups."""
    kept: dict[Any, DefaultsList] = {}

    def made(repo: Any, config_name: str, overrides_list: list[Any], **options: Any) -> DefaultsList:
        if not only_ours(repo) or any(each.is_sweep_override() for each in overrides_list):
            return create(repo=repo, config_name=config_name, overrides_list=overrides_list, **options)
        groups = [each for each in overrides_list if repo.group_exists(each.key_or_group)]
        key = (config_name, tuple(sorted(options.items())), tuple(each.input_line for each in groups))
        if key not in kept:
            kept[key] = create(repo=repo, config_name=config_name, overrides_list=groups, **options)
        settings = [each for each in overrides_list if each not in groups or each in kept[key].config_overrides]
        return replace(kept[key], config_overrides=settings)

    return made


def kept_merges(compose: Callable[..., Any]) -> Callable[..., Any]:
    """Make hydra's merging of a list of files one that is kept, and give a copy."""
    kept: dict[str, Any] = {}

    def made(self: ConfigLoaderImpl, defaults: list[Any], repo: Any) -> Any:
        if not only_ours(repo):
            return compose(self, defaults=defaults, repo=repo)
        key = repr(defaults)
        if key not in kept:
            kept[key] = compose(self, defaults=defaults, repo=repo)
        return copy.deepcopy(kept[key])

    return made


def no_second_look(get_mode: Callable[..., Any]) -> Callable[..., Any]:
    """Spare hydra the composition by which it looks for `hydra.mode`, where nothing can say it."""

    def made(self: Hydra, config_name: str, overrides: list[str]) -> Any:
        told = {each.provider for each in self.config_loader.get_search_path().get_path()} - OURS.keys()
        return get_mode(self, config_name, overrides) if told or any("hydra" in each for each in overrides) else None

    return made


def kept_templates(compile_: Callable[..., Any]) -> Callable[..., Any]:
    """Make jinja's compiling of a template one that is kept for each text and what it is compiled with."""
    kept: dict[Any, Any] = {}

    def made(self: jinja2.Environment, source: Any, *place: Any, **more: Any) -> Any:
        options = (self.autoescape, self.trim_blocks, self.lstrip_blocks, self.undefined, *self.filters, *self.globals)
        key = (source, place, tuple(sorted(more.items())), options)
        if key not in kept:
            kept[key] = compile_(self, source, *place, **more)
        return kept[key]

    return made


@contextmanager
def made_once() -> Iterator[None]:
    """Keep what hydra, pydantic and jinja make of our files, and the memory that is free, as long as this is open.

    Runs are compared, whose tiles would follow from the memory that other tests leave: `max_memory=auto` is 2 GiB.
    """
    lists = kept_lists(config_loader_impl.create_defaults_list)
    merges = kept_merges(ConfigLoaderImpl._compose_config_from_defaults_list)
    with (
        mock.patch.object(config_loader_impl, "create_defaults_list", lists),
        mock.patch.object(ConfigLoaderImpl, "_compose_config_from_defaults_list", merges),
        mock.patch.object(Hydra, "get_mode", no_second_look(Hydra.get_mode)),
        mock.patch.object(jinja2.Environment, "compile", kept_templates(jinja2.Environment.compile)),
        mock.patch.object(gate, "TypeAdapter", functools.cache(gate.TypeAdapter)),
        mock.patch.object(run_memory, "host_memory", lambda: HostMemory(6 << 30, 4 << 30)),
    ):
        yield
