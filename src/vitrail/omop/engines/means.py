"""What an engine takes of the machine, where nobody says: threads and memory, and ranges of persons to fit the memory.

Measured on two cores: a second thread makes few rows slower (97 definitions on 2,700 persons: 0.62 s of CPU time
instead of 0.39 s), and halves the time of many.
"""

import os
from pathlib import Path

ROWS_PER_THREAD = 500_000
"""So many rows of events are work enough for one thread more."""

BYTES_PER_ROW = 150
"""What a batch of a hundred definitions holds for each row of the tables (measured: 134, at 13.4 million rows)."""

MOST_RANGES = 256
_MOST_MEMORY = 4 * 2**30
_LEAST_MEMORY = 256 * 2**20
_MEMINFO, _CGROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")


def threads_for(rows: int) -> int:
    """The threads for tables with so many rows: no more than there are processors."""
    return max(1, min(os.cpu_count() or 1, rows // ROWS_PER_THREAD))


def ranges_for(rows: int, memory: int) -> int:
    """The ranges of persons of which each should fit into half of the ``memory``, in bytes."""
    return max(1, min(MOST_RANGES, -(-rows * BYTES_PER_ROW // (memory // 2))))


def memory_there() -> int:
    """The bytes that an engine may take: half of what is free, at most 4 GiB, at least 256 MiB."""
    free = min([each for each in (_available(), _left_to_the_group()) if each is not None], default=_MOST_MEMORY)
    return max(_LEAST_MEMORY, min(_MOST_MEMORY, free // 2))


def _available() -> int | None:
    """What Linux could give without swapping; elsewhere half of the machine."""
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError, IndexError):
        names = getattr(os, "sysconf_names", {})
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2 if "SC_PHYS_PAGES" in names else None


def _left_to_the_group() -> int | None:
    """What a container's limit leaves (control groups, version 2)."""
    try:
        limit, used = ((_CGROUP / name).read_text(encoding="ascii") for name in ("memory.max", "memory.current"))
        return int(limit) - int(used)
    except (OSError, ValueError):
        return None
