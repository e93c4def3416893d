"""Settings and counts as texts of the page."""

import pytest

from detect.reporting.page.value_texts import flatten, format_value


def test_nested_settings_are_dotted():
    assert flatten({"a": {"b": {"c": 1}, "d": []}, "e": {}}) == [("a.b.c", 1), ("a.d", []), ("e", {})]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (True, "yes"),
        (1234567, "1,234,567"),
        (0.12341, "0.1234"),
        (12345.6, "12,346"),
        ([1, "a"], "1, a"),
        ({}, "–"),
    ],
)
def test_settings_for_people(value, text):
    assert format_value(value) == text
