"""Whatever parses runs, and agrees with plain Python over the same records; whatever does not says where."""

from __future__ import annotations

from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitexp import canonical
from gitexp.errors import BadQuery
from gitexp.index import compile as compiling
from gitexp.index import database, values
from gitexp.index.compile import Context
from gitexp.index.database import Index
from gitexp.query import nodes, parser
from tests import stored
from tests.query import evaluator, population

NOW_MS = canonical.from_iso(stored.NOW)
CONTEXT = Context(NOW_MS, lambda name: {"loss": "min", "Loss": "max"}.get(name, "last"))
BOUNDED = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))

NAMES = (
    *(f"params.{nodes.quote(name)}" for name in population.PARAMS),
    *(f"metrics.{nodes.quote(name)}" for name in population.METRICS),
    *(f"tags.{nodes.quote(name)}" for name in population.TAGS),
    "LR", "`odd name`", "acc", "stage", "p690", "seeds.python", "post.uplift", "verdict.fairness", "params.missing",
    "min(metrics.loss)", "max(loss)", "metrics.acc:mean", "count(metrics.Loss)", "first(metrics.`val/acc`)",
    "env.packages.torch", "env.packages.Scikit_Learn", "data.train.rows", "data.churn.sha256", "data.test.uri",
    "attributes.status", "run.run_name", *evaluator.FIELDS,
)  # fmt: skip
LITERALS = (
    "0", "1", "-1", "7", "0.1", ".5", "1e-3", "1e400", "9223372036854775807", "9223372036854775808", "2.10",
    "18446744073709551616", "10m", "1kB", "true", "false", "'adam'", "'Adam'", '"0.1"', "''", "'7'", "'it''s'", "'nan'",
    "'completed'", "'FINISHED'", "'vision/*'", "'[cv]*'", "'7be1'", "'7be1c04a'", "'2.9'", "'2.1.0'",
    "'2.1.0+cu121'", "'odd'",
    "'2026-11-20'", "'2026-11-20 13:30'", "'2 hours ago'", "'now'", "2026-11-20", "'ana@acme.io'", "'Bo'", "'model.pt'",
    "'run-3'", "'stage=7'", "'calibrate it'", "'18446744073709551616'", "'ten'", "'7be1c04a7be1c04a7be1c04a7be1c04a'",
)  # fmt: skip
PATTERNS = ("'%a%'", "'a_%'", "'100%'", "'%[x]?'", "'0.%'", "'%'", "''", "'RUN-_'", "'gr%'", "'%64%'", "'nan'", "'-%'")
REGEXES = ("'^a'", "'[0-9]+$'", "'(?i)adam'", "'.'", "''", r"'\.'", "'64'", "'true|null'")

operand = st.sampled_from(NAMES)
literal = st.sampled_from(LITERALS)
number = st.sampled_from(LITERALS[:14])


def sums(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(inner, st.sampled_from("+-*/"), inner)
    return pair.map(" ".join) | pair.map(lambda parts: f"({' '.join(parts)})") | inner.map("-{}".format)


value = literal | operand | st.recursive(operand | number, sums, max_leaves=4)
comparison = st.one_of(
    st.tuples(value, st.sampled_from(("=", "!=", "<", "<=", ">", ">=", "==", "<>")), value).map(" ".join),
    st.tuples(operand, st.sampled_from(("=", "!=", "<", "<=", ">", ">=")), literal).map(" ".join),
    st.tuples(operand, st.sampled_from(("in", "NOT IN")), st.lists(literal, min_size=1, max_size=5)).map(
        lambda parts: f"{parts[0]} {parts[1]} ({', '.join(parts[2])})"
    ),
    st.tuples(operand, st.sampled_from(("between", "not between")), value, st.just("and"), value).map(" ".join),
    st.tuples(operand, st.sampled_from(("like", "not like", "ILIKE", "not ilike")), st.sampled_from(PATTERNS)).map(
        " ".join
    ),
    st.tuples(operand, st.sampled_from(("~", "!~")), st.sampled_from(REGEXES)).map(" ".join),
    st.tuples(value, st.sampled_from(("is null", "is not null", "is nan", "IS NOT NAN"))).map(" ".join),
    operand,
)


def joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(inner, st.sampled_from(("and", "or", "AND")), inner)
    return pair.map(" ".join) | pair.map(lambda parts: f"({' '.join(parts)})") | inner.map("not ({})".format)


query = st.recursive(comparison, joined, max_leaves=5)
pieces = (
    *NAMES[:12], *LITERALS[:12], *"()=<>,+-*/~!'`.\"", "and", "or", "not", "in", "is", "null", "like", "between", " ",
    "é", "☃", "min(", "10x", "\x00", "\ud800", "--", ";",
)  # fmt: skip
soup = st.lists(st.sampled_from(pieces), max_size=12)


def found(index: Index, node: nodes.Node) -> set[str]:
    """Return the ids of the runs that a compiled condition is true of."""
    compiled = compiling.condition(node, index.catalogue, CONTEXT)
    rows = index.connection.execute(f"SELECT id FROM run WHERE {compiled.text}", compiled.parameters)
    return {row[0] for row in rows}


def check_error(text: str, error: BadQuery) -> None:
    assert 1 <= error.column <= len(text) + 1
    assert error.message.startswith(f"column {error.column}: ")
    assert error.query == text
    assert not text or error.hint.splitlines()[1].strip() == "^"


def test_queries_find_what_plain_python_finds(project: Path) -> None:
    workspace, runs = population.make(project)
    index = database.of(workspace)
    oracle = evaluator.Evaluator(NOW_MS, CONTEXT.represent, runs)
    assert str(index.catalogue.column("param", "p690")).startswith("(SELECT value FROM overflow")
    hit = 0

    @BOUNDED
    @given(query)
    def check(text: str) -> None:
        nonlocal hit
        try:
            node = parser.parse(text)
            names = found(index, node)
        except BadQuery as error:
            check_error(text, error)
            hypothesis.event("refused")
            return
        hit += 0 < len(names) < len(runs)
        wanted = {known.run.id for known in runs if oracle.true(node, known)}
        names_of = {known.run.id: known.run.name for known in runs}
        assert {names_of[key] for key in names} == {names_of[key] for key in wanted}

    check()
    assert hit > 50  # the queries tell runs apart, or nothing was tested


def test_what_does_not_parse_says_where(project: Path) -> None:
    index = database.of(population.make(project, 3)[0])

    @BOUNDED
    @given(soup.map("".join) | soup.map(" ".join) | st.text(max_size=30))
    def check(text: str) -> None:
        try:
            found(index, parser.parse(text))
        except BadQuery as error:
            check_error(text, error)

    check()


def test_orders_put_numbers_first_and_what_is_missing_last_both_ways(project: Path) -> None:
    workspace, runs = population.make(project)
    index = database.of(workspace)

    def rank(value: object) -> int:
        number = evaluator.number(value)
        return 3 if value is None else 0 if number is not None else 1 if isinstance(value, str) else 2

    for name in population.PARAMS:
        for sign in ("", "-"):
            order = compiling.order(parser.parse_order(f"{sign}params.{nodes.quote(name)}"), index.catalogue, CONTEXT)
            rows = index.connection.execute(f"SELECT id FROM run ORDER BY {order.text}", order.parameters).fetchall()
            by_id = {known.run.id: known.run.flat_params.get(name) for known in runs}
            sorted_values = [by_id[row[0]] for row in rows]
            assert [rank(value) for value in sorted_values] == sorted(rank(value) for value in sorted_values)
            for kind, key in ((0, evaluator.number), (1, str)):
                part = [key(value) for value in sorted_values if rank(value) == kind]
                assert part == sorted(part, reverse=sign == "-")  # type: ignore[type-var]  # of one kind


def test_values_are_those_of_the_records(project: Path) -> None:
    workspace, runs = population.make(project)
    index = database.of(workspace)
    for name in population.PARAMS:
        shown = compiling.value(parser.parse_value(f"params.{nodes.quote(name)}"), index.catalogue, CONTEXT)
        rows = dict(index.connection.execute(f"SELECT id, {shown.text} FROM run", shown.parameters).fetchall())
        for known in runs:
            assert repr(values.decode(rows[known.run.id])) == repr(known.run.flat_params.get(name))
