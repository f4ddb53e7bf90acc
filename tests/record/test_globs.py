"""Patterns of artifact names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitexp.record import globs


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*.png", "a.png", True),
        ("*.png", "plots/deep/a.png", True),
        ("plots/*.png", "plots/a.png", True),
        ("plots/*.png", "plots/deep/a.png", False),
        ("plots/**/*.png", "plots/a.png", True),
        ("plots/**/*.png", "plots/deep/er/a.png", True),
        ("plots/**", "plots/deep/a.png", True),
        ("plots/**", "plots", False),
        ("**", "any/thing", True),
        ("?.pt", "a.pt", True),
        ("?.pt", "ab.pt", False),
        ("epoch[0-9].pt", "epoch7.pt", True),
        ("epoch[!0-9].pt", "epoch7.pt", False),
        ("epoch[z-a].pt", "epochz.pt", True),
        ("a[b.pt", "a[b.pt", True),
        ("a.b", "axb", False),
        ("line\nbreak*", "line\nbreak.txt", True),
    ],
)
def test_a_pattern_means_these_names(pattern: str, name: str, matches: bool) -> None:
    assert globs.compile(pattern)(name) is matches


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_is_a_pattern(pattern: str, name: str) -> None:
    assert globs.compile(pattern)(name) in (True, False)


def test_a_name_with_no_mark_is_no_pattern() -> None:
    assert [globs.is_one(text) for text in ("plots/a.png", "*.png", "a?", "a[1]")] == [False, True, True, True]
