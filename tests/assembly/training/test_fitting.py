"""How a training ends by a signal, in processes that learn together too."""

import os
import signal
import sys
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch.utils.data import DataLoader, TensorDataset

from detect.assembly.training.fitting import interrupted
from detect.assembly.training.trainer import tool_trainer
from detect.nets.machine.orderly_end import sigterm_as_ctrl_c
from tests.typed import settings_of

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
]


class OneWeight(pl.LightningModule):
    """The least that learns."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch: list[torch.Tensor]) -> torch.Tensor:
        return self.layer(batch[0]).sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)


class Sent(Callback):
    """Sends a signal to this process after the first batch, and notes who hears SIGTERM."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.heard_by: object = None

    def on_train_batch_end(self, trainer: pl.Trainer, *given: object) -> None:
        self.heard_by = signal.getsignal(signal.SIGTERM)
        os.kill(os.getpid(), self.number)


@pytest.fixture(autouse=True)
def as_in_a_process_of_its_own() -> object:
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, way in before.items():
        signal.signal(number, way)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_an_interrupt_and_sigterm_is_not_lightnings(number: int, tmp_path: Path) -> None:
    """Lightning has processes meet inside SIGTERM, where those that wait for gradients of each other never do."""
    given = ("trainer.accelerator=cpu", "trainer.precision=32", "trainer.max_epochs=2")
    sent = Sent(number)
    made = tool_trainer(settings_of("train", "data.root=x", *given), tmp_path, sent)
    with sigterm_as_ctrl_c():
        ours = signal.getsignal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt, match=r"^the way out$"), interrupted(made, "the way out"):
            made.fit(OneWeight(), DataLoader(TensorDataset(torch.zeros(4, 1)), batch_size=1))
        assert sent.heard_by is ours and signal.getsignal(signal.SIGTERM) is ours


def test_another_end_is_what_it_was(tmp_path: Path) -> None:
    made = tool_trainer(settings_of("train", "data.root=x", "trainer.accelerator=cpu"), tmp_path)
    for error in (ValueError("wrong"), SystemExit(2)):
        with pytest.raises(type(error)), interrupted(made):
            raise error
