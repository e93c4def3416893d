"""Cards of models for tests, made of the few things that a test cares for."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from detect.imagery.resolution import Resolution
from detect.learning.hyperparameters import ClassBalance, LossWeights, Schedule
from detect.nets.card import ModelCard
from detect.nets.heads.specs import GridHead, Head, PatchHead
from detect.nets.net_spec import BackboneSpec
from detect.samples.epochs import Loading

LITE = BackboneSpec("tf_efficientnet_lite0", 16)
"""The default backbone of a patch classifier."""

LOADING = Loading(8, 0, 1 << 30)
"""Batches of eight, made in the main process."""

EVEN = ClassBalance(effective=0.0, focal=0.0, adjust=0.0)
"""Classes weigh as they occur."""


def card_of(
    head: Head,
    backbone: BackboneSpec = LITE,
    classes: tuple[str, ...] = ("a", "b"),
    bands: tuple[int, ...] = (1, 2, 3),
    dtype: str = "uint8",
    **more: Any,
) -> ModelCard:
    """A card whose normalisation, halo and choices are given, or of no consequence; the backbone takes the bands."""
    usual = {
        "resolution": Resolution(),
        "offset": (),
        "scale": (),
        "halo": None,
        "halo_auto": None,
        "halo_error": None,
        "threshold": 0.5,
        "separation": 0.0,
        "calibration": None,
        "training": {},
    }
    spec = replace(backbone, bands=len(bands))
    return ModelCard(head=head, backbone=spec, classes=classes, bands=bands, dtype=dtype, **{**usual, **more})


def patch_card(
    backbone: BackboneSpec = LITE,
    classes: tuple[str, ...] = ("a", "b"),
    background: str | None = "ground",
    bands: tuple[int, ...] = (1, 2, 3),
    dtype: str = "uint8",
    *,
    patch_size: int = 32,
    **more: Any,
) -> ModelCard:
    """The card of a patch classifier."""
    return card_of(PatchHead(patch_size, background), backbone, classes, bands, dtype, **more)


def grid_head(
    deepest: int = 32, width: int = 16, slots: int = 1, object_size: float | None = None, typical_size: int = 24
) -> GridHead:
    """A grid head, for points unless an object's size is given."""
    return GridHead(deepest, width, slots, object_size, typical_size)


def schedule(**more: Any) -> Schedule:
    """A schedule in which everything learns at one rate from the start."""
    usual = {
        "pretrained": False,
        "lr": 1e-3,
        "backbone_lr": 1e-3,
        "decay": 1.0,
        "unfreeze_at": 0.0,
        "top": None,
        "keep": 0,
        "freeze_bn": False,
        "weight_decay": 0.0,
        "warmup": 0.0,
        "label_smoothing": 0.0,
        "score_every": 1,
        "interpolate": 1.0,
    }
    return Schedule(**{**usual, **more})


def loss_weights(**more: Any) -> LossWeights:
    """Terms that count alike, with the focal exponents of CornerNet."""
    usual: Mapping[str, Any] = {
        "objectness": 1.0,
        "box": 1.0,
        "label": 1.0,
        "gamma": 2.0,
        "beta": 4.0,
        "smoothing": 0.0,
        "classes": EVEN,
    }
    return LossWeights(**{**usual, **more})


def class_balance(**more: float) -> ClassBalance:
    """Classes weigh as they occur but for what is given."""
    return ClassBalance(**{"effective": 0.0, "focal": 0.0, "adjust": 0.0, **more})
