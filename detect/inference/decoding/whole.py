"""The map of a classifier of whole scenes: a cell a scene, and a box over all of it for each pattern that it has."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, log_softmax, logit, logsumexp, softmax

from detect.imagery.windows import Window
from detect.inference.decoding.geometry import CellGeometry, Turn
from detect.labels.detections import Detections
from detect.nets.heads.specs import WholeHead
from detect.nets.net_spec import NetSpec

MOST_LOG_ODDS = 60.0
"""Log odds of a sure vote: its probability is 1 in float64."""


class WholeDecoder:
    """Maps of a classifier of whole scenes: logits of the background, if any, and of the patterns.

    The score of a pattern is its probability: of one among all (softmax), or, of many, each by itself (sigmoid). A
    network that keeps features of its training has one more channel, the last: how familiar a scene is. Below 0 it is
    of no class that the network knows, however probable that is, and nothing is found in it at any threshold.

    Args:
        spec: the classes.
        head: of the network.
    """

    def __init__(self, spec: NetSpec, head: WholeHead) -> None:
        self.classes = spec.classes
        self.outputs = len(spec.outputs)
        self.channels = self.outputs + bool(head.known)
        self.many = head.labels == "many"
        self._first = self.outputs - len(spec.classes)

    def heat(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability of every pattern in each cell: (K, h, w) to (C, h, w) in [0, 1]."""
        return np.asarray(self.probabilities(logits)[self._first :], np.float32)

    def detections(
        self,
        logits: NDArray[np.float32],
        geometry: CellGeometry,
        *,
        separation: float,
        threshold: float,
        rows: int | None = None,
    ) -> Detections:
        """Return a box over the whole scene for the likeliest pattern, or of many for each, from a threshold on.

        There is none where the background is likelier, where nothing is as likely as the threshold or the scene is not
        familiar (`sureness`), and where no pixel of the scene is valid.

        Args:
            logits: (K, 1, 1).
            geometry: place of the cell.
            separation: not used, as there is one cell.
            rows: not used either.
            threshold: least probability, in [0, 1].
        """
        scores = self._of_scene(logits, geometry)
        if scores is None or not self.familiar(logits).all():
            return Detections.empty(self.classes, boxes=True)
        found = np.arange(len(scores)) if self.many else np.array([scores.argmax()])
        found = found[(scores[found] >= threshold) & (found >= self._first)]
        height, width = geometry.shape
        whole = np.tile([[width, height]], (len(found), 1)).astype(np.float64)
        return Detections(whole / 2, scores[found], found - self._first, self.classes, whole)

    def sureness(self, logits: NDArray[np.float32], geometry: CellGeometry) -> float | None:
        """Return the probability of the likeliest class of a scene, the background too: if low, it is unknown.

        0, which no probability of the likeliest is, of a scene that is not familiar: it is unknown at any threshold.
        None of many patterns, of which a scene may have none at all, and where no pixel of the scene is valid.

        Args:
            logits: (K, 1, 1).
            geometry: place of the cell.
        """
        scores = None if self.many else self._of_scene(logits, geometry)
        if scores is None:
            return None
        return float(scores.max()) if self.familiar(logits).all() else 0.0

    def turned_back(self, maps: NDArray[np.float32], turn: Turn) -> NDArray[np.float32]:
        """Return the maps as they are: a scene is what it is, whichever way it is turned."""
        return maps

    def combined(self, maps: NDArray[np.float32], how: str) -> NDArray[np.float32]:
        """Return logits of the mean probabilities, or of the shares of votes, in which the mean is one more vote.

        How familiar a scene is, the first view tells alone, the scene as it is: the limit was chosen so.
        """
        combined = self._combined(maps[:, :, : self.outputs].astype(np.float64), how)
        return np.concatenate([combined, maps[0, :, self.outputs :]], axis=1)

    def _combined(self, wide: NDArray[np.float64], how: str) -> NDArray[np.float32]:
        if not self.many:
            mean = logsumexp(log_softmax(wide, axis=2), axis=0) - np.log(len(wide))
            if how == "mean":
                return np.asarray(mean, np.float32)
            votes = wide.argmax(axis=2)[:, :, None] == np.arange(wide.shape[2])[None, None, :, None, None]
            share = (votes.sum(axis=0) + np.exp(mean)) / (len(wide) + 1)
            return np.asarray(np.log(np.maximum(share, np.finfo(np.float32).tiny)), np.float32)
        mean = np.exp(logsumexp(log_expit(wide), axis=0) - np.log(len(wide)))
        share = mean if how == "mean" else ((wide >= 0).sum(axis=0) + mean) / (len(wide) + 1)
        return np.asarray(logit(share).clip(-MOST_LOG_ODDS, MOST_LOG_ODDS), np.float32)

    def _of_scene(self, logits: NDArray[np.float32], geometry: CellGeometry) -> NDArray[np.float64] | None:
        """Return the probability of each output for the scene (K,); None where no pixel of it is valid.

        Raises:
            ValueError: the map has more cells than one: the scene was not resampled to the network's side.
        """
        if logits.shape[1:] != (1, 1):
            raise ValueError(f"a scene that is classified as a whole has one cell, got a map of {logits.shape[1:]}")
        seen = geometry.seen_cells(Window(0, 0, 1, 1))
        if seen is not None and not seen.any():
            return None
        return np.asarray(self.probabilities(logits.astype(np.float64))[:, 0, 0], np.float64)

    def probabilities(self, logits: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the probability of every output: (K, ...) to (outputs, ...)."""
        of_outputs = logits[: self.outputs]
        return np.asarray(expit(of_outputs) if self.many else softmax(of_outputs, axis=0))

    def familiar(self, logits: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return whether scenes are familiar: (K, ...) to (...); all are, of a network that does not tell."""
        return np.asarray((logits[self.outputs :] >= 0).all(axis=0))
