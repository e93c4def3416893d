import logging

import pytest

from detect.reporting import progress as module
from detect.reporting.progress import ImageProgress


def test_without_a_terminal_lines_are_logged_now_and_then(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """10 megapixels in 25 seconds are 0.4 a second; the 30 left take 75 seconds, 1.2 minutes."""
    clock = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    with ImageProgress() as progress, caplog.at_level(logging.INFO, "detect"):
        clock[0] = 150.0  # reading the list of images does not count
        progress.expect(4, 40_000_000)
        progress.start("a [b].png")
        clock[0] = 160.0
        progress.advance(5_000_000)
        assert not caplog.records
        clock[0] = 175.0
        progress.advance(5_000_000)
        progress.start("c.png")
        clock[0] = 180.0
        progress.advance(1)
    assert [record.getMessage() for record in caplog.records] == [
        "image 1 of 4, 25 % of the pixels, 0.4 Mpx/s, 1.2 min left"
    ]


def test_a_run_with_nothing_to_do_divides_by_nothing() -> None:
    with ImageProgress() as progress:
        progress.expect(0, 0)
        assert progress.rate == 0
