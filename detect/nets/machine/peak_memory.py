"""The most memory that a process has held."""

import sys
from pathlib import Path
from typing import ClassVar


def peak_memory_mib() -> int | None:
    """Return the most memory that the process has held, in MiB; None where the system does not say."""
    if sys.platform == "win32":
        return _peak_on_windows()
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines() if ":" in line)
        return int(lines["VmHWM"].split()[0]) >> 10 if "VmHWM" in lines else None
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> (20 if sys.platform == "darwin" else 10)


def _peak_on_windows() -> int | None:
    """Return the peak working set in MiB: `PROCESS_MEMORY_COUNTERS.PeakWorkingSetSize` of psapi.h."""
    import ctypes
    from ctypes import wintypes

    names = ("peak", "now", "peak_paged", "paged", "peak_other", "other", "file", "peak_file")

    class Counters(ctypes.Structure):
        _fields_: ClassVar = [
            ("bytes", ctypes.c_uint32),
            ("faults", ctypes.c_uint32),
            *((name, ctypes.c_size_t) for name in names),
        ]

    counters = Counters()
    counters.bytes = ctypes.sizeof(counters)
    kernel = getattr(ctypes, "WinDLL")("kernel32")  # noqa: B009, which other systems do not have
    kernel.GetCurrentProcess.restype = wintypes.HANDLE
    kernel.K32GetProcessMemoryInfo.argtypes = [wintypes.HANDLE, ctypes.POINTER(Counters), ctypes.c_uint32]
    done = kernel.K32GetProcessMemoryInfo(kernel.GetCurrentProcess(), ctypes.byref(counters), counters.bytes)
    return counters.peak >> 20 if done else None
