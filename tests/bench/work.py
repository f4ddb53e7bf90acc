"""One piece of work of one tracker, in a process of its own: python -m tests.bench.work TRACKER WORK OUT ARGS."""

from __future__ import annotations

import json
import random
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.trackers import METRIC, STEPS, TRACKERS, Spec

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


def specs(number: int) -> Iterator[Spec]:
    """Yield runs to search among: twenty params, ten points of each of ten metrics."""
    source = random.Random(3)
    for index in range(number):
        points = [{METRIC: source.random(), **{f"m{key}": source.random() for key in range(9)}} for _ in range(STEPS)]
        yield f"run{index}", params(source), points


def search(tracker: Any, tag: str, number: int, limit: int) -> dict[str, float]:
    """Find the best of many runs whose lr is small; `number` is 0 where they are there."""
    tracker.many(specs(number))
    times = []
    for attempt in range(12):
        if attempt == 1:
            time.sleep(3)  # gitexp looks again at what is younger than that
        begin = clock()
        found = tracker.search(limit)
        times.append((clock() - begin) * 1e3)
        values = [value for _, value in found]
        assert len(found) == limit and values == sorted(values, reverse=True), found
    return {"first_ms": times[0], "search_ms": statistics.median(times[2:])}


def history(tracker: Any, tag: str, calls: int) -> dict[str, float]:
    """Log a long curve, then read it back whole."""
    run = tracker.start(tag, params(random.Random(2)))
    scalar = tracker.scalar(run)
    for step in range(calls):
        scalar("loss", 1.0 / (step + 1), step)
    tracker.finish(run)
    times = []
    for _ in range(7):
        begin = clock()
        assert tracker.history(tag, run) == calls
        times.append((clock() - begin) * 1e3)
    return {"first_ms": times[0], "read_ms": statistics.median(times[1:])}


WORKS = {"short_runs": short_runs, "curves": curves, "search": search, "history": history}


def main() -> None:
    name, work, out, arguments = sys.argv[1:]
    tracker = TRACKERS[name][0]()
    result = WORKS[work](tracker, **json.loads(arguments))
    Path(out).write_text(json.dumps(result))


if __name__ == "__main__":
    main()
