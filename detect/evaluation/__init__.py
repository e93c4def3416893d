"""How good it is: objects matched once, then every score, and the choice of a threshold, from the matches."""

from detect.evaluation.boxes import average_precision
from detect.evaluation.matching import Criterion, Match, match_points
from detect.evaluation.scores import score_patches, score_points
from detect.evaluation.selection import Selection, select_threshold

__all__ = [
    "Criterion",
    "Match",
    "Selection",
    "average_precision",
    "match_points",
    "score_patches",
    "score_points",
    "select_threshold",
]
