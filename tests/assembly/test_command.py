"""What the commands share: help, wrong settings, names of earlier versions, exit codes."""

import re

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from detect.assembly.command import conf_folder
from detect.assembly.help import help_text
from detect.assembly.renamed import RENAMED
from detect.assembly.settings import SETTINGS
from tests.commands import call
from tests.typed import settings_of


@pytest.mark.parametrize(("old", "new"), sorted(RENAMED.items()))
def test_a_name_of_an_earlier_version_is_an_error_that_says_todays(old: str, new: str) -> None:
    done = call("train", "data.root=x", f"{old}=1")
    assert done.code == 2 and f"{old} is called {new}" in done.log


@pytest.mark.parametrize("new", sorted(set(RENAMED.values())))
def test_names_of_today_are_those_of_settings(new: str) -> None:
    made = settings_of("train", "data.root=x").config
    if new.startswith("data.sampling.crop"):
        made = settings_of("train", "data.root=x", "net=grid").config
    for part in new.split("."):
        made = made[part]


@pytest.mark.parametrize(
    ("argument", "named"),
    [
        ("nonsense=1", "nonsense: no such setting"),
        ("net=foo", "net is one of grid, patch"),
        ("data.x", "data.x"),
        ("finetune=5", "int"),
    ],
)
def test_what_cannot_be_composed_is_wrong_use_in_a_line(argument: str, named: str) -> None:
    done = call("train", argument)
    assert done.code == 2 and named in done.log and "Traceback" not in done.log and "HYDRA" not in done.log


def test_what_must_be_given_is_named() -> None:
    done = call("predict", "model=a")
    assert done.code == 2 and "images must be given" in done.log


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_help_shows_the_settings_that_the_command_would_have(name: str) -> None:
    text = help_text(name, [], conf_folder())
    assert text.startswith(f"# python -m detect.{name}")
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        settings = OmegaConf.to_container(compose(name))
    assert yaml.safe_load(text) == settings


def test_help_follows_the_choices_of_the_command_line() -> None:
    patch, grid = (help_text("train", given, conf_folder()) for given in ([], ["net=grid", "--help"]))
    assert "  patch_size: auto " in patch and "  deepest: " not in patch and "# > net=patch " in patch
    assert "  deepest: 32 " in grid and "  freeze_bn: true " in grid and "patch_size: " not in grid


def test_help_says_what_a_setting_is_for_in_the_words_of_its_file() -> None:
    text = help_text("train", [], conf_folder())
    assert re.search(r"^seed: 0 +# of the draws", text, re.M)
    wrapped = re.search(r"^  patch_size: auto +# (.*)\n +#   (.*)$", text, re.M)
    file = (conf_folder() / "net/patch.yaml").read_text(encoding="utf-8")
    assert wrapped is not None and wrapped[1][:40] in file and wrapped[2][-20:] in file, "the second line belongs to it"


def test_help_of_a_wrong_choice_names_those_that_there_are() -> None:
    done = call("train", "--help", "net=gird")
    assert done.code == 2 and "net is one of grid, patch" in done.log


@pytest.mark.parametrize(
    ("command", "given", "meant"),
    [
        ("train", "net.strid=8", "net.stride?"),
        ("train", "data.radius=3", "data.matching.radius?"),
        ("evaluate", "data.batch_size=8", "mean batch_size?"),
        ("predict", "runtime.devise=cpu", "runtime.device?"),
        ("evaluate", "data.val=[a]", "data.split.val now"),
    ],
)
def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(command: str, given: str, meant: str) -> None:
    done = call(command, given)
    assert done.code == 2 and given.partition("=")[0] in done.log and meant in done.log


def test_help_ends_with_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("report", "--help").code == 0
    assert "embed_limit: 200" in capsys.readouterr().out
