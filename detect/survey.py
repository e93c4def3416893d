"""Survey: `python -m detect.survey predictions=DIR [windows=40]` draws windows to review, and estimates totals."""

import logging
from typing import TYPE_CHECKING

from detect.assembly.command import DONE, command

if TYPE_CHECKING:
    from detect.assembly.settings.survey_settings import SurveySettings

logger = logging.getLogger("detect.survey")


def run(settings: "SurveySettings") -> int:
    """Draw windows, or estimate from those that were reviewed, or rank windows; see `conf/survey.yaml`."""
    from detect.assembly.given_paths import existing
    from detect.assembly.surveys.exporting import export_tasks
    from detect.assembly.surveys.importing import take_corrections
    from detect.assembly.surveys.ranking import rank
    from detect.assembly.surveys.surveying import survey
    from detect.reporting.output.journal import lock_folder

    folder = existing(settings.predictions, "predictions", "folder")
    with lock_folder(folder):
        if settings.rank is not None:
            rank(settings, folder)
            return DONE
        take_corrections(settings, folder)
        survey(settings, folder)
        export_tasks(settings, folder)
    return DONE


main = command("survey")(run)

if __name__ == "__main__":
    main()
