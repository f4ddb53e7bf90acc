"""Where the measurements are made: repositories, processes, and the rows that come of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.trackers import TRACKERS

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(os.environ.get("BENCH_HOME", Path.home() / ".cache/tracker-bench")) / "venvs"
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


def best(rows: list[Row], tracker: str, found: list[dict[str, float]], *keys: str) -> None:
    """Put the best figure of the repeats into each row."""
    for row, key in zip(rows, keys, strict=True):
        figures = [result[key] for result in found if key in result]
        if figures:
            row.figures[tracker] = min(figures)
