"""Find a learning rate: `python -m detect.find_lr data.root=DIR data.annotations=FILE output=DIR`; trains nothing."""

import logging
from typing import TYPE_CHECKING

from detect.assembly.command import DONE, SOME_FAILED, command

if TYPE_CHECKING:
    from detect.assembly.settings.train_settings import FindLrSettings

logger = logging.getLogger("detect.find_lr")


def run(settings: "FindLrSettings") -> int:
    """Try factors of the learning rates, draw the loss, and log the rates that it suggests; see `conf/find_lr.yaml`."""
    from detect.assembly.folders import RateSearchPaths
    from detect.assembly.given_labels import read_labels
    from detect.assembly.multirun import run_folder
    from detect.assembly.output_folders import output_folder

    folder = output_folder(run_folder(settings.output), results=(), allowed=True, way_out="")
    labels = read_labels(settings.data)

    import pandas as pd

    from detect.assembly.training.rate_search import rate_curve
    from detect.reporting.pictures.curves import draw_rates
    from detect.reporting.tables import write_table

    curve = rate_curve(settings, labels, folder)
    columns = {"factor": curve.factors, "loss": curve.losses, "smoothed": curve.smoothed}
    paths = RateSearchPaths(folder)
    write_table(pd.DataFrame(columns), paths.table)
    draw_rates(curve, paths.picture)
    factor = curve.suggestion
    if factor is None:
        logger.warning("the loss falls nowhere: see %s; try other factors (span) or more steps", paths.picture)
        return SOME_FAILED
    rates = factor * settings.finetune.lr, factor * settings.finetune.backbone_lr
    logger.info("suggested: finetune.lr=%.2g finetune.backbone_lr=%.2g (%.2g of what is set)", *rates, factor)
    logger.info("the loss falls most steeply there, see %s", paths.picture)
    return DONE


main = command("find_lr")(run)

if __name__ == "__main__":
    main()
