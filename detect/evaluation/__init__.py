"""How good it is: objects matched once, then every score, and the choice of a threshold, from the matches."""

from detect.evaluation.matching import Match, match_points
from detect.evaluation.scores import score_patches, score_points
from detect.evaluation.selection import Selection, select_threshold

__all__ = ["Match", "Selection", "match_points", "score_patches", "score_points", "select_threshold"]
