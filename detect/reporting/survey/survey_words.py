"""What a survey tells, in words for the log and the report."""

from collections.abc import Mapping
from typing import Any

LEAST_SHARED = 0.01
"""Share of what images show that is ground which another one shows again, from which on it is told."""

NOT_CHECKED = (
    "Not checked by a person: these are the counts of a model, which may miss objects or count what is none, on new "
    "scenes more than on those that it learned from."
)
"""What the report says at its top of a run of which nobody reviewed anything."""

MEANING = (
    "The interval is of 95 %: of 100 surveys drawn in this way, about 95 have the true total in theirs, whatever the "
    "model got wrong, if windows are reviewed as they were drawn, the person finds what is there, and nobody stops as "
    "soon as the interval looks good: decide how many windows before. An object belongs to the window with its centre."
)
"""What the interval means, and what it assumes."""


def headline(facts: Mapping[str, Any]) -> str:
    """Return the estimate of the total with its interval in a sentence, or what is missing for one.

    Args:
        facts: of `survey.json`.
    """
    estimate, low, high = facts.get("estimate"), facts.get("low"), facts.get("high")
    if estimate is None:
        left = number_of(facts.get("windows_left"), "window")
        return f"nothing is estimated yet: {facts.get('why', 'no window was reviewed')}; {left} to be reviewed"
    counted = f"the model counted {_number(facts.get('count'))}"
    if facts.get("method") == "counted":
        return f"{number_of(estimate, 'object')}: every window was reviewed, so that is a count; {counted}"
    reach = f"{_number(low)} or more" if high is None else f"{_number(low)} to {_number(high)}"
    share = facts.get("share_reviewed")
    area = f" ({100 * share:.1f} % of the area)" if isinstance(share, int | float) else ""
    windows = f"{number_of(facts.get('windows_reviewed'), 'window')}{area} reviewed"
    return f"{number_of(estimate, 'object')} estimated, 95 % interval {reach}; {counted}; {windows}"


def rate_words(facts: Mapping[str, Any]) -> list[str]:
    """Return sentences on the detector's recall and precision, and on how many windows would give 10 %."""
    words = []
    for name, meaning in (
        ("recall", "of the objects are found, whatever their class"),
        ("precision", "of what is counted is an object, whatever its class"),
    ):
        rate = facts.get(name)
        if isinstance(rate, Mapping) and rate.get("value") is not None:
            low, high = rate.get("low"), rate.get("high")
            reach = "" if low is None or high is None else f" ({100 * low:.0f} to {100 * high:.0f} %)"
            words.append(f"{name.capitalize()} at this threshold: {100 * rate['value']:.0f} %{reach} {meaning}.")
    more, reviewed = facts.get("windows_for_10_percent"), facts.get("windows_reviewed")
    if isinstance(more, int) and isinstance(reviewed, int):
        enough = more <= reviewed
        words.append(
            "The interval is within 10 % to either side."
            if enough
            else f"About {_number(more)} windows in all would give an interval of 10 % to either side."
        )
    return words


def shared_words(facts: Mapping[str, Any]) -> list[str]:
    """Return a sentence where several images show the same ground, whose objects are counted in each."""
    shared = facts.get("shared_ground")
    if not isinstance(shared, int | float) or shared <= LEAST_SHARED:
        return []
    return [
        f"{100 * shared:.0f} % of what the images show is ground that another one shows too: what is there counts in "
        "each, in the estimate as in the model's count; survey an orthomosaic, or images that do not overlap"
    ]


def number_of(value: Any, what: str) -> str:
    """Return a number of things with commas, such as `1 window` or `1,200 objects`."""
    number = _number(value)
    return f"{number} {what}{'' if number == '1' else 's'}"


def _number(value: Any) -> str:
    return f"{value:,.0f}" if isinstance(value, int | float) else "no"
