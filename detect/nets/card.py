"""The card of a model: all that prediction needs beside the weights."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from detect.imagery.resolution import Resolution
from detect.imagery.wafers.drawn.drawing import drawing_of
from detect.nets.bounds import (
    GREATEST,
    LEAST_SCALE,
    MOST_PIXELS,
    check_mapping,
    check_number,
    check_record,
    check_whole,
    shown,
)
from detect.nets.facts.looks import Looks
from detect.nets.facts.probabilities import Calibration
from detect.nets.facts.window_looks import WindowLooks
from detect.nets.first_format import OLD_FORMAT, from_first_format
from detect.nets.heads.specs import HEADS, Head
from detect.nets.net_spec import BackboneSpec, NetSpec

FORMAT, THIRD_FORMAT, SECOND_FORMAT = "detect/4", "detect/3", "detect/2"
"""Version of the header that is written; the one before, whose looks lack the spread of values and those of windows;
and the one before that, which says nothing of what training images look like. Readers refuse unknown ones."""

LONGEST = 12 << 20
"""Most characters of a header: what is made of them takes some hundred megabytes at most."""


class ModelFileError(ValueError):
    """A file that is not a model of this program, with the reason."""


@dataclass(frozen=True)
class ModelCard(NetSpec):
    """What prediction needs beside the weights; the header of a model file.

    Attributes:
        offset, scale: normalisation (x - offset) / scale, a number a band.
        halo: context in resampled pixels that makes tiles exact; None where no halo can (an unbounded receptive field).
        halo_auto: a smaller context that was measured to be enough, None where it was not measured.
        halo_error: greatest error of the logits of tiles with `halo_auto`, as a part of the largest logit.
        threshold: least score of a detection, in [0, 1].
        separation: greatest IoU of two boxes of a class, or least distance of two points in resampled pixels.
        calibration: what makes probabilities of a network's scores (`Calibration`), of which the threshold is one then;
            None where scores are as the network gives them.
        training: the record of how it was made and validated.
        looks: what the training images look like in the model's bands; None of models that do not know.
        window_looks: what windows of the training scenes look like, each by itself; None of models that do not know.

    Raises:
        ValueError: a normalisation or looks of other bands, or a halo, threshold or separation out of bounds.
    """

    offset: tuple[float, ...]
    scale: tuple[float, ...]
    halo: int | None
    halo_auto: int | None
    halo_error: float | None
    threshold: float
    separation: float
    calibration: Mapping[str, float] | None
    training: Mapping[str, Any]
    looks: Looks | None = None
    window_looks: WindowLooks | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not len(self.offset) == len(self.scale) or len(self.scale) not in (0, len(self.bands)):
            raise ValueError(
                f"offset and scale need a number for each of {len(self.bands)} bands, got {len(self.offset)} and "
                f"{len(self.scale)}"
            )
        if self.looks is not None and len(self.looks.bands) != len(self.bands):
            raise ValueError(f"looks are of {len(self.looks.bands)} bands, the model of {len(self.bands)}")
        if self.window_looks is not None and (
            self.looks is None or len(self.window_looks.light[0]) != len(self.bands) + 1
        ):
            raise ValueError(f"looks of windows are not of the model's {len(self.bands)} bands, or there are no others")
        for value in self.offset:
            check_number("offset", value, -GREATEST, GREATEST)
        for value in self.scale:
            check_number("scale", value, LEAST_SCALE, GREATEST)
        for name in ("halo", "halo_auto"):
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name), 0, MOST_PIXELS)
        check_number("threshold", self.threshold, 0, 1)
        check_number("separation", self.separation, 0, 1 if self.head.boxes else MOST_PIXELS)
        self._check_notes()

    def _check_notes(self) -> None:
        """Check what is told and not computed with."""
        if not isinstance(self.halo_error, float | int | None):
            raise TypeError(f"halo_error must be a number, got {shown(self.halo_error)}")
        if self.calibration is not None:
            check_mapping("calibration", self.calibration)
            for name, value in self.calibration.items():
                check_number(f"calibration.{name}", value, -GREATEST, GREATEST)
            Calibration.from_record(self.calibration)
        check_record(self.training)

    @property
    def radius(self) -> float:
        """Least distance of two points in resampled pixels; 0 where boxes are found."""
        return 0.0 if self.head.boxes else self.separation

    @property
    def nms_iou(self) -> float | None:
        """Greatest IoU of two boxes of a class; None where points are found."""
        return self.separation if self.head.boxes else None

    @classmethod
    def from_json(cls, text: str) -> "ModelCard":
        """Read a header.

        Raises:
            ModelFileError: a header of an unknown format or head, or a damaged one.
        """
        if len(text) > LONGEST:
            raise ModelFileError(f"the header is of {len(text):,} characters, of {LONGEST:,} at most")
        try:
            data = json.loads(text)
            version = data.pop("format", None)
            if version == OLD_FORMAT:
                data = from_first_format(data)
            elif version not in (FORMAT, THIRD_FORMAT, SECOND_FORMAT):
                known = f"{FORMAT}, {THIRD_FORMAT}, {SECOND_FORMAT} or {OLD_FORMAT}"
                raise ValueError(f"the header is of format {shown(version)!r}, not of {known}")
            later = {"looks": (FORMAT, THIRD_FORMAT), "window_looks": (FORMAT,)}
            for entry, formats in later.items():
                if entry in data and version not in formats:
                    raise ValueError(f"an entry in a header of {version} that it does not have: {entry}")
            return cls._from_data(data)
        except (TypeError, KeyError, AttributeError, ValueError, RecursionError) as error:
            raise ModelFileError(f"the header cannot be read ({error})") from error

    @classmethod
    def _from_data(cls, data: dict[str, Any]) -> "ModelCard":
        unknown = sorted(set(data) - {entry.name for entry in fields(cls)})
        if unknown:
            raise ValueError(f"unknown entries in the header: {', '.join(map(shown, unknown[:5]))}")
        data.setdefault("band_names", [])
        for name in ("classes", "bands", "band_names", "offset", "scale"):
            if not isinstance(data[name], list):
                raise TypeError(f"{name} must be a list, got {shown(data[name])}")
        windows = data.get("window_looks")
        made = {
            "head": _head(data.pop("head")),
            "backbone": BackboneSpec(**data.pop("backbone")),
            "resolution": Resolution(**data.pop("resolution")),
            "drawing": drawing_of(data.get("drawing")),
            "looks": None if data.get("looks") is None else Looks.from_data(data["looks"]),
            "window_looks": None if windows is None else WindowLooks.from_data(windows),
        }
        lists = {key: tuple(value) for key, value in data.items() if isinstance(value, list)}
        return cls(**{**data, **lists, **made})

    def to_json(self) -> str:
        """Return the header as text."""
        data = asdict(self)
        data["head"] = {"name": self.head.name, **data["head"]}
        if not data["head"].get("known", 1):  # as versions write it that keep no features
            del data["head"]["known"]
        if self.drawing is None:  # as versions write it that draw no wafers
            del data["drawing"]
        else:
            data["drawing"] = self.drawing.record()
        return json.dumps({"format": FORMAT, **data}, sort_keys=True)


def _head(data: dict[str, Any]) -> Head:
    name = data.pop("name")
    if name not in HEADS:
        raise ValueError(f"unknown head {shown(name)}; this version knows {', '.join(HEADS)}")
    return HEADS[name](**data)
