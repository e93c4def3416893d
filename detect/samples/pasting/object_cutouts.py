"""Cut-outs of whole training objects, and the share of each class that can be cut out."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.random import default_rng

from detect.samples.pasting.cutouts import CutOut

MAX_SAMPLED = 40
"""Objects of a class, at most, that are cut out to measure the share that can be, and their area."""


MIN_AREA_SHARE = 0.4
"""Least area of a cut-out relative to the median of its class, both in their sides; a smaller one is a part."""


MOST_KEPT = 1 << 26
"""Bytes of cut-outs that a process keeps; those that were used the longest time ago are cut out again."""


Key = TypeVar("Key")


class ObjectCutouts(Generic[Key]):
    """Cuts out objects, and rejects parts of objects by the area of other objects of their class.

    Args:
        cut: cuts an object out; None if it cannot be separated from its ground.
        members: the objects of each class, by the class's number.

    Attributes:
        bytes_kept: of the cut-outs that are kept, `MOST_KEPT` at most.
        rates: share of the sampled objects of each class that can be cut out, in [0, 1].
    """

    def __init__(self, cut: Callable[[Key], CutOut | None], members: Mapping[int, Sequence[Key]]) -> None:
        self._cut = cut
        self._kept: OrderedDict[Key, CutOut] = OrderedDict()
        self.bytes_kept = 0
        self._rejected: set[Key] = set()
        self._min_fill: dict[int, float] = {}
        self.rates: dict[int, float] = {}
        for number, keys in members.items():
            sampled = [keys[i] for i in default_rng(0).permutation(len(keys))[:MAX_SAMPLED]]
            fills = {key: cutout.fill for key in sampled if (cutout := self._cut_once(key)) is not None}
            min_fill = MIN_AREA_SHARE * float(np.median(list(fills.values()))) if fills else 0.0
            self._min_fill[number] = min_fill
            self._rejected |= {key for key in sampled if fills.get(key, -1.0) < min_fill}
            self.rates[number] = sum(fill >= min_fill for fill in fills.values()) / max(len(sampled), 1)

    def __call__(self, key: Key, number: int) -> CutOut | None:
        """Return an object of a class, cut out; None if it cannot be separated from its ground, or only in part."""
        if key in self._rejected:
            return None
        cutout = self._cut_once(key)
        if cutout is None or cutout.fill < self._min_fill[number]:
            self._rejected.add(key)
            return None
        return cutout

    def _cut_once(self, key: Key) -> CutOut | None:
        """Return an object cut out, kept from an earlier time where there was room for it."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        cutout = self._cut(key)
        if cutout is not None:
            self._kept[key] = cutout
            self.bytes_kept += cutout.nbytes
            while self.bytes_kept > MOST_KEPT:
                self.bytes_kept -= self._kept.popitem(last=False)[1].nbytes
        return cutout

    def rates_text(self, names: Sequence[str]) -> str:
        """Return a sentence on the share of each class that can be cut out; `names` are by the class's number."""
        rates = ", ".join(f"{rate:.0%} of {names[number]}" for number, rate in self.rates.items())
        return f"objects that can be cut out, of up to {MAX_SAMPLED} looked at: {rates}"
