"""Arrays that processes share, however these are started."""

import os
import tempfile
from multiprocessing.context import get_spawning_popen
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from detect.imagery.scratch import reserve


class SharedArray:
    """Hands an array to processes that are spawned, by a nameless file that all of them map.

    Where the system cannot pass open files on (Windows), each process gets a copy. Processes that are forked share
    what there is, without this.

    Args:
        array: it.
        folder: for the file; None takes the system's folder of temporary files.
    """

    def __init__(self, array: NDArray[Any], folder: Path | None) -> None:
        self.array = array
        self.folder = folder
        self._file: IO[bytes] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        if get_spawning_popen() is None or os.name == "nt":
            return SharedArray, (np.asarray(self.array), self.folder)
        if self._file is None:
            if self.folder is not None:
                self.folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115
            reserve(self._file, self.array.nbytes)
            mapped = np.memmap(self._file, self.array.dtype, "r+", shape=self.array.shape)
            mapped[:] = self.array
            mapped.flush()
        return _mapped, (DupFd(self._file.fileno()), self.array.dtype.str, self.array.shape)


def _mapped(file: Any, dtype: str, shape: tuple[int, ...]) -> SharedArray:
    """Return an array in a file that another process has handed over."""
    with os.fdopen(file.detach(), "rb") as opened:
        return SharedArray(np.memmap(opened, dtype, "r", shape=shape), None)
