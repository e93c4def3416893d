"""Addresses in object stores, as the user writes them in a command.

Nothing else makes one: what a file says, a list of paths or a VRT, stays a path on this machine.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any


@dataclass(frozen=True)
class Service:
    """A kind of object store.

    Attributes:
        package: that `fsspec` needs for it.
        install: the command that installs it.
        vsi: how GDAL's names of its objects begin.
        credentials: variables of the environment that both take them from.
        listing: the command that shows what is in the store.
        elsewhere: what to look at where the service is not the usual one; empty where there is no such.
    """

    package: str
    install: str
    vsi: str
    credentials: str
    listing: str
    elsewhere: str = ""


_AZURE = Service("adlfs", "pip install adlfs", "/vsiaz/", "AZURE_STORAGE_CONNECTION_STRING", "az storage blob list")

SERVICES = {
    "s3": Service(
        "s3fs",
        "pip install 'detect[s3]'",
        "/vsis3/",
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
        "aws s3 ls",
        "AWS_ENDPOINT_URL for another service than Amazon's",
    ),
    "gs": Service("gcsfs", "pip install gcsfs", "/vsigs/", "GOOGLE_APPLICATION_CREDENTIALS", "gcloud storage ls"),
    "az": _AZURE,
    "abfs": _AZURE,
}
"""The kinds of addresses that are read and written, by their protocol."""

_PROTOCOL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)

_SECRET = re.compile(r"//[^/@\s]*:[^/@\s]*@")
"""A user's name and password in an address."""

_QUERY = re.compile(r"\?[^\s\"')]*")
"""A query, which may hold a signature."""


@dataclass(frozen=True)
class Listed:
    """What a listing says of an object.

    Attributes:
        size: in bytes.
        mtime_ns: time of its last change, in nanoseconds.
        beside: (name, what is listed) of the objects beside it that say more of it, as a world file does.
    """

    size: int
    mtime_ns: int
    beside: tuple[tuple[str, "Listed"], ...] = ()


if TYPE_CHECKING:
    _Path = Path
else:
    _Path = type(Path())


class Address(_Path):
    """A path by its parts, of which the first is `s3:`, the second the bucket; as a text it is the address.

    On this machine nothing lies under it: `on_hand` gives a file that does.

    Attributes:
        listed: what a listing says of it; None where it was not listed.
    """

    listed: Listed | None = None

    def __str__(self) -> str:
        first, *rest = self.parts or ("",)
        is_one = first.endswith(":") and first[:-1] in SERVICES
        return f"{first}//{'/'.join(rest)}" if is_one else super().__str__()

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (type(self), self.parts, self.listed)

    def with_facts(self, listed: Listed) -> "Address":
        """Return the same address with what a listing says of it."""
        made = Address(*self.parts)
        made.listed = listed
        return made

    @property
    def service(self) -> Service:
        """The kind of store."""
        return SERVICES[self.parts[0].removesuffix(":")]


def _made(kind: type[Address], parts: tuple[str, ...], listed: Listed | None) -> Address:
    made = kind(*parts)
    made.listed = listed
    return made


def address_of(text: str) -> Address | None:
    """Return the address that a text of the user is; None where it is a path.

    Raises:
        ValueError: it is of a protocol that is not read, holds a password or a query, or names no bucket.
    """
    match = _PROTOCOL.fullmatch(text)
    if match is None:
        return None
    protocol, rest = match[1].lower(), match[2]
    known = ", ".join(f"{name}://" for name in SERVICES)
    if protocol not in SERVICES:
        raise ValueError(f"must be a path, or an address of {known}; got {protocol}://")
    if _SECRET.search(f"//{rest}") or "?" in rest:
        raise ValueError(
            f"must be an address without a password or a query, got {protocol}://...; give credentials by the "
            f"environment ({SERVICES[protocol].credentials})"
        )
    parts = rest.rstrip("/").split("/")
    if not parts[0] or any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"must be {protocol}://BUCKET/PREFIX, got {text}")
    return Address(f"{protocol}:", *parts)


def without_secrets(text: str) -> str:
    """Return a text with no password and no query in the addresses that it holds."""
    return _QUERY.sub("", _SECRET.sub("//", text)) if "://" in text else text
