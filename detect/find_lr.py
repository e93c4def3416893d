"""Find a learning rate: `python -m detect.find_lr data.root=DIR data.annotations=FILE output=DIR`; trains nothing."""

import logging

import pandas as pd
import pytorch_lightning as pl
from omegaconf import DictConfig

from detect.assembly.command import DONE, SOME_FAILED, command
from detect.assembly.folders import output_folder, run_folder
from detect.assembly.given_labels import read_labels
from detect.assembly.material import training_material, weights_of
from detect.assembly.trainer import make_module, tool_trainer
from detect.assembly.validation import completed_card
from detect.learning.hyperparameters import RateSpan
from detect.learning.rates import find_rates
from detect.nets.modelfile import build_net
from detect.reporting.pictures.curves import draw_rates
from detect.reporting.tables import write_table
from detect.samples.loading import PatchData

logger = logging.getLogger("detect.find_lr")


def run(cfg: DictConfig) -> int:
    """Try factors of the learning rates, draw the loss, and say which rates it suggests; see `conf/find_lr.yaml`."""
    span = RateSpan(**cfg.span)
    folder = output_folder(run_folder(str(cfg.output)), results=(), allowed=True, way_out="")
    pl.seed_everything(cfg.seed, verbose=False)
    job = training_material(cfg, read_labels(cfg))
    net = build_net(job.card, weights_of(cfg), cfg.net.dropout, cfg.net.drop_path)
    completed_card(cfg, job, net)
    cfg.finetune.unfreeze_at = 0.0
    module = make_module(cfg, net, job, None)
    cfg.trainer.max_epochs = span.steps
    trainer = tool_trainer(cfg, folder)
    curve = find_rates(trainer, module, PatchData(job.task.train, job.task.val, job.loading), span)
    write_table(
        pd.DataFrame({"factor": curve.factors, "loss": curve.losses, "smoothed": curve.smoothed}),
        folder / "find_lr.csv",
    )
    draw_rates(curve, folder / "find_lr.png")
    factor = curve.suggestion
    if factor is None:
        logger.warning("the loss falls nowhere: see %s; try other factors (span) or more steps", folder / "find_lr.png")
        return SOME_FAILED
    rates = factor * cfg.finetune.lr, factor * cfg.finetune.backbone_lr
    logger.info("suggested: finetune.lr=%.2g finetune.backbone_lr=%.2g (%.2g of what is set)", *rates, factor)
    logger.info("the loss falls most steeply there, see %s", folder / "find_lr.png")
    return DONE


main = command("find_lr")(run)

if __name__ == "__main__":
    main()
