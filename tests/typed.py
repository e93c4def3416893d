"""Typed settings of a command, as its configuration and some overrides make them."""

from typing import Any

from hydra import compose, initialize_config_dir

from detect.assembly.command import conf_folder
from detect.assembly.gate import checked
from detect.assembly.settings.command_settings import SETTINGS


def settings_of(command: str, *overrides: str) -> Any:
    """Compose and check the settings of a command."""
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return checked(compose(command, list(overrides)), SETTINGS[command])
