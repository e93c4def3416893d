"""Settings of the kind of their defaults."""

from typing import Any

import pytest
from omegaconf import OmegaConf

from detect.kinds import check_kinds

DEFAULTS = OmegaConf.create(
    {
        "seed": 0,
        "data": {"root": "???", "mine_at": [0.4], "scale": 1.0, "val": [], "gsd": None, "jitter": "auto"},
        "trainer": {"test": False},
        "augment": {"transforms": {"Affine": {"rotate": [-20, 20]}}},
    }
)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("seed", "x", "seed must be a number, got x"),
        ("seed", None, "seed must be a number, got null"),
        ("seed", True, "seed must be a number, got True"),
        ("data.mine_at", 0.4, r"data\.mine_at must be a list, such as \[a,b\], got 0\.4"),
        ("data.val", "a.jpg", r"data\.val must be a list, such as \[a,b\], got a\.jpg"),
        ("data.scale", [2], r"data\.scale must be a number, got \[2\]"),
        ("trainer.test", 1, r"trainer\.test must be true or false, got 1"),
        ("trainer", 3, "trainer must be a group of settings, test, got 3"),
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
        ("data.scale", 2),
        ("data.mine_at", []),
        ("data.gsd", 0.3),
        ("data.jitter", 4),
        ("trainer.test", True),
        ("augment.transforms.Affine.rotate", 30),
        ("data.more", {"new": 1}),
    ],
)
def test_the_same_kind_and_what_has_no_kind_pass(name: str, given: Any) -> None:
    cfg = DEFAULTS.copy()
    OmegaConf.update(cfg, name, given, force_add=True)
    check_kinds(cfg, DEFAULTS)
