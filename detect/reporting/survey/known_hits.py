"""`KnownHits`: how many of the objects found in a reviewed window are there, kept from one estimate to the next."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from detect.evaluation.matching import Criterion
from detect.evaluation.survey.partition import SurveyWindows
from detect.labels.detections import Detections


class KnownHits:
    """Counts the found objects of a reviewed window that are there, whatever class they were given.

    A review asks for all windows after each one; of those that are as they were, the last answer is kept.

    Args:
        windows: of the survey.
        found: what was found in each image, by its name.
        criterion: when a found object and one that a person names are the same.
    """

    def __init__(self, windows: SurveyWindows, found: Mapping[str, Detections], criterion: Criterion) -> None:
        self._criterion = criterion
        self._found = {
            place: objects[places == place]
            for name, objects in found.items()
            for places in [windows.find(name, objects.xy)]
            for place in np.unique(places).tolist()
        }
        self._last: dict[int, tuple[tuple[tuple[str, ...], bytes], NDArray[np.int64]]] = {}

    def of(self, place: int, true: Detections) -> NDArray[np.int64]:
        """Return the hits in a window by class, (K,) in the order of the classes of `true`.

        Args:
            place: of the window.
            true: the objects that a person says are in it.
        """
        asked = true.classes, true.xy.tobytes()
        known = self._last.get(place)
        if known is None or known[0] != asked:
            found = self._found.get(place, Detections.empty(())).with_classes(true.classes)
            match = self._criterion.match(found, true)
            hits = np.bincount(found.label[match.found_index], minlength=len(true.classes)).astype(np.int64)
            known = self._last[place] = asked, hits
        return known[1]
