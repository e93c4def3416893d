"""Boxes and ground cut out with a soft rim."""

import numpy as np

from detect.samples.pasting.cutouts import cut_box, cut_ground


def test_a_box_is_pasted_whole_with_a_soft_rim() -> None:
    pixels = np.random.default_rng(0).normal(50, 3, (1, 60, 60)).astype(np.uint8)
    piece = cut_box(pixels, np.array([30.0, 30.0]), np.array([40.0, 20.0]), 0.5)
    assert (piece.cover[20:40, 10:50] == 1).all()
    assert 0.2 < piece.cover[30, 4] < 0.8 and 0.2 < piece.cover[17, 30] < 0.8
    assert not piece.cover[:15].any() and not piece.cover[45:].any()


def test_ground_has_a_soft_rim_within_its_piece() -> None:
    for seed in range(20):
        piece = cut_ground(np.zeros((3, 40, 40), np.uint8), 0.7, np.random.default_rng(seed))
        edge = np.concatenate([piece.cover[[0, -1]].ravel(), piece.cover[:, [0, -1]].ravel()])
        assert edge.max() < 0.05 and piece.cover.max() == 1
        assert np.abs(np.diff(piece.cover, axis=0)).max() < 0.35
