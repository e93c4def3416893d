"""Parts of a survey's total, such as classes and images, of which none has fewer than a person saw in it."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from detect.evaluation.survey.estimates import Estimate


def not_below_seen(whole: Estimate) -> Estimate:
    """Return the estimate of all objects, or what was seen where by chance fewer would be estimated.

    As there are no fewer, that brings it closer to the truth in every such survey, and lifts the mean over surveys,
    which was the true total, a little above it. By how much, `tools/simulate_survey.py` tells (`raised_percent`): in
    its cases of 10 reviewed windows or more less than 0.5 % where those are up to a third of all, up to 1.2 % where
    they are more than half and objects stand in few of them, and 4 or 5 % of a total of some four objects, which a
    warning goes with.
    """
    return replace(whole, total=max(whole.total, float(whole.seen))) if np.isfinite(whole.total) else whole


def fitted_parts(parts: Mapping[str, Estimate], counted: Collection[str] = ()) -> dict[str, Estimate]:
    """Return the estimates of parts, each no less than what was seen in it, that add up to what they did before.

    Each by itself is unbiased, so that by chance a small part is often estimated at less than was seen in it, or at
    less than nothing. Such a part gets what was seen, one that was reviewed whole what was counted in it, and what the
    others have beyond what was seen in them changes in proportion (raking to a known total; Deming and Stephan 1940),
    or evenly where they have nothing. Where all together would have less than was seen, each has that. On average over
    surveys small parts are then too high, at the cost of the large ones: an image without an object gets a part of one.
    Only their sum is as near to unbiased as `not_below_seen`.

    Args:
        parts: of a total, by name.
        counted: names of those of which every window was reviewed.
    """
    names = list(parts)
    total = np.array([each.total for each in parts.values()], np.float64)
    seen = np.array([each.seen for each in parts.values()], np.float64)
    if not np.isfinite(total).all():
        return dict(parts)
    free = np.array([name not in counted for name in names], bool)
    beyond = np.where(free, np.maximum(total - seen, 0.0), 0.0)
    weight = beyond if beyond.any() else free.astype(float)
    left = max(0.0, float(total.sum() - seen.sum()))
    fitted = seen + (left * weight / weight.sum() if weight.any() else 0.0)
    return {
        name: moved(parts[name], value) if is_free else counted_part(parts[name])
        for name, value, is_free in zip(names, fitted.tolist(), free.tolist(), strict=True)
    }


def moved(part: Estimate, total: float) -> Estimate:
    """Return the estimate of a part with another total, which its interval then holds."""
    high = None if part.high is None else max(part.high, total)
    return replace(part, total=total, low=min(part.low, total), high=high)


def counted_part(part: Estimate) -> Estimate:
    """Return what was counted in a part of which every window was reviewed."""
    why = "every window of it was reviewed: the objects were counted"
    seen = part.seen
    return replace(part, total=seen, low=seen, high=seen, error=0.0, method="counted", why=why, warning=None)
