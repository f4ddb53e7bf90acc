"""Queries as SQL over a real index: names, errors that need the catalogue, sizes, and the examples of docs/query.md."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from gitexp import canonical
from gitexp.errors import BadQuery
from gitexp.index import compile as compiling
from gitexp.index import database
from gitexp.index.compile import Context
from gitexp.index.database import Index
from gitexp.query import nodes, parser
from gitexp.store import annotations
from gitexp.store import workspace as workspaces
from tests import recording, stored, support

CONTEXT = Context(canonical.from_iso(stored.NOW), lambda name: "last")
PAGE = (support.ROOT / "docs/query.md").read_text()
EXAMPLES = [line for block in re.findall(r"```query\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
SEMANTICS = re.findall(r"^\| `(.+)` \| (true|false) \|", PAGE, re.MULTILINE)
TIMES = re.findall(r"^\| `(start .+)` \| .+ \|$", PAGE, re.MULTILINE)


def names(index: Index, query: str | nodes.Node) -> list[str]:
    """Return the names of the runs that a query finds, sorted."""
    node = parser.parse(query) if isinstance(query, str) else query
    found = compiling.condition(node, index.catalogue, CONTEXT)
    return sorted(
        row[0] for row in index.connection.execute(f"SELECT name FROM run WHERE {found.text}", found.parameters)
    )


def refused(index: Index, query: str) -> BadQuery:
    with pytest.raises(BadQuery) as caught:
        names(index, query)
    assert caught.value.query == query
    return caught.value


@pytest.fixture
def index(project: Path) -> Index:
    """Three runs: a, b with other capitals and a tag, c that failed at once."""
    recording.record(project, "a", params={"lr": 0.1, "model": "mlp"}, metrics={"loss": [0.5, 0.4], "acc": [0.9]})
    run = recording.record(project, "b", params={"LR": "0.01", "learning rate": 1}, metrics={"Loss": [0.3]})
    recording.record(project, "c", status="failed", params={"lr": 0.2, "loss": "mse"}, seeds={"python": 1})
    workspace = workspaces.open(project)
    annotations.add(workspace, [annotations.about_run(run, "tag", key="baseline", value="")])
    return database.of(workspaces.open(project))


FOUND = [
    ("lr > 0.05", ["a", "c"]),
    ("LR < 0.05", ["b"]),
    ("params.LR < 0.05 or params.model = 'mlp'", ["a", "b"]),
    ("baseline", ["b"]),
    ("not tags.baseline and status = 'completed'", ["a"]),
    ("status in ('FAILED', 'killed')", ["c"]),
    ("Loss = 0.3", ["b"]),
    ("first(metrics.loss) = 0.5 and metrics.loss:min = 0.4 and count(metrics.loss) = 2", ["a"]),
    ("`learning rate` = 1", ["b"]),
    ("env.packages.NumPy >= '1' and env.python < '3.12'", ["a", "b", "c"]),
    ("params.nothing = 1", []),
    ("not params.nothing = 1", ["a", "b", "c"]),
    ("params.nothing is null and name != 'b'", ["a", "c"]),
    ("seeds.python = 1", ["c"]),
    ("experiment = 'ch*' and name in ('a', 'b')", ["a", "b"]),
]


def test_a_query_finds_its_runs(index: Index) -> None:
    assert [(query, names(index, query)) for query, _ in FOUND] == FOUND


REFUSED = [
    ("zzz = 1 and loss > 2", 1, "no field, param, metric or tag is called 'zzz'", "see them with"),
    ("true and loss > 2", 10, "'loss' is a param and a metric", "write: params.loss  or  metrics.loss"),
    (
        "los > 2",
        1,
        "no field, param, metric or tag is called 'los'",
        "did you mean: params.loss, metrics.Loss, metrics.loss",
    ),
    ("stauts = 'x'", 1, "no field, param, metric or tag is called 'stauts'", "did you mean: status"),
    ("learning_rate = 1", 1, "no field, param, metric or tag is called 'learning_rate'", "params.`learning rate`"),
    ("min(lr) > 2", 5, "no metric is called 'lr'", "see them with"),
    ("status = 'done'", 10, "'done' is no status", "running, completed, failed, killed"),
    ("start > 'soon'", 9, "'soon' is no time", "for example: 2026-11-20"),
    ("start > 10m", 9, "start compares with a time", "start > '2 days ago'"),
    ("start > params.lr", 9, "params.lr is no time", ""),
    ("start * 2 > 'now'", 7, "a time takes + and - with a duration", "end - start > 1h30m"),
    ("start like '2026%'", 12, "a time is no text", "start = '2026-11'"),
    ("code.dirty = 1", 14, "code.dirty is true or false", "not code.dirty"),
    ("code.dirty + 1 = 2", 1, "code.dirty is true or false, no number", ""),
    ("code.commit = 'main'", 15, "expected 4 to 40 hex digits, not 'main'", "gitexp log main..HEAD"),
    ("id = 'baseline'", 6, "expected 3 to 16 letters from k to z, not 'baseline'", "by name"),
    ("env.python > 'new'", 14, "'new' is no version", "'2.1'"),
    ("name ~ '('", 8, "'(' is not a regular expression", "escape"),
    ("artifact + 1 = 2", 1, "a run can have several of artifact", "artifact = '…'"),
    ("lr + 'x' > 2", 6, "expected a number beside + - * /", ""),
]


def test_what_cannot_be_meant_is_said_with_its_column(index: Index) -> None:
    for query, column, message, hint in REFUSED:
        error = refused(index, query)
        assert (error.column, error.message[: len(message) + 11].partition(": ")[2][: len(message)]) == (
            column,
            message,
        )
        assert hint in error.hint


def test_names_that_no_run_has_are_told(index: Index) -> None:
    query = "params.a = 1 or metrics.b > 2 or tags.c or env.packages.d > '1' or data.e.rows > 1 or params.a = params.lr"
    found = compiling.condition(parser.parse(query), index.catalogue, CONTEXT)
    assert found.unknown == ("params.a", "metrics.b", "tags.c", "env.packages.d", "data.e.rows")


def test_where_no_run_has_a_name_a_bare_one_is_only_missing(project: Path) -> None:
    index = database.of(workspaces.open(project))
    assert names(index, "lr > 1") == []


def test_no_input_is_ever_text_of_the_sql(index: Index) -> None:
    evil = "x'); DROP TABLE run; --"
    quoted = evil.replace("'", "''")
    for query in (
        f"name = '{quoted}'", f"params.`{evil}` = 1", f"tags.`{evil}` = 'x'", f"data.`{evil}`.uri = 'x'",
        f"env.packages.`{evil}` = '1'", f"name like '{quoted}'", f"name ~ '{re.escape(quoted)}'",
        f"name in ('{quoted}')",
        f"lr = '{quoted}'", f"env.python = '{quoted}'", f"data.x.sha256 = '{quoted}'", f"experiment = '{quoted}*'",
    ):  # fmt: skip
        found = compiling.condition(parser.parse(query), index.catalogue, CONTEXT)
        assert "DROP" not in found.text
        assert names(index, query) == []
    assert names(index, "true") == ["a", "b", "c"]


def test_lists_of_tens_of_thousands_are_few_parameters(index: Index) -> None:
    chance = random.Random(1)
    commits = [f"{chance.getrandbits(160):040x}" for _ in range(40_000)]
    head = str(index.workspace.repo.head().commit)
    options = tuple(nodes.Literal(commit) for commit in [*commits, head])
    node = nodes.In(nodes.Field("code.commit"), options)
    assert names(index, node) == ["a", "b", "c"]
    assert len(compiling.condition(node, index.catalogue, CONTEXT).parameters) == 1
    assert names(index, nodes.In(nodes.Field("code.commit"), options[:-1])) == []
    assert names(index, "lr in (" + ", ".join(map(str, range(30_000))) + ", 0.2)") == ["c"]
    assert names(index, "name not in (" + ", ".join(f"'n{at}'" for at in range(30_000)) + ", 'a')") == ["b", "c"]
    assert refused(index, "lr in (" + ", ".join(f"0.{at}" for at in range(10, 50_000)) + ")").column == 4


def test_an_empty_list_finds_nothing_and_its_complement_all(index: Index) -> None:
    assert names(index, nodes.In(nodes.Field("id"), ())) == []
    assert names(index, nodes.In(nodes.Field("id"), (), negated=True)) == ["a", "b", "c"]


def test_conditions_built_by_code_need_no_text(index: Index) -> None:
    start = index.connection.execute("SELECT min(start_ms) FROM run").fetchone()[0]
    since = nodes.Compare(">=", nodes.Field("start"), nodes.Literal(start))
    below = nodes.Any((
        nodes.Compare("=", nodes.Field("path"), nodes.Literal("churn")),
        nodes.Compare(">=", nodes.Field("path"), nodes.Literal("churn/")),
    ))  # fmt: skip
    assert names(index, nodes.All((parser.parse("lr > 0.15"), since, below))) == ["c"]
    assert names(index, nodes.All(())) == ["a", "b", "c"]
    assert names(index, nodes.Any(())) == []


def test_a_query_at_the_bounds_of_depth_runs(index: Index) -> None:
    conditions = "".join(f"(lr = 1 {('and', 'or')[at % 2]} " for at in range(parser.MAX_DEPTH)) + "lr > 0" + ")" * 40
    arithmetic = "(lr / " * 8 + "(lr + 1)" + ")" * 8
    mixed = (
        "".join(f"not (tag = 'x' {('and', 'or')[at % 2]} " for at in range(7)) + f"name != {arithmetic[:35]}" + ")" * 7
    )
    for query in (conditions, f"{arithmetic} > lr", f"tags.x between {arithmetic} and {arithmetic}", mixed):
        try:
            names(index, query)
        except BadQuery as error:
            assert error.column
    assert names(index, " or ".join(f"lr = {at}" for at in range(2000)) + " or lr = 0.1") == ["a"]
    assert names(index, " and ".join(["lr > 0"] * 2000)) == ["a", "c"]
    assert names(index, " + ".join(["lr"] * 100) + " > 15") == ["c"]
    assert refused(index, " or ".join(["lr = 1.5"] * 31_000)).message.endswith(
        "more than 30,000 values to compare with"
    )


def test_conditions_are_values_too(index: Index) -> None:
    found = compiling.value(parser.parse("lr > 0.15"), index.catalogue, CONTEXT)
    rows = index.connection.execute(f"SELECT name, {found.text} FROM run ORDER BY name", found.parameters).fetchall()
    assert rows == [("a", 0), ("b", 0), ("c", 1)]


def test_every_example_of_the_page_runs(project: Path) -> None:
    index = database.of(workspaces.open(project))
    assert len(EXAMPLES) > 20
    for example in EXAMPLES:
        names(index, example)


def test_the_table_of_comparisons_is_true(index: Index) -> None:
    assert len(SEMANTICS) > 20
    for condition, wanted in SEMANTICS:
        assert (condition, names(index, condition)) == (condition, ["a", "b", "c"] if wanted == "true" else [])


def test_a_day_is_a_span(project: Path) -> None:
    for at, name in enumerate(
        ("2026-11-17 10:00", "2026-11-19 23:59", "2026-11-20 00:00", "2026-11-20 23:59", "2026-11-21 00:00")
    ):
        start_ms = canonical.from_iso(name.replace(" ", "T") + ":00+00:00")
        stored.make(workspaces.open(project), name, "klmnopqrstuvwxy" + "klmno"[at], start_ms=start_ms)
    index = database.of(workspaces.open(project))
    days = [[name[8:10] for name in names(index, query)] for query in TIMES]
    assert days == [
        ["20", "20"], ["20", "20", "21"], ["21"], ["17", "19", "20", "20"], ["17", "19", "20", "20"],
        ["19", "20", "20", "21"],
    ]  # fmt: skip
