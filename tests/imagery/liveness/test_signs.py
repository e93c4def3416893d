"""Signs of life come from where blocks are written or sent, are handed on now and then, and only while one listens."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detect.imagery.liveness import signs
from detect.imagery.liveness.signs import EVERY_SECONDS, give_sign, signs_heard
from detect.imagery.maps.map_writing import write_map
from detect.imagery.remote import store
from detect.imagery.remote.address import Address, Listed
from detect.imagery.scenes import Scene


@dataclass
class Clock:
    """Stands for the module `time`."""

    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(signs, "time", clock)
    return clock


def test_a_sign_is_handed_on_every_ten_seconds_at_most_while_one_listens(clock: Clock) -> None:
    """A block each second for 100 seconds: after 10, 20, ... 100 of them."""
    heard = list[float]()
    with signs_heard(lambda: heard.append(clock.now)):
        for _ in range(100):
            clock.now += 1
            give_sign()
    clock.now += 100
    give_sign()
    assert heard == [1000 + EVERY_SECONDS * number for number in range(1, 11)]


def test_a_map_that_is_written_slowly_gives_a_sign_for_each_piece(clock: Clock, tmp_path: Path) -> None:
    """Twelve pieces of 100 rows, a minute each; and one when its overviews are made, which no time has passed for."""
    heard = list[float]()
    scene = Scene(tmp_path / "none.tif", (4800, 4000), "uint8", 3)

    def pieces() -> Any:
        for _ in range(12):
            clock.now += 60
            yield np.zeros((2, 100, 1000), np.float32)

    with signs_heard(lambda: heard.append(clock.now)):
        write_map(tmp_path / "map.tif", pieces(), scene, 4, ["a", "b"], 2.0)
    assert heard == [1000 + 60 * number for number in range(1, 13)]


class SlowSystem:
    """A store that takes a minute for each of five parts."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def transfer(self, callback: Any) -> None:
        for _ in range(5):
            self.clock.now += 60
            callback.relative_update(100)

    def put_file(self, here: str, there: str, callback: Any) -> None:
        self.transfer(callback)

    def get_file(self, there: str, here: str, callback: Any) -> None:
        Path(here).write_bytes(b"a strip")
        self.transfer(callback)


def test_a_file_that_is_sent_or_fetched_slowly_gives_a_sign_for_each_part(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fsspec")
    monkeypatch.setattr(store, "file_system", lambda address: SlowSystem(clock))
    monkeypatch.setattr(store, "key_of", lambda address: "key")
    heard, strip = list[float](), tmp_path / "strip"
    there = Address("s3:", "survey", "strip").with_facts(Listed(7, 0))
    with signs_heard(lambda: heard.append(clock.now)):
        store.fetch(there, strip)
        store.put(strip, there)
    assert heard == [1000 + 60 * number for number in range(1, 11)]
