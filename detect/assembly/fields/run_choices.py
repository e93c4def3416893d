"""Settings that choose how a network is run over images: its context, scale, threshold, adaptation and devices."""

from typing import Annotated, Any

from pydantic import PlainValidator

from detect.assembly.fields.sentences import shown
from detect.imagery.resampling import LARGEST_FACTOR

ADAPTATIONS = ("light", "batchnorm")
"""What of a new image may be brought to the training's, or the network to it, without labels."""

SURVEY = "survey"
"""What is chosen once for all images of a run."""

RESCALING = ("auto", SURVEY)
"""How the scale of new images is chosen: of each, or one for all of a run."""


def _halo(value: Any) -> int | str:
    if value in ("auto", "exact"):
        return str(value)
    if value is None:
        return "auto"
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"must be auto, exact or a number of pixels, got {value}")
    return value


def adaptations(value: Any) -> tuple[str, ...]:
    """Return names of `ADAPTATIONS` in their order, each once; none of `none`.

    Raises:
        ValueError: another name.
    """
    names = [value] if isinstance(value, str) else value
    if names == ["none"]:
        return ()
    if not isinstance(names, list) or any(name not in ADAPTATIONS for name in names):
        raise ValueError(f"must be none, {', '.join(ADAPTATIONS)} or a list of these, got {shown(value)}")
    return tuple(name for name in ADAPTATIONS if name in names)


def _threshold(value: Any) -> float | dict[str, float] | str | None:
    if value is None or value == SURVEY:
        return None if value is None else SURVEY
    if isinstance(value, dict):
        return _class_thresholds(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"must be a number in [0, 1], one a class, {SURVEY} or null, got {shown(value)}")
    return float(value)


def _class_thresholds(value: Any) -> float | dict[str, float] | None:
    if value is None:
        return None
    each = value if isinstance(value, dict) else {"": value}
    for name, number in each.items():
        if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= 1:
            whose = f" for {name}" if name else ""
            raise ValueError(f"must be a number in [0, 1], or one a class, got {shown(number)}{whose}")
    if not each:
        raise ValueError("must be a number in [0, 1], or one a class, such as {sheep: 0.3}, got {}")
    return {str(name): float(number) for name, number in each.items()} if isinstance(value, dict) else float(value)


def rescaling(value: Any) -> float | str:
    """Return a factor, 1 of `none`, or a word of `RESCALING`.

    Raises:
        ValueError: another word, or a factor out of bounds.
    """
    if value == "none":
        return 1.0
    if isinstance(value, str) and value in RESCALING:
        return value
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 1 / LARGEST_FACTOR <= value <= LARGEST_FACTOR:
        raise ValueError(
            f"must be none, {', '.join(RESCALING)} or a number in [1/{LARGEST_FACTOR:g}, {LARGEST_FACTOR:g}], "
            f"got {shown(value)}"
        )
    return float(value)


def _devices(value: Any) -> Any:
    if value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and (value >= 1 or value == -1)):
        return value
    if isinstance(value, list) and value and all(isinstance(each, int) and each >= 0 for each in value):
        return value
    raise ValueError(f"must be a number of devices, a list of their numbers, such as [0,1], or auto, got {value}")


Devices = Annotated[Any, PlainValidator(_devices)]
"""How many devices, or which."""

Halo = Annotated[int | str, PlainValidator(_halo)]
"""A whole number of pixels, `auto` or `exact`."""

Adaptations = Annotated[tuple[str, ...], PlainValidator(adaptations)]
"""Names of `ADAPTATIONS`, () for `none`."""

Threshold = Annotated[float | dict[str, float] | str | None, PlainValidator(_threshold)]
"""A score in [0, 1], `SURVEY`, or None."""

ClassThresholds = Annotated[float | dict[str, float] | None, PlainValidator(_class_thresholds)]
"""A score in [0, 1], one by the name of each class, or None."""

Rescale = Annotated[float | str, PlainValidator(rescaling)]
"""A factor, or a word of `RESCALING`."""
