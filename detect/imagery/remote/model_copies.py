"""Copies of model files at addresses, on this machine for as long as the process lives."""

import hashlib
import threading
from pathlib import Path

from detect.imagery.remote.address import Address
from detect.imagery.remote.image_cache import image_cache
from detect.imagery.remote.store import facts_of, fetch

FOLDER = "models"
"""Where they lie, beside the copies of images, with which they go."""

_fetching = threading.Lock()


def file_of(path: Path) -> Path:
    """Return the file of a model: itself, or the copy of one at an address, which is fetched once a process.

    Raises:
        FileNotFoundError: there is none at the address.
        OSError: it cannot be read, or there is no room for it.
        ValueError: the package for the store is not installed.
    """
    if not isinstance(path, Address):
        return path
    copy = image_cache().folder.joinpath(FOLDER, path.parts[0].removesuffix(":"), *path.parts[1:])
    with _fetching:
        if not copy.is_file():
            listed = facts_of(path)
            if listed is None:
                raise FileNotFoundError(f"{path}: no such model file; it is the model.safetensors of detect.train")
            copy.parent.mkdir(parents=True, exist_ok=True)
            fetch(path.with_facts(listed), copy)
    return copy


def digest(path: Path) -> str:
    """Return the SHA-256 of a model's file, here or at an address."""
    with file_of(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
