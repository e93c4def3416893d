"""What is kept of cut-outs, in bytes."""

import numpy as np
import pytest

from detect.samples.pasting import object_cutouts
from detect.samples.pasting.cutouts import CutOut
from detect.samples.pasting.object_cutouts import ObjectCutouts


def cut_out(value: int) -> CutOut:
    square = np.full((3, 8, 8), value, np.uint8)
    return CutOut(square, np.ones((8, 8), np.float32), np.full(2, 4.0), np.full(2, 8.0))


def test_no_more_bytes_are_kept_than_there_is_room_for_and_what_went_is_cut_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Room for two and a half: of objects 0, 1, 0, 2 the third pushes out 1, which was used the longest time ago."""
    size, cut = cut_out(0).nbytes, []

    def counted(key: int) -> CutOut:
        cut.append(key)
        return cut_out(key)

    monkeypatch.setattr(object_cutouts, "MOST_KEPT", int(2.5 * size))
    kept = ObjectCutouts(counted, {})
    kept._min_fill[0] = 0.0
    for key in (0, 1, 0, 2, 0, 1):
        found = kept(key, 0)
        assert found is not None and (found.pixels == key).all() and kept.bytes_kept <= 2.5 * size
    assert cut == [0, 1, 2, 1] and kept.bytes_kept == 2 * size


def test_one_that_is_larger_than_the_room_is_cut_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_cutouts, "MOST_KEPT", cut_out(0).nbytes - 1)
    kept = ObjectCutouts(cut_out, {0: [5]})
    assert kept.rates == {0: 1.0} and kept.bytes_kept == 0
    assert (kept(5, 0).pixels == 5).all() and kept.bytes_kept == 0
