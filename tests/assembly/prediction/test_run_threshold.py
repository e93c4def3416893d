import logging
from types import SimpleNamespace
from typing import Any, cast

import pytest

from detect.assembly.prediction.run_threshold import notes_on_views


def settings_of(**values: Any) -> Any:
    return cast(Any, SimpleNamespace(**{"threshold": None, "tta": "none", **values}))


def test_several_views_at_a_threshold_of_single_ones_are_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        (note,) = notes_on_views(settings_of(tta="d4"))
    assert "chosen without tta" in note
    assert "tta=d4" in note
    assert note in caplog.text


def test_the_views_of_the_choice_and_a_threshold_of_the_users_need_no_note(caplog: pytest.LogCaptureFixture) -> None:
    for settings in (settings_of(), settings_of(tta="d4", threshold=0.3), settings_of(tta="d4", threshold="survey")):
        assert notes_on_views(settings) == []
    assert caplog.text == ""
