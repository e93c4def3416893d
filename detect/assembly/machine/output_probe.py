"""What tells a worker on another machine that it reaches the run's output: a file of the folder, or an object."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

from detect.imagery.files import part_name
from detect.imagery.remote.address import Address
from detect.imagery.remote.image_cache import image_cache
from detect.imagery.remote.store import put, read_bytes, remove
from detect.reporting.output.layout import STATE

if TYPE_CHECKING:
    from detect.assembly.machine.several_devices import StationStart

OBJECT = (STATE, "probe")
"""The object of that name below an address; every run has the same, so that one that was killed leaves one at most."""

RESULTS = "results"
"""The folder, beside the copies of images of a worker's process, in which it writes what it publishes."""


class OutputProbe(Protocol):
    """Put where the output is by the run, and looked at by its workers."""

    def check(self, node: str) -> None:
        """Check on a node that the output is reached.

        Raises:
            ValueError: it is not, or is another one.
        """

    def at_worker(self, start: "StationStart") -> "StationStart":
        """Return what makes the station of a worker that has checked it, which writes where it can."""


@dataclass(frozen=True)
class FolderProbe:
    """A file in the folder that all machines share.

    Attributes:
        output: the folder, as it is called in the settings.
        path: the file.
        token: that is in it.
    """

    output: Path
    path: Path
    token: str

    def check(self, node: str) -> None:
        """Check that the folder is seen, and can be written to; see `OutputProbe`."""
        try:
            found = self.path.read_text(encoding="ascii")
        except OSError as error:
            raise ValueError(
                f"node {node} does not see the output folder of the run: {error.strerror}: {self.path}; {self._share()}"
            ) from error
        if found != self.token:
            raise ValueError(
                f"node {node} has another folder by the name output={self.output} than the run; {self._share()}"
            )
        written = self.path.with_name(part_name())
        try:
            written.write_text(self.token, encoding="ascii")
            written.unlink()
        except OSError as error:
            raise ValueError(
                f"node {node} cannot write into the output folder: {error.strerror}: {written.parent}; {self._share()}"
            ) from error

    def _share(self) -> str:
        return (
            "name a folder that all nodes share, such as one of a network drive, or an address of a store (s3://...), "
            f"instead of output={self.output}"
        )

    def at_worker(self, start: "StationStart") -> "StationStart":
        """Return it as it is; see `OutputProbe`."""
        return start


@dataclass(frozen=True)
class AddressProbe:
    """An object below the address to which workers publish by themselves.

    Attributes:
        output: the address.
        token: that is in the object.
    """

    output: Address
    token: str

    @property
    def place(self) -> Address:
        """The address of the object."""
        return Address(*self.output.parts, *OBJECT)

    def check(self, node: str) -> None:
        """Check that the store is reached, and can be written to; see `OutputProbe`."""
        try:
            found = read_bytes(self.place)
            if found == self.token.encode():
                put(found, self.place)
                return
        except (OSError, ValueError) as error:
            raise ValueError(
                f"node {node} cannot read and write output={self.output} as the run does: {error}; give each node the "
                "credentials, the endpoint and the package of the store, before `ray start`"
            ) from error
        raise ValueError(
            f"node {node} has another store by the name output={self.output} than the run, or another run writes "
            "there too; look at AWS_ENDPOINT_URL on the nodes"
        )

    def at_worker(self, start: "StationStart") -> "StationStart":
        """Return it with a folder of the worker's own, in which nothing stays; see `OutputProbe`.

        It goes with the copies of images, also after a worker that was killed.
        """
        folder = image_cache().folder / RESULTS
        return replace(start, folder=folder, writer=start.writer.working_in(folder))


@contextmanager
def output_probe(folder: Path, start: "StationStart") -> Iterator[OutputProbe]:
    """Write a probe where a run's output is, for as long as a block lasts.

    Args:
        folder: the run's own, in the output folder on this machine; for the file.
        start: makes the stations of the run.

    Raises:
        OSError: it cannot be written.
    """
    publisher, token = start.writer.publisher, uuid4().hex
    if publisher is None:
        probe = FolderProbe(start.settings.output, folder / part_name(), token)
        probe.path.write_text(token, encoding="ascii")
        try:
            yield probe
        finally:
            probe.path.unlink(missing_ok=True)
        return
    there = AddressProbe(publisher.address, token)
    put(token.encode(), there.place)
    try:
        yield there
    finally:
        with suppress(OSError):
            remove([there.place])
