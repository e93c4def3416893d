"""Objects of a store, through `fsspec`: listed, read, written and removed, with errors that name the address."""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from detect.imagery.files import replace_file
from detect.imagery.liveness.signs import give_sign
from detect.imagery.remote.address import Address, Listed, without_secrets

MOST_ATTEMPTS = 5
"""How often a request is made that fails by the network or by a store that is busy, with growing pauses."""

CONNECT_SECONDS = 20
"""How long an attempt waits for a store to answer at all."""

CONNECTIONS = 64
"""Requests of a process that are under way at once."""


class StoreError(OSError):
    """An object, or a store, that cannot be reached; its `errno` is one of those that end a run's writing."""

    def __init__(self, message: str) -> None:
        super().__init__(errno.EIO, message)

    def __str__(self) -> str:
        return str(self.strerror)

    def __reduce__(self) -> tuple[Any, ...]:
        return StoreError, (str(self),)


def file_system(address: Address) -> Any:
    """Return the `fsspec` file system of an address: one a process, with the credentials of the environment.

    Raises:
        ValueError: the package for it is not installed.
    """
    import fsspec

    protocol, service = address.parts[0].removesuffix(":"), address.service
    options: dict[str, Any] = {"use_listings_cache": False}
    if protocol == "s3":
        options["config_kwargs"] = {
            "retries": {"max_attempts": MOST_ATTEMPTS, "mode": "standard"},
            "connect_timeout": CONNECT_SECONDS,
            "max_pool_connections": CONNECTIONS,
        }
    try:
        return fsspec.filesystem(protocol, **options)
    except ImportError as error:
        raise ValueError(f"{address}: {protocol}:// needs the package {service.package}; {service.install}") from error


@contextmanager
def store_errors(address: Address, doing: str) -> Iterator[None]:
    """Make what goes wrong with a store inside the block an error that names the address and the way out.

    Args:
        address: what is read or written.
        doing: that, in words: `read`.

    Raises:
        FileNotFoundError: there is no such object or bucket.
        PermissionError: the store refuses.
        StoreError: anything else.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{address}: no such bucket or object; look at the spelling ({address.service.listing}){_and_at(address)}"
        ) from error
    except PermissionError as error:
        raise PermissionError(
            f"{address}: the store does not let it be {doing} ({_said(error)}); look at the credentials "
            f"({address.service.credentials}) and at the rights of their user"
        ) from error
    except (StoreError, FileExistsError, ValueError):
        raise
    except Exception as error:  # botocore's, aiohttp's and the system's own are of a dozen kinds
        raise StoreError(f"{address}: cannot be {doing} ({_said(error)}){_way_out(error, address)}") from error


def _said(error: BaseException) -> str:
    return without_secrets(f"{type(error).__name__}: {error}"[:400])


def _way_out(error: BaseException, address: Address) -> str:
    kind = type(error).__name__
    if "Credentials" in kind or "Token" in kind:
        return f"; set {address.service.credentials}"
    return f"; look at the network{_and_at(address)}"


def _and_at(address: Address) -> str:
    return f", and at {address.service.elsewhere}" if address.service.elsewhere else ""


def key_of(address: Address) -> str:
    """Return a file system's own name of an object: `bucket/flight/a.jpg`."""
    return str(file_system(address)._strip_protocol(str(address)))


def listing(folder: Address) -> dict[str, Listed]:
    """Return the objects below an address, by their names relative to it; names end in no slash.

    Raises:
        OSError: it cannot be listed.
    """
    system = file_system(folder)
    with store_errors(folder, "listed"):
        root = key_of(folder)
        found = system.find(root, detail=True)
    below = root.rstrip("/") + "/"
    objects = {key.removeprefix(below): facts for key, facts in found.items() if key.startswith(below)}
    return {name: _listed(facts) for name, facts in objects.items() if name and not name.endswith("/")}


def facts_of(address: Address) -> Listed | None:
    """Return the size and the time of an object; None where there is none of that name.

    Raises:
        OSError: the store cannot be asked.
    """
    system = file_system(address)
    with store_errors(address, "read"):
        try:
            facts = system.info(key_of(address))
        except FileNotFoundError:
            return None
        return _listed(facts) if facts.get("type") == "file" else None


def _listed(facts: dict[str, Any]) -> Listed:
    changed = facts.get("LastModified") or facts.get("last_modified") or facts.get("updated")
    if isinstance(changed, str):
        changed = datetime.fromisoformat(changed)
    seconds = changed.timestamp() if isinstance(changed, datetime) else 0
    return Listed(int(facts["size"] or 0), round(seconds * 1000) * 1_000_000)


def fetch(address: Address, target: Path) -> None:
    """Copy an object to a file, which is whole or not there.

    Raises:
        OSError: it cannot be read, or the file cannot be written.
    """
    with replace_file(target) as part, store_errors(address, "read"):
        file_system(address).get_file(key_of(address), str(part), callback=_signs())
        if address.listed is not None and part.stat().st_size != address.listed.size:
            raise StoreError(f"{address}: was changed while it was read, or after it was listed; start the run again")


def read_bytes(address: Address, start: int | None = None, stop: int | None = None) -> bytes:
    """Return the bytes of an object, or those from `start` up to `stop`.

    Raises:
        OSError: it cannot be read.
    """
    with store_errors(address, "read"):
        return bytes(file_system(address).cat_file(key_of(address), start=start, end=stop))


def put(content: bytes | Path, address: Address, new: bool = False) -> None:
    """Write an object, whole or not at all.

    Args:
        content: its bytes, or the file that holds them.
        address: of the object.
        new: whether there may be none of that name yet.

    Raises:
        FileExistsError: there is one.
        OSError: it cannot be written.
    """
    data = content.read_bytes() if new and isinstance(content, Path) else content
    system = file_system(address)
    with store_errors(address, "written"):
        if isinstance(data, Path):
            system.put_file(str(data), key_of(address), callback=_signs())
            return
        system.pipe_file(key_of(address), data, **({"mode": "create"} if new else {}))


def _signs() -> Any:
    """Return what gives a sign of life for each part of a file that is sent or fetched."""
    from fsspec.callbacks import Callback

    return Callback(hooks={"sign": lambda size, value, **more: give_sign()})


def remove(addresses: Sequence[Address]) -> None:
    """Remove objects; one that is not there is none.

    Raises:
        OSError: they cannot be removed.
    """
    if addresses:
        with store_errors(addresses[0], "removed"):
            file_system(addresses[0]).rm([key_of(each) for each in addresses])
