"""The training itself, and the network that it leaves: with the weights of the best epoch."""

import logging
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


def fit(made: pl.Trainer, module: CountingModule, data: PatchData, checkpoint: Path | None) -> None:
    """Train, from the state in `checkpoint` on.

    Ctrl-C and SIGTERM, on which Lightning ends the process, become an interrupt that names the way to resume: the state
    of the last whole epoch is there, as it is written after each, whole or not at all. The processes that make samples
    end with the training, however it ends.
    """
    try:
        with memory_told(data.loading):
            made.fit(module, data, ckpt_path=checkpoint, weights_only=True)
    except (Exception, SystemExit) as error:
        stopped = sigterm_has_come() or (isinstance(error, SystemExit) and made.interrupted)
        if not stopped:
            raise
        raise KeyboardInterrupt("resume=true goes on with the last whole epoch") from None
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
