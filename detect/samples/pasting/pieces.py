"""Which of the training objects can be cut out of their ground, whole."""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.random import default_rng

from detect.samples.pasting.cutouts import CutOut

SAMPLE = 40
"""Objects of a class, at most, that tell how many can be cut out, and how large they are."""


PIECE = 0.4
"""Part of its class's median area, in its sides, that a cut-out must have: what is smaller is a piece of an object."""


Key = TypeVar("Key")


class ObjectCutouts(Generic[Key]):
    """Cuts out objects, and tells whole ones from pieces by what some of their class cover.

    Args:
        cut: cuts one out; None where it cannot be told from its ground.
        members: the objects of each class, by the number of its name.

    Attributes:
        rates: share of the objects of each class that can be cut out, of those looked at.
    """

    def __init__(self, cut: Callable[[Key], CutOut | None], members: Mapping[int, Sequence[Key]]) -> None:
        self._cut = cut
        self._not: set[Key] = set()
        self._least: dict[int, float] = {}
        self.rates: dict[int, float] = {}
        for number, keys in members.items():
            tried = [keys[i] for i in default_rng(0).permutation(len(keys))[:SAMPLE]]
            fills = {key: piece.fill for key in tried if (piece := cut(key)) is not None}
            least = PIECE * float(np.median(list(fills.values()))) if fills else 0.0
            self._least[number] = least
            self._not |= {key for key in tried if fills.get(key, -1.0) < least}
            self.rates[number] = sum(fill >= least for fill in fills.values()) / max(len(tried), 1)

    def __call__(self, key: Key, number: int) -> CutOut | None:
        """Cut out an object of a class; None for what cannot be told from its ground, and pieces of objects."""
        if key in self._not:
            return None
        piece = self._cut(key)
        if piece is None or piece.fill < self._least[number]:
            self._not.add(key)
            return None
        return piece

    def rates_text(self, names: Sequence[str]) -> str:
        """Say how many can be cut out."""
        rates = ", ".join(f"{rate:.0%} of {names[number]}" for number, rate in self.rates.items())
        return f"objects that can be cut out, of up to {SAMPLE} looked at: {rates}"
