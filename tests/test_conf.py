"""The configuration: every choice composes, says when one would take it, and is read by somebody."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import detect
from detect.assembly.command import conf_folder
from detect.assembly.commandline.net_choice import AUTO
from detect.assembly.heads.choice import NetSettings
from detect.nets.heads.specs import HEADS

GROUPS = [path for path in sorted(conf_folder().glob("*/*.yaml")) if path.parent.name != "experiment"]
NETS = get_args(get_args(NetSettings)[0])
"""The settings of each head."""

EXPERIMENTS = sorted(conf_folder().glob("experiment/*.yaml"))


@pytest.mark.parametrize("path", GROUPS + EXPERIMENTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_choice_begins_with_a_line_for_a_person(path: Path):
    lines = [line for line in path.read_text().splitlines() if not line.startswith("# @package")]
    assert lines[0].startswith("# ") and lines[0].endswith(".")


@pytest.mark.parametrize("path", GROUPS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_choice_composes(path: Path):
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        if path.parent.name == "data" and path.stem == "labelled":
            assert "root" in compose("evaluate", [f"data={path.stem}"]).data
            return
        if path.parent.name == "inference":
            assert "halo" in compose("predict", [f"inference={path.stem}"])
            return
        if path.parent.name == "launcher":
            assert compose("predict", [f"launcher={path.stem}"]).launcher.kind == path.stem
            return
        chosen = f"{'net' if path.parent.name == 'head_defaults' else path.parent.name}={path.stem}"
        cfg = compose("train", [chosen, "data.root=x"])
    assert path.parent.name in cfg or path.parent.name == "head_defaults"


def test_what_a_head_sets_outside_of_its_net_stands_in_one_place():
    """Two trainings that differ in nothing but the head differ under `net`, and by `head_defaults`."""
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        patch, grid = (
            OmegaConf.to_container(compose("train", [f"net={name}", "data.root=x", "output=o"]))
            for name in ("patch", "grid")
        )
    visible = {
        "data.sampling.samples",
        "data.sampling.crop",
        "data.loading.batch_size",
        "finetune.keep",
        "finetune.freeze_bn",
    }
    assert set(different(patch, grid)) - {"net"} == visible


def test_a_head_has_one_name_in_every_room_and_in_the_configuration() -> None:
    conf, package = conf_folder(), Path(detect.__file__).parent
    kinds = {get_type_hints(net)["kind"].__args__[0] for net in NETS}
    assert set(HEADS) == kinds
    for folder in (conf / "net", conf / "head_defaults"):
        assert {path.stem for path in folder.glob("*.yaml")} == {*kinds, AUTO}
    for room in ("nets/heads", "assembly/heads", "learning", "inference/decoding"):
        assert kinds <= {path.stem for path in (package / room).glob("*.py")}


def different(one: dict, other: dict, name: str = "") -> Iterator[str]:
    """Names of the settings in which two configurations differ; of `net` the group alone."""
    for key in one.keys() | other.keys():
        full = f"{name}{key}"
        if full == "net":
            yield full
        elif isinstance(one.get(key), dict) and isinstance(other.get(key), dict):
            yield from different(one[key], other[key], f"{full}.")
        elif one.get(key) != other.get(key):
            yield full


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_composes_and_sets_only_what_exists(path: Path):
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        cfg = compose("train", [f"experiment={path.stem}", "data.root=x"])
        plain = compose("train", [f"net={cfg.net.kind}", "data.root=x"])
    for group in ("data", "net", "finetune", "trainer"):
        assert set(cfg[group]) == set(plain[group])  # a misspelt name would be new


def test_both_nets_share_all_settings_but_their_own():
    """A setting of one net alone belongs to its `net`; what it changes elsewhere, it changes to its needs."""
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        patch, grid = (compose("train", [f"net={name}", "data.root=x"]) for name in ("patch", "grid"))
    assert (patch.net.kind, grid.net.kind) == ("patch", "grid")
    for group in ("data", "augment", "finetune", "trainer", "runtime"):
        assert set(patch[group]) == set(grid[group])


def test_the_preview_takes_what_training_takes():
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        train, preview = (compose(name, ["data.root=x", "experiment=livestock"]) for name in ("train", "preview"))
    for group in ("data", "net", "augment", "finetune", "trainer", "runtime", "seed"):
        assert preview[group] == train[group]


@pytest.mark.parametrize("path", sorted(conf_folder().glob("augment/*.yaml")), ids=lambda path: path.stem)
def test_every_augmentation_has_the_same_settings(path: Path):
    """A misspelt name would be new."""
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        cfg, plain = (compose("train", [f"augment={name}", "data.root=x"]).augment for name in (path.stem, "none"))
    assert set(cfg) == set(plain)
    for name in set(plain) - {"transforms"}:
        assert set(cfg[name]) == set(plain[name])


@pytest.mark.parametrize(
    "name",
    [
        "train",
        "predict",
        "evaluate",
        "report",
        "survey",
        "review",
        "folds",
        "find_lr",
        "preview",
        "convert",
        "explain",
        "export",
    ],
)
def test_every_command_composes(name: str):
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        assert compose(name)
