"""What runs say of logged models: events folded, recorded and read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gitexp.errors import Damaged
from gitexp.index import database
from gitexp.ops.recording import lifecycle
from gitexp.record import logged
from gitexp.record.points import Point
from gitexp.store import live, runs
from tests import recording, support

MODEL, OTHER = "m-kkkkkkkkkkkkkkkk", "m-zzzzzzzzzzzzzzzz"
CREATED: dict[str, Any] = {
    "time": 5,
    "model": MODEL,
    "set": {"name": "model", "experiment": "0", "status": "PENDING", "created": 1000, "updated": 1000},
    "params": {"lr": "0.1"},
    "tags": {"a": "1", "b": "2"},
}
READY: dict[str, Any] = {"time": 9, "model": MODEL, "set": {"status": "READY", "updated": 2000}, "untag": ["a"]}
MEASURED: dict[str, Any] = {
    "time": 9,
    "points": [
        logged.said(OTHER, "acc", Point("acc", 3, 1500, 0.5), ("eval", "d1")),
        logged.said(OTHER, "acc", Point("acc", 4, 1501, float("inf")), ("eval", "d1")),
        logged.said(MODEL, "n", Point("n", 0, 1502, 7)),
    ],
}


def test_events_count_in_the_order_of_their_times() -> None:
    for events in ([CREATED, READY], [READY, CREATED]):
        model = logged.fold(events).models[MODEL]
        assert (model.status, model.tags, model.params) == ("READY", {"b": "2"}, {"lr": "0.1"})
        assert (model.created, model.updated, model.name) == (1000, 2000, "model")


def test_what_is_folded_reads_back_the_same() -> None:
    events = [CREATED, READY, MEASURED, {"time": 1, "input": OTHER}, {"time": 2, "output": MODEL, "step": 3}]
    found = logged.fold(events)
    assert logged.decode(logged.encode(found)) == found
    assert list(found.metrics[OTHER, "acc", "eval", "d1"]) == [
        Point("acc", 3, 1500, 0.5),
        Point("acc", 4, 1501, float("inf")),
    ]
    assert (found.inputs, found.outputs) == ([OTHER], [(MODEL, 3)])


def test_the_same_point_and_input_count_once() -> None:
    found = logged.fold([MEASURED, MEASURED, {"time": 1, "input": OTHER}, {"time": 1, "input": OTHER}])
    assert [len(points) for points in found.metrics.values()] == [2, 1]
    assert found.inputs == [OTHER]


@pytest.mark.parametrize("data", [b"[]", b"{", b'{"models": []}', b'{"metrics": [{"model": "m"}]}', b'{"outputs": 3}'])
def test_damage_is_said(data: bytes) -> None:
    with pytest.raises(Damaged, match=r"logged-models\.json"):
        logged.decode(data)


def test_logged_models_are_recorded_carried_over_and_found_in_the_index(project: Path) -> None:
    session = recording.start(project, "a")
    session.writer.event("logged", model=MODEL, set=CREATED["set"], tags={"a": "1"})
    session.writer.event("logged", output=MODEL, step=2)
    session.writer.event("logged", output=MODEL)  # one that makes no sense
    workspace = session.workspace
    running = live.by_id(workspace, session.id)
    assert running is not None and running.logged.models[MODEL].name == "model"
    rows = database.of(workspace).rows("SELECT kind, id FROM logged_model ORDER BY kind")
    assert [tuple(row) for row in rows] == [("model", MODEL), ("output", MODEL)]
    run = lifecycle.finish(session, "completed")
    assert run is not None and run.record.lost == {"events": 1}
    assert support.record(project, str(run.commit), "logged-models.json") == {
        "models": {
            MODEL: {
                "created": "1970-01-01T00:00:01.000Z",
                "experiment": "0",
                "name": "model",
                "status": "PENDING",
                "tags": {"a": "1"},
                "updated": "1970-01-01T00:00:01.000Z",
            }
        },
        "outputs": [{"model": MODEL, "step": 2}],
    }
    again = lifecycle.join_when_there(workspace, run.id, "late", 1.0)
    again.writer.event("logged", model=MODEL, set={"status": "READY"})
    lifecycle.finish(again, "completed")
    later = runs.by_id(workspace, run.id)
    assert later is not None and later.logged.models[MODEL].status == "READY"
    assert later.logged.models[MODEL].tags == {"a": "1"} and later.logged.outputs == [(MODEL, 2)]
    rows = database.of(workspace).rows("SELECT body FROM logged_model WHERE kind = 'model'")
    assert rows[0][0].count('"READY"') == 1 and len(rows) == 1
