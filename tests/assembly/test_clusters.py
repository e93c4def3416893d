"""The commands of README's section on clusters: composed as they stand there, and submitted by nobody."""

import shlex
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from omegaconf import OmegaConf

from detect.assembly.command import conf_folder
from detect.assembly.gate import check_hydra
from tests.commands import Called
from tests.typed import settings_of

SWEEP = (
    "python -m detect.train -m hydra/launcher=submitit_slurm hydra.launcher.timeout_min=240 "
    "hydra.launcher.gpus_per_node=1 hydra.launcher.cpus_per_task=8 hydra.launcher.mem_gb=32 "
    "data.root=photos data.annotations=points.csv seed=0,1,2 finetune.lr=0.001,0.003 output=runs/sweep"
)
"""A sweep: a job a run."""

NODES = (
    "srun python -m detect.train trainer.num_nodes=2 trainer.devices=4 trainer.strategy=ddp "
    "trainer.sync_batchnorm=true data.root=photos data.annotations=points.csv output=runs/large"
)
"""One training over two machines of four devices each, in a job of two nodes with four tasks each."""


def parts(command: str) -> tuple[list[str], list[str]]:
    """The settings of a command, and those of hydra's launcher."""
    given = [each for each in shlex.split(command) if "=" in each]
    return [e for e in given if not e.startswith("hydra")], [e for e in given if e.startswith("hydra")]


def test_a_sweep_is_a_job_a_run() -> None:
    """Three seeds and two rates are six jobs, whose settings are all there."""
    settings, _ = parts(SWEEP)
    runs: list[list[str]] = [[]]
    for each in OverridesParser.create().parse_overrides(settings):
        values = each.sweep_string_iterator() if each.is_sweep_override() else [each.get_value_element_as_str()]
        runs = [[*run, f"{each.key_or_group}={value}"] for value in list(values) for run in runs]
    made = [settings_of("train", *run) for run in runs]
    assert {(each.seed, each.finetune.lr) for each in made} == {(s, r) for s in (0, 1, 2) for r in (0.001, 0.003)}
    assert len(made) == 6


def test_its_launcher_has_the_settings_that_are_given_to_it() -> None:
    """Where the extra `slurm` is installed, whose launcher's own types say which there are."""
    settings, launcher = parts(SWEEP)
    if "SlurmLauncher" not in {each.__name__ for each in Plugins.instance().discover(Launcher)}:
        pytest.skip("hydra-submitit-launcher is not installed: pip install 'detect[slurm]'")
    single = [each for each in settings if not each.startswith(("seed=", "finetune.lr="))]
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        hydra = compose("train", [*single, *launcher], return_hydra_config=True).hydra
    check_hydra(hydra)
    node = OmegaConf.to_container(hydra.launcher, resolve=False)
    assert node["_target_"].endswith("submitit_launcher.SlurmLauncher")
    assert (node["timeout_min"], node["gpus_per_node"], node["cpus_per_task"], node["mem_gb"]) == (240, 1, 8, 32)


def test_one_training_over_two_machines() -> None:
    trainer = settings_of("train", *parts(NODES)[0]).trainer
    assert (trainer.num_nodes, trainer.devices, trainer.strategy, trainer.sync_batchnorm) == (2, 4, "ddp", True)


def test_a_run_that_fails_in_another_process_fails_the_sweep(
    run: Callable[..., Called], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of the process is another one each time it is asked for, as it is where a launcher sends a run."""
    monkeypatch.setattr("detect.assembly.command.os.getpid", count(7).__next__)
    too_large = ("seed=4294967296,4294967297", f"data.root={tmp_path}", "data.annotations=none.csv")
    done = run("train", "-m", *too_large, f"output={tmp_path / 'sweep'}")
    assert done.code == 2 and "run 0 of -m" in done.log and "seed must be in" in done.log


def test_readme_has_these_commands() -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    if "Clusters" in text:
        written = " ".join(text.replace("\\\n", " ").split())
        assert SWEEP in written and NODES in written
