"""One side of a benchmark in a process of its own, so that its peak memory and its first-time costs are its own."""

import json
import platform
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

WALL, CPU = "wall_s", "cpu_s"


@dataclass(frozen=True)
class Run:
    """What one run of a side took: seconds, megabytes at the peak, and a digest of its answer."""

    side: str
    size: int
    wall_s: float
    cpu_s: float
    peak_mb: float
    answer: str


class Clock:
    """Seconds between :meth:`started` and :meth:`stopped`; what lies outside is not counted."""

    wall: float = 0.0
    cpu: float = 0.0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Count what happens inside."""
        before = time.perf_counter(), time.process_time()
        yield
        self.wall += time.perf_counter() - before[0]
        self.cpu += time.process_time() - before[1]


def alone(side: str, size: int, work: Callable[..., str], *args: Any) -> Run:
    """Run ``work(clock, *args)`` in a new process; it counts its own time and gives the digest of its answer."""
    context = get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_inside, args=(there, work, args))
    process.start()
    there.close()
    try:
        found = here.recv()
    except EOFError as error:
        raise RuntimeError(f"{side} ended without an answer") from error
    finally:
        process.join()
    return Run(side, size, **found)


def _inside(pipe: Any, work: Callable[..., str], args: Sequence[Any]) -> None:
    clock = Clock()
    answer = work(clock, *args)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    pipe.send({"wall_s": clock.wall, "cpu_s": clock.cpu, "peak_mb": peak, "answer": answer})


def summary(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """For each side and size the medians, the range of wall time, and the answer."""
    keys = list(dict.fromkeys((each.side, each.size) for each in runs))
    return [
        _medians(side, size, [each for each in runs if (each.side, each.size) == (side, size)]) for side, size in keys
    ]


def _medians(side: str, size: int, runs: Sequence[Run]) -> dict[str, Any]:
    walls = [each.wall_s for each in runs]
    return {
        "side": side, "size": size, "repeats": len(runs), "wall_s": round(statistics.median(walls), 4),
        "wall_range_s": [round(min(walls), 4), round(max(walls), 4)],
        "cpu_s": round(statistics.median(each.cpu_s for each in runs), 4),
        "peak_mb": round(max(each.peak_mb for each in runs)), "answers": sorted({each.answer for each in runs}),
    }  # fmt: skip


def machine(*libraries: str) -> dict[str, str]:
    """What the figures were measured on."""
    return {
        "machine": platform.machine(), "system": platform.platform(), "python": platform.python_version(),
        **{name: version(name) for name in libraries},
    }  # fmt: skip


def write(path: Path, measured: dict[str, Any], runs: Sequence[Run]) -> None:
    """Write what was measured as JSON: the summary, and every run."""
    whole = {**measured, "runs": [asdict(each) for each in runs]}
    path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
