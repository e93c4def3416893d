"""The station of a run of a model: it counts the images of tasks as a run in one process does."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from detect.imagery.liveness.signs import signs_heard
from detect.imagery.scenes import Scene
from detect.inference.devices.tasks import Advanced, Begun, Done, Event, Failed, Found, Task
from detect.inference.engine import Engine
from detect.inference.run import count_units
from detect.inference.scene_result import SceneResult
from detect.inference.tiles import Source


class Writer(Protocol):
    """Writes the files of images."""

    def write(self, name: str, scene: Scene, result: SceneResult, origin: Any) -> Any:
        """Write the files of an image, in any thread, and return what is kept of it; it can be pickled.

        Args:
            name: of the image.
            scene: the image as the model reads it.
            result: what is found.
            origin: of the image, as its task has it.
        """


@dataclass(frozen=True, eq=False)
class CountingStation:
    """A model on a device.

    Attributes:
        engine: the model.
        writer: of the images' files.
        preview_side: longest side in pixels of the picture of each image; None makes none.
    """

    engine: Engine
    writer: Writer
    preview_side: int | None

    def run(self, tasks: Iterable[Task], tell: Callable[[Event], None]) -> None:
        """Count the images of tasks; see `Station`."""
        sink = _TellingSink(self.writer, tell)

        def units() -> Iterator[Sequence[Source]]:
            for task in tasks:
                sink.take(task)
                yield task.unit

        with signs_heard(lambda: tell(Advanced(0))):
            count_units(
                units(),
                self.engine,
                sink,
                sink,
                lambda failure: tell(Failed(failure)),
                self.preview_side,
                lambda strip: tell(Found(*strip.key)),
            )


class _TellingSink:
    """A sink and a progress that tell all."""

    def __init__(self, writer: Writer, tell: Callable[[Event], None]) -> None:
        self.done: set[str] = set()
        self.shelf = None
        self._origins: dict[str, Any] = {}
        self._writer = writer
        self._tell = tell

    def take(self, task: Task) -> None:
        """Keep what a task says of its images."""
        self.done |= task.done
        self._origins |= {source.name: origin for source, origin in zip(task.unit, task.origins, strict=True)}

    def has(self, name: str, path: Path) -> bool:
        """Return whether an earlier run has the image."""
        return name in self.done

    def prepared(self, name: str, scene: Scene, result: SceneResult) -> Callable[[], None]:
        """Write the files of an image, and return what tells so."""
        kept = self._writer.write(name, scene, result, self._origins.pop(name))
        return partial(self._tell, Done(name, kept))

    def together(self) -> nullcontext[None]:
        """Return a block in which each image is told of at once: what is told is recorded elsewhere."""
        return nullcontext()

    def fail(self, failure: Any) -> None:
        """Report that an image failed."""
        self._tell(Failed(failure))

    def expect(self, images: int, pixels: int) -> None:
        """Do nothing: the run knows."""

    def start(self, name: str) -> None:
        """Report that an image begins."""
        self._tell(Begun(name))

    def advance(self, pixels: int) -> None:
        """Report that pixels are done."""
        self._tell(Advanced(pixels))
