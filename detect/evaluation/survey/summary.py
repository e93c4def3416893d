"""`SurveyEstimates`: what a reviewed survey tells: totals by class, image and group, and what the detector misses."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from detect.evaluation.survey.design import SurveyDesign, expected_distinct
from detect.evaluation.survey.detection_rates import Rate, rate
from detect.evaluation.survey.estimates import Estimate, estimate, trust_in_counts
from detect.evaluation.survey.fitted_parts import counted_part, fitted_parts, moved, not_below_seen
from detect.evaluation.survey.intervals import CONFIDENCE
from detect.evaluation.survey.partition import SurveyWindows

WANTED = 0.1
"""Half the width of an interval, over the total, for which the number of windows is told."""


@dataclass(frozen=True, eq=False)
class ReviewedSurvey:
    """A survey and what a person saw in its windows.

    Attributes:
        windows: of the survey.
        design: which of them were drawn.
        classes: the class names.
        reviewed: (N,) whether each window was reviewed.
        true: (N, K) objects of each class that a person says are in each window; 0 where it was not reviewed.
        counts: (N, K) objects of each class that the detector counted in each window.
        hits: (N, K) how many of those are true; 0 where a window was not reviewed. None where it is not known.
    """

    windows: SurveyWindows
    design: SurveyDesign
    classes: tuple[str, ...]
    reviewed: NDArray[np.bool_]
    true: NDArray[np.int64]
    counts: NDArray[np.int64]
    hits: NDArray[np.int64] | None = None

    @cached_property
    def true_of_all(self) -> NDArray[np.int64]:
        """(N,) objects that a person says are in each window."""
        return self.true.sum(axis=1)

    @cached_property
    def counts_of_all(self) -> NDArray[np.int64]:
        """(N,) objects that the detector counted in each window."""
        return self.counts.sum(axis=1)

    @property
    def left(self) -> NDArray[np.bool_]:
        """(N,) windows of which a person knows nothing, and that may hold something."""
        return (self.design.probability > 0) & ~self.reviewed


@dataclass(frozen=True)
class SurveyEstimates:
    """What a reviewed survey tells.

    Attributes:
        whole: of all objects; not below what was seen, as no other is (`not_below_seen`, which says what that does).
        classes: of each class, by its name; the totals add up to that of all (`fitted_parts`).
        images: of each scene, by its name; likewise.
        groups: of each group of scenes or polygon that was asked for.
        recall: share of the true objects that the detector counted at its threshold.
        precision: share of what the detector counted that is true.
        windows_reviewed: distinct windows reviewed, those that were before the first draw too.
        share_reviewed: their share of the pixels of the survey.
        windows_for_10_percent: distinct windows to review in all, these too, for an interval of 10 % to either side;
            None where that cannot be told.
    """

    whole: Estimate
    classes: Mapping[str, Estimate]
    images: Mapping[str, Estimate]
    groups: Mapping[str, Estimate]
    recall: Rate
    precision: Rate
    windows_reviewed: int
    share_reviewed: float
    windows_for_10_percent: int | None


def survey_estimates(survey: ReviewedSurvey, groups: Mapping[str, NDArray[np.bool_]] | None = None) -> SurveyEstimates:
    """Return all that a reviewed survey tells.

    Args:
        survey: what was drawn and seen.
        groups: windows (N,) of each group of whole scenes, by its name, as of `by_group`.
    """
    design, reviewed = survey.design, survey.reviewed
    true, counts = survey.true_of_all, survey.counts_of_all
    trust = trust_in_counts(design, reviewed, true, counts)
    whole = not_below_seen(estimate(design, reviewed, true, counts, trust))
    classes = {
        name: estimate(design, reviewed, survey.true[:, i], survey.counts[:, i], trust)
        for i, name in enumerate(survey.classes)
    }
    nothing = Rate(None, None, None)
    hits = None if survey.hits is None else survey.hits.sum(axis=1)
    images = _images(survey, trust)
    pixels = np.where((design.probability > 0) | reviewed, survey.windows.pixels, 0)
    return SurveyEstimates(
        whole=whole,
        classes=fitted_parts(classes),
        images=images,
        groups={name: _together(survey, trust, mask, images) for name, mask in (groups or {}).items()},
        recall=nothing if hits is None else rate(design, reviewed, hits, true),
        precision=nothing if hits is None else rate(design, reviewed, hits, counts),
        windows_reviewed=int(reviewed.sum()),
        share_reviewed=float(pixels[reviewed].sum() / pixels.sum()),
        windows_for_10_percent=windows_for(design, whole, WANTED, int(reviewed[design.probability == 0].sum())),
    )


def _images(survey: ReviewedSurvey, trust: NDArray[np.float64]) -> dict[str, Estimate]:
    """Return the estimate of each scene."""
    masks = {name: survey.windows.of_image(name) for name in survey.windows.images}
    made = {name: _inside(survey, trust, mask) for name, mask in masks.items()}
    return fitted_parts(made, [name for name, mask in masks.items() if not survey.left[mask].any()])


def _inside(survey: ReviewedSurvey, trust: NDArray[np.float64], mask: NDArray[np.bool_]) -> Estimate:
    """Return the estimate of the objects in some windows (N,)."""
    true, counts = (np.where(mask, each, 0) for each in (survey.true_of_all, survey.counts_of_all))
    return estimate(survey.design, survey.reviewed, true, counts, trust, mask)


def _together(
    survey: ReviewedSurvey, trust: NDArray[np.float64], mask: NDArray[np.bool_], images: Mapping[str, Estimate]
) -> Estimate:
    """Return the estimate of a group of scenes, whose total is that of its scenes together."""
    places = np.unique(survey.windows.image[mask]).tolist()
    total = sum(images[survey.windows.images[place]].total for place in places)
    whole = moved(_inside(survey, trust, mask), float(total))
    return whole if survey.left[mask].any() else counted_part(whole)


def windows_for(design: SurveyDesign, whole: Estimate, part: float, known: int = 0) -> int | None:
    """Return how many distinct windows, those reviewed too, would give an interval of a part to either side.

    The width of an interval falls with the square root of the draws, (half / (part x total))^2 times as many are
    needed, which take `expected_distinct` windows.

    Args:
        design: of the survey.
        whole: the estimate so far.
        part: of the total, such as 0.1.
        known: windows that were reviewed and cannot be drawn, which the number has too.

    Returns:
        The number, at most that of all windows that can be drawn; None where it cannot be told: before an estimate, or
        where nothing was found or no error was seen.
    """
    if whole.method != "t" or whole.high is None or whole.total <= 0:
        return None
    half = max(whole.high - whole.total, float(stdtrit(whole.draws - 1, (1 + CONFIDENCE) / 2)) * whole.error)
    draws = whole.draws * (half / (part * whole.total)) ** 2
    return known + math.ceil(expected_distinct(design.probability, draws))


def survey_facts(estimates: SurveyEstimates) -> dict[str, Any]:
    """Return what a survey tells as plain values, for `survey.json`; numbers that are not defined are None."""
    whole = estimates.whole
    return {
        "estimate": _number(whole.total),
        "low": whole.low,
        "high": whole.high,
        "count": whole.raw,
        "windows_reviewed": estimates.windows_reviewed,
        "draws": whole.draws,
        "share_reviewed": estimates.share_reviewed,
        "method": whole.method,
        "why": whole.why,
        "warning": whole.warning,
        "recall": asdict(estimates.recall),
        "precision": asdict(estimates.precision),
        "windows_for_10_percent": estimates.windows_for_10_percent,
        "per_class": {name: estimate_facts(each) for name, each in estimates.classes.items()},
        "per_image": {name: estimate_facts(each) for name, each in estimates.images.items()},
        "per_group": {name: estimate_facts(each) for name, each in estimates.groups.items()},
    }


def estimate_facts(each: Estimate) -> dict[str, Any]:
    """Return an estimate as plain values; numbers that are not defined are None."""
    return {
        "estimate": _number(each.total),
        "low": each.low,
        "high": each.high,
        "count": each.raw,
        "seen": each.seen,
        "method": each.method,
        "warning": each.warning,
    }


def _number(value: float) -> float | None:
    """Return a number, None for NaN."""
    return value if math.isfinite(value) else None


def by_group(windows: SurveyWindows, groups: Mapping[str, str]) -> dict[str, NDArray[np.bool_]]:
    """Mark the windows (N,) of each group of scenes, by its name.

    Args:
        windows: of the survey.
        groups: the group of each scene that has one, by the scene's name.
    """
    names = [groups.get(name) for name in windows.images]
    found = dict.fromkeys(name for name in names if name is not None)
    return {group: np.array([name == group for name in names])[windows.image] for group in found}
