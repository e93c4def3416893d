"""The processes of a check on a cluster, as the system shows them, and how far the run is that they work for."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

MARK = "DETECT_CHECK_CLUSTER"
"""Variable of the environment by which the processes of this check are known."""

SAMPLED_SECONDS = 0.1
ACTOR = b"ray::StationActor"


@dataclass
class Watched:
    """Processes of this check while it runs: seconds of the processor and most MiB, by process.

    Attributes:
        seconds: of each process.
        peaks: of each worker.
        ours: those that are no process of Ray's own: runs and workers.
        journal: of the run that is watched.
        recorded: seconds of the clock, and the images that were recorded by then.
    """

    token: str
    seconds: dict[int, float] = field(default_factory=dict)
    peaks: dict[int, int] = field(default_factory=dict)
    ours: set[int] = field(default_factory=set)
    journal: Path | None = None
    recorded: list[tuple[float, int]] = field(default_factory=list)

    def sample(self) -> None:
        """Look at the journal and at all processes."""
        if self.journal is not None and self.journal.exists():
            self.recorded.append((time.monotonic(), self.journal.read_bytes().count(b"\n")))
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if f"{MARK}={self.token}".encode() not in (folder / "environ").read_bytes():
                    continue
                numbers = (folder / "stat").read_text().rpartition(")")[2].split()
                self.seconds[int(folder.name)] = (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")
                command = (folder / "cmdline").read_bytes()
                if command.startswith(ACTOR) or b"detect.predict" in command:
                    self.ours.add(int(folder.name))
                if command.startswith(ACTOR):
                    lines = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
                    self.peaks[int(folder.name)] = int(lines["VmHWM"].split()[0]) >> 10
            except (OSError, KeyError):
                continue

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Sample while a block runs."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(SAMPLED_SECONDS):
                self.sample()

        self.sample()
        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self.sample()
