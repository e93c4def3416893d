"""What is counted, in the words of the log's last line."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from detect.nets.heads.specs import WholeHead
from detect.reporting.output import layout

if TYPE_CHECKING:
    from detect.reporting.output.prediction_folder import PredictionFolder

logger = logging.getLogger(__name__)

MOST_TOLD = 5
"""Most classes whose numbers the last line tells, and most files that a note names."""


def expected_text(sink: "PredictionFolder") -> str:
    """Return the number of objects that is expected by probabilities in words; empty where no image has one.

    It is a sum over images: what several of them show is in it as often, which is said where that is looked for.
    """
    found = sink.found
    numbers = [record.expected for record in found.values() if record.expected is not None]
    some = f" (of {len(numbers)} of the images)" if len(numbers) < len(found) else ""
    again = "" if sink.ground.seen is None else " with repeats"
    return f", {sum(numbers):.1f} expected by their probabilities{some}{again}," if numbers else ""


def log_unlike(unlike: Mapping[str, str]) -> None:
    """Log which images are unlike those that the model learned from, and in what; nothing of none."""
    if unlike:
        named = "; ".join(f"{name}: {reason}" for name, reason in list(unlike.items())[:MOST_TOLD])
        more = f" and {len(unlike) - MOST_TOLD} more" if len(unlike) > MOST_TOLD else ""
        logger.warning(
            "%d images are unlike those that the model learned from: %s%s; look at them before believing their counts "
            "(`unlike` and `unlike_in` in %s)",
            len(unlike),
            named,
            more,
            layout.COUNTS,
        )


def counted_things(run: Mapping[str, Any]) -> str:
    """Return what a run counts, by the facts of `run.json`: patterns of whole images, or objects in them."""
    return "patterns" if run["model"].get("kind") == WholeHead.name else "objects"


def total_text(counts: Sequence[Mapping[str, int]], of: str = "objects") -> str:
    """Return the number of objects in words; of several classes also of each, so that the sum hides none.

    Args:
        counts: of each image, by class.
        of: what is counted; patterns of whole images.
    """
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    if len(total) < 2:
        return f"{total.total()} {of}"
    found = [f"{number} {name}" for name, number in total.most_common() if number]
    missing = [name for name, number in total.items() if not number]
    more = [f"{len(found) - MOST_TOLD} more classes"] if len(found) > MOST_TOLD else []
    none = [f"no {name}" for name in missing[:MOST_TOLD]]
    more_none = [f"none of {len(missing) - MOST_TOLD} more"] if len(missing) > MOST_TOLD else []
    return f"{total.total()} {of} ({', '.join([*found[:MOST_TOLD], *more, *none, *more_none])})"
