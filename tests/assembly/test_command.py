"""What the commands share: help, wrong settings, names of earlier versions, exit codes."""

import os
import re
import signal
import sys
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from detect.assembly.command import conf_folder
from detect.assembly.help import help_text
from detect.assembly.renamed import GONE, RENAMED, settings_first
from detect.assembly.settings.command_settings import SETTINGS
from tests.commands import call
from tests.typed import settings_of


@pytest.mark.parametrize(("old", "new"), sorted(RENAMED.items()))
def test_a_name_of_an_earlier_version_is_an_error_that_says_todays(old: str, new: str) -> None:
    done = call("train", "data.root=x", f"{old}=1")
    assert done.code == 2 and f"{old} is called {new}" in done.log


@pytest.mark.parametrize("group", ["data", "data.sampling"])
@pytest.mark.parametrize("old", sorted(GONE))
def test_a_setting_that_nothing_of_today_stands_for_is_said_to_be_gone_with_what_is_nearest(
    group: str, old: str
) -> None:
    done = call("train", "data.root=x", f"{group}.{old}=0.5")
    assert done.code == 2 and f"{group}.{old} is gone: {GONE[old]}" in done.log
    assert not [new for new in RENAMED if new.endswith(f".{old}")]


def test_what_is_nearest_to_settings_that_are_gone_is_there() -> None:
    made = settings_of("train", "data.root=x", "net=patch").config
    nearest = [name for why in GONE.values() for name in re.findall(r"(?:data|net)\.[a-z_.]+", why)]
    assert len(nearest) >= len(GONE)
    for name in nearest:
        found = made
        for part in name.split("."):
            found = found[part]


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
        ("net=foo", "net is one of auto, grid, patch"),
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
    auto, grid, patch = (help_text("train", given, conf_folder()) for given in ([], ["net=grid", "-h"], ["net=patch"]))
    assert "  patch_size: auto " in patch and "  deepest: " not in patch and "# > net=patch " in patch
    assert "  deepest: 32 " in grid and "  freeze_bn: true " in grid and "patch_size: " not in grid
    assert "# > net=auto " in auto and auto.replace("net=auto", "").count("\n") == grid.count("\n")


def test_help_says_what_a_setting_is_for_in_the_words_of_its_file() -> None:
    text = help_text("train", ["net=patch"], conf_folder())
    assert re.search(r"^seed: 0 +# of the draws", text, re.M)
    wrapped = re.search(r"^  patch_size: auto +# (.*)\n +#   (.*)$", text, re.M)
    file = (conf_folder() / "net/patch.yaml").read_text(encoding="utf-8")
    assert wrapped is not None and wrapped[1][:40] in file and wrapped[2][-20:] in file, "the second line belongs to it"


def test_help_of_a_wrong_choice_names_those_that_there_are() -> None:
    done = call("train", "--help", "net=gird")
    assert done.code == 2 and "net is one of auto, grid, patch" in done.log


@pytest.mark.parametrize(
    ("command", "given", "meant"),
    [
        ("train", "net.strid=8", "net.stride?"),
        ("train", "data.radius=3", "data.matching.radius?"),
        ("evaluate", "data.batch_size=8", "mean batch_size?"),
        ("predict", "runtime.devise=cpu", "mean runtime.device or runtime.devices?"),
        ("evaluate", "data.val=[a]", "data.split.val now"),
    ],
)
def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(command: str, given: str, meant: str) -> None:
    done = call(command, given)
    assert done.code == 2 and given.partition("=")[0] in done.log and meant in done.log


def test_help_ends_with_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("report", "--help").code == 0
    assert "embed_limit: 200" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "given", "meant"),
    [
        ("predict", ["+treshold=0.2"], "treshold: no such setting; did you mean threshold?"),
        (
            "predict",
            ["++runtime.devise=cpu"],
            "runtime.devise: no such setting; did you mean runtime.device or runtime.devices?",
        ),
        ("predict", ["~treshold"], "treshold: no such setting; did you mean threshold?"),
        ("predict", ["~threshold"], "threshold cannot be removed"),
        ("predict", ["~runtime.device"], "runtime.device is missing; a setting cannot be removed"),
        ("predict", ["+runtime=torch"], "runtime is there already: give it without +"),
        ("train", ["+trainer.max_epochs=1"], "trainer.max_epochs is there already: give it without +"),
        ("predict", ["threshold.x=1"], "threshold.x: no such setting; did you mean threshold?"),
        ("predict", ["a b=3"], "a b=3 cannot be read: a setting is given as name=value"),
        ("predict", ["=3"], "one has no name"),
        ("train", ["+data.lables.x=1"], "data.lables: no such setting; did you mean data.labels?"),
        ("train", ["net=grid", "net.widht=3"], "did you mean net.width"),
        ("train", ["experimnt=neon"], "did you mean experiment?"),
        ("train", ["+config.seed=1"], "config: no such setting"),
        ("train", ["+__doc__=1"], "__doc__: no such setting"),
        ("train", ["+hydra.foo=1"], "hydra.foo: no such setting"),
        ("train", ["+hydra.job.envset=1"], "did you mean hydra.job.env_set"),
        ("train", ["--config-name=predict"], "--config-name is not for these commands"),
        ("train", ["--exp", "run.pickle"], "--exp is not for these commands"),
    ],
)
def test_what_is_no_setting_is_refused_however_it_is_given(command: str, given: list[str], meant: str) -> None:
    """With hydra's signs, which its own messages recommend, as a group, or as one of hydra's own settings."""
    there = {"train": ["data.root=x"], "predict": ["model=m", "images=i", "output=o"]}[command]
    done = call(command, *there, *given)
    assert done.code == 2 and meant in done.log
    assert not re.search(r"hydra\.cc|append|use \+|override '", done.log)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("# @package _global_\ntreshold: 0.3\n", "treshold: no such setting"),
        (
            "# @package _global_\ndata: {lables: {negative: [a]}}\n",
            "data.lables: no such setting; did you mean data.labels",
        ),
        ("# @package _global_\ntrainer: {max_epochs: x}\n", "trainer.max_epochs must be a whole number, got x"),
        ("# @package _global_\naugment: {superimpose: {q: 1}}\n", "augment.superimpose.q: no such setting"),
        ("# @package _global_\nhydra: {jobs: 3}\n", "jobs"),
        ("trainer: {max_epochs: 3}\n", "must begin with # @package _global_"),
    ],
)
def test_a_file_of_settings_is_held_to_the_same(tmp_path: Path, text: str, meant: str) -> None:
    """Also where its folder is named after the settings, where hydra takes no more of them."""
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment/own.yaml").write_text(text)
    done = call("train", "data.root=x", f"--config-dir={tmp_path}", "experiment=own")
    assert done.code == 2 and meant in done.log and "Traceback" not in done.log


@pytest.mark.parametrize(
    "hydras",
    [
        "callbacks: {a: {_target_: os.mkdir, path: MADE}}",
        "job_logging: {handlers: {a: {(): os.mkdir, path: MADE}}, root: {handlers: [a]}}",
        "hydra_logging: {handlers: {a: {(): os.mkdir, path: MADE}}, root: {handlers: [a]}}",
        "job: {env_set: {A: b}}",
    ],
)
@pytest.mark.parametrize("given", [["experiment=own"], ["-m", "experiment=good,own"]])
def test_a_file_of_settings_runs_nothing_by_hydra(tmp_path: Path, hydras: str, given: list[str]) -> None:
    """Hydra runs the callbacks and handlers of a file before the command has seen it."""
    folder, made = tmp_path / "it's mine, [a]/experiment", tmp_path / "made"
    folder.mkdir(parents=True)
    (folder / "good.yaml").write_text("# @package _global_\ntrainer: {max_epochs: 3}\n")
    (folder / "own.yaml").write_text(f"# @package _global_\nhydra: {{{hydras.replace('MADE', str(made))}}}\n")
    done = call("train", "data.root=x", "--config-dir", str(folder.parent), *given)
    assert done.code == 2 and "hydra's own settings cannot be set in a file" in done.log
    assert not made.exists()


def test_a_file_of_settings_sets_all_of_a_command_and_help_shows_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment/own.yaml").write_text("# @package _global_\nseed: 7\ntrainer: {max_epochs: 3}\n")
    assert call("train", f"--config-dir={tmp_path}", "experiment=own", "--help").code == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert shown["seed"] == 7 and shown["trainer"]["max_epochs"] == 3


def test_settings_go_before_options_in_their_order() -> None:
    given = ["a=1", "-m", "b=2", "--config-dir", "folder", "c=3", "--config-dir=other"]
    assert settings_first(given) == ["a=1", "b=2", "c=3", "-m", "--config-dir", "folder", "--config-dir=other"]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
@pytest.mark.parametrize("met", ["", "a worker process was killed by the signal Terminated"])
def test_any_command_that_a_scheduler_ends_says_so_whatever_else_it_meets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, met: str
) -> None:
    """Such as the end of a process that got the signal too, which is no error of its own."""

    def ended(*given: object) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except KeyboardInterrupt:
            if met:
                raise RuntimeError(met) from None
            raise

    monkeypatch.setattr("detect.assembly.gate.checked", ended)
    done = call("evaluate", f"predictions={tmp_path}", f"annotations={tmp_path}", f"output={tmp_path / 'out'}")
    assert done.code == 130 and done.log.rstrip().endswith("stopped with the signal SIGTERM"), done.log
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
