"""Which of a training's processes, on several devices, writes and logs."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detect.assembly.settings.train_settings import TrainerSettings


def first_process(trainer: "TrainerSettings") -> bool:
    """Return whether this process of a training writes and logs: the only one, or the first on several devices."""
    if trainer.devices == 1 and trainer.num_nodes == 1:
        return True
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"))
