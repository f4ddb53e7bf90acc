"""The rows of `make bench` about recording: starts, short runs, long curves, and what the user's own Git costs then."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from tests.bench.bench import Bench, Row, best, interpreter
from tests.bench.trackers import TRACKERS

RUNS_FOR_LOG = 1000
RUNS_FOR_MANY = 5000


def start_up(bench: Bench) -> list[Row]:
    """import gitexp, over bare Python."""
    row = Row("import, over bare Python", "ms", 30)
    where = bench.folder
    for tracker in bench.trackers:
        if tracker != "floor":
            python = interpreter(tracker)
            bare = min(bench.seconds([python, "-c", "pass"], where, tracker=tracker))
            whole = min(bench.seconds([python, "-c", f"import {TRACKERS[tracker][0].module}"], where, tracker=tracker))
            row.figures[tracker] = (whole - bare) * 1e3
    used = Row("import gitexp and touch start_run", "ms", None)
    used.figures["gitexp"] = min(bench.seconds([sys.executable, "-c", "import gitexp; gitexp.start_run"], where)) * 1e3
    return [row, used]


def help_page(bench: Bench) -> list[Row]:
    """gitexp --help, beside Python that imports click."""
    row = Row("gitexp --help, whole process", "ms", 90, 35)
    row.figures["gitexp"] = min(bench.seconds(["gitexp", "--help"], bench.folder)) * 1e3
    row.figures["floor"] = min(bench.seconds([sys.executable, "-c", "import click"], bench.folder)) * 1e3
    return [row]


def log_page(bench: Bench) -> list[Row]:
    """gitexp log of 1,000 runs."""
    row = Row(f"gitexp log among {RUNS_FOR_LOG:,} runs, whole process", "ms", 200, 90)
    where = bench.repository("log")
    bench.work("gitexp", "short_runs", where, number=RUNS_FOR_LOG)
    row.figures["gitexp"] = min(bench.seconds(["gitexp", "log"], where)) * 1e3
    row.figures["floor"] = min(bench.seconds([sys.executable, "-c", "import click, pygit2"], where)) * 1e3
    every = Row("gitexp log --all, a table of them all", "ms", None)
    every.figures["gitexp"] = min(bench.seconds(["gitexp", "log", "--all"], where)) * 1e3
    return [row, every]


def short(bench: Bench) -> list[Row]:
    """Start, 20 params, finish."""
    rows = [Row("start + 20 params + finish, median of 50", "ms", 7, 5.3), Row("  the first one", "ms", 120)]
    for tracker in bench.trackers:
        found = [bench.work(tracker, "short_runs", bench.repository("short"), number=50) for _ in range(bench.repeats)]
        best(rows, tracker, found, "median_ms", "first_ms")
    return rows


def many(bench: Bench) -> list[Row]:
    """The same after 5,000 runs; and what the user's own Git does then."""
    where = bench.repository("many")
    commands = {"status": ["git", "status"], "log -1": ["git", "log", "-1"]}
    commands["commit"] = ["git", "commit", "--allow-empty", "-qm", "more"]
    rows, limits = [], {}
    start = bench.work("gitexp", "short_runs", where, number=50)
    for name, command in commands.items():
        limits[name] = statistics.median(bench.seconds(command, where, 20)) * 1e3
    bench.work("gitexp", "short_runs", where, number=RUNS_FOR_MANY)
    commit = Row(f"the first git commit after {RUNS_FOR_MANY:,} runs", "ms", limits["commit"] * 2)
    begin = time.perf_counter()
    subprocess.run(commands["commit"], cwd=where, env=bench.environment(), capture_output=True)
    commit.figures["gitexp"] = (time.perf_counter() - begin) * 1e3
    rows.append(commit)
    for name, command in commands.items():
        row = Row(f"git {name} after {RUNS_FOR_MANY:,} runs (limit: 1.2 x before)", "ms", limits[name] * 1.2)
        row.figures = {"gitexp": statistics.median(bench.seconds(command, where, 20)) * 1e3, "floor": limits[name]}
        rows.append(row)
    then = bench.work("gitexp", "short_runs", where, number=50)
    row = Row(f"start + finish after {RUNS_FOR_MANY:,} runs (limit: 1.2 x before)", "ms", start["median_ms"] * 1.2)
    row.figures = {"gitexp": then["median_ms"], "floor": start["median_ms"]}
    return [row, *rows]


Limit = tuple[float | None, float | None]
NONE: Limit = (None, None)


def curve(what: str, calls: int, width: int, limits: tuple[Limit, Limit, Limit]) -> Callable[[Bench], list[Row]]:
    """Return the measurement of many calls of log on one run; limits (and their floors): a call, in all, memory."""

    def measure(bench: Bench) -> list[Row]:
        kinds = (("a call", "us"), ("total with finish", "s"), ("memory growth", "MB"))
        rows = [Row(f"{what}: {kind}", unit, *limit) for (kind, unit), limit in zip(kinds, limits, strict=True)]
        for tracker in bench.trackers:
            if calls <= 1_000_000 or tracker in ("gitexp", "floor"):
                repeats = bench.repeats if calls <= 1_000_000 else 1
                one = {"calls": calls, "width": width, "budget_s": 20 if tracker not in ("gitexp", "floor") else 1e9}
                found = [bench.work(tracker, "curves", bench.repository("curve"), **one) for _ in range(repeats)]
                best(rows, tracker, found, "call_us", "total_s", "memory_mb")
        return rows

    return measure
