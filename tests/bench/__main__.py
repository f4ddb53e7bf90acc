"""`make bench`: gitexp against its limits, the floor and the peers, everything in one run on this machine.

python -m tests.bench [-q] [ROW …]     -q: once each; ROW: import help log short many scalar long ten (default: all)

A peer takes part where its venv is: $BENCH_HOME/venvs/NAME (default ~/.cache/tracker-bench).
Machines differ and so do moments: read the ratios, not the times. A limit that is missed only as far as the floor is
above what it was where the limit was set counts as reached "N x slower here".
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.trackers import TRACKERS

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(os.environ.get("BENCH_HOME", Path.home() / ".cache/tracker-bench")) / "venvs"
RUNS_FOR_LOG = 1000
RUNS_FOR_MANY = 5000
CONFIG = "[user]\n\tname = bench\n\temail = bench@localhost\n[init]\n\tdefaultBranch = main\n"


@dataclass(slots=True)
class Row:
    """One line of the table: figures by tracker, in `unit`, and the limit for gitexp.

    `floor_was` is the floor on the quiet machine that the limit was set on; where today's is higher, so is the limit.
    """

    what: str
    unit: str
    limit: float | None
    floor_was: float | None = None
    figures: dict[str, float] = field(default_factory=dict)

    def line(self) -> str:
        """Return the line of the table."""
        mine, floor = self.figures.get("gitexp"), self.figures.get("floor")
        peers = {name: figure for name, figure in self.figures.items() if name not in ("gitexp", "floor")}
        best = min(peers, key=peers.__getitem__, default="")
        limit = "" if self.limit is None else f"{self.limit:g}"
        cells = [
            self.what,
            f"{mine or 0:.3g} {self.unit}",
            limit,
            self.verdict(mine, floor),
            ratio(mine, floor, "floor"),
        ]
        return " | ".join([*cells, ratio(mine, peers.get(best), best)])

    def verdict(self, mine: float | None, floor: float | None) -> str:
        """Return whether the limit was reached, or would be if the machine were as fast as where it was set."""
        if self.limit is None or mine is None:
            return ""
        slower = floor / self.floor_was if floor and self.floor_was else 1.0
        return (
            "ok" if mine <= self.limit else f"ok, {slower:.1f} x slower here" if mine <= self.limit * slower else "OVER"
        )


def ratio(mine: float | None, other: float | None, name: str) -> str:
    """Return how gitexp's figure relates to another one."""
    return f"{mine / other:.2f} x {name} ({other:.3g})" if mine and other else ""


@dataclass(slots=True)
class Bench:
    """Where the work is done, and how often."""

    folder: Path
    repeats: int
    trackers: list[str] = field(default_factory=list)
    count: int = 0

    def environment(self, tracker: str = "gitexp") -> dict[str, str]:
        """Return the variables of a measured process: nothing of the user's."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        (home / ".gitconfig").write_text(CONFIG)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        base = {
            "HOME": str(home),
            "PATH": path,
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        return {**base, **TRACKERS[tracker][0].environment}

    def repository(self, name: str, files: int = 200) -> Path:
        """Return a fresh repository of `files` tracked files."""
        path = self.folder / name
        shutil.rmtree(path, ignore_errors=True)
        for number in range(files):
            file = path / f"package{number % 10}" / f"module{number}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"print({number})\n" * 40)
        for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "start"]):
            subprocess.run(["git", *command], cwd=path, env=self.environment(), check=True)
        return path

    def work(self, tracker: str, work: str, where: Path, **arguments: object) -> dict[str, float]:
        """Run one piece of work in a process of its own."""
        out, python = self.folder / "out.json", interpreter(tracker)
        out.unlink(missing_ok=True)
        self.count += 1
        command = [python, "-m", "tests.bench.work", tracker, work, str(out)]
        arguments["tag"] = f"run{self.count}"
        done = subprocess.run(
            [*command, json.dumps(arguments)], cwd=where, env=self.environment(tracker), capture_output=True, text=True
        )
        if not out.exists():
            print(f"{tracker} {work}: ended with {done.returncode}: {done.stderr[-400:]}", file=sys.stderr)
            return {}
        return dict(json.loads(out.read_text()))

    def seconds(self, command: Sequence[str], where: Path, repeats: int = 0, tracker: str = "gitexp") -> list[float]:
        """Return how long a command takes each time, after one time that warms the caches."""
        times = []
        for _ in range(1 + (repeats or self.repeats * 5)):
            begin = time.perf_counter()
            done = subprocess.run(command, cwd=where, env=self.environment(tracker), capture_output=True)
            times.append(time.perf_counter() - begin)
            if done.returncode:
                print(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-400:]!r}", file=sys.stderr)
        return times[1:]


def interpreter(tracker: str) -> str:
    """Return the Python of a tracker's venv."""
    venv = TRACKERS[tracker][1]
    return str(PEERS / venv / "bin/python") if venv else sys.executable


def present() -> list[str]:
    """Return the trackers that can be measured here."""
    return [name for name in TRACKERS if Path(interpreter(name)).exists()]


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


def best(rows: list[Row], tracker: str, found: list[dict[str, float]], *keys: str) -> None:
    """Put the best figure of the repeats into each row."""
    for row, key in zip(rows, keys, strict=True):
        figures = [result[key] for result in found if key in result]
        if figures:
            row.figures[tracker] = min(figures)


MEASUREMENTS: dict[str, Callable[[Bench], list[Row]]] = {
    "import": start_up,
    "help": help_page,
    "log": log_page,
    "short": short,
    "many": many,
    "scalar": curve("100,000 x log of one metric", 100_000, 1, ((1.2, 1.2), (0.35, 0.16), NONE)),
    "long": curve("10 million points", 10_000_000, 1, ((1.8, 1.5), NONE, (150, None))),
    "ten": curve("20,000 x log of ten metrics", 20_000, 10, (NONE, (0.45, 0.30), NONE)),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.split("\n")[0])
    parser.add_argument("rows", nargs="*", choices=[*MEASUREMENTS, []], metavar="ROW", help=", ".join(MEASUREMENTS))
    parser.add_argument("-q", "--quick", action="store_true", help="measure once instead of three times")
    chosen = parser.parse_args()
    trackers = present()
    print(f"measuring {', '.join(trackers)}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print("work | gitexp | to reach | | against the floor | against the best peer\n--- | --- | --- | --- | --- | ---")
    with tempfile.TemporaryDirectory(prefix="gitexp-bench-", dir=os.environ.get("BENCH_WORK")) as folder:
        bench = Bench(Path(folder), 1 if chosen.quick else 3, trackers)
        for name in chosen.rows or MEASUREMENTS:
            for row in MEASUREMENTS[name](bench):
                print(row.line(), flush=True)


if __name__ == "__main__":
    main()
