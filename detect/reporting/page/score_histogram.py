"""The histogram of scores."""

from typing import Any

import numpy as np

from detect.reporting.output.predictions import Predictions

HISTOGRAM_BARS = 20
"""Number of equal ranges of score in the histogram."""


def score_histogram(content: Predictions) -> dict[str, Any] | None:
    """Count the detections in `HISTOGRAM_BARS` equal ranges of score.

    Returns:
        `bars` of (range, number, height in percent of the highest bar), `highest`, the number of the highest bar, and
        `threshold`, None where it is not known; None where there are no scores.
    """
    if content.scores is None or not len(content.scores):
        return None
    counts, edges = np.histogram(content.scores, bins=HISTOGRAM_BARS, range=(0, 1))
    bars = [
        (f"{low:.2f}–{high:.2f}", int(number), 100 * int(number) / int(counts.max()))
        for low, high, number in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    threshold = content.model.get("threshold")
    known = isinstance(threshold, int | float) and 0 <= threshold <= 1
    return {"bars": bars, "highest": int(counts.max()), "threshold": threshold if known else None}
