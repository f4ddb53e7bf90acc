"""Text for people."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitexp import text


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"),
        ("größe 大 é", "größe 大 é"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x9b31m", "\\x9b31m"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\udc80", "\\udc80"),
        ("\U000e0001", "\\U000e0001"),
        ("👩‍🔬", "👩‍🔬"),
        ("", ""),
    ],
)
def test_foreign_text_is_made_visible(raw: str, shown: str) -> None:
    assert text.safe(raw) == shown


@given(st.text())
def test_safe_text_is_one_line_without_escapes(raw: str) -> None:
    shown = text.safe(raw)
    assert len(shown.splitlines()) <= 1
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in shown)
    assert text.safe(shown) == shown


def test_safe_lines_keep_lines_and_widen_tabs() -> None:
    assert text.safe_lines("a\tb\r\n\x1bc") == "a   b\n\\x1bc"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "-"), (math.nan, "-"), (0, "0.0s"), (0.84, "0.8s"), (9.94, "9.9s"), (9.96, "0:10"), (41, "0:41"),
     (252, "4:12"), (3753, "1:02:33"), (359_999.6, "100:00:00"), (-3, "0.0s")],
)  # fmt: skip
def test_a_duration_has_tenths_below_ten_seconds_and_colons_from_there(seconds: float | None, shown: str) -> None:
    assert text.duration(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (86400, "1d"), (700 * 86400, "700d"),
     (800 * 86400, "2y"), (-500, "0s")],
)  # fmt: skip
def test_an_age_is_told_in_one_unit(seconds: int, shown: str) -> None:
    assert text.age(0, seconds * 1000) == shown


def test_the_age_of_nothing_is_a_dash() -> None:
    assert text.age(None, 0) == "-"


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1.0 kB"), (38_400, "38.4 kB"), (41_100_000, "41.1 MB"),
     (999_949, "999.9 kB"), (999_950, "1.0 MB"), (10**19, "10.0 EB"), (10**22, "10000.0 EB")],
)  # fmt: skip
def test_sizes_are_in_decimal_units(size: int, shown: str) -> None:
    assert text.size(size) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0.941, "0.9410"), (1.0, "1.0"), (0.0, "0.0"), (-0.02, "-0.02000"), (212, "212"), (1e-5, "1.000e-05"),
     (1234.56, "1234.6"), (123_456.7, "123457"), (1e7, "1.000e+07"), (2**40, "1.100e+12"), (10**400, "1.000e+400"),
     (-(10**400), "-1.000e+400"), (math.nan, "nan"), (-math.inf, "-inf"), (True, "true")],
)  # fmt: skip
def test_numbers_have_four_digits(number: float, shown: str) -> None:
    assert text.number(number) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.05, "0.05"), ("adam", "adam"), (True, "true"), (None, "null"), ([64, 64], "[64, 64]"), ("a\nb", "a\\nb"),
     ({"a": "\x1b"}, '{"a": "\\u001b"}'), (object, repr(object))],
)  # fmt: skip
def test_params_are_shown_as_they_are(value: object, shown: str) -> None:
    assert text.value(value) == shown


def test_counts_and_cuts() -> None:
    assert [text.plural(1, "run"), text.plural(1204, "run"), text.plural(0, "entry", "entries")] == [
        "1 run", "1,204 runs", "0 entries",
    ]  # fmt: skip
    assert [text.shorten("abcdef", 6), text.shorten("abcdef", 4)] == ["abcdef", "abc…"]


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_safe_json_says_the_same_and_moves_no_terminal(value: object) -> None:
    document = json.dumps(value, ensure_ascii=False)
    shown = text.safe_json(document)
    assert json.loads(shown) == value
    assert text.safe(shown) == shown


@pytest.mark.parametrize(
    ("words", "line"), [([], ""), (["a"], "a"), (["a", "b"], "a, b"), (["a", "b", "c", "d"], "a, b and 2 more")]
)
def test_of_many_words_the_first_are_said_and_the_others_counted(words: list[str], line: str) -> None:
    assert text.some(words, 2) == line


@pytest.mark.parametrize(
    ("change", "shown"),
    [(12.34, "+12.3 %"), (-0.05, "-0.1 %"), (4321.0, "+4321 %"), (0.0, ""), (None, ""), (math.inf, "")],
)
def test_a_change_in_percent_has_its_sign(change: float | None, shown: str) -> None:
    assert text.percent(change) == shown
