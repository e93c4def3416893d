"""Survey: `python -m detect.survey predictions=DIR [windows=40]` draws windows to review, and estimates totals."""

import logging
from typing import TYPE_CHECKING

from detect.assembly.command import DONE, command

if TYPE_CHECKING:
    from detect.assembly.settings import SurveySettings

logger = logging.getLogger("detect.survey")


def run(settings: "SurveySettings") -> int:
    """Draw windows, or estimate from those that were reviewed, or rank windows; see `conf/survey.yaml`."""
    from detect.assembly.folders import existing
    from detect.assembly.surveys.ranking import rank
    from detect.assembly.surveys.surveying import survey
    from detect.reporting.output.journal import lock_folder

    folder = existing(settings.predictions, "predictions", "folder")
    with lock_folder(folder):
        if settings.rank is None:
            survey(settings, folder)
        else:
            rank(settings, folder)
    return DONE


main = command("survey")(run)

if __name__ == "__main__":
    main()
