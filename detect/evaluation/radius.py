"""The radius within which a detection and an object are one: from the labels, or given and compared with them."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from detect.labels.detections import Detections

BOX_SHARE, POINT_SHARE, MOST_SHARE = 0.5, 0.4, 0.5
"""The radius as a share of a box's shorter side, and of the spacing of points; its greatest share of any spacing."""

CROWDED_ONE_IN = 10
"""One object in so many may be nearer to another than the spacing."""

SAME_PLACE_FILE_PX, MAX_CLICKS = 2.0, 8
"""Objects less than this apart are one that was marked again, this often at most."""

LARGEST_UNKNOWN_FILE_PX, LEAST_FILE_PX = 30.0, 1.0
"""The radius where labels do not tell the objects' size, at most; and the least radius of all."""


MOST_WORDS = 200
"""Most characters of a record's words on its radius: they are logged."""


@dataclass(frozen=True, eq=False)
class LabelSpacing:
    """How large labelled objects are and how near they lie to each other, in pixels of the image files.

    Attributes:
        side_file_px: median of the boxes' shorter sides; None for points, and where there is no object.
        nearest_file_px: (N,) ascending, the distance of each object from the nearest other one of its image; infinite
            for the only one. Objects that coincide count once, and those less than `SAME_PLACE_FILE_PX` apart are no
            neighbours.
    """

    side_file_px: float | None
    nearest_file_px: NDArray[np.float64]

    @property
    def spacing_file_px(self) -> float | None:
        """The distance from the nearest other one that nine of ten objects keep; None where more are alone."""
        if not len(self.nearest_file_px):
            return None
        value = float(self.nearest_file_px[len(self.nearest_file_px) // CROWDED_ONE_IN])
        return value if math.isfinite(value) else None

    def share_nearer(self, distance_file_px: float) -> float:
        """Return the share, in [0, 1], of objects that have another one less than a distance away; 0 of no objects."""
        nearer = int(np.searchsorted(self.nearest_file_px, distance_file_px))
        return nearer / max(1, len(self.nearest_file_px))


def label_spacing(tables: Iterable[Detections]) -> LabelSpacing:
    """Measure labelled objects.

    Args:
        tables: the objects of each image, in pixels of its file.
    """
    labelled = [table for table in tables if len(table)]
    sides = [table.wh.min(axis=1) for table in labelled if table.wh is not None]
    nearest = np.concatenate([np.empty(0), *(_nearest(table.xy) for table in labelled)])
    return LabelSpacing(float(np.median(np.concatenate(sides))) if sides else None, np.sort(nearest))


def _nearest(xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance (M,) of every place from the nearest other one that is not the same; infinite without one.

    A place with `MAX_CLICKS` others on it is not alone: its distance is `SAME_PLACE_FILE_PX`.
    """
    places = np.unique(xy, axis=0)
    distance = cKDTree(places).query(places, k=MAX_CLICKS + 1)[0][:, 1:]
    others = np.where(distance >= SAME_PLACE_FILE_PX, distance, np.inf).min(axis=1)
    return np.where(distance[:, -1] < SAME_PLACE_FILE_PX, SAME_PLACE_FILE_PX, others)


@dataclass(frozen=True)
class MatchRadius:
    """The radius within which a detection and an object are one.

    Attributes:
        file_px: the radius, in pixels of the image files.
        how: where it comes from, in words.
        warning: a sentence on a radius that is too large for the labels; None if it is not.
    """

    file_px: float
    how: str
    warning: str | None = None

    def sentence(self, iou: float | None) -> str:
        """Return when a detection and an object are one, in a line: by this radius, or by the IoU of boxes."""
        text = f"radius {self.file_px:g} px: {self.how}"
        return text if iou is None else f"boxes match at IoU {iou:g}; by their centres alone (f1_points), {text}"

    def warnings(self, iou: float | None) -> tuple[str, ...]:
        """Return the warning, where there is one and the radius decides; with an IoU it does not."""
        return () if self.warning is None or iou is not None else (self.warning,)

    def to_record(self) -> dict[str, Any]:
        """Return the entry of a model's training record."""
        return {"radius_file_px": self.file_px, "how": self.how}


def recorded_radius(training: Mapping[str, Any]) -> MatchRadius | None:
    """Return the radius of a model's training; None where its record has none, as older ones.

    Raises:
        ValueError: the record holds something else than a positive number.
    """
    entry = training.get("matching")
    if entry is None:
        return None
    value = entry.get("radius_file_px") if isinstance(entry, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError(f"the model's record must hold a positive radius of a match, got {value!r}; set radius=PIXELS")
    how = f"{entry.get('how')!s:.{MOST_WORDS}}"
    return MatchRadius(float(value), "as in the model's training" + (f", {how}" if how.isprintable() else ""))


def match_radius(
    given_file_px: float | None,
    spacing: LabelSpacing,
    size_file_px: float | None,
    setting: str,
    recorded: MatchRadius | None = None,
) -> MatchRadius:
    """Return the radius that is given, else that of a model's training, else the one that the labels ask for.

    Args:
        given_file_px: the setting; None for `auto`.
        spacing: of the labels.
        size_file_px: what the network takes for the side of an object, in pixels of the image files; None if unknown.
        setting: its name, for the warning.
        recorded: of the model's training, if there was one.

    Returns:
        With a warning where a radius that does not come from these labels exceeds half of their spacing.
    """
    auto = auto_radius(spacing, size_file_px)
    if given_file_px is not None:
        chosen = MatchRadius(given_file_px, f"as set by {setting}")
    elif recorded is not None:
        chosen = recorded
    else:
        return auto
    return replace(chosen, warning=_warning(chosen.file_px, spacing, f"{setting}={auto.file_px:g}"))


def auto_radius(spacing: LabelSpacing, size_file_px: float | None) -> MatchRadius:
    """Return the radius that labels ask for: small enough to belong to one object, and as large as that allows.

    The rule, in pixels of the image files:

    - Boxes: half of the median of their shorter sides, so that a detection that counts lies on its object; and at most
      half of the spacing, beyond which it may be nearer to the neighbour.
    - Points do not tell how large their objects are, but objects are hardly larger than they are far apart: 0.4 of the
      spacing, so that what lies between two of them, the middle fifth of the way, counts for neither. Boxes of bars,
      boards, livestock and trees, taken as points, have 0.5 to 1.3 times half of their side by this. Where points are
      far apart it says nothing: half of what the network takes for an object, and at most 30 pixels.

    The spacing is the distance from the nearest other object that nine of ten keep. It is not the median, since the
    objects that stand close are those that a wide radius confuses; nor the least one, which is two clicks on one
    object. An object alone in its image keeps any distance, so that a few pairs among many of these do not decide.

    Args:
        spacing: of the labels.
        size_file_px: what the network takes for the side of an object, in pixels of the image files; None if unknown.

    Returns:
        The least of what applies, rounded down to 0.1 pixels, at least 1.
    """
    bounds: list[tuple[float, str]] = []
    apart, side = spacing.spacing_file_px, spacing.side_file_px
    if side is not None:
        bounds.append((BOX_SHARE * side, f"half of the boxes' shorter side, {side:.3g} px (median)"))
        bounds += [(MOST_SHARE * apart, f"half of {_kept(apart)}")] if apart else []
    else:
        far = "points far apart" if apart else "points alone in their images"
        bounds += [(POINT_SHARE * apart, f"{POINT_SHARE:g} of {_kept(apart)}")] if apart else []
        if size_file_px is not None:
            bounds.append(
                (size_file_px / 2, f"{far}: half of what the network takes for an object, {size_file_px:g} px")
            )
        bounds.append((LARGEST_UNKNOWN_FILE_PX, f"{far}: the most where labels do not tell how large objects are"))
    radius, how = min(bounds)
    return MatchRadius(max(LEAST_FILE_PX, math.floor(10 * radius + 1e-6) / 10), how)


def _kept(spacing_file_px: float) -> str:
    """Return what the spacing is, in words."""
    return f"the {spacing_file_px:.3g} px that {100 - 100 // CROWDED_ONE_IN} % of the objects keep from the next"


def _warning(radius_file_px: float, spacing: LabelSpacing, way_out: str) -> str | None:
    """Return a sentence on a radius above half of the labels' spacing, with a setting; None for a smaller radius."""
    apart = spacing.spacing_file_px
    if apart is None or radius_file_px <= MOST_SHARE * apart:
        return None
    reach = 2 * radius_file_px
    return (
        f"radius {radius_file_px:g} px is more than half of {_kept(apart)}: {spacing.share_nearer(reach):.0%} of them "
        f"have another within {reach:g} px, so that a detection may count for either; these labels ask for {way_out}"
    )
