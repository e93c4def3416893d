"""The training itself, and the network that it leaves: with the weights of the best epoch."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import assert_never

import pytorch_lightning as pl

from detect.inference.runtimes.torch_runtime import pick_device
from detect.learning.checkpoints import read_best, read_best_weights
from detect.learning.module import CountingModule
from detect.nets.heads.specs import GridHead, Head, PatchHead, WholeHead
from detect.nets.machine.orderly_end import sigterm_has_come
from detect.samples.loading import PatchData, memory_told

logger = logging.getLogger(__name__)


def best_by(head: Head) -> str:
    """Return by which score of classified samples the best epoch of a head is chosen."""
    match head:
        case PatchHead() | GridHead():
            return "val/balanced_accuracy"
        case WholeHead():
            return "val/macro_f1"
        case _:
            assert_never(head)


class KeptSigterm(pl.Callback):
    """Has SIGTERM do what it did before Lightning took it, while it trains.

    Lightning's own way sends it to the others of several processes and has them all meet inside the signal: one that
    waits there for gradients of another never does.
    """

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep what it does; Lightning takes it after this."""
        self._before = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Have it do so again."""
        if self._before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._before)


@contextmanager
def interrupted(made: pl.Trainer, way_out: str = "") -> Iterator[None]:
    """Make what Lightning, or what falls with it, raises for Ctrl-C and SIGTERM in a block an interrupt again.

    Args:
        made: the trainer that is at work in it.
        way_out: that the interrupt names.

    Raises:
        KeyboardInterrupt: one of them came.
    """
    try:
        yield
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        ended = isinstance(error, SystemExit) and made.interrupted
        if not (ended or sigterm_has_come() or isinstance(error, KeyboardInterrupt)):
            raise
        raise KeyboardInterrupt(*filter(None, [way_out])) from None


def fit(made: pl.Trainer, module: CountingModule, data: PatchData, checkpoint: Path | None, kept: str) -> None:
    """Train, from the state in `checkpoint` on.

    An interrupt names the way to resume: what was done is there, as it is written whole or not at all. The processes
    that make samples end with the training, however it ends.

    Args:
        made: trains.
        module: what learns.
        data: from what.
        checkpoint: the state; None begins.
        kept: with what a run goes on that is resumed, in words.
    """
    try:
        with interrupted(made, f"resume=true goes on with {kept}"), memory_told(data.loading):
            made.fit(module, data, ckpt_path=checkpoint, weights_only=True)
    finally:
        data.teardown("fit")


def load_best(module: CountingModule, path: Path, device: str, *, scored: bool) -> None:
    """Load the weights of the best epoch, or the last, on the device that runs networks.

    Args:
        module: to load them into.
        path: their file.
        device: that runs networks.
        scored: whether the epoch was the best by its score.

    Raises:
        ValueError: no epoch was scored.
    """
    if not path.exists():
        raise ValueError(
            "the training ended before an epoch was scored; raise trainer.max_steps, trainer.max_time or "
            "trainer.max_epochs, or lower finetune.score_every"
        )
    best = read_best(path)
    if scored:
        logger.info("the best epoch was %d, with %.3f", best.epoch + 1, best.score)
    else:
        logger.info("the weights are those after epoch %d, as the folds chose", best.epoch + 1)
    module.load_state_dict(read_best_weights(path, module))
    module.eval().to(pick_device(device))
