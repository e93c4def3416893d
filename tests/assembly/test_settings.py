"""Settings of the kind of their defaults."""

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from detect.assembly.command import conf_folder
from detect.assembly.settings import check_kinds
from tests.commands import call

DEFAULTS = OmegaConf.create(
    {
        "seed": 0,
        "radius": 30,
        "iou": None,
        "data": {
            "root": "???",
            "mine_at": [0.4],
            "scale": 1.0,
            "val": [],
            "bands": None,
            "ignored": None,
            "jitter": "auto",
        },
        "trainer": {"test": False, "clip": 1.0},
        "augment": {"transforms": {"Affine": {"rotate": [-20, 20]}}},
    }
)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("seed", "x", "seed must be a whole number, got x"),
        ("seed", 1.5, r"seed must be a whole number, got 1\.5"),
        ("seed", None, "seed must be a whole number, got null"),
        ("seed", True, "seed must be a whole number, got True"),
        ("radius", "x", "radius must be a number, got x"),
        ("iou", "x", "iou must be a number, got x"),
        ("data.mining.at", 0.4, r"data\.mining\.at must be a list of numbers, such as \[0\.4,0\.7\], got 0\.4"),
        ("data.mining.at", ["a"], r"data\.mining\.at must be a list of numbers, such as \[0\.4,0\.7\], got \['a'\]"),
        ("data.bands", 1, r"data\.bands must be a list of whole numbers, such as \[1,2,3\], got 1"),
        ("data.split.val", "a.jpg", r"data\.split\.val must be a list, such as \[a,b\], got a\.jpg"),
        ("data.scale", [2], r"data\.scale must be a number, got \[2\]"),
        ("trainer.test", 1, r"trainer\.test must be true or false, got 1"),
        ("trainer", 3, "trainer must be a group of settings, test, clip, got 3"),
    ],
)
def test_another_kind_is_refused_by_name(name: str, given: Any, message: str) -> None:
    cfg = DEFAULTS.copy()
    OmegaConf.update(cfg, name, given)
    with pytest.raises(ValueError, match=message):
        check_kinds(cfg, DEFAULTS)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("seed", 1),
        ("radius", 12.5),
        ("iou", 0.5),
        ("data.scale", 2),
        ("data.mining.at", []),
        ("data.split.val", [2, "a.jpg"]),
        ("data.bands", [1, 2]),
        ("data.labels.ignored_regions", {"a.jpg": [[0, 0, 1, 1]]}),
        ("data.sampling.jitter", 4),
        ("trainer.test", True),
        ("trainer.gradient_clip_val", None),
        ("augment.transforms.Affine.rotate", 30),
        ("data.more", {"new": 1}),
    ],
)
def test_the_same_kind_and_what_has_no_kind_pass(name: str, given: Any) -> None:
    cfg = DEFAULTS.copy()
    OmegaConf.update(cfg, name, given, force_add=True)
    check_kinds(cfg, DEFAULTS)


def composed(*given: str) -> Any:
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return compose("train", ["data.root=x", *given])


@pytest.mark.parametrize("path", sorted((conf_folder() / "experiment").glob("*.yaml")), ids=lambda path: path.stem)
def test_experiments_are_of_the_kinds_of_the_groups(path: Path) -> None:
    cfg = composed(f"experiment={path.stem}")
    check_kinds(cfg, composed(f"net={cfg.net.kind}"))


@pytest.mark.parametrize(
    ("experiment", "given"),
    [
        ("sealions", "net.patch_size=auto"),
        ("neon_patch", "net.stages=null"),
        ("neon_patch", "data.sampling.exclusion=auto"),
        ("neon", "data.matching.iou=null"),
        ("sealions_grid", "data.labels.ignored_regions=null"),
        ("sealions_grid", "data.labels.ignored_regions=regions.csv"),
    ],
)
def test_what_an_experiment_set_can_be_set_back(experiment: str, given: str, tmp_path: Path) -> None:
    """The whole command runs as far as to the folder that is not there."""
    done = call("train", f"experiment={experiment}", f"data.root={tmp_path / 'none'}", given, f"output={tmp_path}")
    assert done.code == 2 and "none: no such folder of images" in done.log
