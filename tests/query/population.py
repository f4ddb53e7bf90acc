"""Runs whose values are as odd as records allow, recorded in a real repository, with what people said of them later."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitexp import canonical, ids
from gitexp.record import summary
from gitexp.record.facts import State
from gitexp.record.summary import Aggregate
from gitexp.store import annotations
from gitexp.store import workspace as workspaces
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace
from tests import stored

NUMBERS: tuple[int | float, ...] = (
    0, 1, -1, 2, 7, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, -(2**64) - 1, 10**400, 0.1, 0.5, -0.0, 1e-320, 1e300, 3.0,
    math.inf, -math.inf, math.nan,
)  # fmt: skip
TEXTS = (
    "", "adam", "Adam", "sgd", "0.1", " 1e-3 ", "7", "-1", "1e999", "nan", "inf", "true", "false", "0", "100%", "a_b",
    "a*[x]?", "it's", 'say "hi"', "Größe ☃", "x" * 300, "; DROP TABLE run; --", "2.1.0", "18446744073709551616",
)  # fmt: skip
OTHERS: tuple[Any, ...] = (True, False, None, [], [64, 32], [1, "a", None], {})
PARAMS = ("lr", "LR", "Lr", "model", "layers", "optimizer.lr", "odd name", "back`tick", "status")
METRICS = ("loss", "Loss", "acc", "val/acc", "model")
TAGS = ("stage", "baseline", "Stage", "odd name")
MANY = 700  # params of one run: more than the index gives columns for


@dataclass(frozen=True, slots=True)
class Known:
    """One run, read from its record, and what is said of it."""

    run: Run
    state: State


def make(project: Path, count: int = 24) -> tuple[Workspace, list[Known]]:
    """Record the runs and return them."""
    workspace = workspaces.open(project)
    chance = random.Random(20261120)
    runs = [_record(workspace, number, chance) for number in range(count)]
    annotations.add(workspace, [change for run in runs for change in _said(run, chance)])
    workspace = workspaces.open(project)
    states = annotations.states(workspace)
    return workspace, [Known(run, states.get(run.id, State())) for run in runs]


def _record(workspace: Workspace, number: int, chance: random.Random) -> Run:
    params = {name: chance.choice(chance.choice((NUMBERS, TEXTS, OTHERS))) for name in PARAMS if chance.random() < 0.7}
    if number < 3:
        params |= {f"p{at}": chance.choice((at, "adam", math.nan)) for at in range(MANY)}
    artifacts = [name for name in ("model.pt", "plot.png") if chance.random() < 0.5]
    files = {
        "summary.json": summary.encode({name: _aggregate(chance) for name in METRICS if chance.random() < 0.7}),
        "environment.json": canonical.dumps(_environment(chance)),
        "data.json": canonical.dumps(_datasets(chance)),
        **{f"artifacts/{name}": b"x" * chance.randrange(50) for name in artifacts},
    }
    fields: dict[str, Any] = {
        "status": chance.choice(("completed", "failed", "killed")),
        "experiment": chance.choice(("vision/resnet", "vision/vit", "churn")),
        "host": chance.choice(("gpu01", "gpu02", "")),
        "seeds": {"python": chance.choice((1, 2, 3.5, "7"))} if chance.random() < 0.7 else {},
        "tags": {name: chance.choice(TEXTS) for name in TAGS if chance.random() < 0.5},
        "description": chance.choice(("", "a try", "Größe")),
        "exit_code": chance.choice((None, 0, 1, 137)),
        "error": chance.choice((None, {"type": "ValueError", "message": "no"})),
        "who": chance.choice((("Ana Ruiz", "ana@acme.io"), ("Bo", "bo@acme.io"))),
        "edits": chance.choice(((), ("train.py",))),
    }
    return stored.make(
        workspace, f"run-{number}", ids.from_text(f"population {number}"), given=_nested(params), files=files,
        at=f"{chance.randrange(10, 20)}:{chance.randrange(10, 60)}", took=chance.choice((0.0, 59.5, 60.0, 7.25)),
        **fields,
    )  # fmt: skip


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {key: value for key, value in flat.items() if key != "optimizer.lr"}
    return nested | ({"optimizer": {"lr": flat["optimizer.lr"]}} if "optimizer.lr" in flat else {})


def _aggregate(chance: random.Random) -> Aggregate:
    found = Aggregate()
    for step in range(chance.randrange(4)):
        found.add(step, step, chance.choice(NUMBERS))
    if not found.count or chance.random() < 0.2:
        found.set = chance.choice(NUMBERS)
    return Aggregate.from_json(found.to_json())


def _environment(chance: random.Random) -> dict[str, Any]:
    versions = {name: {"version": chance.choice(("2.9", "2.10.0", "2.1.0+cu121", "2.1rc1", "2.1", "odd"))}
                for name in ("torch", "scikit-learn") if chance.random() < 0.8}  # fmt: skip
    return {
        "python": {"version": chance.choice(("3.11.9", "3.9.2")), "implementation": "CPython"},
        "packages": versions,
        "platform": {"system": "Linux", "machine": chance.choice(("x86_64", "aarch64"))},
        **({"cuda": "12.4", "gpus": [{"name": "H100 80GB"}]} if chance.random() < 0.5 else {}),
    }


def _datasets(chance: random.Random) -> list[dict[str, Any]]:
    known = (("churn", "train", "7be1c04a" * 8, 1000), ("churn-2", "test", "7be1c04b" * 8, 10))
    return [{"name": name, "role": role, "uri": f"s3://ml/{name}", "sha256": sha256, "rows": rows, "bytes": rows * 8}
            for name, role, sha256, rows in known if chance.random() < 0.6]  # fmt: skip


def _said(run: Run, chance: random.Random) -> list[annotations.Change]:
    """Return some things to say of a run."""
    about = annotations.about_run
    changes = [
        about(run, "tag", key="stage", value=chance.choice(TEXTS)), about(run, "untag", key="baseline"),
        about(run, "note", text="calibrate it"), about(run, "note", text="Größe"), about(run, "title", text="the best"),
        about(run, "post", values={"uplift": chance.choice((0.1, 2, -1))}), about(run, "archive"),
        about(run, "favourite"), about(run, "verdict", key="fairness", value="pass"), about(run, "remove", reason=""),
    ]  # fmt: skip
    return [change for change in changes if chance.random() < 0.3]
