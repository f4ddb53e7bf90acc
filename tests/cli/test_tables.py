"""Tables: plain in a pipe, fitted on a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitexp.cli import formats, tables
from gitexp.cli.show_page import beside
from gitexp.cli.tables import Cell, Column, Table

TABLE = Table(
    (Column("NAME", keep=10), Column("LOSS", right=True, keep=5), Column("NOTE", keep=1)),
    (("a", "0.5", "good"), ("größe", Cell("12.25", "best"), "大大")),
)


def test_a_plain_table_is_aligned_and_has_no_trailing_space() -> None:
    assert tables.plain(TABLE) == ["NAME    LOSS  NOTE", "a        0.5  good", "größe  12.25  大大"]
    assert tables.plain(Table((Column(""), Column("")), (("a", "b"),))) == ["a  b"]


@pytest.mark.parametrize(
    ("width", "dropped"),
    [(None, []), (18, []), (17, ["NOTE"]), (12, ["NOTE"]), (11, ["LOSS", "NOTE"]), (1, ["LOSS", "NOTE"])],
)
def test_columns_that_do_not_fit_go_the_least_kept_first(width: int | None, dropped: list[str]) -> None:
    assert tables.fit(TABLE, width)[1] == dropped


def test_a_terminal_and_a_pipe_show_the_same_words(capsys: pytest.CaptureFixture[str]) -> None:
    for width in (None, 60):
        assert tables.echo(TABLE, width) == []
        lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
        assert [line.split() for line in lines] == [line.split() for line in tables.plain(TABLE)]


def test_a_cell_wider_than_the_terminal_is_folded_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    tables.echo(Table((Column("NAME"),), (("x" * 50,),)), 20)
    assert capsys.readouterr().out.count("x") == 50


def test_words_are_folded_before_a_column_goes(capsys: pytest.CaptureFixture[str]) -> None:
    words = Table((Column("GATE"), Column("FOUND", keep=1, fold=5), Column("MET")), (("signed", "no good key", "NO"),))
    assert tables.echo(words, 18) == []
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "GATE    FOUND  MET",
        "signed  no     NO",
        "        good",
        "        key",
    ]
    assert tables.fit(words, 17)[1] == ["FOUND"]


@given(st.text(st.sampled_from("aé大\u0301"), max_size=20))
def test_the_width_of_a_text_is_that_of_its_parts(text: str) -> None:
    assert tables.cell_width(text) == sum(map(tables.cell_width, text))


def test_blocks_stand_side_by_side_where_they_fit() -> None:
    assert beside(["a", "bb"], ["x"], 10) == ["a     x", "bb"]
    assert beside(["a", "bb"], ["x" * 9], 10) == ["a", "bb", "x" * 9]


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ("{a.b.c}", "1"),
        ("{a.b\\tx}", "-"),
        ("{x.y}", "2"),
        ("{id}{{}}", "kqzvmxrkqzvmxrkq{}"),
        ("{", "{"),
    ],
)
def test_dots_in_keys_are_followed_the_longest_first(template: str, line: str) -> None:
    run = {"id": "kqzvmxrkqzvmxrkq", "a": {"b.c": 1, "b": {"c": 0}}, "x": {"y": {"value": 2, "min": 1}}}
    assert formats.line(template, run) == line
