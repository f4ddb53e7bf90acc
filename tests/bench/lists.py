"""The rows of `make bench` about many runs: finding, ranking, counting, reading back, drawing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from tests.bench.bench import Bench, Row

WHERE = "params.lr < 0.01 and metrics.val_auc > 0.5"
LIST = ["git", "exp", "log", "--where", WHERE, "--sort", "-metrics.val_auc", "-n", "20"]
SIZES = {1_000: (5.0, None), 10_000: (15.0, 150.0), 100_000: (60.0, 400.0)}  # runs: search, whole process; ms
PEERS = {1_000: ("trackio", "mlflow"), 10_000: ("trackio",)}  # who searches among so many: the others take minutes
POINTS, CURVES, FEW = 100_000, 20, 10
PLOT = ["git", "exp", "plot", "--last", str(CURVES), "--metric", "loss", "-o", "loss.png"]

# Run in a process of their own, in the repository: what they print are milliseconds, or megabytes.
_BUILD = """
from gitexp.index import database
from gitexp.store import workspace as workspaces
import pygit2, sqlite3, time
workspace = workspaces.open()
database.discard(workspace)
begin = time.perf_counter()
database.of(workspace)
print((time.perf_counter() - begin) * 1e3)
"""
_NOTICE = """
import subprocess, sys, time, gitexp
search = lambda: gitexp.runs(where="params.lr < 0.01", sort="-metrics.val_auc", limit=20)
search()
import pygit2
subprocess.run([sys.executable, "-m", "tests.bench.lists", sys.argv[1]], check=True)
begin = time.perf_counter()
search()
print((time.perf_counter() - begin) * 1e3)
assert len(gitexp.runs()) == int(sys.argv[1]) + 10
"""
_MEMORY = """
import contextlib, io, resource, sys
from gitexp.cli import main
with contextlib.redirect_stdout(io.StringIO()):
    main.run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
_CURVES = f"""
import gitexp
for number in range({CURVES}):
    run = gitexp.start_run("bench", name=f"run{{number}}", params={{"lr": number}})
    for step in range({POINTS}):
        run.log_metric("loss", 1 / (step + number + 1), step=step)
    run.finish()
"""


def python(bench: Bench, where: Path, code: str, *arguments: object) -> float:
    """Run a piece of Python in a repository and return the number that it prints."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, cwd=where, env=bench.environment(), capture_output=True, text=True)
    if done.returncode:
        print(done.stderr[-400:], file=sys.stderr)
        return float("nan")
    return float(done.stdout.split()[-1]) if done.stdout.strip() else 0.0


def repository(bench: Bench, runs: int) -> Path:
    """Return a repository of so many runs, made once."""
    where = bench.folder / f"lists{runs}"
    if not where.exists():
        bench.repository(where.name, files=20)
        make = [sys.executable, "-m", "tests.synthetic", str(where), str(runs)]
        subprocess.run(make, cwd=where, env=bench.environment(), check=True)
    return where


def search(bench: Bench) -> list[Row]:
    """Filter by a param, rank by a metric, the best twenty: in a process that is up, the opening included."""
    rows = []
    for runs, (limit, _) in SIZES.items():
        row, first = Row(f"search {runs:,} runs", "ms", limit), Row("  the first in a process", "ms", None)
        for tracker in bench.trackers:
            if tracker == "gitexp" or tracker in PEERS.get(runs, ()):
                where = repository(bench, runs) if tracker == "gitexp" else bench.repository("search", files=1)
                found = bench.work(tracker, "search", where, number=0 if tracker == "gitexp" else runs, limit=20)
                if found:
                    row.figures[tracker], first.figures[tracker] = found["search_ms"], found["first_ms"]
        rows += [row, first]
    return rows


def page(bench: Bench) -> list[Row]:
    """The same from the command line: a cold process, the index warm."""
    rows = []
    for runs, (_, limit) in SIZES.items():
        row = Row(f"git exp log --where --sort -n 20, {runs:,} runs, whole process", "ms", limit)
        row.figures["gitexp"] = min(bench.seconds(LIST, repository(bench, runs), 5)) * 1e3
        row.figures["floor"] = min(bench.seconds([sys.executable, "-c", "import click"], bench.folder, 5)) * 1e3
        rows.append(row)
    memory = Row("  memory of it: 100,000 runs, floor: 1,000", "MB", None)
    for tracker, runs in (("gitexp", 100_000), ("floor", 1_000)):
        memory.figures[tracker] = python(bench, repository(bench, runs), _MEMORY, *LIST[2:])
    return [*rows, memory]


def index(bench: Bench) -> list[Row]:
    """The index from nothing, and new runs noticed."""
    build = Row("index of 10,000 runs from nothing, a run", "us", 100)
    build.figures["gitexp"] = python(bench, repository(bench, 10_000), _BUILD) / 10
    notice = Row(f"{FEW} new runs among 100,000: noticed, and searched", "ms", 100)
    notice.figures["gitexp"] = python(bench, repository(bench, 100_000), _NOTICE, 100_000)
    return [build, notice]


def history(bench: Bench) -> list[Row]:
    """A long curve read back: as a DataFrame here, as each peer has it there."""
    row, first = Row(f"read {POINTS:,} points back", "ms", 60), Row("  the first in a process", "ms", None)
    for tracker in bench.trackers:
        if tracker in ("gitexp", "trackio", "sacred"):  # the others take minutes to log so many, or cannot read
            found = bench.work(tracker, "history", bench.repository("history", files=1), calls=POINTS)
            if found:
                row.figures[tracker], first.figures[tracker] = found["read_ms"], found["first_ms"]
    return [row, first]


def plot(bench: Bench) -> list[Row]:
    """A plot of many long curves, whole process."""
    where = bench.repository("plot", files=1)
    python(bench, where, _CURVES)
    row = Row(f"plot of {CURVES} runs x {POINTS:,} points, whole process", "s", 3)
    row.figures["gitexp"] = min(bench.seconds(PLOT, where, 2))
    row.figures["floor"] = min(bench.seconds([sys.executable, "-c", "import pandas, matplotlib.figure"], where, 2))
    return [row]


def add(first: int) -> None:
    """Add a few runs to the repository here as a fetch leaves them: loose refs, the packed ones as they were."""
    from tests import synthetic

    packed, kept = Path(".git/packed-refs"), Path(".git/packed-refs.kept")
    packed.rename(kept)
    shutil.copyfile(kept, packed)
    made = set(synthetic.make(Path(), FEW, first=first))
    lines = [line.partition(" ") for line in packed.read_text().splitlines()]
    kept.replace(packed)
    for oid, _, ref in lines:
        if ref in made:
            Path(".git", ref).parent.mkdir(parents=True, exist_ok=True)
            Path(".git", ref).write_text(oid + "\n")


if __name__ == "__main__":
    add(json.loads(sys.argv[1]))
