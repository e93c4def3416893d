"""The memory of a machine or container, from files as Linux writes them; each number is shown."""

from pathlib import Path

import pytest

from detect.nets.machine.host_memory import HostMemory, host_memory

GIB = 1 << 30


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine of 16 GiB, 12 of them free, in no group."""
    write(tmp_path, "proc/meminfo", f"MemTotal:  {16 << 20} kB\nMemFree: 100 kB\nMemAvailable: {12 << 20} kB\n")
    return tmp_path


def write(root: Path, name: str, text: str | int) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")


def group(root: Path, folder: str, limit: str | int, used: int, kept: int, version: int = 2) -> None:
    """Write a control group's files: what is kept of files is used, and given up for anything else."""
    names = ("memory.max", "memory.current", "inactive_file")
    names = names if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    write(root, f"sys/fs/cgroup/{folder}/{names[0]}", limit)
    write(root, f"sys/fs/cgroup/{folder}/{names[1]}", used)
    write(root, f"sys/fs/cgroup/{folder}/memory.stat", f"anon 5\n{names[2]} {kept}")


def test_a_machine_without_groups_has_what_it_says(root: Path) -> None:
    assert host_memory(root) == HostMemory(16 * GIB, 12 * GIB)


def test_a_system_that_does_not_say_is_not_known(tmp_path: Path) -> None:
    assert host_memory(tmp_path) is None
    write(tmp_path, "proc/meminfo", "MemTotal: 5 kB\nMemAvailable: unknown kB")
    assert host_memory(tmp_path) is None


def test_the_limit_of_a_container_bounds_both(root: Path) -> None:
    """Of 8 GiB 5 are used, 2 of them of files: 5 are left."""
    write(root, "proc/self/cgroup", "0::/")
    group(root, "", 8 * GIB, 5 * GIB, 2 * GIB)
    assert host_memory(root) == HostMemory(8 * GIB, 5 * GIB)


def test_the_least_limit_of_a_group_and_those_around_it_counts(root: Path) -> None:
    """The job may have 14 GiB, all of which are left; its user 10, of which 3 are left."""
    write(root, "proc/self/cgroup", "0::/user/job")
    group(root, "user/job", 14 * GIB, 0, 0)
    group(root, "user", 10 * GIB, 7 * GIB, 0)
    assert host_memory(root) == HostMemory(10 * GIB, 3 * GIB)


@pytest.mark.parametrize("path", ["/job", "/elsewhere/of/the/host", "/../../job"])
def test_groups_of_version_1_are_read_and_a_path_of_the_host_is_that_of_the_container(root: Path, path: str) -> None:
    """4 GiB, 1 of them used; other controllers have no limit of memory."""
    write(root, "proc/self/cgroup", f"9:name=systemd:/\n4:cpu,memory:{path}\n3:cpuset:/\n0::/")
    group(root, "memory" if path != "/job" else "memory/job", 4 * GIB, GIB, 0, version=1)
    assert host_memory(root) == HostMemory(4 * GIB, 3 * GIB)


def test_no_limit_and_files_that_say_nothing_bound_nothing(root: Path) -> None:
    write(root, "proc/self/cgroup", "0::/job\nwithout colons\n4:memory:/")
    group(root, "job", "max", 5 * GIB, 0)
    group(root, "memory", 9223372036854771712, 5 * GIB, 0, version=1)
    (root / "sys/fs/cgroup/job/memory.stat").write_bytes(b"\xff\xfe inactive_file")
    assert host_memory(root) == HostMemory(16 * GIB, 12 * GIB)


def test_a_group_beyond_its_limit_leaves_nothing(root: Path) -> None:
    write(root, "proc/self/cgroup", "0::/")
    group(root, "", 4 * GIB, 5 * GIB, 0)
    assert host_memory(root) == HostMemory(4 * GIB, 0)
