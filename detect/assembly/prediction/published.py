"""A run whose output folder is at an address: it works in a mirror, which messages call by the address."""

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from detect.assembly.settings.predict_settings import PredictSettings
from detect.imagery.remote.address import Address

if TYPE_CHECKING:
    from detect.reporting.publishing.mirror import Mirror

logger = logging.getLogger(__name__)


@contextmanager
def published(settings: PredictSettings) -> "Iterator[tuple[PredictSettings, Mirror | None]]":
    """Yield settings whose output is on this machine, and its mirror; None where it is no address.

    The mirror goes when the run is done; of one that is broken off it stays, for the same command to go on with.

    Raises:
        OSError: the store cannot be reached.
        ValueError: the address lies among the images or holds a trained model, or another run is writing to it.
    """
    if not isinstance(settings.output, Address):
        yield settings, None
        return
    from filelock import FileLock, Timeout

    from detect.reporting.publishing.mirror import Mirror

    address, folder = settings.output, _mirror_folder(settings, settings.output)
    _check_apart(address, settings.images)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder.with_name(f"{folder.name}.lock"), timeout=0):
            mirror = Mirror(folder, address)
            if "model.safetensors" in mirror.objects:
                raise FileExistsError(f"output={address} is the folder of a trained model; name another one")
            mirror.fetch()
            logger.info("output=%s: the run works in %s and publishes whole files", address, folder)
            with _called(folder, address):
                yield replace(settings, output=folder), mirror
            mirror.close()
    except Timeout as error:
        raise ValueError(f"output={address}: another run is writing there; wait for it, or name another one") from error


def _mirror_folder(settings: PredictSettings, address: Address) -> Path:
    """Return the place of an address's mirror: in the folder of scratch files, or the user's own of such files."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "detect" / "outputs"
    name = hashlib.sha256(str(address).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return (settings.runtime.scratch or cache) / f"output-{name}"


def _check_apart(output: Address, images: Path) -> None:
    if isinstance(images, Address) and output.parts[: len(images.parts)] == images.parts:
        raise ValueError(
            f"output={output} lies inside images={images}; name a prefix outside, or its pictures are counted"
        )


class _Renaming(logging.Filter):
    """Names an address in the log where a line names the folder that stands for it."""

    def __init__(self, folder: Path, address: Address) -> None:
        super().__init__()
        self.renamed = str(folder), str(address)

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True; the line is changed."""
        text = record.getMessage()
        if self.renamed[0] in text:
            record.msg, record.args = text.replace(*self.renamed), ()
        return True


@contextmanager
def _called(folder: Path, address: Address) -> Iterator[None]:
    """Call a folder by its address in the log, and in errors that leave the block."""
    renaming, handlers = _Renaming(folder, address), list(logging.getLogger().handlers)
    for handler in handlers:
        handler.addFilter(renaming)
    try:
        yield
    except (OSError, ValueError) as error:
        error.args = tuple(each.replace(*renaming.renamed) if isinstance(each, str) else each for each in error.args)
        if isinstance(error, OSError) and isinstance(error.filename, str):
            error.filename = error.filename.replace(*renaming.renamed)
        raise
    finally:
        for handler in handlers:
            handler.removeFilter(renaming)
