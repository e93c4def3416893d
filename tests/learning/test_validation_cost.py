from types import SimpleNamespace
from typing import Any

import pytest

from detect.learning import callbacks
from detect.learning.callbacks import ValidationCost


def seen(monkeypatch: pytest.MonkeyPatch, learning: float, counting: float, every: int, epochs: int = 12) -> None:
    moments = iter([0.0, learning, learning + counting] * 2)
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: next(moments))
    cost, trainer = ValidationCost(every), SimpleNamespace(max_epochs=epochs, is_global_zero=True)
    for _ in range(2):
        for hook in (cost.on_train_epoch_start, cost.on_validation_start, cost.on_validation_end):
            told: Any = hook
            told(trainer, None)


def test_a_validation_that_costs_more_than_its_epoch_says_once_how_to_count_less_often(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """30 s after 10 s: counted in every third epoch it costs as much; of every second one, in every sixth."""
    caplog.set_level("INFO")
    seen(monkeypatch, 10, 30, every=1)
    (said,) = caplog.messages
    assert "took 30 s" in said and "10 s" in said and "finetune.score_every=3 " in said
    caplog.clear()
    seen(monkeypatch, 10, 30, every=2)
    assert "finetune.score_every=6 " in caplog.messages[0]


def test_what_costs_less_or_is_counted_once_says_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    seen(monkeypatch, 30, 10, every=1)
    seen(monkeypatch, 10, 30, every=12)
    assert not caplog.messages
