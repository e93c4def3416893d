"""What a survey tells, in words for the log and the report."""

from collections.abc import Mapping
from typing import Any

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
        left = _number(facts.get("windows_left"))
        return (
            f"nothing is estimated yet: {facts.get('why', 'no window was reviewed')}; {left} windows are to be reviewed"
        )
    counted = f"the model counted {_number(facts.get('count'))}"
    if facts.get("method") == "counted":
        return f"{_number(estimate)} objects: every window was reviewed, so they are counted; {counted}"
    reach = f"{_number(low)} or more" if high is None else f"{_number(low)} to {_number(high)}"
    share = facts.get("share_reviewed")
    area = f" ({100 * share:.1f} % of the area)" if isinstance(share, int | float) else ""
    windows = f"{_number(facts.get('windows_reviewed'))} windows{area} reviewed"
    return f"{_number(estimate)} objects estimated, 95 % interval {reach}; {counted}; {windows}"


def cut_words(facts: Mapping[str, Any]) -> list[str]:
    """Return a sentence where fewer are estimated of a part than a person saw, which is chance."""
    parts = [each for key in ("per_class", "per_image", "per_group", "per_polygon") for each in _parts(facts.get(key))]
    if not any(each.get("estimate") is not None and each["estimate"] < (each.get("low") or 0) for each in parts):
        return []
    return ["Where fewer are estimated than were seen, by chance, the interval begins at what was seen."]


def _parts(parts: Any) -> list[Mapping[str, Any]]:
    return [each for each in parts.values() if isinstance(each, Mapping)] if isinstance(parts, Mapping) else []


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


def _number(value: Any) -> str:
    """Return a number of objects or windows with commas."""
    return f"{value:,.0f}" if isinstance(value, int | float) else "no"
