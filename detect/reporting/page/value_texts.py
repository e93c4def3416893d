"""Settings and counts as texts of the page."""

from collections.abc import Mapping
from typing import Any

from detect.reporting.page.scorecard import DASH


def flatten(data: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """List the values of nested objects, keys joined with dots: `{"a": {"b": 1}}` gives `[("a.b", 1)]`."""
    pairs: list[tuple[str, Any]] = []
    for key, value in data.items():
        if isinstance(value, Mapping) and value:
            pairs += flatten(value, f"{prefix}{key}.")
        else:
            pairs.append((f"{prefix}{key}", value))
    return pairs


def format_value(value: Any) -> str:
    """Format a setting or a count: commas in large numbers, four significant digits, `yes` and `no`."""
    if value is None or value == "":
        return DASH
    if isinstance(value, list | tuple):
        return ", ".join(format_value(item) for item in value) or DASH
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {format_value(item)}" for key, item in value.items()) or DASH
    return _format_number(value) if isinstance(value, int | float) else str(value)


def _format_number(value: float) -> str:
    """Format one number or truth value."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
