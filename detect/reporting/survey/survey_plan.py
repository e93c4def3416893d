"""`SurveyPlan`: how a survey draws windows, kept in `survey/settings.json`, and those drawn, in `survey/design.csv`."""

import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from detect.evaluation.survey.design import SurveyDesign
from detect.evaluation.survey.partition import SurveyWindows
from detect.imagery.files import check_inside
from detect.labels.annotations import AnnotationError
from detect.labels.json_files import read_json_object
from detect.labels.sheets import read_sheet, sheet_text, writable
from detect.reporting.output.layout import PredictionPaths

HEADER = ("draw", "image", "row", "col", "height", "width", "probability")
"""Columns of the design: number of the draw, from 1 (empty for a window taken for sure, whose probability is 1)."""

WAY_OUT = (
    "move the folder survey/ away and draw anew: the corrections stay, and windows that were reviewed are known then"
)
"""What to do where a design is of no use any more."""


@dataclass(frozen=True)
class SurveyPlan:
    """How a survey draws its windows.

    Attributes:
        windows: how many distinct ones are asked for.
        side: of a window in pixels of the files.
        seed: of the draws.
        floor: least score that counts for the expected number of a window.
        classes: that are surveyed; None for all.
        within: file of the polygons in which is surveyed; None for whole images.
        within_layer: of that file.
        areas: digest of the polygons; None for whole images.
        guide: SHA-256 of what the detector said, by which the windows are drawn.
    """

    windows: int
    side: int
    seed: int
    floor: float
    classes: tuple[str, ...] | None
    within: str | None
    within_layer: str | None
    areas: str | None
    guide: str

    def to_record(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {**asdict(self), "classes": None if self.classes is None else list(self.classes)}


KINDS: dict[str, tuple[type, ...]] = {
    "windows": (int,),
    "side": (int,),
    "seed": (int,),
    "floor": (int, float),
    "classes": (list, type(None)),
    "within": (str, type(None)),
    "within_layer": (str, type(None)),
    "areas": (str, type(None)),
    "guide": (str,),
}
"""What each entry of the file may be."""


def read_plan(folder: Path) -> SurveyPlan | None:
    """Read how the survey of a predictions folder draws; None where none was drawn.

    Raises:
        ValueError: the file is damaged, or a link leads out of the folder.
    """
    path = PredictionPaths(folder).survey_plan
    if not os.path.lexists(path):
        return None
    data = read_json_object(path, folder)
    for name in (field.name for field in fields(SurveyPlan)):
        value = data.get(name)
        if name not in data or isinstance(value, bool) or not isinstance(value, KINDS[name]):
            raise ValueError(f"{path}: {name} cannot be {str(value)[:40]!r}; {WAY_OUT}")
    classes = data["classes"]
    if classes is not None and not all(isinstance(each, str) for each in classes):
        raise ValueError(f"{path}: classes must be names; {WAY_OUT}")
    if data["windows"] < 1 or data["side"] < 1 or data["seed"] < 0 or not 0 <= data["floor"] <= 1:
        raise ValueError(f"{path}: windows, side, seed and floor are out of their bounds; {WAY_OUT}")
    plain = {field.name: data[field.name] for field in fields(SurveyPlan)}
    return SurveyPlan(**{**plain, "classes": None if classes is None else tuple(classes)})


def design_bytes(windows: SurveyWindows, design: SurveyDesign) -> bytes:
    """Return the windows drawn as CSV: a row a draw, then one for each window that is taken for sure.

    Raises:
        ValueError: an image's name cannot be written.
    """
    return sheet_text(HEADER, _rows(windows, design)).encode("utf-8")


def _rows(windows: SurveyWindows, design: SurveyDesign) -> list[list[str]]:
    drawn = [
        [str(number), *_window(windows, place), repr(float(design.probability[place]))]
        for number, place in enumerate(design.draws.tolist(), start=1)
    ]
    return drawn + [["", *_window(windows, place), "1"] for place in design.added.tolist()]


def _window(windows: SurveyWindows, place: int) -> list[str]:
    name = windows.images[int(windows.image[place])]
    return [writable(name, "image name"), *map(str, windows.bounds[place].tolist())]


def check_design(folder: Path, windows: SurveyWindows, design: SurveyDesign) -> None:
    """Check that the windows in the file are those of a design, with their probabilities to a millionth.

    A run that was killed while it added windows may have left more of them.

    Raises:
        OSError, ValueError: there is no file, or it has other windows.
    """
    path = PredictionPaths(folder).design
    if not os.path.lexists(path):
        raise FileNotFoundError(f"{path} is missing; {WAY_OUT}")
    check_inside(path, folder)
    sheet = read_sheet(path)
    if sheet.header != HEADER:
        raise AnnotationError(f"{path}: the header must be {','.join(HEADER)}; {WAY_OUT}")
    wanted = _rows(windows, design)
    for line, found, row in zip(sheet.lines, sheet.rows, wanted, strict=False):
        if found[:-1] != row[:-1] or not np.isclose(_number(found[-1]), float(row[-1]), rtol=1e-6, atol=0):
            raise AnnotationError(f"{path} line {line}: the survey has another window here, {row}; {WAY_OUT}")
    if len(sheet.rows) < len(wanted):
        raise AnnotationError(f"{path}: {len(sheet.rows)} of {len(wanted)} windows are there; {WAY_OUT}")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
