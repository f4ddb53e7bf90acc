"""One piece of work of one tracker, in a process of its own: python -m tests.bench.work TRACKER WORK OUT ARGS."""

from __future__ import annotations

import json
import random
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from tests.bench.trackers import TRACKERS

clock = time.perf_counter


def params(source: random.Random) -> dict[str, float]:
    """Return twenty params."""
    return {"lr": 10 ** source.uniform(-4, -1), **{f"p{number:02d}": round(source.random(), 6) for number in range(19)}}


def rss_mb() -> float:
    """Return the most memory this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def short_runs(tracker: Any, tag: str, number: int) -> dict[str, float]:
    """Start a run with twenty params and finish it, again and again."""
    source, times = random.Random(1), []
    for index in range(number + 1):
        chosen = params(source)
        begin = clock()
        tracker.finish(tracker.start(f"{tag}-{index}", chosen))
        times.append((clock() - begin) * 1e3)
    first, *rest = times
    return {"first_ms": first, "median_ms": statistics.median(rest), "p90_ms": sorted(rest)[int(len(rest) * 0.9)]}


def curves(tracker: Any, tag: str, calls: int, width: int, budget_s: float) -> dict[str, float]:
    """Log `width` metrics at each of `calls` steps to one run; one that is too slow is stopped and scaled."""
    run = tracker.start(tag, params(random.Random(2)))
    before = rss_mb()
    keys, done = [f"m{number}" for number in range(width)], calls
    begin = clock()
    if width == 1:
        scalar = tracker.scalar(run)
        for step in range(calls):
            scalar("loss", 1.0 / (step + 1), step)
            if not step & 1023 and clock() - begin > budget_s:
                done = step + 1
                break
    else:
        several = tracker.several(run)
        for step in range(calls):
            value = 1.0 / (step + 1)
            several(dict.fromkeys(keys, value), step)
            if not step & 1023 and clock() - begin > budget_s:
                done = step + 1
                break
    loop = clock() - begin
    tracker.finish(run)
    total = (clock() - begin) * calls / done
    return {"call_us": loop / done * 1e6, "total_s": total, "memory_mb": rss_mb() - before}


def main() -> None:
    name, work, out, arguments = sys.argv[1:]
    tracker = TRACKERS[name][0]()
    result = {"short_runs": short_runs, "curves": curves}[work](tracker, **json.loads(arguments))
    Path(out).write_text(json.dumps(result))


if __name__ == "__main__":
    main()
