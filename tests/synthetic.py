"""Repositories of many runs, made by `git fast-import`: real records of 20 params, 10 metrics, tags and an environment.

python -m tests.synthetic PATH COUNT adds runs to the repository at PATH, which has a commit.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from gitexp import canonical, ids
from gitexp.record import message, params, summary
from gitexp.record import run as run_json
from gitexp.record.run import Parent, RunRecord
from gitexp.record.summary import Aggregate
from gitexp.store import reflog, runs
from gitexp.store import workspace as workspaces

FIRST_MS = 1_700_000_000_000
BETWEEN_MS = 60_000  # from one start to the next
METRICS = ("loss", "acc", "f1", "lr", "grad_norm", "val_loss", "val_acc", "val_auc", "test/acc", "epoch_seconds")
MODELS = ("mlp", "resnet18", "resnet50", "vit", "xgboost")
PEOPLE = (("Ana Ruiz", "ana@acme.io"), ("Bo Lund", "bo@acme.io"), ("Chi Wei", "chi@acme.io"))
ENVIRONMENT: dict[str, Any] = {
    "python": {"implementation": "CPython", "version": "3.11.9"},
    "packages": {f"package-{i}": {"version": f"1.{i}", "origin": "index"} for i in range(60)}
    | {"torch": {"version": "2.1.0", "origin": "index"}},
    "platform": {"system": "Linux", "machine": "x86_64"},
    "gpus": [{"index": 0, "name": "H100 80GB"}],
}


@dataclass(frozen=True, slots=True)
class Made:
    """One run: what its record says, as the index should know it."""

    record: RunRecord
    params: dict[str, Any]
    summary: dict[str, Aggregate]
    ref: str


def runs_of(
    count: int, code: str, *, experiments: Sequence[str] = ("churn",), first: int = 0, seed: int = 0
) -> Iterator[Made]:
    """Yield the runs `first`, `first` + 1 …, the same ones every time."""
    for number in range(first, first + count):
        yield _run(number, code, experiments[number % len(experiments)], random.Random(f"{seed}/{number}"))


def _run(number: int, code: str, experiment: str, chance: random.Random) -> Made:
    run_id = ids.from_text(f"synthetic {chance.random()} {number}")
    start_ms = FIRST_MS + number * BETWEEN_MS
    person, email = chance.choice(PEOPLE)
    record = RunRecord(
        id=run_id,
        experiment=experiment,
        experiment_id=ids.experiment_id(experiment),
        name=f"run-{number}",
        status=chance.choices(("completed", "failed", "killed"), (90, 7, 3))[0],
        start_ms=start_ms,
        end_ms=start_ms + chance.randrange(1000, 3_600_000),
        command=("python", "train.py", "--seed", str(number)),
        user={"name": person, "email": email, "source": "git", "offset_minutes": 60},
        host=f"gpu{chance.randrange(8):02d}",
        seeds={"python": number},
        tags={"stage": chance.choice(("draft", "final")), **({"baseline": ""} if number % 50 == 0 else {})},
        parents=(Parent("code", code),),
        code={"commit": code, "branch": "main", "dirty": False, "policy": "snapshot", "complete": True},
    )
    return Made(
        record,
        _params(number, chance),
        _summary(chance),
        ids.run_ref(ids.experiment_slug(experiment), record.name, run_id),
    )


def _params(number: int, chance: random.Random) -> dict[str, Any]:
    return {
        "lr": round(10 ** chance.uniform(-5, -1), 6),
        "model": chance.choice(MODELS),
        "optimizer": {
            "name": chance.choice(("adam", "sgd")),
            "momentum": 0.9,
            "weight_decay": chance.choice((0.0, 0.01)),
        },
        "batch_size": chance.choice((32, 64, 128)),
        "seed": number,
        "amp": chance.random() < 0.5,
        "layers": [64, 32],
        "note": None,
        **{f"p{i}": chance.choice((i, i * 0.5, f"v{i}")) for i in range(10)},
    }


def _summary(chance: random.Random) -> dict[str, Aggregate]:
    found = {}
    for name in METRICS:
        aggregate = found[name] = Aggregate()
        for step in range(5):
            aggregate.add(step, FIRST_MS + step, chance.random())
    return found


def make(
    path: Path, count: int, *, experiments: Sequence[str] = ("churn",), first: int = 0, seed: int = 0
) -> list[str]:
    """Add runs to a repository that has a commit, as if they had been recorded there; return their refs."""
    code = _git(path, "rev-parse", "HEAD")
    importer = subprocess.Popen(
        ["git", "-C", str(path), "fast-import", "--quiet", "--force", "--export-marks=.git/synthetic"],
        stdin=subprocess.PIPE,
    )
    assert importer.stdin is not None
    _blob(importer.stdin, 1, runs.ATTRIBUTES)
    _blob(importer.stdin, 2, canonical.dumps(ENVIRONMENT))
    made = []
    for at, run in enumerate(runs_of(count, code, experiments=experiments, first=first, seed=seed)):
        _commit(importer.stdin, run, code, 3 + at)
        made.append(run.ref)
    importer.stdin.close()
    assert importer.wait() == 0
    _set_refs(path, made)
    return made


def _blob(stream: IO[bytes], mark: int, data: bytes) -> None:
    stream.write(b"blob\nmark :%d\n" % mark)
    _data(stream, data)


def _data(stream: IO[bytes], data: bytes) -> None:
    stream.write(b"data %d\n%s\n" % (len(data), data))


def _commit(stream: IO[bytes], run: Made, code: str, mark: int) -> None:
    record = run.record
    stream.write(b"commit refs/synthetic\nmark :%d\n" % mark)
    for role, time_ms in (("author", record.start_ms), ("committer", record.end_ms or 0)):
        stream.write(f"{role} {record.user['name']} <{record.user['email']}> {time_ms // 1000} +0100\n".encode())
    _data(stream, message.encode(record, run.summary).encode())
    stream.write(f"from {code}\nM 100644 :1 .gitexp/.gitattributes\nM 100644 :2 .gitexp/environment.json\n".encode())
    files = {
        "run.json": run_json.encode(record),
        "params.json": params.encode(run.params),
        "summary.json": summary.encode(run.summary),
    }
    for name, content in files.items():
        stream.write(f"M 100644 inline .gitexp/{name}\n".encode())
        _data(stream, content)


def _set_refs(path: Path, made: Sequence[str]) -> None:
    """Write all refs at once, packed, and into gitexp's log: one by one they would take minutes."""
    workspace = workspaces.open(path)
    common = workspace.repo.common_dir
    marks = dict(line.split() for line in (path / ".git/synthetic").read_text().splitlines())
    (path / ".git/synthetic").unlink()
    _git(path, "update-ref", "-d", "refs/synthetic")
    _git(path, "pack-refs", "--all")
    oids = {ref: marks[f":{3 + at}"] for at, ref in enumerate(made)}
    packed = common / "packed-refs"
    lines = [line for line in packed.read_text().splitlines() if not line.startswith("#")]
    lines += [f"{oid} {ref}" for ref, oid in oids.items()]
    packed.write_text("# pack-refs with: sorted \n" + "\n".join(sorted(lines, key=lambda line: line[41:])) + "\n")
    reflog.append(workspace, "run", [(ref, None, oid) for ref, oid in oids.items()])


def _git(path: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(path), *words], check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]))
