"""What the commands share: help, wrong settings, names of earlier versions, exit codes."""

import pytest

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
    [("nonsense=1", "nonsense: no such setting"), ("net=foo", "net/foo"), ("data.x", "data.x"), ("finetune=5", "int")],
)
def test_what_cannot_be_composed_is_wrong_use_in_a_line(argument: str, named: str) -> None:
    done = call("train", argument)
    assert done.code == 2 and named in done.log and "Traceback" not in done.log and "HYDRA" not in done.log


def test_what_must_be_given_is_named() -> None:
    done = call("predict", "model=a")
    assert done.code == 2 and "images must be given" in done.log


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_help_shows_every_setting_with_what_it_is_for(name: str) -> None:
    text = help_text(name, [], conf_folder())
    assert text.startswith(f"# python -m detect.{name}") and "hydra" not in text and "defaults:" not in text
    assert "output" in text or name == "report"


def test_help_follows_the_choices_of_the_command_line() -> None:
    patch, grid = (help_text("train", given, conf_folder()) for given in ([], ["net=grid", "--help"]))
    assert "patch_size: auto" in patch and "deepest" not in patch.partition("net=patch")[2].partition("head")[0]
    assert "deepest: 32" in grid and "freeze_bn: true" in grid and "patch_size: auto" not in grid
    assert "negative: []" in grid and "val_fraction: 0.25" in grid, "a file and the one that it begins with"


def test_help_ends_with_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("report", "--help").code == 0
    assert "embed_limit: 200" in capsys.readouterr().out
