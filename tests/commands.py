"""Calls the commands in this process, as `python -m detect.NAME` would."""

import importlib
import io
import logging
import sys
from dataclasses import dataclass
from unittest import mock

from hydra.core.global_hydra import GlobalHydra


class LostError(Exception):
    """The machine was lost, in a test that pretends it."""


@dataclass(frozen=True)
class Called:
    """Exit code and log of a command."""

    code: int
    log: str


def call(name: str, *overrides: str) -> Called:
    """Run a command with hydra overrides."""
    main = importlib.import_module(f"detect.{name}").main
    GlobalHydra.instance().clear()
    code, stream = 0, io.StringIO()
    with mock.patch.object(sys, "argv", [f"detect.{name}", *overrides]), mock.patch.object(sys, "stderr", stream):
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        finally:
            for handler in logging.getLogger().handlers:
                handler.flush()
    return Called(code, stream.getvalue())
