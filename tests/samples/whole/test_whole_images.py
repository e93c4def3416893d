from pathlib import Path

import numpy as np

from detect.samples.whole.patterns import PatternSettings
from detect.samples.whole.whole_images import Targets, WholeDataset


class Maps:
    """Maps of 4 x 4 good dies (1), of which map i has a bad one (2) at place (i, i)."""

    def read(self, path: Path) -> np.ndarray:
        pixels = np.ones((1, 4, 4), np.uint8)
        pixels[0, int(path.name), int(path.name)] = 2
        return pixels

    def enlarged(self, path: Path) -> int:
        return 1


def laid(targets: Targets, seed: int) -> WholeDataset:
    """Three maps, onto each of which another is laid."""
    paths = [Path(str(i)) for i in range(3)]
    return WholeDataset(paths, targets, Maps(), seed=seed, patterns=PatternSettings(1.0, 0.0, 0.0, 0.5))  # type: ignore[arg-type]


def test_a_map_onto_which_another_is_laid_has_the_patterns_of_both() -> None:
    """Map i alone has pattern i, which stays; with another's there are two. A map may be laid onto itself."""
    targets = np.eye(3, dtype=np.float32)
    numbers = []
    for seed in range(8):
        for i, (pixels, target) in enumerate(laid(targets, seed)[row] for row in range(3)):
            wanted = np.asarray(target)
            assert wanted[i] == 1 and pixels[0, i, i] == 2
            numbers.append(int(wanted.sum()))
    assert {*numbers} == {1, 2}


def test_of_one_pattern_an_image_only_a_map_of_its_class_is_laid_onto_it() -> None:
    """Maps 0 and 2 are of a class; map 1 is alone in its own, and all its bad dies are turns of its one at (1, 1)."""
    for seed in range(8):
        data = laid(np.array([0, 1, 0]), seed)
        assert [data[i][1] for i in range(3)] == [0, 1, 0]
        inner = np.asarray(data[1][0])[0]
        assert not (inner[[0, 3]] == 2).any() and not (inner[:, [0, 3]] == 2).any()
