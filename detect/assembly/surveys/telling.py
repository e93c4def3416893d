"""What the log says of the windows of a survey."""

import logging

from detect.evaluation.survey.design import expected_distinct
from detect.reporting.survey.drawn_survey import DrawnSurvey
from detect.reporting.survey.survey_words import number_of

logger = logging.getLogger("detect.survey")


def tell_drawn(drawn: DrawnSurvey) -> None:
    """Log which windows are drawn, of those that can be."""
    design = drawn.design
    places, able = design.distinct, design.probability > 0
    whole = bool(len(design.added)) or len(places) == able.sum()
    average = "" if whole else f", {expected_distinct(design.probability, len(design.draws)):.1f} windows on average"
    logger.info(
        "survey: %s of about %d px drawn of %d (%s%s; %.1f %% of their area), in which %.0f of %.0f expected objects "
        "are; seed %d",
        *(number_of(len(places), "window"), drawn.plan.side, able.sum(), number_of(len(design.draws), "draw"), average),
        100 * drawn.area[places].sum() / max(1.0, drawn.area[able].sum()),
        *(drawn.expected[places].sum(), drawn.expected[able].sum(), drawn.plan.seed),
    )
    known = int(drawn.known_windows.sum())
    if known:
        logger.info("survey: %s reviewed before: not drawn, and counted as reviewed", number_of(known, "window"))
    if whole:
        logger.info("survey: that is every window, so that in the end the objects are counted, and not estimated")


def tell_again(drawn: DrawnSurvey, asked: int | None) -> None:
    """Log that the windows which were drawn stay.

    Args:
        drawn: the survey as it is.
        asked: windows that are asked for now; None where that is not said.
    """
    there, wanted = number_of(len(drawn.tasks), "window"), drawn.plan.windows
    if asked is not None and asked < wanted:
        logger.warning(
            "survey: windows=%d is less than the %d that were asked for before: those stay, as an estimate of some of "
            "the windows drawn, chosen after a look, would not hold",
            *(asked, wanted),
        )
    left = int((drawn.design.probability > 0).sum()) - len(drawn.tasks)
    if left:
        logger.info("survey: %s drawn before; windows=%d draws more", there, min(2 * wanted, len(drawn.tasks) + left))
    else:
        logger.info("survey: %s drawn before, which is every one that can be", there)
