"""What networks of 8 bits are tried with: classes of whole images and of patches, by the mean F1 of what is found."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from detect.assembly.exports.class_trial import ClassTrial
from detect.nets.card import ModelCard
from detect.nets.heads.specs import Head, PatchHead, WholeHead
from detect.nets.net_spec import BackboneSpec
from tests.cards import card_of

LENET = BackboneSpec("lenet5", 4)


def card(head: Head, **more: Any) -> ModelCard:
    return card_of(head, LENET, bands=(1,), halo=0, **more)


def grey(path: Path, value: int, side: int = 16) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((side, side), value, np.uint8)).save(path)
    return path


def by_value(logits: dict[int, tuple[float, ...]]) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
    """An exported network that knows images by the value of their pixels; the first cell alone says nothing."""

    def run(pixels: NDArray[Any]) -> NDArray[np.float32]:
        said = np.array([logits[int(tile.flat[0])] for tile in pixels], np.float32)
        return np.tile(said[:, :, None, None], (1, 1, pixels.shape[2] // 4, pixels.shape[3] // 4))

    return run


def test_of_one_class_an_image_it_is_the_mean_of_what_is_told(tmp_path: Path) -> None:
    """Of two of `a` and one each of `b` and `none`: one `a` is told to be unknown, and `b` to be `none`.

    F1 of `a` is 2 * 1 / (2 + 1) = 2/3, of `b` 0, of `none` 2 * 1 / (1 + 2) = 2/3: 4/9 in the mean.
    """
    spec = card(WholeHead(16, "one", "none", known=3), threshold=0.0)
    paths = [grey(tmp_path / f"{i}.png", i) for i in range(4)]
    trial = ClassTrial(paths, paths, np.array([1, 1, 2, 0]), spec)
    run = by_value({0: (0, 9, 0, 1), 1: (0, 9, 0, -1), 2: (9, 0, 0, 1), 3: (9, 0, 0, 1)})
    assert trial.tried(run) == pytest.approx(4 / 9)


def test_of_many_classes_an_image_it_goes_by_the_threshold(tmp_path: Path) -> None:
    """Log odds 0 are a probability of a half: below 0.6. `a` is found in both and in one is right, `b` never is."""
    spec = card(WholeHead(16, "many", None), threshold=0.6)
    paths = [grey(tmp_path / f"{i}.png", i) for i in range(2)]
    trial = ClassTrial(paths, paths, np.array([[1.0, 1.0], [0.0, 0.0]]), spec)
    assert trial.tried(by_value({0: (1, 0), 1: (1, -1)})) == pytest.approx((2 / 3 + 0) / 2)


def test_a_patch_is_its_map_where_its_own_cells_are_averaged(tmp_path: Path) -> None:
    """Of patches of four cells the third cell of the map describes cells 0 to 3."""
    spec = card(PatchHead(16, None))
    paths = [grey(tmp_path / f"{i}.png", i) for i in range(2)]

    def run(pixels: NDArray[Any]) -> NDArray[np.float32]:
        made = np.zeros((1, 2, 4, 4), np.float32)
        made[0, int(pixels.flat[0]), 2, 2] = 1
        return made

    assert ClassTrial(paths, paths, np.array([0, 1]), spec).tried(run) == 1


def test_tiles_are_files_by_chance_and_no_more_than_there_are(tmp_path: Path) -> None:
    paths = [grey(tmp_path / f"{i}.png", i) for i in range(5)]
    trial = ClassTrial(paths, paths, np.zeros(5, np.int64), card(WholeHead(16, "one", None)))
    some, again, every = trial.tiles(3), trial.tiles(3), trial.tiles(64)
    values = [int(tile[0, 0, 0, 0]) for tile in some]
    assert len(set(values)) == 3 and values == [int(tile[0, 0, 0, 0]) for tile in again]
    assert [int(tile[0, 0, 0, 0]) for tile in every] == [0, 1, 2, 3, 4]
    assert every[0].shape == (1, 1, 16, 16) and every[0].dtype == np.uint8
