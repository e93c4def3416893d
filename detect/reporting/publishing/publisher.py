"""Puts files of a mirror to their address; it holds no state, and may be sent to another process or machine."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from detect.imagery.remote.address import Address
from detect.imagery.remote.store import put


@dataclass(frozen=True)
class Publisher:
    """Where the files of a mirror are published.

    Attributes:
        folder: the mirror.
        address: of the output folder.
    """

    folder: Path
    address: Address

    def name(self, path: Path) -> str:
        """Return the name of a file of the mirror, with forward slashes."""
        return path.relative_to(self.folder).as_posix()

    def at(self, name: str) -> Address:
        """Return the address of a file by its name."""
        return Address(*self.address.parts, *name.split("/"))

    def put(self, name: str) -> None:
        """Write a file to its address, whole or not at all.

        Raises:
            OSError: it cannot be written there.
        """
        put(self.folder / name, self.at(name))

    def hand_over(self, pictures: Iterable[Path]) -> None:
        """Write pictures to their addresses, and remove them here; one that is not there is none.

        Folders stay: another thread may be about to write into them.

        Raises:
            OSError: one cannot be written there.
        """
        for picture in pictures:
            if picture.is_file():
                self.put(self.name(picture))
                picture.unlink()
