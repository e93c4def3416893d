"""The predictions folder while it is written: each image's results when they are complete, the tables at the end."""

import hashlib
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from detect.imagery.description.side_files import beside_digest
from detect.imagery.files import check_inside, remove_parts
from detect.imagery.maps.map_kinds import BYTES, MapKind
from detect.imagery.maps.map_reading import read_kind
from detect.imagery.scenes import Scene
from detect.labels.formats.detections_csv import detections_bytes
from detect.reporting.classes.class_folder import clear_classes
from detect.reporting.lots.lot_folder import clear_lots
from detect.reporting.output.format_files import write_formats
from detect.reporting.output.ground_counts import GroundCounts
from detect.reporting.output.ground_survey import WHOLE_IMAGES, GroundSurvey
from detect.reporting.output.journal import Journal
from detect.reporting.output.layout import (
    CANDIDATES,
    CLASSES,
    COUNTS,
    DETECTIONS,
    FAILURES,
    HEATMAPS,
    LOTS,
    OVERLAYS,
    RUN_FACTS,
    PredictionPaths,
)
from detect.reporting.output.products import PAGE, TABLES, format_folders
from detect.reporting.output.records import Record, signature
from detect.reporting.output.written import WrittenFiles
from detect.reporting.page.report_page import write_report
from detect.reporting.pictures.scene_files import Kept, Origin, SceneWriter
from detect.reporting.recount.candidate_records import CandidateRecords
from detect.reporting.recount.own_facts import OwnFacts
from detect.reporting.survey.person_columns import said_cells
from detect.reporting.survey.survey_ground import survey_ground
from detect.reporting.tables import (
    DAMAGED,
    EXPECTED,
    SURVEYED_HA,
    SURVEYED_SHARE,
    UNKNOWN,
    UNLIKE,
    UNLIKE_IN,
    counts_table,
    table_bytes,
)
from detect.reporting.writing import json_bytes, write_json

if TYPE_CHECKING:
    from detect.inference.failures import Failure
    from detect.inference.scene_result import SceneResult
    from detect.inference.strips.shelf import Shelf
    from detect.inference.strips.stored_shelf import StoredShelf
    from detect.nets.card import ModelCard
    from detect.reporting.publishing.mirror import Mirror


class PredictionFolder:
    """An output folder that takes the results of a run: pictures image by image, tables and report with `finish`.

    Results of an earlier run with the same settings stay; its half-written files are removed. An image is done where
    it has a record and the pictures that are asked for: tables and formats are made of the records alone.

    Args:
        folder: the output folder, or the mirror of one at an address.
        card: the card of the model.
        images: (name, path) of this run; those of an earlier run that are not among them are left out of the tables.
        wanted: what is asked for, of `PRODUCTS`.
        survey: what of the ground is counted; every run in this folder has the same areas.
        map_kind: how heatmaps are stored. An image whose heatmap is of the other kind is done again.

    Attributes:
        apart: whether those who count the images have no folder in common, and publish what they write.

    Raises:
        ValueError: a class has the name of another column of the counts.
    """

    def __init__(
        self,
        folder: "Path | Mirror",
        card: "ModelCard",
        images: Sequence[tuple[str, Path]],
        wanted: Collection[str],
        survey: GroundSurvey = WHOLE_IMAGES,
        map_kind: MapKind = BYTES,
    ) -> None:
        counts_table({}, card.classes)
        self.wanted = frozenset(wanted)
        self.mirror = None if isinstance(folder, Path) else folder
        self.folder = folder = folder if isinstance(folder, Path) else folder.folder
        self.sources = dict(images)
        self.paths = PredictionPaths(folder)
        self.card = card
        self.survey = survey
        self.map_kind = map_kind
        self.ground = GroundCounts(survey, {}, card)
        self._check_places([name for name, _ in images])
        self.apart = False
        self.journal = Journal(folder)
        self.possible = CandidateRecords(folder, self.journal.records)
        self.written = WrittenFiles(folder)
        self.failures: list[Failure] = []
        self._gathered: dict[str, Kept] | None = None
        self._origins = {name: Origin(signature(path), beside_digest(path)) for name, path in images}
        publisher = None if self.mirror is None else self.mirror.publisher
        self.writer = SceneWriter(folder, card, self.wanted, survey, map_kind, self.overlaid, publisher)
        recorded = {name for name, path in images if self._is_recorded(name, path)}
        self._complete = {name for name in recorded if self._is_drawn(name)}
        self.without_pictures = len(recorded) - len(self._complete)
        self.remove_parts()
        if self.mirror is not None:
            self.mirror.begin(map_kind if HEATMAPS in self.wanted else None)

    @property
    def found(self) -> dict[str, Record]:
        """The images of this run that are done, by name."""
        failed = {failure.name for failure in self.failures}
        return {name: self.journal.records[name] for name in sorted(self._complete - failed)}

    def has(self, name: str, path: Path) -> bool:
        """Return whether an image was done before, and has not changed since."""
        return name in self._complete

    def origin(self, name: str) -> Origin:
        """Return what the writer of an image's files is to know of it."""
        return self._origins[name]

    def _check_places(self, names: Sequence[str]) -> None:
        """Check that no link leads out of the output folder where this run will write."""
        one_a_folder = {name.rpartition("/")[0]: name for name in names}.values()
        pictures = (picture.parent for name in one_a_folder for picture in self.paths.pictures(name))
        for folder in {self.paths.state, self.paths.strips, *self.paths.picture_folders, *pictures}:
            check_inside(folder, self.folder)

    def _is_recorded(self, name: str, path: Path) -> bool:
        """Return whether an image's record is there, and its file and those beside it are the recorded ones."""
        record = self.journal.records.get(name)
        if record is None or not record.describes(path) or record.detections.classes != self.card.classes:
            return False
        if record.beside != self._origins[name].beside:
            return False
        number = 0 if self.survey.areas is None else len(self.survey.areas.areas)
        return all(part.area < number for part in record.areas)

    def _is_drawn(self, name: str) -> bool:
        """Return whether the pictures of an image that are asked for are there, and the candidates if it has some.

        A heatmap that is damaged, or of the other kind, is not.
        """
        crowded = self.journal.records[name].crowded
        none = {self.paths.candidates(name)} if crowded else set()
        if CANDIDATES in self.wanted and not crowded and name not in self.possible.names:
            return False
        if not all(
            self._is_there(picture) for picture, _, asked in self.writer.pictures(name) if asked and picture not in none
        ):
            return False
        heatmap = self.paths.heatmap(name)
        if self.mirror is not None and not heatmap.is_file():
            return HEATMAPS not in self.wanted or self.mirror.map_kind == self.map_kind.dtype
        return HEATMAPS not in self.wanted or read_kind(heatmap) == self.map_kind

    def _is_there(self, picture: Path) -> bool:
        return picture.is_file() or (self.mirror is not None and self.mirror.has(picture))

    @property
    def shelf(self) -> "Shelf | StoredShelf":
        """Where strips of large rasters are kept until they are joined: a place that all see who count them."""
        return self._stored_shelf if self.apart else self._shelf

    @cached_property
    def _stored_shelf(self) -> "StoredShelf":
        """The place of strips at the address of this folder."""
        from detect.inference.strips.stored_shelf import StoredShelf

        assert self.mirror is not None
        return StoredShelf(self.mirror.strips, self._origins, self.mirror.stored_strips())

    def _clear_strips(self, name: str) -> None:
        """Remove the strips of an image that is recorded, or failed, wherever a run put them."""
        if self.paths.strips.exists():
            self._shelf.clear(name)
        if self.mirror is not None:
            self._stored_shelf.clear(name)

    @cached_property
    def _shelf(self) -> "Shelf":
        """The place of strips in this folder; a full path, as workers may be elsewhere."""
        from detect.inference.strips.shelf import Shelf

        return Shelf(self.paths.strips.absolute(), self._origins)

    @cached_property
    def _judged(self) -> tuple[Path, ...]:
        """The folders of what is made of counts, which are of earlier ones when an image is counted."""
        return self.folder / LOTS, self.folder / CLASSES

    @property
    def overlaid(self) -> bool:
        """Whether what is found is drawn on each image as soon as it is counted."""
        return OVERLAYS in self.wanted

    @property
    def previewed(self) -> bool:
        """Whether small pictures of the images are needed: for overlays, and for the page."""
        return self.writer.previewed

    def remove_parts(self) -> None:
        """Remove the files that a killed run, or process of a run, was writing, and strips that came late.

        These are of images that are recorded: of two workers with a strip, the slower one may end while it writes.

        Raises:
            OSError: the store, where strips are in one, cannot be asked.
        """
        remove_parts(self.folder)
        remove_parts(self.paths.state)
        for below in (
            self.paths.strips,
            *self.paths.picture_folders,
            *(self.folder / place for place in format_folders()),
        ):
            remove_parts(below, below=True)
        self._shelf.clear_left(self._complete)
        if self.apart:
            self._stored_shelf.clear_left(self._complete)

    def prepared(self, name: str, scene: Scene, result: "SceneResult") -> Callable[[], None]:
        """Write an image's heatmap, pictures and candidates, and return what records it as done.

        Several threads may do so at once, for one image each; images are recorded one after the other.

        Args:
            name: of the image.
            scene: the image as the model reads it.
            result: its detections in file pixels, its map and its preview.

        Raises:
            ValueError: areas are on a map, and the image has no place on it.
        """
        return partial(self.keep, name, self.writer.write(name, scene, result, self._origins[name]))

    @contextmanager
    def together(self) -> Iterator[None]:
        """Record what is kept in this block when it ends: on the disk, for which is waited once."""
        self._gathered = {}
        try:
            yield
        finally:
            gathered, self._gathered = self._gathered, None
            self._keep_all(gathered)

    def keep(self, name: str, kept: Kept) -> None:
        """Record an image, whose files are written, as done; remove figures of earlier counts."""
        if self._gathered is None:
            self._keep_all({name: kept})
        else:
            self._gathered[name] = kept

    def _keep_all(self, kept: Mapping[str, Kept]) -> None:
        """Record images in their order: a record is the last that is written of an image, so that it has all else."""
        self.possible.add_all({name: each.candidates for name, each in kept.items() if each.candidates is not None})
        self.paths.scores.unlink(missing_ok=True)
        if any(os.path.exists(place) for place in self._judged):  # noqa: PTH110
            clear_lots(self.folder)
            clear_classes(self.folder)
        self.journal.add_all({name: each.record for name, each in kept.items()})
        self._complete |= kept.keys()
        for name, each in kept.items():
            self._publish(name, each)
            self._clear_strips(name)

    def _publish(self, name: str, kept: Kept) -> None:
        """Report to the mirror that an image is recorded, where there is one."""
        if self.mirror is not None:
            none = {self.paths.candidates(name)} if kept.record.crowded else set()
            self.mirror.recorded(
                [(picture, asked and picture not in none) for picture, _, asked in self.writer.pictures(name)]
            )

    def fail(self, failure: "Failure") -> None:
        """Add an image that failed."""
        self.failures.append(failure)

    def write_tables(self, run: Mapping[str, Any]) -> None:
        """Write `counts.csv`, `detections.csv` and, where there are areas, `areas.csv`; `failures.csv` and `run.json`.

        The first three as far as tables are asked for.

        Args:
            run: versions, model, settings, speed and memory; the numbers of images and pixels and the sources are
                added.
        """
        found = self.found
        self.ground = ground = GroundCounts(self.survey, found, self.card)
        detections = {name: record.detections for name, record in found.items()}
        placements = {name: record.placement for name, record in found.items()}
        failed = pd.DataFrame(sorted((f.name, f.error) for f in self.failures), columns=["image", "error"])
        tables = {}
        if TABLES in self.wanted:
            tables[DETECTIONS] = detections_bytes(detections, placements, ground.objects)
            facts = {**ground.columns, **_facts(found), **self._said(found, tables[DETECTIONS])}
            tables[COUNTS] = table_bytes(counts_table(detections, self.card.classes, facts))
            tables |= ground.files()
        self.written.write({**tables, FAILURES: table_bytes(failed), RUN_FACTS: self._run_facts(run)})

    def _said(self, found: Mapping[str, Record], detections: bytes) -> Mapping[str, Mapping[str, str]]:
        """Return the columns of the counts that a person's look gives, where somebody looked at these images before."""
        if not self.paths.corrections.exists() and not self.paths.survey.exists():
            return {}
        digest, ground = hashlib.sha256(detections).hexdigest(), survey_ground(found, self.survey.areas)
        return said_cells(self.folder, digest, found, ground)

    def _run_facts(self, run: Mapping[str, Any]) -> bytes:
        """Return `run.json`."""
        found = self.found
        facts = {
            "pixels": sum(record.pixels for record in found.values()),
            "valid_pixels": sum(record.pixels if record.valid is None else record.valid for record in found.values()),
            "images": {"done": len(found), "failed": len(self.failures)},
            "notes": [*run.get("notes", ()), *self.ground.remarks, *_notes_on_crowded(found)],
            **self.ground.facts(),
            "sources": {name: record.path for name, record in found.items()},
        }
        return json_bytes({**run, **facts}, self.paths.run_facts)

    def finish(
        self, run: Mapping[str, Any], embed_limit: int, measured: Callable[[], Mapping[str, Any]] = dict
    ) -> Path:
        """Write the tables, the formats and the report.

        Args:
            run: as for `write_tables`.
            embed_limit: number of images whose pictures are embedded in the report.
            measured: returns speed and memory; called when everything else is written, and added to `run.json`.

        Returns:
            The path of the report, or of the folder where none is asked for.
        """
        for failure in self.failures:
            self._clear_strips(failure.name)
        self.write_tables(run)
        write_formats(self.written, self.wanted, self.found, self.card.classes)
        page = self.folder
        if PAGE in self.wanted:
            scores = self.paths.scores if self.paths.scores.exists() else None
            found = {name: record.detections for name, record in self.found.items()}
            with self._pictures_here(embed_limit):
                page = write_report(self.folder, scores, embed_limit, found)
        facts = {**run, **measured()}
        self.written.write({RUN_FACTS: self._run_facts(facts)})
        self._keep(facts)
        if self.mirror is not None:
            self.mirror.publish()
        return page

    @contextmanager
    def _pictures_here(self, embed_limit: int) -> Iterator[None]:
        """Have the pictures that the report shows, or links to, on this machine while the block runs."""
        if self.mirror is None:
            yield
            return
        shown = [picture for name in list(self.found)[:embed_limit] for picture in self.paths.pictures(name)[:3]]
        brought = self.mirror.bring(shown, [self.paths.overlay(name) for name in self.found])
        try:
            yield
        finally:
            for picture in brought:
                picture.unlink(missing_ok=True)

    def _keep(self, facts: Mapping[str, Any]) -> None:
        """Keep what the run says of itself, with which its tables can be written at another threshold."""
        write_json(OwnFacts.of(facts, self.survey).to_record(), self.paths.own_facts)


def _notes_on_crowded(found: Mapping[str, Record]) -> list[str]:
    """Return a sentence on the images of which candidates are not kept."""
    names = [name for name, record in found.items() if record.crowded]
    if not names:
        return []
    return [
        f"{len(names)} images, such as {names[0]}, have a million places or more that may be objects by their scores: "
        "no candidates are kept of them, and no number is expected by probabilities"
    ]


def _facts(found: Mapping[str, Record]) -> dict[str, dict[str, str]]:
    """Return what stands behind the total in the table of counts, by column and image."""
    shares = {name: record.surveyed_share for name, record in found.items()}
    facts = {SURVEYED_SHARE: {name: f"{share:.6g}" for name, share in shares.items() if share is not None}}
    areas = {name: f"{record.hectares:.6g}" for name, record in found.items() if record.hectares is not None}
    if areas:
        facts[SURVEYED_HA] = areas
    expected = {name: record.expected for name, record in found.items() if record.expected is not None}
    if expected:
        facts[EXPECTED] = {name: f"{number:.3f}" for name, number in expected.items()}
    told = {name: record.unknown for name, record in found.items() if record.unknown is not None}
    if told:
        facts[UNKNOWN] = {name: str(int(unknown)) for name, unknown in told.items()}
    far = {name: record.unlike for name, record in found.items()}
    facts[UNLIKE] = {name: f"{share:.3f}" for name, share in far.items() if share is not None}
    notes = {
        note: {name: str(getattr(record, note)) for name, record in found.items()} for note in (UNLIKE_IN, DAMAGED)
    }
    return {**facts, **notes}
