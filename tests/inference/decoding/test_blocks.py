import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detect.imagery.windows import Tiling
from detect.inference.decoding import blocks as module
from detect.inference.decoding.blocks import blocks, likeliest, planes
from detect.inference.decoding.decoder import decoder_of
from detect.inference.decoding.geometry import CellGeometry
from detect.inference.decoding.patch import foreground, posteriors
from detect.inference.plan import make_plan
from detect.inference.scene_result import SceneResult
from detect.inference.stitching import Stitcher
from detect.inference.views import Views
from detect.labels.detections import Detections
from detect.nets.card import ModelCard
from detect.nets.net_spec import BackboneSpec
from tests.cards import patch_card
from tests.grids import grid_card

MIB = 1 << 20
MANY = tuple(f"class {number}" for number in range(500))


@given(
    channels=st.integers(1, 40), height=st.integers(1, 30), width=st.integers(1, 30), most=st.sampled_from([1, 50, 700])
)
def test_blocks_cover_every_cell_once_and_hold_no_more_than_asked(
    channels: int, height: int, width: int, most: int
) -> None:
    seen = np.zeros((height, width), int)
    for rows, cols in blocks(channels, (height, width), most):
        size = (rows.stop - rows.start) * (cols.stop - cols.start)
        assert size > 0 and channels * size <= max(most, channels)
        seen[rows, cols] += 1
    assert (seen == 1).all()


@pytest.mark.parametrize("in_file", [False, True])
@pytest.mark.parametrize("channels", [7, 40])
def test_blocks_change_no_value(channels: int, in_file: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numpy adds 8 and more neighbours in memory in another order than it adds planes."""
    monkeypatch.setattr(module, "BLOCK_CELLS", 3)
    monkeypatch.setattr(module.blocks, "__defaults__", (6 * channels,))
    values = np.random.default_rng(0).normal(size=(channels, 12, 20)).astype(np.float32)
    stitcher = Stitcher(Tiling((12, 20), (12, 20), 0, 1), channels, tmp_path if in_file else None)
    (core,) = stitcher.tiling
    stitcher.put(core, values)
    logits = stitcher.finished()
    assert isinstance(logits, np.memmap) is in_file
    np.testing.assert_array_equal(planes(logits, foreground), foreground(values))
    np.testing.assert_array_equal(planes(logits, posteriors), posteriors(values))
    shown = SceneResult(Detections.empty(("a",)), CellGeometry(1, 0.5, (12, 20)), None, logits, 1, posteriors)
    np.testing.assert_array_equal(next(shown.heat_pieces()), posteriors(values))
    cells = np.argwhere(values[0] > 0.5)
    np.testing.assert_array_equal(likeliest(logits[1:], cells), values[1:].argmax(axis=0)[tuple(cells.T)])


def peak(run: Callable[[], object]) -> float:
    """The most MiB of arrays that a call holds at once, beside those that were there."""
    tracemalloc.start()
    run()
    most = tracemalloc.get_traced_memory()[1] / MIB
    tracemalloc.stop()
    return most


def card_of_many(kind: str) -> ModelCard:
    card = patch_card(BackboneSpec("test_resnet", 8), MANY) if kind == "patch" else grid_card()
    return replace(card, classes=MANY)


@pytest.mark.parametrize("kind", ["patch", "grid"])
def test_objects_of_500_classes_are_found_in_less_memory_than_the_map_takes(kind: str) -> None:
    """501 or 505 channels of 150 x 200 cells are 57 MiB; a few planes of 0.1 MiB and blocks of 4 MiB are enough."""
    card = card_of_many(kind)
    decoder = decoder_of(card)
    logits = np.random.default_rng(0).normal(size=(decoder.channels, 150, 200)).astype(np.float32)
    geometry = CellGeometry(8, 4.0, (1200, 1600))
    found: list[Detections] = []
    most = peak(lambda: found.append(decoder.detections(logits, geometry, separation=0.5, threshold=0.6, rows=50)))
    assert len(found[0]) > 500 and logits.nbytes > 56 * MIB
    assert most < 32


@pytest.mark.parametrize("kind", ["patch", "grid"])
def test_probabilities_of_500_classes_are_made_in_pieces(kind: str) -> None:
    """A plan of 256 MiB makes those of 4 MiB / 16 bytes / 501 = 523 cells at once, or of one block of 32 x 32."""
    card = card_of_many(kind)
    decoder = decoder_of(card)
    logits = np.random.default_rng(0).normal(size=(decoder.channels, 150, 200)).astype(np.float32)
    cells = make_plan(256 * MIB, 10.0, 0, 8).cells(decoder.channels)
    shown = SceneResult(Detections.empty(MANY), CellGeometry(8, 4.0, (1200, 1600)), None, logits, cells, decoder.heat)
    pieces: list[tuple[int, ...]] = []
    assert peak(lambda: pieces.extend(piece.shape for piece in shown.heat_pieces())) < 16
    assert set(pieces) <= {(500, rows, cols) for rows in (32, 22) for cols in (32, 8)}


def test_views_of_many_classes_are_combined_in_blocks() -> None:
    """4 views of 100 x 100 cells and 501 classes are 76 MiB, their combination 19: 95 and the views one by one."""
    card = card_of_many("patch")
    decoder = decoder_of(card)
    tile = np.random.default_rng(0).normal(size=(1, decoder.channels, 100, 100)).astype(np.float32)
    views = Views(lambda pixels: np.asarray(pixels, np.float32), decoder, "flips", "mean")
    assert peak(lambda: views(tile)) < 160
