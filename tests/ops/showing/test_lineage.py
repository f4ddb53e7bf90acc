"""Lineage: both ways, by run, file and hash; bounded; circles and lies of records from elsewhere."""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

import gitexp
from gitexp import canonical, ids
from gitexp.errors import Ambiguous, NotFound
from gitexp.ops import annotate
from gitexp.ops.finding import find
from gitexp.ops.showing import fold, lineage
from gitexp.ops.showing.lineage import Graph
from gitexp.record import used
from gitexp.record.used import Use
from gitexp.store import annotations as said_of
from gitexp.store import workspace as workspaces
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace
from tests import recording, stored, support

MODEL, TABLE = b"m" * 200_000, b"a,b\n1,2\n"


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def run_id(number: int) -> str:
    return f"{number:016x}".translate(str.maketrans("0123456789abcdef", ids.ALPHABET))


def make(
    workspace: Workspace,
    name: str,
    number: int,
    *,
    made: dict[str, bytes] | None = None,
    read: tuple[tuple[Any, str, bytes | None], ...] = (),
    data: tuple[dict[str, Any], ...] = (),
    **fields: Any,
) -> Run:
    """Record a run that made artifacts, read others' (run id, name, bytes) and data sets."""
    files = {f"artifacts/{key}": value for key, value in (made or {}).items()}
    if read:
        uses = [Use(source, item, sha(content) if content is not None else "", "", 0) for source, item, content in read]
        files["used.json"] = used.encode(uses)
    if data:
        files["data.json"] = canonical.dumps(list(data))
    return stored.make(workspace, name, run_id(number), files=files, at=f"{10 + number % 10}:00", **fields)


def pairs(graph: Graph) -> set[tuple[str, str, str]]:
    """Return the edges by what people call both ends."""
    called = {key: fold.title(node) for key, node in graph.nodes.items()}
    return {(called[edge.source], edge.kind, called[edge.target]) for edge in graph.edges if edge.kind != "code"}


def chain(workspace: Workspace) -> list[Run]:
    """Record prep -> train -> test, and a sweep of train: what a project looks like."""
    prep = make(workspace, "prep", 1, made={"table.csv": TABLE, "log.txt": b"nobody reads it"})
    frame = {"name": "train", "uri": "table.csv", "sha256": sha(TABLE), "bytes": len(TABLE)}
    train = make(workspace, "train", 2, made={"model.pt": MODEL}, data=(frame,))
    test = make(workspace, "test", 3, read=((train.id, "model.pt", MODEL),))
    child = make(workspace, "child", 4, parent=train.id)
    forked = make(workspace, "fork", 5, forked_from=train.id)
    return [prep, train, test, child, forked]


ABOVE = {("churn/prep", "made", "table.csv"), ("table.csv", "read", "churn/train")}
BELOW = {
    ("churn/train", "made", "model.pt"), ("model.pt", "used", "churn/test"),
    ("churn/train", "parent", "churn/child"), ("churn/train", "forked", "churn/fork"),
}  # fmt: skip


def test_a_run_has_both_ways(workspace: Workspace) -> None:
    chain(workspace)
    graph = lineage.of(workspace, "train")
    assert pairs(graph) == {
        ("churn/prep", "made", "train"), ("train", "read", "churn/train"), *BELOW,
    }  # fmt: skip
    (code,) = (node for node in graph.nodes.values() if node.kind == "code")
    assert (code.name, code.note) == (support.git(".", "rev-parse", "HEAD")[:7], '"train a model"')


def test_the_first_run_sees_all_that_came_of_it_and_what_nobody_read(workspace: Workspace) -> None:
    chain(workspace)
    found = pairs(lineage.of(workspace, "prep"))
    assert found == {*ABOVE, *BELOW, ("churn/prep", "made", "log.txt")}


def test_the_last_one_sees_all_that_it_came_from(workspace: Workspace) -> None:
    chain(workspace)
    found = pairs(lineage.of(workspace, "test"))
    assert found == {
        ("churn/prep", "made", "train"), ("train", "read", "churn/train"),
        ("churn/train", "made", "model.pt"), ("model.pt", "used", "churn/test"),
    }  # fmt: skip


@pytest.mark.parametrize("how", ["file", "sha256", "prefix", "artifact", "bare"])
def test_a_file_is_known_by_its_bytes(workspace: Workspace, tmp_path: Path, how: str) -> None:
    chain(workspace)
    for data, name, run, expected in (
        (TABLE, "table.csv", "prep", {("churn/prep", "made"), ("read", "churn/train"), ("churn/train", "made")}),
        (MODEL, "model.pt", "train", {("churn/train", "made"), ("used", "churn/test"), ("churn/prep", "made")}),
    ):
        file = support.write(tmp_path / "copied.bin", data)
        said = {
            "file": str(file), "sha256": f"sha256:{sha(data)}", "prefix": f"sha256:{sha(data)[:10]}",
            "artifact": f"{run}:{name}", "bare": sha(data),
        }[how]  # fmt: skip
        graph = lineage.of(workspace, said)
        root = graph.nodes[graph.root]
        assert (root.kind, root.sha256, root.note) == ("file", sha(data), "8 bytes" if data == TABLE else "200.0 kB")
        found = pairs(graph)
        assert expected <= {pair[:2] for pair in found} | {pair[1:] for pair in found}


def test_what_no_run_knows_is_said(workspace: Workspace, tmp_path: Path) -> None:
    chain(workspace)
    file = support.write(tmp_path / "other.csv", b"new")
    with pytest.raises(NotFound, match=r"no run made or read other\.csv \(sha256 11507a0e2f5e…\)"):
        lineage.of(workspace, str(file))
    with pytest.raises(NotFound, match="no run made or read bytes of sha256 000000000000…"):
        lineage.of(workspace, "0" * 64)
    with pytest.raises(NotFound, match="sha256 00000…"):
        lineage.of(workspace, "sha256:00000")
    with pytest.raises(NotFound, match="no run 'nobody'"):
        lineage.of(workspace, "nobody")


def test_a_run_that_was_removed_is_marked_and_one_that_is_not_here_is_named(workspace: Workspace) -> None:
    runs = chain(workspace)
    annotate.remove(workspace, [runs[1]])
    absent = run_id(99)
    make(workspace, "late", 6, read=((absent, "base.pt", b"x"), (runs[1].id, "model.pt", MODEL)), parent=run_id(98))
    graph = lineage.of(workspace, "late")
    notes = {node.id: node.note for node in graph.nodes.values() if node.kind == "run"}
    assert notes[runs[1].id] == "completed, removed"
    assert notes[absent] == notes[run_id(98)] == "not in this clone"
    assert ("qqqq" not in notes) and not graph.nodes[f"run:{absent}"].here


def test_a_resumed_run_says_from_where_it_went_on(workspace: Workspace) -> None:
    with gitexp.start_run("churn", name="long") as run:
        run.log({"loss": 1.0})
    first = run.commit
    with gitexp.start_run(resume=run.id):
        pass
    graph = lineage.of(workspace, "long")
    assert (f"code:{first}", "resumed") in {(edge.source, edge.kind) for edge in graph.edges}


def test_circles_that_records_claim_end(workspace: Workspace) -> None:
    one, two = run_id(1), run_id(2)
    make(workspace, "one", 1, made={"a": MODEL}, read=((two, "b", TABLE), (one, "a", MODEL)), parent=two)
    make(workspace, "two", 2, made={"b": TABLE}, read=((one, "a", MODEL),), parent=one, forked_from=two)
    graph = lineage.of(workspace, "one")
    assert len([node for node in graph.nodes.values() if node.kind == "run"]) == 2
    shown = support.gitexp("lineage", "one")
    assert "(above)" in shown.stdout and len(shown.lines) < 40
    assert support.gitexp("lineage", "one", "--svg", "-").stdout.count("stroke-dasharray") >= 1
    assert support.gitexp("lineage", "one", "--dot").stdout.startswith("digraph lineage {")


def test_a_long_line_of_parents_stops_at_the_depth(workspace: Workspace) -> None:
    for number in range(1, 30):
        make(workspace, f"r{number}", number, parent=run_id(number - 1) if number > 1 else None)
    graph = lineage.of(workspace, "r29")
    assert len(graph.nodes) == 6 and graph.left_out == 1
    assert len(lineage.of(workspace, "r29", depth=1000).nodes) == 30


@pytest.mark.slow
def test_a_thousand_runs_of_one_file_are_bounded_and_readable(workspace: Workspace) -> None:
    frame = {"name": "train", "uri": "t.csv", "sha256": sha(TABLE), "size": len(TABLE)}
    for number in range(1, 1201):
        make(workspace, f"r{number}", number, data=(frame,))
    graph = lineage.of(workspace, sha(TABLE))
    assert (len(graph.nodes), graph.left_out) == (1000, 201)
    folded = fold.fold(graph)
    assert len(folded.nodes) == 13
    assert "988 more runs" in {node.name for node in folded.nodes.values()}
    assert len(support.gitexp("lineage", sha(TABLE)).lines) == 15
    assert len(support.gitexp("lineage", sha(TABLE), "--all").lines) > 1000
    assert len(support.gitexp("lineage", sha(TABLE), "--json").json["nodes"]) == 1000


def test_empty_files_join_nothing(workspace: Workspace) -> None:
    make(workspace, "one", 1, made={"empty": b""})
    make(workspace, "two", 2, made={"empty": b""}, data=({"name": "d", "sha256": sha(b""), "size": 0},))
    assert pairs(lineage.of(workspace, "two")) == {("d", "read", "churn/two"), ("churn/two", "made", "d")}


def test_two_hashes_that_begin_alike_are_listed(workspace: Workspace) -> None:
    seen: dict[str, bytes] = {}
    for number in range(3000):
        data = str(number).encode()
        other = seen.setdefault(sha(data)[:4], data)
        if other != data:
            make(workspace, "one", 1, made={"a": data, "b": other})
            with pytest.raises(Ambiguous, match="begins 2 hashes"):
                lineage.of(workspace, f"sha256:{sha(data)[:4]}")
            return
    raise AssertionError("no two of three thousand begin alike")


def test_a_folder_is_known_by_its_hash(workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    support.write(folder / "a.png", b"1")
    support.write(folder / "deep/b.png", b"2")
    with gitexp.start_run("churn", name="reader") as run:
        run.log_dataset(folder, name="train")
    graph = lineage.of(workspace, str(folder))
    assert pairs(graph) == {("images/", "read", "churn/reader")}
    support.write(folder / "a.png", b"3")
    with pytest.raises(NotFound, match="no run made or read images/"):
        lineage.of(workspace, str(folder))


def test_names_of_records_reach_neither_terminal_nor_picture(workspace: Workspace) -> None:
    make(
        workspace,
        "evil",
        1,
        made={'\x1b[2J<script>&"\\': MODEL},
        data=({"name": "\x1b]0;x\x07</text>", "sha256": sha(b"1")},),
    )
    for options in ((), ("--svg", "-"), ("--dot",), ("--json",)):
        shown = support.gitexp("lineage", "evil", *options).stdout
        assert "\x1b" not in shown and "\x07" not in shown
    drawn = support.gitexp("lineage", "evil", "--svg", "-").stdout
    assert "<script>" not in drawn and "&lt;/text&gt;" in drawn
    ElementTree.fromstring(drawn)


def test_a_title_given_later_is_what_is_shown(workspace: Workspace) -> None:
    runs = chain(workspace)
    said_of.add(workspace, [said_of.about_run(find.one(workspace, "prep"), "title", text="the table")])
    assert lineage.of(workspace, runs[0].id).nodes[f"run:{runs[0].id}"].name == "churn/the table"


def edges_of(graph: lineage.Graph) -> set[tuple[str, str, str]]:
    """Return the edges of a graph by what their ends are called."""
    names = {key: node.name for key, node in graph.nodes.items()}
    return {(names[edge.source], edge.kind, names[edge.target]) for edge in graph.edges}


@pytest.mark.parametrize("weights", [b"w" * 200_000, b"small"])
def test_versions_of_models_are_what_came_of_runs_and_files(project: Path, weights: bytes) -> None:
    recording.record(project, "base", artifacts={"model.bin": weights, "notes.txt": b"n"})
    for model in ("churn", "fraud"):
        support.gitexp("model", "register", "base:model.bin", model)
    support.gitexp("model", "stage", "churn:1", "production")
    workspace = workspaces.open(project)
    made = {("model.bin", "registered", "churn:1"), ("model.bin", "registered", "fraud:1")}
    assert made <= edges_of(lineage.of(workspace, "base"))
    assert made <= edges_of(lineage.of(workspace, "base:model.bin"))
    found = lineage.of(workspace, "churn@production")
    assert found.nodes[found.root].kind == "model"
    assert ("churn/base", "registered", "churn:1") in edges_of(found)
    lines = support.gitexp("lineage", "churn:1").lines
    assert lines[0].startswith("model churn:1  production  ")
    assert lines[2].startswith("└─ from ")
    assert "registered" in support.gitexp("lineage", "churn:1", "--dot").stdout
    assert "churn:1" in support.gitexp("lineage", "churn:1", "--svg", "-").stdout
