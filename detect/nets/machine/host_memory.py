"""How much memory there is for this process and how much of it is free: the machine's, or its container's."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

CGROUPS = {
    "": (("sys/fs/cgroup", "sys/fs/cgroup/unified"), "memory.max", "memory.current", "inactive_file"),
    "memory": (("sys/fs/cgroup/memory",), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}
"""Of version 2 and 1 of Linux's control groups: their folders, and what the limit, what is used and, of that, what is
kept of files and given up for anything else are called there."""


@dataclass(frozen=True)
class HostMemory:
    """Memory in bytes.

    Attributes:
        total: of the machine, or the least limit of the control groups that the process is in.
        free: what can be had without taking any from others, up to those limits.
    """

    total: int
    free: int


def host_memory(root: Path = Path("/")) -> HostMemory | None:
    """Return the memory of this process's machine or container; None where the system does not say, as only Linux does.

    Args:
        root: of the file system, with `proc` and `sys`.
    """
    facts = _numbers(root / "proc/meminfo")
    try:
        total, free = (facts[name] << 10 for name in ("MemTotal", "MemAvailable"))
    except KeyError:
        return None
    for limit, left in _limits(root):
        total, free = min(total, limit), min(free, left)
    return HostMemory(total, free)


def _limits(root: Path) -> Iterator[tuple[int, int]]:
    """Yield the limit, and what is left of it, of each control group that the process is in and that has one."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        kind = CGROUPS.get("memory" if "memory" in controllers.split(",") else controllers)
        for folder in () if kind is None else kind[0]:
            for group in _groups(root / folder, path):
                yield from _limit(group, *kind[1:]) if kind is not None else ()


def _groups(folder: Path, path: str) -> list[Path]:
    """Return the folders of a group and of those around it; inside a container the outermost one is its own."""
    parts = PurePosixPath(path).parts[1:]
    parts = () if ".." in parts else parts
    return [folder.joinpath(*parts[:number]) for number in range(len(parts) + 1)]


def _limit(group: Path, limit: str, used: str, kept: str) -> Iterator[tuple[int, int]]:
    try:
        most, now = int(_text(group / limit)), int(_text(group / used))
    except ValueError:  # not there, or `max`
        return
    yield most, max(0, most - max(0, now - _numbers(group / "memory.stat").get(kept, 0)))


def _numbers(path: Path) -> dict[str, int]:
    """Read lines of a name and a whole number."""
    lines = (line.replace(":", " ").split() for line in _text(path).splitlines())
    return {line[0]: int(line[1]) for line in lines if len(line) > 1 and line[1].isdecimal()}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
