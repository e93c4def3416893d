"""The random numbers of a sample, which transforms of albumentations take one after another."""

import random
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from albumentations import BasicTransform


class Draws:
    """One stream of random numbers for a chain of transforms, so that they are drawn independently of one another.

    Args:
        seed: 0 or more; the same seed gives the same numbers.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._evenly = random.Random(seed)
        self._generator: np.random.Generator | None = None

    def applies(self, transform: "BasicTransform") -> bool:
        """Draw whether a transform is applied; if it is, it draws from this stream next."""
        transform.py_random = self._evenly
        if not transform.should_apply():
            return False
        if self._generator is None:
            self._generator = np.random.default_rng(self._seed)
        transform.random_generator = self._generator
        return True
