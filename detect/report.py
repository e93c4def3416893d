"""Report: `python -m detect.report predictions=DIR [scores=FILE] [threshold=0.4] [lots=auto]` writes its page anew."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from detect.assembly.command import DONE, command

if TYPE_CHECKING:
    from detect.assembly.settings.report_settings import ReportSettings

logger = logging.getLogger("detect.report")


def run(settings: "ReportSettings") -> int:
    """Write `report.html`, and at another threshold the counts, tables and formats too; see `conf/report.yaml`."""
    from detect.assembly.given_paths import existing
    from detect.reporting.output.layout import REPORT
    from detect.reporting.output.written import WrittenFiles
    from detect.reporting.page.report_page import write_report

    scores = None if settings.scores is None else existing(settings.scores, "scores", "scores file")
    folder = existing(settings.predictions, "predictions", "folder")
    if settings.threshold is not None:
        from detect.assembly.recount.recounting import recount
        from detect.reporting.output.journal import lock_folder

        with lock_folder(folder):
            page = recount(settings, folder)
        if settings.lots is None or page == folder:
            _report_lots(settings, folder)
            logger.info("report: %s", page)
            return DONE
    WrittenFiles(folder).check([REPORT])
    _report_lots(settings, folder)
    logger.info("report: %s", write_report(folder, scores, settings.embed_limit))
    return DONE


def _report_lots(settings: "ReportSettings", folder: Path) -> None:
    """Write the report for lots, where it is asked for."""
    from detect.assembly.given_paths import existing
    from detect.reporting.lots.lot_folder import write_lots

    if settings.lots is None:
        return
    table = None if settings.lots == "auto" else existing(Path(settings.lots), "lots", "table, and not auto")
    logger.info("wafers by lot: %s", write_lots(folder, table, settings.zones.lots(), settings.embed_limit))


main = command("report")(run)

if __name__ == "__main__":
    main()
