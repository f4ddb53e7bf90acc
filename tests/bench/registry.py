"""The rows of `make bench` about models: a registry of many versions, made by fast-import, listed by a new process.

python -m tests.bench.registry PATH VERSIONS makes the model `churn` in the repository at PATH, ten events a version.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from gitexp import ids
from gitexp.record import event as events
from gitexp.record.event import Event
from tests.bench.bench import Bench, Row

FIRST_S = 1_700_000_000
PEOPLE = (("Ana Ruiz", "ana@acme.io"), ("Bo Lund", "bo@acme.io"), ("Chi Wei", "chi@acme.io"))
RULES = "[registry.stages.staging]\n[registry.stages.production]\napprovals = 2\nexclusive = true\n"
EVENTS = 10  # of each version
LIMIT_MS = {1_000: 150.0}
LIST = ["git", "exp", "model", "ls", "churn"]


class Chain:
    """A chain of events as a stream for fast-import; each knows the id of the commit that it will be."""

    def __init__(self, rules: str) -> None:
        self.rules = rules
        self.tip, self.count = "", 0
        self.stream: list[bytes] = []

    def add(self, op: str, subject: str, person: int, version: str | None = None, **arguments: Any) -> str:
        """Add an event and return its id."""
        seconds = FIRST_S + self.count * 60
        event = Event(op, "churn", seconds * 1000, self.rules, version, arguments)
        message = events.encode(event, subject).encode()
        who = f"{PEOPLE[person][0]} <{PEOPLE[person][1]}> {seconds} +0000"
        parent = f"parent {self.tip}\n" if self.tip else ""
        head = f"tree {'4b825dc642cb6eb9a060e54bf8d69288fbee4904'}\n{parent}author {who}\ncommitter {who}\n\n".encode()
        content = head + message
        self.tip = hashlib.sha1(b"commit %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
        self.count += 1
        mark = f"commit refs/models/churn\nauthor {who}\ncommitter {who}\ndata {len(message)}\n".encode()
        self.stream.append(mark + message + b"\n")
        return self.tip


def chain(rules: str, versions: int) -> Chain:
    """Return the life of so many versions: registered, talked about, approved, promoted, and replaced by the next."""
    made, holder = Chain(rules), None
    for number in range(1, versions + 1):
        sha256 = hashlib.sha256(b"%d" % number).hexdigest()
        run = ids.from_text(f"run {number}")
        id = made.add(
            events.REGISTER, f"register version {number}", number % 3, run=run, commit="a" * 40, artifact="model.txt",
            sha256=sha256, size=40_000_000 + number, files=1, framework="lightgbm 4.5.0", run_name=f"lr0.{number}",
            metrics={"val_auc": 0.9 + number % 97 / 1000, "loss": 0.3 - number % 89 / 1000}, experiment="churn",
            run_author=PEOPLE[number % 3][1], signature={"inputs": [{"name": "age", "type": "long"}]},
        )  # fmt: skip
        made.add(events.TAG, "tag", 0, id, key="owner", value="ana")
        made.add(events.NOTE, "note", 1, id, text="looks right on the new cohort")
        into: dict[str, Any] = {"sha256": sha256, "stage": "staging", "from": None, "checked": []}
        made.add(events.TRANSITION, "promote to staging", 0, id, **into)
        made.add(events.REQUEST, "request", 0, id, sha256=sha256, stage="production", note="")
        for person in (1, 2):
            made.add(events.APPROVE, "approve", person, id, sha256=sha256, stage="production", note="fine")
        checked = [{"gate": "approvals", "met": True, "detail": "2 of 2 by bo@acme.io, chi@acme.io"}]
        made.add(
            events.TRANSITION, "promote to production", 0, id, sha256=sha256, stage="production", checked=checked,
            proposal=None, **{"from": holder},
        )  # fmt: skip
        made.add(events.ALIAS, "call it champion", 0, id, alias="champion")
        made.add(events.DESCRIBE, "describe", 2, id, text=f"the weekly model, number {number}")
        holder = id
    return made


def make(path: Path, versions: int) -> str:
    """Make the model in a repository that has a commit, and return its head."""
    rules = subprocess.run(["git", "rev-parse", "HEAD"], cwd=path, check=True, capture_output=True, text=True)
    made = chain(rules.stdout.strip(), versions)
    stream = b"".join(made.stream) + b"done\n"
    subprocess.run(["git", "fast-import", "--quiet", "--done"], cwd=path, input=stream, check=True)
    return made.tip


def registry(bench: Bench) -> list[Row]:
    """List a model's versions in a new process: the first time, when all events are folded, and from then on."""
    rows = []
    for versions, limit in LIMIT_MS.items():
        where, what = repository(bench, versions), f"{versions:,} versions of {EVENTS} events"
        first, later = Row(f"{what}: the first list, all is folded", "ms", None), Row(f"{what}: list", "ms", limit)
        state = where / ".git/gitexp"
        times = []
        for _ in range(max(bench.repeats, 2)):
            shutil.rmtree(state, ignore_errors=True)
            begin = time.perf_counter()
            subprocess.run(LIST, cwd=where, env=bench.environment(), check=True, capture_output=True)
            times.append(time.perf_counter() - begin)
        first.figures["gitexp"] = min(times) * 1e3
        later.figures["gitexp"] = min(bench.seconds(LIST, where, 5)) * 1e3
        later.figures["floor"] = min(bench.seconds([sys.executable, "-c", "import click"], bench.folder, 5)) * 1e3
        rows += [later, first]
    return rows


def repository(bench: Bench, versions: int) -> Path:
    """Return a repository with rules and a model of so many versions."""
    where = bench.repository(f"registry{versions}", files=20)
    (where / "gitexp.toml").write_text(RULES)
    make = [sys.executable, "-m", "tests.bench.registry", str(where), str(versions)]
    for command in (["git", "add", "--all"], ["git", "commit", "-qm", "rules"], make):
        subprocess.run(command, cwd=where, env=bench.environment(), check=True)
    return where


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]))
