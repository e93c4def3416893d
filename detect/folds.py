"""Sum up runs: `python -m detect.folds runs=DIR [output=DIR]` writes means, spreads and sums over folds and seeds."""

import logging
from typing import TYPE_CHECKING

from detect.assembly.command import DONE, command

if TYPE_CHECKING:
    import pandas as pd

    from detect.assembly.settings.evaluate_settings import FoldsSettings

logger = logging.getLogger("detect.folds")


def run(settings: "FoldsSettings") -> int:
    """Read the scores of training runs and write `runs.csv`, `summary.csv`, `confusion.csv`; see `conf/folds.yaml`."""
    from detect.assembly.evaluation.scored_runs import missing_folds, read_runs
    from detect.assembly.folders import FoldsPaths
    from detect.assembly.given_paths import existing
    from detect.assembly.output_folders import output_folder
    from detect.evaluation.runs import confusion_table, different_rules, runs_table, summary_table
    from detect.reporting.tables import write_table

    runs = read_runs(existing(settings.runs, "runs", "folder of runs"), settings.split)
    table = runs_table(runs)
    other = different_rules(runs)
    for note in [*missing_folds(table), *([other] if other else [])]:
        logger.warning("%s", note)
    summary, confusion = summary_table(table), confusion_table(runs)
    paths = FoldsPaths(output_folder(settings.output, results=(), allowed=True, way_out=""))
    for path, content in ((paths.runs, table), (paths.summary, summary), (paths.confusion, confusion)):
        write_table(content, path)
    for setting in sorted({run.setting for run in runs} - set(confusion["setting"])):
        logger.info("%s: no confusion, or of different classes: not in %s", setting or "the runs", paths.confusion.name)
    _log(table, summary)
    logger.info("wrote %s, %s and %s", paths.runs, paths.summary, paths.confusion)
    return DONE


def _log(table: "pd.DataFrame", summary: "pd.DataFrame") -> None:
    splits = " and ".join(sorted({str(split) for split in table["split"] if split}))
    logger.info("%d runs, scores of the %s images", len(table), splits or "evaluated")
    for setting, group in summary.groupby("setting", sort=False):
        logger.info("%s", setting or "all runs")
        for line in (
            group.drop(columns="setting").to_string(index=False, na_rep="", float_format="{:.3f}".format).split("\n")
        ):
            logger.info("  %s", line)


main = command("folds")(run)

if __name__ == "__main__":
    main()
