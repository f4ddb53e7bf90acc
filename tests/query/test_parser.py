"""Queries as text: what they mean, and what errors say of those that mean nothing."""

from __future__ import annotations

import pytest

from gitexp.errors import BadQuery, UsageError
from gitexp.query import lexer, nodes, parser, units


def written(node: object) -> str:
    """Return a node as a text in which every pair has its parentheses."""
    match node:
        case nodes.Query(part):
            return written(part)
        case nodes.All(parts) | nodes.Any(parts):
            word = "and" if isinstance(node, nodes.All) else "or"
            return "(" + f" {word} ".join(map(written, parts)) + ")"
        case nodes.Not(part):
            return f"not {written(part)}"
        case nodes.Compare(op, left, right) | nodes.Arithmetic(op, left, right):
            return f"({written(left)} {op} {written(right)})"
        case nodes.Between(value, low, high, negated):
            return f"{written(value)} {'not ' * negated}between {written(low)} and {written(high)}"
        case nodes.In(value, options, negated):
            return f"{written(value)} {'not ' * negated}in {[option.value for option in options]}"
        case nodes.Matches(how, value, pattern, negated):
            return f"{written(value)} {'not ' * negated}{how} {pattern!r}"
        case nodes.IsMissing(value, negated):
            return f"{written(value)} is {'not ' * negated}null"
        case nodes.IsNan(value, negated):
            return f"{written(value)} is {'not ' * negated}nan"
        case nodes.Truth(value):
            return f"true({written(value)})"
        case nodes.Literal(value, unit):
            return repr(value) + (f" {unit}" if unit else "")
        case nodes.Field() | nodes.Name():
            return nodes.spell(node)
    raise AssertionError(node)


PARSED = [
    ("a = 1", "(a = 1)"),
    ("a = 1 or b = 2 and not c = 3", "((a = 1) or ((b = 2) and not (c = 3)))"),
    ("(a = 1 or b = 2) and c = 3", "(((a = 1) or (b = 2)) and (c = 3))"),
    ("a and b and c or d", "((true(a) and true(b) and true(c)) or true(d))"),
    ("a and (b and (c and d))", "(true(a) and true(b) and true(c) and true(d))"),
    ("not not not a", "not true(a)"),
    ("not a = 1 and b", "(not (a = 1) and true(b))"),
    ("((((a))))", "true(a)"),
    ("a + b * c - d > -1", "(((a + (b * c)) - d) > -1)"),
    ("a - b - c / d / e = 0", "(((a - b) - ((c / d) / e)) = 0)"),
    ("-a * 2 < - -3", "(((0 - a) * 2) < 3)"),
    ("-(a + b) = +c", "((0 - (a + b)) = c)"),
    ("(a + b) * 2 = c", "(((a + b) * 2) = c)"),
    ("a between 1 and 2 and b", "(a between 1 and 2 and true(b))"),
    ("a not between 1 + 1 and b and c between 3 and 4", "(a not between (1 + 1) and b and c between 3 and 4)"),
    ("a + 1 in (1, 'x', -2, true)", "(a + 1) in [1, 'x', -2, True]"),
    ("a NOT IN ('x')", "a not in ['x']"),
    ("a Like 'x%' or a not ilike 'y'", "(a like 'x%' or a not ilike 'y')"),
    ("a ~ 'z' or a !~ 'w'", "(a ~ 'z' or a not ~ 'w')"),
    ("a is null and b IS NOT NULL and c is nan", "(a is null and b is not null and c is nan)"),
    ("a == 1 and b <> 2", "((a = 1) and (b != 2))"),
    ("status = 'it''s' and a = \"say \"\"hi\"\"\"", "((status = \"it's\") and (a = 'say \"hi\"'))"),
    ("duration < 1h30m and artifact.size > 1.5MB", "((duration < 5400 duration) and (artifact.size > 1500000 size))"),
    ("start > 2026-11-20", "(start > '2026-11-20')"),
    ("start > 2026-11-20T14:02:03Z", "(start > '2026-11-20T14:02:03Z')"),
    ("a = .5 or a = 5. or a = 1e-3", "((a = 0.5) or (a = 5.0) or (a = 0.001))"),
    ("metrics.loss:min < 1 and max(loss) > 2", "((min(metrics.loss) < 1) and (max(loss) > 2))"),
    ("param.lr = 1 and parameters.lr = parameter.lr", "((params.lr = 1) and (params.lr = params.lr))"),
    ("params.optimizer.lr = params.`optimizer.lr`", "(params.optimizer.lr = params.optimizer.lr)"),
    ("metrics.\"val auc\" > 1 and `metrics`.`val auc` > 1", "((metrics.`val auc` > 1) and (metrics.`val auc` > 1))"),
    ("tags.mlflow.user = 'x' and tags.1st = 'y'", "((tags.mlflow.user = 'x') and (tags.`1st` = 'y'))"),
    ("params.`a``b` = 1 and params.and = `or`", "((params.`a``b` = 1) and (params.`and` = `or`))"),
    ("attributes.run_id = 'k' and run.`run name` = 'x'", "((id = 'k') and (name = 'x'))"),
    ("attr.start_time > 5 and created > 5 and user_id = 'x'", "((start > 5) and (start > 5) and (user = 'x'))"),
    ("datasets.name = 'x' and dataset.digest = 'y'", "((dataset.name = 'x') and (dataset.digest = 'y'))"),
    ("data.train.v2.rows > 1", "(data.train.v2.rows > 1)"),
    ("env.packages.`scikit-learn` > '1'", "(env.packages.`scikit-learn` > '1')"),
    ("größe = 1", "(größe = 1)"),
    ("true or false", "(true(True) or true(False))"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), PARSED)
def test_a_query_means_what_its_operators_bind(text: str, wanted: str) -> None:
    assert written(parser.parse(text)) == wanted


@pytest.mark.parametrize(("text", "wanted"), PARSED)
def test_capitals_and_spaces_change_nothing(text: str, wanted: str) -> None:
    words = [token.written.upper() if token.kind == "keyword" else token.written for token in lexer.tokens(text)[:-1]]
    assert written(parser.parse(" \n ".join(words))) == wanted


REFUSED = [
    ("", 1, "the query is empty"),
    ("  ", 1, "the query is empty"),
    ("a > and b", 5, "expected a value, not 'and'"),
    ("a >", 4, "expected a value, not the end"),
    ("and a", 1, "expected a value, not 'and'"),
    ("a = 1 b", 7, "expected and, or, or an operator, not 'b'"),
    ("a = 1 'b'", 7, "expected and, or, or an operator, not 'b'"),
    ("(a = 1", 1, "this parenthesis is never closed"),
    ("(a = 1 and (b = 2)", 1, "this parenthesis is never closed"),
    ("a = 1)", 6, "this parenthesis was never opened"),
    ("a = 'x", 5, "the quote ' is never closed"),
    ("`a = 1", 1, "the quote ` is never closed"),
    ("params.`a = 1", 8, "the quote ` is never closed"),
    ("params. = 1", 8, "expected a name after the dot"),
    ("a = .", 6, "expected a name after the dot"),
    ("a = 1.2.3", 5, "'1.2.3' is no number"),
    ("a = 10x", 5, "'10x' is no number"),
    ("a = 30m1h", 5, "'30m1h' is no number"),
    ("a < 1 < 2", 3, "expected a value, not a condition"),
    ("(a = 1) = 2", 4, "expected a value, not a condition"),
    ("1 + (a = 1) > 2", 8, "expected a value, not a condition"),
    ("a + 1", 1, "expected a comparison, not a value alone"),
    ("a = 1 and 'x'", 11, "expected a comparison, not a value alone"),
    ("a = null", 5, "expected a value, not 'null'"),
    ("a is 1", 6, "expected null or nan, not '1'"),
    ("a in 1", 6, "expected a list in parentheses, not '1'"),
    ("a in ()", 7, "expected a number or a text, not ')'"),
    ("a in (b)", 7, "expected a number or a text, not 'b'"),
    ("a in (1 2)", 9, "expected a comma or a closing parenthesis, not '2'"),
    ("a like b", 8, "expected a text in quotes, not 'b'"),
    ("a between 1", 12, "expected and, not the end"),
    ("a between 1 or 2", 13, "expected and, not 'or'"),
    ("a = not b", 5, "expected a value, not 'not'"),
    ("a not = 1", 3, "expected and, or, or an operator, not 'not'"),
    ("a = -'x'", 6, "expected a number after the sign"),
    ("a && b", 3, "unexpected '&'"),
    ("a = ‘x’", 5, "unexpected '‘'"),
    ("a = 1; DROP TABLE run", 6, "unexpected ';'"),
    ("a = '\0'", 6, "a null byte has no place in a query"),
    ("a = '\udcff'", 6, "a byte that is not UTF-8 has no place in a query"),
    ("sqrt(a) > 1", 1, "there is no function 'sqrt'"),
    ("min(1) > 1", 5, "expected a metric in min(), not '1'"),
    ("min(params.lr) > 1", 5, "params is not a metric"),
    ("min(loss > 1", 10, "expected a closing parenthesis, not '>'"),
    ("code.drity", 1, "no field is called 'code.drity'"),
    ("attributes.lifecycle = 'x'", 1, "no field is called 'lifecycle'"),
    ("data.train = 'x'", 1, "what of the dataset 'train'?"),
    ("data.train.size > 1", 1, "what of the dataset 'train'?"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "column", "message"), REFUSED)
def test_an_error_says_the_column_and_what_was_expected(text: str, column: int, message: str) -> None:
    with pytest.raises(BadQuery) as caught:
        parser.parse(text)
    assert (caught.value.column, caught.value.message) == (column, f"column {column}: {message}")
    assert isinstance(caught.value, UsageError) and caught.value.exit_code == 2


def test_the_hint_shows_the_place_with_a_caret_also_in_a_long_query() -> None:
    with pytest.raises(BadQuery) as caught:
        parser.parse("metrics.val_auc > and")
    assert caught.value.hint == "  metrics.val_auc > and\n                    ^"
    with pytest.raises(BadQuery) as caught:
        parser.parse("a = 1 and " * 50 + "b = = 2" + " and a = 1" * 50)
    line, caret = caught.value.hint.splitlines()
    assert line[caret.index("^")] == "=" and len(line) < 80


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("-metrics.val_auc,params.lr", [("metrics.val_auc", True), ("params.lr", False)]),
        ("metrics.val_auc DESC, params.lr asc", [("metrics.val_auc", True), ("params.lr", False)]),
        ("+start", [("start", False)]),
        ("-a - b, -(c)", [("(a - b)", True), ("c", True)]),
    ],
)
def test_orders_are_values_with_commas_between(text: str, wanted: list[tuple[str, bool]]) -> None:
    assert [(written(key.value), key.descending) for key in parser.parse_order(text)] == wanted


@pytest.mark.parametrize("text", ["", "a,", "a b", "a = 1", ",a", "a up"])
def test_what_is_no_order_is_refused(text: str) -> None:
    with pytest.raises(BadQuery) as caught:
        parser.parse_order(text)
    assert caught.value.column >= 1


@pytest.mark.parametrize("text", ["a = 1", "a b", ""])
def test_what_is_no_value_is_refused(text: str) -> None:
    with pytest.raises(BadQuery):
        parser.parse_value(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("10m", (600, "duration")), ("1h30m", (5400, "duration")), ("1.5h", (5400, "duration")),
        ("500ms", (0.5, "duration")), ("2w1d", (1296000, "duration")), ("10MB", (10**7, "size")),
        ("1GiB", (2**30, "size")), ("10kb", (10**4, "size")), ("1B", (1, "size")), ("10M", None), ("1m1h", None),
        ("1m1m", None), ("1h30", None), ("m", None), ("1MB2kB", None),
    ],
)  # fmt: skip
def test_quantities_are_seconds_and_bytes(text: str, wanted: object) -> None:
    assert units.quantity(text) == wanted


DEEP = {
    "parentheses": "(" * 1000 + "a = 1" + ")" * 1000,
    "nots": "not " * 1000 + "a = 1",
    "nots in parentheses": "not (" * 1000 + "a = 1" + ")" * 1000,
    "signs": "a = " + "-" * 1000 + "1",
    "a chain": " or ".join(["a = 1"] * 1000),
}
TOO_DEEP = {
    "conditions": "".join(f"(a = 1 {('and', 'or')[at % 2]} " for at in range(1000)) + "b = 2" + ")" * 1000,
    "conditions on the left": "(" * 1000 + "b = 2" + "".join(f" {('and', 'or')[at % 2]} a = 1)" for at in range(1000)),
    "arithmetic": "(a / " * 1000 + "1" + ")" * 1000 + " > 1",
    "a sum": " + ".join(["a"] * 1000) + " > 1",
    "parentheses": "(" * 10_000 + "a = 1",
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP.keys())
def test_what_is_deep_for_nothing_parses(text: str) -> None:
    parser.parse(text)


@pytest.mark.parametrize("text", TOO_DEEP.values(), ids=TOO_DEEP.keys())
def test_what_is_too_deep_is_refused_with_a_column(text: str) -> None:
    with pytest.raises(BadQuery, match=r"^column [0-9]+: (nested too deep|arithmetic of more|more than 5,000)"):
        parser.parse(text)
