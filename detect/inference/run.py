"""The run over images: detections and maps of each, while the next image is read and the last one written."""

import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from contextvars import Context, copy_context
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from detect.imagery.description.remarks import tell
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.gdal.options import described_together
from detect.imagery.remote.address import Address
from detect.imagery.scenes import Scene, SceneError
from detect.imagery.validity.surveyed import surveyed
from detect.imagery.windows import Tiling, Window
from detect.inference.ahead import AHEAD_PER_WORKER, mapped_ahead
from detect.inference.begun import Maps, begun
from detect.inference.decoding.geometry import to_file_pixels
from detect.inference.engine import Engine
from detect.inference.failures import MAX_PREVIEW_SIDE, Failure
from detect.inference.scene_result import SceneResult
from detect.inference.strips.joining import joined
from detect.inference.strips.shelf import Shelf
from detect.inference.strips.splitting import in_strips
from detect.inference.strips.stored_shelf import StoredShelf
from detect.inference.strips.strip import Strip
from detect.inference.tile_reading import grouped, read_tiles
from detect.inference.tiles import ImageEnd, Source, StripEnd, TileBatch, failure_of
from detect.inference.unfinished import Stitched, Unfinished
from detect.inference.writes import Writes
from detect.labels.detections import Detections
from detect.labels.sheets import UnwritableError, writable

logger = logging.getLogger(__name__)

OLDER = (
    "the model was made by a version that read images as they are stored: if its training images had an EXIF "
    "orientation too, labels lay beside the objects; train it again"
)
"""What is told of a model without names of bands where images are turned."""


TOO_MANY = (
    "a million places may be objects by their scores: candidates are not kept, and no number is expected by their "
    "probabilities"
)
"""What is told of an image of which candidates are not kept."""


AT_ADDRESSES = 32
"""Images in an object store that are described at once: most of the time is spent waiting for it."""


DESCRIBED_TOGETHER = 16
"""Images on this machine that a thread describes one after the other: GDAL's options are set once for all of them."""


class Sink(Protocol):
    """Receives the results of a run, in the order of the images.

    Attributes:
        shelf: where strips of large rasters are kept until they are joined; None counts every image at once.
    """

    @property
    def shelf(self) -> Shelf | StoredShelf | None:
        """Where strips are kept."""

    def has(self, name: str, path: Path) -> bool:
        """Return whether the result of an image was kept by the earlier run that this one resumes."""

    def prepared(self, name: str, scene: Scene, result: SceneResult) -> Callable[[], None]:
        """Write the pictures of an image, in any thread, and return what records it as done, called in order.

        The scene is at the network's resolution.
        """

    def together(self) -> AbstractContextManager[object]:
        """Return a block in which images are recorded together: they are recorded when it ends."""

    def fail(self, failure: Failure) -> None:
        """Record the failure of an image."""


class Progress(Protocol):
    """Shows how far a run is."""

    def expect(self, images: int, pixels: int) -> None:
        """Set the number of images and pixels of the run."""

    def start(self, name: str) -> None:
        """Show the name of the image that begins."""

    def advance(self, pixels: int) -> None:
        """Add pixels that are done."""


class Counting(Protocol):
    """Runs a model over units of images elsewhere, such as in several processes, for a sink that it knows.

    Attributes:
        processes: that count at the same time.
    """

    @property
    def processes(self) -> int:
        """The number of processes that count at the same time."""

    def __call__(self, units: Sequence[Sequence[Source]], progress: Progress, fail: Callable[[Failure], None]) -> int:
        """Have all images of the units recorded or failed, in their order; return the pixels done, of the files."""


def predict_images(
    images: Sequence[tuple[str, Path]],
    engine: Engine,
    sink: Sink,
    progress: Progress,
    preview_side: int | None = MAX_PREVIEW_SIDE,
    note: Callable[[str], None] = lambda line: None,
    counting: Counting | None = None,
) -> tuple[int, list[Failure]]:
    """Run a model over images; a broken one is reported and the next one follows.

    Threads read and decode the next images, the network computes, and threads write the last ones, at the same time;
    what is written, and in which order images are recorded, does not depend on their number. Images that the sink has
    are skipped.

    Args:
        images: (name, path).
        engine: the model.
        sink: receives every result as soon as it is complete.
        progress: shows how far the run is.
        preview_side: longest side in pixels of the picture of each image; None makes none.
        note: keeps what is told of how images are read; of all images, whether the sink has them or not.
        counting: what does the work, of which some of the images are left; None does it in this process.

    Returns:
        The pixels done, of the image files, and the failures.
    """
    sources, unreadable = _open(images, engine)
    for line in tell({source.name: source.scene.remarks for source in sources}):
        note(line)
    if not engine.spec.band_names and any(source.scene.orientation > 1 for source in sources):
        logger.warning("%s", OLDER)
        note(OLDER)

    failures: list[Failure] = []
    failed: set[str] = set()

    def fail(failure: Failure) -> None:
        if failure.name in failed:
            return  # of several strips the first
        failed.add(failure.name)
        failures.append(failure)
        sink.fail(failure)
        logger.warning("%s: failed and is skipped: %s", failure.name, failure.error)

    for failure in unreadable:
        fail(failure)
    groups = grouped(sources, engine.plan)
    units: list[Sequence[Source]] = [unit for unit in groups if not all(sink.has(s.name, s.scene.path) for s in unit)]
    if sink.shelf is not None:
        units = in_strips(units, engine, sink.shelf, 1 if counting is None else counting.processes, preview_side)
    parts = [source for unit in units for source in unit]
    progress.expect(sum(not isinstance(each.part, Strip) for each in parts), sum(each.pixels for each in parts))
    if counting is not None:
        return counting(units, progress, fail), failures
    left = (unit for unit in units if unit[0].part is None or unit[0].name not in failed)
    return count_units(left, engine, sink, progress, fail, preview_side), failures


def count_units(
    units: Iterable[Sequence[Source]],
    engine: Engine,
    sink: Sink,
    progress: Progress,
    fail: Callable[[Failure], None],
    preview_side: int | None = MAX_PREVIEW_SIDE,
    kept: Callable[[Source], None] = lambda strip: None,
) -> int:
    """Run a model over units of images that are described, and return the pixels done, of the image files.

    Args:
        units: images whose tiles share batches; the next ones are asked for while the first are computed.
        engine: the model.
        sink: receives every result as soon as it is complete.
        progress: shows how far the run is.
        fail: receives the failure of an image, in this thread.
        preview_side: longest side in pixels of the picture of each image; None makes none.
        kept: is told of each strip that is found, in this thread.
    """
    done = 0
    broken: set[str] = set()
    with (
        closing(stitched(units, engine, progress, preview_side)) as maps,
        Writes(engine.plan.workers, engine.plan.stitched, sink.together) as writes,
    ):
        for item in maps:
            if isinstance(item, Source) and isinstance(item.part, Strip):
                kept(item)
                continue
            nbytes = _nbytes(item, engine)
            for failed in writes.ended(nbytes):
                fail(failed)
            if isinstance(item, Failure):
                broken.add(item.name)
                fail(item)
                continue
            source = item if isinstance(item, Source) else item.source
            if source.name not in broken or source.part is None:
                done += source.scene.file_pixels
                writes.add(source.name, nbytes, partial(_prepared, item, engine, sink, preview_side))
        for failed in writes.rest():
            fail(failed)
    return done


def count_scene(scene: Scene, engine: Engine, name: str = "") -> SceneResult:
    """Find the objects of one scene, resampled as the model asks for: tiles, map, detections.

    Raises:
        SceneError: the image is damaged, or not of the kind that the model was trained on.
        ValueError: the model has no background class.
    """
    return decoded(map_scene(Source(name, engine.prepared(scene)), engine), engine)


def map_scene(source: Source, engine: Engine, preview_side: int | None = MAX_PREVIEW_SIDE) -> Stitched:
    """Return the stitched map of one scene, as prediction, evaluation and validation all make it.

    Args:
        source: the scene, at the network's resolution.
        engine: runtime and plan.
        preview_side: longest side in pixels of the picture of the scene beside the map; None makes none.

    Raises:
        SceneError: the image is damaged, or the network's outputs are not finite.
    """
    with closing(stitched([[source]], engine, _Quiet(), preview_side)) as maps:
        item = next(maps)
    if isinstance(item, Failure):
        raise SceneError(item.error)
    assert isinstance(item, Stitched)
    return item


def stitched(
    units: Iterable[Sequence[Source]], engine: Engine, progress: Progress, preview_side: int | None = MAX_PREVIEW_SIDE
) -> Generator[Stitched | Source | Failure]:
    """Yield the stitched map of every image, or its failure; images that are met one by one share no batch.

    A strip is yielded when its file is there, and a joint as it is: its strips are not joined yet.
    """
    if engine.meeting is None and engine.scale_views is None:
        yield from _stitched(units, engine, progress, preview_side)
        return
    for source in chain.from_iterable(units):
        try:
            met = engine.met(source)
            others = tuple(_in_other_sizes(met, engine))
        except (SceneError, MemoryError) as error:
            yield failure_of(source, error)
            continue
        shown = _Rescaled(progress, source.scene, met.scene)
        for item in _stitched([[met]], engine, shown, preview_side):
            yield replace(item, others=others) if isinstance(item, Stitched) else item


def _in_other_sizes(source: Source, engine: Engine) -> Iterator[Detections]:
    """Yield what is found in each other size of an image, in pixels of its own one.

    Raises:
        MemoryError, SceneError: it cannot be read so.
    """
    if engine.scale_views is None:
        return
    for factor in engine.scale_views.factors:
        other = source.at(factor)
        (item,) = _stitched([[other]], replace(engine, meter=None), _Quiet(), None)
        if isinstance(item, Failure):
            raise SceneError(item.error)
        assert isinstance(item, Stitched)
        (x, y), (own_x, own_y) = other.scene.factor_xy, source.scene.factor_xy
        yield engine.candidates(item.logits, other.scene, item.valid).scaled(own_x / x, own_y / y)


def _stitched(
    units: Iterable[Sequence[Source]], engine: Engine, progress: Progress, preview_side: int | None
) -> Generator[Stitched | Source | Failure]:
    """Yield the stitched map of every image, or its failure, of units whose tiles share batches; see `stitched`."""
    with (
        closing(Unfinished(engine, progress)) as unfinished,
        closing(read_tiles(units, engine.spec.bands, engine.plan, preview_side, engine.meter)) as steps,
    ):
        for step, wait in begun(steps, engine.runtime):
            if isinstance(step, Source):
                yield step
            elif isinstance(step, Failure):
                if unfinished.fail((step.name, step.strip)):
                    yield step
            elif isinstance(step, ImageEnd | StripEnd):
                made = unfinished.end(step)
                if made is not None:
                    yield made
            else:
                for tile, tile_map, valid in _mapped(step, wait):
                    failure = unfinished.put(tile, tile_map, valid)
                    if failure is not None:
                        yield failure


def _mapped(
    batch: TileBatch, wait: Maps
) -> Iterator[tuple[tuple[Source, Tiling, Window], NDArray[np.float32] | None, NDArray[np.bool_] | None]]:
    """Yield the core, the map and the valid pixels of each tile of a batch; no map of one where nothing is valid."""
    maps = iter(wait())
    for core, valid, empty in zip(batch.cores, batch.valid, batch.empty, strict=True):
        yield core, None if empty else next(maps), valid


def decoded(item: Stitched, engine: Engine) -> SceneResult:
    """Return the detections of an image's map, in pixels of the image file, with the map and the candidates kept."""
    scene, floor = item.source.scene, engine.floor if engine.keeps(item.logits) else None
    crowded = engine.floor is not None and floor is None
    if crowded:
        logger.warning("%s: %s", item.source.name, TOO_MANY)
    least = engine.least_score if floor is None else min(engine.least_score, floor)
    every = engine.merged(item.logits, scene, item.valid, item.others, least)
    found = engine.counted(every)
    sureness = engine.sureness(item.logits, scene, item.valid)
    kept = None if floor is None else to_file_pixels(engine.calibrated(every[every.score >= floor]), scene)
    return SceneResult(
        to_file_pixels(found, scene),
        engine.geometry(scene, item.valid),
        item.preview,
        item.logits,
        engine.plan.cells(len(item.logits)),
        engine.heat,
        item.damaged,
        surveyed(scene, item.valid),
        engine.unlike(item.looks, item.windows, None if engine.undecided else found),
        kept,
        crowded,
        sureness,
        engine.unknown(sureness),
    )


def _open(images: Sequence[tuple[str, Path]], engine: Engine) -> tuple[list[Source], list[Failure]]:
    """Describe the images, several at a time, by the rules that hold here; return them and what failed, in order."""

    def described(name: str, path: Path) -> Source | Failure:
        try:
            writable(name, "image name")
            return Source(name, engine.prepared(open_scene(path)))
        except (SceneError, UnwritableError, UnicodeError) as error:
            return Failure(name, str(error))

    def together(rules: Context, given: Sequence[tuple[str, Path]]) -> list[Source | Failure]:
        with described_together([path for _, path in given]):
            return [rules.run(described, *image) for image in given]

    away = any(isinstance(path, Address) for _, path in images)
    workers = max(engine.plan.workers, AT_ADDRESSES if away else 1)
    size = 1 if away else DESCRIBED_TOGETHER
    parts = ((copy_context(), images[i : i + size]) for i in range(0, len(images), size))
    made = mapped_ahead(lambda part: together(*part), parts, workers, AHEAD_PER_WORKER * workers, "open")
    every = list(chain.from_iterable(made))
    return [m for m in every if isinstance(m, Source)], [m for m in every if isinstance(m, Failure)]


def _prepared(
    item: Stitched | Source, engine: Engine, sink: Sink, preview_side: int | None
) -> Callable[[], None] | None:
    """Decode and write the result of an image; return what records it, None where it is recorded already.

    Strips are joined first.
    """
    source = item if isinstance(item, Source) else item.source
    if sink.has(source.name, source.scene.path):
        return None
    if isinstance(item, Source):
        whole = joined(item, engine, preview_side)
        item = Stitched(item, whole.logits, whole.preview, whole.damaged, whole.valid, whole.looks, whole.windows)
    return sink.prepared(source.name, source.scene, decoded(item, engine))


def _nbytes(item: Stitched | Source | Failure, engine: Engine) -> int:
    """Return the bytes that an image's result keeps in memory until it is written."""
    if isinstance(item, Failure):
        return 0
    if isinstance(item, Source):
        cells = -(-item.scene.shape[0] // engine.plan.stride) * -(-item.scene.shape[1] // engine.plan.stride)
        return min(4 * engine.decoder.channels * cells, engine.plan.stitched)
    in_memory = 0 if isinstance(item.logits, np.memmap) else item.logits.nbytes
    return in_memory + sum(each.nbytes for each in (item.preview, item.valid) if each is not None)


class _Rescaled:
    """Progress in the pixels of a scene while tiles are of the same scene at another size."""

    def __init__(self, progress: Progress, scene: Scene, read: Scene) -> None:
        self.expect = progress.expect
        self.start = progress.start
        self._advance = progress.advance
        self._ratio = scene.shape[0] * scene.shape[1] / (read.shape[0] * read.shape[1])
        self._read = self._told = 0

    def advance(self, pixels: int) -> None:
        """Add pixels that are done; the rounded parts add up to the whole."""
        self._read += pixels
        done = round(self._read * self._ratio)
        self._advance(done - self._told)
        self._told = done


class _Quiet:
    """Progress that is not shown."""

    def expect(self, images: int, pixels: int) -> None:
        """Show nothing."""

    def start(self, name: str) -> None:
        """Show nothing."""

    def advance(self, pixels: int) -> None:
        """Show nothing."""
