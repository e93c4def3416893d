"""Lightning's own settings, and those that this program sets."""

from pathlib import Path

import pytest

from detect.assembly.training.trainer import precision, strategy_of, tool_trainer
from tests.typed import settings_of


def test_lightnings_settings_reach_its_trainer(tmp_path: Path) -> None:
    given = ("trainer.accumulate_grad_batches=3", "trainer.limit_train_batches=2", "trainer.precision=32")
    made = tool_trainer(settings_of("train", "data.root=x", "trainer.accelerator=cpu", *given), tmp_path)
    assert (made.accumulate_grad_batches, made.limit_train_batches, made.num_devices) == (3, 2, 1)
    assert made.gradient_clip_val == 1.0 and made.precision == "32-true" and made.limit_val_batches == 0


def test_a_cpu_trains_in_32_bits_even_where_it_computes_in_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.ops.mkldnn._is_mkldnn_bf16_supported", lambda: True)
    assert precision("auto", "cpu") == "32-true" and precision("bf16-mixed", "cpu") == "bf16-mixed"


@pytest.mark.parametrize(("share", "said"), [(0.7, True), (1.0, False)])
def test_a_look_at_the_training_says_that_it_interpolates_no_weights(
    share: float, said: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    tool_trainer(
        settings_of("train", "data.root=x", "trainer.accelerator=cpu", f"finetune.interpolate={share}"), tmp_path
    )
    assert ("finetune.interpolate is for weights that are kept: not used here" in caplog.text) == said


@pytest.mark.parametrize(
    ("given", "strategy"),
    [
        ((), "auto"),
        (("trainer.devices=2",), "auto"),
        (("trainer.strategy=ddp", "trainer.devices=2"), "ddp"),
        (("finetune.unfreeze_at=0.3",), "auto"),
        (("finetune.unfreeze_at=0.3", "trainer.devices=[0,1]"), "ddp_find_unused_parameters_true"),
        (
            ("finetune.unfreeze_at=0.3", "trainer.num_nodes=2", "trainer.strategy=ddp"),
            "ddp_find_unused_parameters_true",
        ),
        (("finetune.unfreeze_at=0.3", "trainer.devices=2", "trainer.strategy=fsdp"), "fsdp"),
    ],
)
def test_layers_that_join_later_have_a_strategy_that_waits_for_none_of_them(given: tuple, strategy: str) -> None:
    assert strategy_of(settings_of("train", "data.root=x", "net=patch", *given)) == strategy
