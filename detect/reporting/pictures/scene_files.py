"""The files of one image in a predictions folder, and the record that is kept of it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from detect.imagery.files import remove_written
from detect.imagery.ground.geodesy import placement_of
from detect.imagery.maps.map_kinds import MapKind
from detect.imagery.maps.map_writing import write_map
from detect.imagery.scenes import Scene, original
from detect.imagery.thumbnails import thumbnail
from detect.imagery.validity.surveyed import surveyed
from detect.labels.detections import Detections
from detect.labels.formats.detections_csv import write_detections
from detect.reporting.output.ground_survey import GroundSurvey, Inside, inside_areas
from detect.reporting.output.layout import CANDIDATES, HEATMAPS, OVERLAYS, PredictionPaths
from detect.reporting.output.products import PAGE
from detect.reporting.output.records import Record
from detect.reporting.page.figures import MAX_THUMBNAIL_SIDE
from detect.reporting.pictures.area_lines import draw_outlines
from detect.reporting.pictures.colours import to_display
from detect.reporting.pictures.overlays import overlaid
from detect.reporting.publishing.publisher import Publisher
from detect.reporting.recount.candidate_records import candidate_record
from detect.reporting.writing import write_picture

if TYPE_CHECKING:
    from detect.inference.scene_result import SceneResult
    from detect.nets.card import ModelCard


@dataclass(frozen=True, eq=False)
class Origin:
    """What identifies the content of an image's file: its `signature`, and the digest of the files beside it."""

    signature: tuple[str, int, int]
    beside: str


@dataclass(frozen=True, eq=False)
class Kept:
    """What is kept of an image whose files are written: its record, and that of its candidates where there are some.

    It is plain data: another process may have made it.
    """

    record: Record
    candidates: Record | None


@dataclass(frozen=True, eq=False)
class SceneWriter:
    """Writes the heatmap, pictures and candidates of images; it holds no state, and may be sent to another process.

    Attributes:
        folder: the predictions folder.
        card: the card of the model.
        wanted: what is asked for, of `PRODUCTS`.
        survey: what of the ground is counted.
        map_kind: how heatmaps are stored.
        overlaid: whether what is found is drawn on each image.
        publisher: puts the files to an address, where they are kept instead; None keeps them in the folder.
    """

    folder: Path
    card: "ModelCard"
    wanted: frozenset[str]
    survey: GroundSurvey
    map_kind: MapKind
    overlaid: bool
    publisher: Publisher | None = None

    def working_in(self, folder: Path) -> "SceneWriter":
        """Return the same writer in another folder, of a machine from which the files are published."""
        assert self.publisher is not None
        return replace(self, folder=folder, publisher=replace(self.publisher, folder=folder))

    @cached_property
    def paths(self) -> PredictionPaths:
        """The places in the folder."""
        return PredictionPaths(self.folder)

    @cached_property
    def _earlier(self) -> frozenset[Path]:
        """The folders of pictures that were there when the first image was written, as of an earlier run."""
        return frozenset(folder for folder in self._folders if folder.exists())

    @cached_property
    def _folders(self) -> tuple[Path, ...]:
        """The folders of pictures."""
        return self.paths.picture_folders

    @property
    def previewed(self) -> bool:
        """Whether small pictures of the images are needed: for overlays, and for the page."""
        return OVERLAYS in self.wanted or PAGE in self.wanted

    def pictures(self, name: str) -> Iterator[tuple[Path, Path, bool]]:
        """Yield each picture of an image that there may be, the folder of its kind, and whether it is asked for."""
        asked = (HEATMAPS in self.wanted, self.overlaid, PAGE in self.wanted, CANDIDATES in self.wanted)
        yield from zip(self.paths.pictures(name), self._folders, asked, strict=True)

    def write(self, name: str, scene: Scene, result: "SceneResult", origin: Origin) -> Kept:
        """Write an image's heatmap, pictures and candidates, and return what is kept of it.

        Several threads and processes may do so at once, two of them for the same image too: each file is replaced as a
        whole, by the same bytes. Pictures of an earlier run that this one is
        not asked for are removed: they may show other detections.

        Args:
            name: of the image.
            scene: the image as the model reads it.
            result: its detections in file pixels, its map and its preview.
            origin: of the image, as it was when the run began.

        Raises:
            ValueError: areas are on a map, and the image has no place on it.
        """
        inside = inside_areas(self.survey.areas, name, scene, result.detections, result.geometry.valid)
        possible = self._possible(name, scene, result)
        candidates = None if possible is None else possible.detections
        record = self._record(origin, scene, result, inside, candidates)
        for picture, folder, asked in self.pictures(name):
            if folder not in self._earlier:
                continue
            if not asked:
                remove_written(picture, folder)
            elif candidates is None and picture == self.paths.candidates(name):
                picture.unlink(missing_ok=True)  # the folder stays: another thread may be about to write into it
        if HEATMAPS in self.wanted:
            write_map(
                self.paths.heatmap(name),
                result.heat_pieces(),
                scene,
                result.geometry.stride,
                self.card.classes,
                result.geometry.offset,
                self.map_kind,
            )
        if self.previewed:
            self._write_pictures(name, scene, result, inside)
        if CANDIDATES in self.wanted and candidates is not None:
            write_detections({name: candidates}, self.paths.candidates(name))
        kept = None
        if CANDIDATES in self.wanted and possible is not None and result.candidates is not None:
            kept = candidate_record(record, result.candidates, possible)
        if self.publisher is not None:
            self.publisher.hand_over(picture for picture, _, asked in self.pictures(name) if asked)
        return Kept(record, kept)

    def _possible(self, name: str, scene: Scene, result: "SceneResult") -> Inside | None:
        """Return what may be an object in an image, of that what is counted; None where it is not kept."""
        if result.candidates is None:
            return None
        return inside_areas(self.survey.areas, name, scene, result.candidates, None)

    def _record(
        self, origin: Origin, scene: Scene, result: "SceneResult", inside: Inside, candidates: Detections | None
    ) -> Record:
        """Return what is kept of an image: with it every table and format can be written without the image."""
        probable = None if self.card.calibration is None else candidates
        path, size, mtime_ns = origin.signature
        typical = self.card.head.typical_size
        part = inside.part or result.surveyed or surveyed(scene, result.geometry.valid)
        return Record(
            path=path,
            size=size,
            mtime_ns=mtime_ns,
            pixels=scene.file_pixels,
            detections=inside.detections,
            damaged=result.damaged,
            valid=part.valid,
            hectares=part.hectares,
            unlike=result.unlike.share,
            unlike_in=result.unlike.words,
            shape=original(scene).shape,
            object_wh=(typical / scene.factor_xy[0], typical / scene.factor_xy[1]) if typical else None,
            placement=placement_of(scene),
            inside=None if inside.part is None else inside.part.pixels,
            shown=inside.shown,
            areas=inside.parts,
            outside=inside.outside,
            beside=origin.beside,
            expected=None if probable is None else float(probable.score.sum()),
            crowded=result.crowded,
            sureness=result.sureness,
            unknown=result.unknown,
        )

    def _write_pictures(self, name: str, scene: Scene, result: "SceneResult", inside: Inside) -> None:
        """Write the overlay and the thumbnail of an image, both from its preview, as far as they are asked for."""
        assert result.preview is not None
        preview = to_display(result.preview, nodata=scene.nodata)
        if self.overlaid:
            preview_per_file_px = preview.shape[1] / original(scene).shape[1]
            radius_file_px = self.card.head.typical_size / 2 / scene.factor_xy[0]
            drawn = overlaid(preview, inside.detections, preview_per_file_px, radius_file_px)
            if len(inside.outlines):
                picture = Image.fromarray(drawn)
                draw_outlines(picture, inside.outlines, preview_per_file_px)
                drawn = np.asarray(picture)
            write_picture(drawn, self.paths.overlay(name))
        if PAGE not in self.wanted:
            return
        write_picture(thumbnail(preview, MAX_THUMBNAIL_SIDE), self.paths.thumbnail(name), quality=95)
