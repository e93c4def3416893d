"""Report: `python -m detect.report predictions=DIR [scores=FILE]` writes the page of a predictions folder anew."""

import logging
from pathlib import Path

from omegaconf import DictConfig

from detect.assembly.command import DONE, command
from detect.assembly.settings import given_path
from detect.reporting.page.report_page import write_report

logger = logging.getLogger("detect.report")


def run(cfg: DictConfig) -> int:
    """Write `report.html`; see `conf/report.yaml`."""
    scores = given_path(cfg, "scores", "scores file") if cfg.scores is not None else None
    logger.info(
        "report: %s",
        write_report(given_path(cfg, "predictions", "folder"), Path(scores) if scores else None, cfg.embed_limit),
    )
    return DONE


main = command("report")(run)

if __name__ == "__main__":
    main()
