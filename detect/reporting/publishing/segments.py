"""The journals of a run at an address: pieces of whole lines in numbered objects, as objects cannot be appended to."""

import re
import time
from dataclasses import dataclass, field
from uuid import uuid4

from detect.imagery.remote.store import put, read_bytes, remove
from detect.reporting.output.layout import CANDIDATE_RECORDS, JOURNAL, STATE
from detect.reporting.publishing.publisher import Publisher

MOST_RECORDS, MOST_SECONDS = 100, 60.0
"""A piece is published after so many images, or after so many seconds, whichever comes first."""

JOURNALS = (CANDIDATE_RECORDS, JOURNAL)
"""The journals, in the order in which an image is recorded in them."""

_NAME = re.compile(r"\.run/(candidates|journal)/(\d{6})-[0-9a-f]{8}\.jsonl")


def journal_of(name: str) -> str | None:
    """Return the journal that an object is a piece of, None where it is none."""
    match = _NAME.fullmatch(name)
    return f"{match[1]}.jsonl" if match else None


@dataclass(eq=False)
class Segments:
    """The published pieces of the journals of a mirror.

    A piece has a number and a name that no other run gives: two runs that write at once lose nothing of each other,
    since of several records of one image any may count.

    Attributes:
        publisher: of the mirror.
        names: of the pieces, by journal, in their order.
        lengths: bytes of each journal that are published.
    """

    publisher: Publisher
    names: dict[str, list[str]] = field(default_factory=lambda: {journal: [] for journal in JOURNALS})
    lengths: dict[str, int] = field(default_factory=lambda: dict.fromkeys(JOURNALS, 0))
    _waiting: int = 0
    _since: float = field(default_factory=time.monotonic)

    def due(self) -> bool:
        """Return whether a piece is to be published, after one more image."""
        self._waiting += 1
        return self._waiting >= MOST_RECORDS or time.monotonic() - self._since >= MOST_SECONDS

    def publish(self) -> bool:
        """Publish what the journals have more; return whether that is anything.

        Raises:
            OSError: it cannot be written.
        """
        self._waiting, self._since = 0, time.monotonic()
        more = [self._publish(journal) for journal in JOURNALS]
        return any(more)

    def _publish(self, journal: str) -> bool:
        path = self.publisher.folder / STATE / journal
        if not path.is_file() or path.stat().st_size == self.lengths[journal]:
            return False
        with path.open("rb") as file:
            file.seek(self.lengths[journal])
            piece = file.read()
        number = 1 + max((int(name.rpartition("/")[2].split("-")[0]) for name in self.names[journal]), default=0)
        name = f"{STATE}/{journal.removesuffix('.jsonl')}/{number:06d}-{uuid4().hex[:8]}.jsonl"
        put(piece, self.publisher.at(name))
        self.names[journal].append(name)
        self.lengths[journal] += len(piece)
        return True

    def fetch(self) -> None:
        """Write the journals of the published pieces.

        Raises:
            OSError: a piece cannot be read, or the mirror not written.
        """
        for journal, names in self.names.items():
            path = self.publisher.folder / STATE / journal
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                for name in names:
                    file.write(read_bytes(self.publisher.at(name)))
                self.lengths[journal] = file.tell()

    def remove(self) -> None:
        """Remove the published pieces.

        Raises:
            OSError: one cannot be removed.
        """
        remove([self.publisher.at(name) for names in self.names.values() for name in names])
        self.names = {journal: [] for journal in JOURNALS}
        self.lengths = dict.fromkeys(JOURNALS, 0)
