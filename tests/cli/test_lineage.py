"""gitexp lineage: what it prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.store import workspace as workspaces
from tests import support
from tests.ops.showing import test_lineage as made


@pytest.fixture(autouse=True)
def chain(project: Path) -> None:
    made.chain(workspaces.open(project))


def test_two_trees_tell_where_it_is_from_and_what_came_of_it(untouched: None) -> None:
    head = support.git(".", "rev-parse", "HEAD")[:7]
    assert support.gitexp("lineage", "train").stdout == (
        "run kkkkkkk  churn/train  completed\n"
        "from\n"
        f'├─ code {head}  "train a model"\n'
        f"└─ data train  8 bytes  {made.sha(made.TABLE)[:12]}\n"
        "   └─ made by kkkkkkk  churn/prep  completed\n"
        f'      └─ code {head}  "train a model"\n'
        "to\n"
        "├─ child kkkkkkk  churn/child  completed\n"
        "├─ fork kkkkkkk  churn/fork  completed\n"
        f"└─ made model.pt  200.0 kB  {made.sha(made.MODEL)[:12]}\n"
        "   └─ used by kkkkkkk  churn/test  completed\n"
    )


def test_a_file_is_hashed_and_looked_up(tmp_path: Path, untouched: None) -> None:
    file = support.write(tmp_path / "t.csv", made.TABLE)
    shown = support.gitexp("lineage", str(file)).lines
    assert shown[0] == f"file t.csv  8 bytes  {made.sha(made.TABLE)[:12]}"
    assert "└─ made by kkkkkkk  churn/prep  completed" in shown
    assert "└─ read by kkkkkkk  churn/train  completed" in shown
    file.write_bytes(b"other")
    refused = support.gitexp("lineage", str(file), expect=4)
    assert "no run made or read t.csv (sha256 " in refused.stderr


def test_json_has_nodes_and_edges(untouched: None) -> None:
    found = support.gitexp("lineage", "test", "--json").json
    assert set(found) == {"root", "nodes", "edges", "left_out"}
    assert {node["kind"] for node in found["nodes"]} == {"run", "file", "code"}
    assert {"source", "target", "kind", "name"} == set(found["edges"][0])


def test_pictures_are_written_whole(tmp_path: Path, untouched: None) -> None:
    target = tmp_path / "l.svg"
    said = support.gitexp("lineage", "train", "--svg", str(target))
    assert said.stdout == "" and f"gitexp: {target} written" in said.stderr
    drawn = target.read_text()
    assert drawn.startswith("<svg ") and drawn.endswith("</svg>\n") and "churn/train" in drawn
    assert support.gitexp("lineage", "train", "--dot").stdout.count(" -> ") == 8
    assert "one of --dot, --svg and --json" in support.gitexp("lineage", "train", "--dot", "--json", expect=2).stderr
