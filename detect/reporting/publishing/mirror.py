"""The mirror of an output folder at an address: the run works in it as in any folder, and publishes its files."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from detect.imagery.files import PART_NAME
from detect.imagery.maps.map_kinds import MapKind
from detect.imagery.remote.address import Address
from detect.imagery.remote.store import fetch, listing, remove
from detect.labels.writing.format_table import FORMATS
from detect.reporting.output.layout import (
    HEATMAPS,
    LOCK,
    PERSONS_FILES,
    RESULT_FILES,
    RUN_FACTS,
    SETTINGS,
    STATE,
    STATE_FILES,
    STRIPS,
    WRITTEN,
    WRITTEN_LOCK,
    PredictionPaths,
)
from detect.reporting.publishing.publisher import Publisher
from detect.reporting.publishing.segments import JOURNALS, Segments, journal_of
from detect.reporting.writing import write_json

T = TypeVar("T")

AT_ONCE = 16
"""Objects that are read or written at once: most of the time is spent waiting."""

PICTURES = f"{STATE}/pictures.json"
"""The object that says how the heatmaps at the address are stored."""

STANDING = f"{STATE}/published.json"
"""The file of a mirror that says which pieces of journals its own were published as."""

_OWN = {f"{STATE}/{name}" for name in (LOCK, WRITTEN_LOCK, *JOURNALS)} | {STANDING}
"""Files of a mirror that are not published as they are."""

_STRIPS = f"{STATE}/{STRIPS}/"
"""Strips of large rasters in a mirror stay there; workers without a folder in common put theirs to the address.

Both are gone when they are joined.
"""


class Mirror:
    """A folder on this machine that stands for an output folder at an address.

    Tables, the report and the state of the run are fetched when it is made, so that what a run looks at before it goes
    on is there, and are put back when they change. Pictures are put by those who write them and kept at the address
    alone. A mirror of a run that was broken off is used again where nobody else has written to the address since: then
    it knows of images that are not published yet.

    Args:
        folder: for the mirror.
        address: of the output folder.

    Attributes:
        objects: what lies at the address, by name.

    Raises:
        OSError: the store cannot be reached, or the folder not be written.
    """

    def __init__(self, folder: Path, address: Address) -> None:
        self.folder = folder
        self.publisher = Publisher(folder, address)
        self.objects = listing(address)
        self.segments = Segments(self.publisher)
        paths = PredictionPaths(folder)
        self._below = tuple(f"{self.publisher.name(each)}/" for each in paths.picture_folders)
        self._pictures = {name for name in self.objects if name.startswith(self._below)}
        self._known: dict[str, str] = {}
        for name in sorted(self.objects):
            journal = journal_of(name)
            if journal is not None:
                self.segments.names[journal].append(name)

    def fetch(self) -> None:
        """Bring the mirror to what lies at the address.

        Raises:
            OSError: something cannot be read.
        """
        if self._goes_on():
            self.segments.lengths = self._published()
            self._remove_unpublished()
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.segments.fetch()
        names = list(filter(self._is_fetched, self.objects))
        _at_once(self._fetch, names)
        self._known = {name: _digest(self.folder / name) for name in names}
        self._stand()

    def _remove_unpublished(self) -> None:
        """Remove tables and formats that a killed run had not published: of what is at the address none is known.

        They are made anew of the journals.
        """
        for name in list(self._files()):
            if name not in self.objects and self._is_fetched(name) and not name.startswith(f"{STATE}/"):
                (self.folder / name).unlink()

    def _fetch(self, name: str) -> None:
        facts = self.objects.get(name)
        address = self.publisher.at(name)
        fetch(address if facts is None else address.with_facts(facts), self.folder / name)

    def _goes_on(self) -> bool:
        """Return whether the mirror's journals begin with the published ones."""
        try:
            before = json.loads((self.folder / STANDING).read_text(encoding="utf-8"))
            sizes = {journal: (self.folder / STATE / journal).stat().st_size for journal in JOURNALS if before[journal]}
        except (OSError, ValueError, KeyError):
            return False
        published = self._published()
        return before == self.segments.names and all(sizes[journal] >= published[journal] for journal in sizes)

    def _published(self) -> dict[str, int]:
        """Return the bytes of each journal that are at the address."""
        pieces = self.segments.names.items()
        return {journal: sum(self.objects[name].size for name in names) for journal, names in pieces}

    def _stand(self) -> None:
        write_json(self.segments.names, self.folder / STANDING)

    def _is_fetched(self, name: str) -> bool:
        """Return whether an object is one of a run's files that this machine needs; anything else is left alone."""
        state = {f"{STATE}/{each}" for each in STATE_FILES if each not in JOURNALS} | {PICTURES}
        places = {form.place for form in FORMATS.values()}
        return name in {*RESULT_FILES, *PERSONS_FILES, *state} or name.split("/", maxsplit=1)[0] in places

    def has(self, picture: Path) -> bool:
        """Return whether a picture is at the address."""
        return self.publisher.name(picture) in self._pictures

    @property
    def strips(self) -> Address:
        """The address of strips of large rasters, for workers that do not see the mirror."""
        return self.publisher.at(_STRIPS.removesuffix("/"))

    def stored_strips(self) -> set[str]:
        """Return the names below the address of strips that were there when the mirror was made."""
        return {name.removeprefix(_STRIPS) for name in self.objects if name.startswith(_STRIPS)}

    @property
    def map_kind(self) -> str | None:
        """How the heatmaps at the address are stored, None where none are."""
        with suppress(OSError, ValueError, AttributeError):
            return str(json.loads((self.folder / PICTURES).read_text(encoding="utf-8")).get(HEATMAPS))
        return None

    def begin(self, kind: MapKind | None) -> None:
        """Publish what every run of this folder must agree with, before the first image; heatmaps of another kind go.

        Args:
            kind: how heatmaps are stored; None of a run without any.

        Raises:
            OSError: it cannot be written.
        """
        if kind is not None:
            if self.map_kind not in (None, kind.dtype):
                self.forget([name for name in self._pictures if name.startswith(f"{HEATMAPS}/")])
            write_json({HEATMAPS: kind.dtype}, self.folder / PICTURES)
        self._put_changed([f"{STATE}/{SETTINGS}", PICTURES])

    def forget(self, names: Iterable[str]) -> None:
        """Remove objects that a run wrote.

        Raises:
            OSError: one cannot be removed.
        """
        gone = [name for name in names if name in self.objects or name in self._pictures]
        remove([self.publisher.at(name) for name in gone])
        self._pictures.difference_update(gone)
        for name in gone:
            self.objects.pop(name, None)
            self._known.pop(name, None)

    def start_afresh(self, images: Iterable[str]) -> None:
        """Remove at the address what `start_afresh` removed of the mirror, and the pictures of some images.

        Raises:
            OSError: something cannot be removed.
        """
        self.segments.remove()
        paths = PredictionPaths(self.folder)
        pictures = {self.publisher.name(picture) for name in images for picture in paths.pictures(name)}
        gone = [name for name in self._known if not (self.folder / name).exists()]
        strips = [name for name in self.objects if name.startswith(_STRIPS)]
        self.forget([*(pictures & self._pictures), *gone, *strips])
        self._stand()

    def recorded(self, pictures: Collection[tuple[Path, bool]]) -> None:
        """Note the pictures of an image that is recorded, each with whether it was written.

        Raises:
            OSError: the journal cannot be published.
        """
        names = {self.publisher.name(picture): written for picture, written in pictures}
        self.forget([name for name, written in names.items() if not written and name in self._pictures])
        self._pictures |= {name for name, written in names.items() if written}
        if self.segments.due():
            self._publish_segments()

    def _publish_segments(self) -> None:
        if self.segments.publish():
            self._stand()

    def bring(self, pictures: Iterable[Path], links: Iterable[Path]) -> list[Path]:
        """Fetch pictures for the report, and stand empty files for those that it only links to; return all of these.

        Raises:
            OSError: one cannot be read.
        """
        brought = [picture for picture in pictures if self.has(picture) and not picture.exists()]
        _at_once(lambda picture: fetch(self.publisher.at(self.publisher.name(picture)), picture), brought)
        for picture in links:
            if self.has(picture) and not picture.exists():
                picture.parent.mkdir(parents=True, exist_ok=True)
                picture.touch()
                brought.append(picture)
        return brought

    def publish(self) -> None:
        """Publish all that changed: the journals, then the pictures that are here, then the rest, `run.json` last.

        Raises:
            OSError: something cannot be written; nothing is lost here.
        """
        self._publish_segments()
        names = list(self._files())
        pictures = [name for name in names if name.startswith(self._below)]
        _at_once(lambda name: self.publisher.hand_over([self.folder / name]), pictures)
        self._pictures.update(pictures)
        first, last = [f"{STATE}/{WRITTEN}"], [RUN_FACTS]
        others = sorted(set(names) - {*pictures, *first, *last})
        for part in (first, others, last):
            self._put_changed(part)
        self.forget([name for name in self._known if not (self.folder / name).exists()])

    def _files(self) -> Iterator[str]:
        """Yield the names of the mirror's files that are published."""
        for place, _, names in os.walk(self.folder):
            for each in names:
                name = self.publisher.name(Path(place, each))
                if name not in _OWN and not name.startswith(_STRIPS) and not PART_NAME.fullmatch(each):
                    yield name

    def _put_changed(self, names: Iterable[str]) -> None:
        """Write those files to the address that are here and are not the same there."""
        now = {name: _digest(self.folder / name) for name in names if (self.folder / name).is_file()}
        changed = [name for name, digest in now.items() if self._known.get(name) != digest]
        _at_once(self.publisher.put, changed)
        self._known.update(now)

    def close(self) -> None:
        """Remove the mirror: all of it is at the address."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _at_once(work: Callable[[T], None], items: Sequence[T]) -> None:
    """Do a work for items, several at once; the first error is raised, when those that were begun are done."""
    with ThreadPoolExecutor(AT_ONCE, "store") as pool:
        try:
            list(pool.map(work, items))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
