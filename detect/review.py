"""Review: `python -m detect.review predictions=DIR [model=FILE]` shows what was found, for a person to correct."""

import logging
from typing import TYPE_CHECKING

from detect.assembly.command import DONE, command

if TYPE_CHECKING:
    from detect.assembly.settings.survey_settings import ReviewSettings

logger = logging.getLogger("detect.review")


def run(settings: "ReviewSettings") -> int:
    """Show the page until it is stopped by Ctrl-C; see `conf/review.yaml`."""
    from detect.assembly.surveys.reviewing import review

    review(settings)
    logger.info("stopped; all that was done is kept, and the same command goes on with it")
    return DONE


main = command("review")(run)

if __name__ == "__main__":
    main()
