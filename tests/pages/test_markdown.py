"""The Markdown of a report: tables that hold, and nothing from a record that is markup."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from gitexp.pages import markdown
from tests.pages import sample


def shape(document: str) -> list[str]:
    """Return what a parser makes of a document: the kinds of its blocks and spans, code being text."""
    found = []
    for token in MarkdownIt("gfm-like", {"linkify": False, "html": True}).parse(document):
        children = [
            child.type for child in token.children or () if child.type not in ("text", "code_inline", "softbreak")
        ]
        found += [token.type, *children]
    return found


@pytest.mark.parametrize("name", sample.HOSTILE)
def test_whatever_a_record_says_the_document_has_the_same_shape(name: str) -> None:
    assert shape(markdown.report(sample.report(name=name))) == shape(markdown.report(sample.report(name="plain")))


@pytest.mark.parametrize("name", sample.HOSTILE)
def test_no_html_link_or_mention_of_a_record_is_left(name: str) -> None:
    found = MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(markdown.report(sample.report(name=name)))
    for bad in ("<script", "<img", "<svg onload", "href=", "<h1"):
        assert bad not in found
    plain = markdown.plain(name)
    assert "@e" not in plain and "http://" not in plain


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("val_auc", "`val_auc`"),
        ("a`b", "``a`b``"),
        ("`", "`` ` ``"),
        (" a", "`  a `"),
        ("a|b", "`a|b`"),
        ("", ""),
        ("a\nb", "`a\\nb`"),
    ],
)
def test_a_code_span_shows_what_it_is_given(words: str, wanted: str) -> None:
    assert markdown.code(words) == wanted


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("a|b", "`a\\|b`"),
        ("a\\|b", "`a\\ \\|b`"),
        ("0.9410", "0.9410"),
        ("val_auc:max", "val_auc:max"),
        ("_x_", "`_x_`"),
        ("<b>", "`<b>`"),
        ("-5.1 %", "-5.1 %"),
    ],
)
def test_a_cell_has_plain_words_and_numbers_as_they_are(words: str, wanted: str) -> None:
    from gitexp.pages.parts import Cell

    assert markdown.inside(Cell(words)) == wanted


def test_a_report_reads_well() -> None:
    document = markdown.report(sample.report())
    assert document.startswith(
        """\
## churn: two runs

2 runs · \n
| run | status | val_auc:max<br>higher is better | lr |
| --- | --- | --: | --: |
| lr0.1 | completed | 0.90 | – |
| lr0.2 | completed | **0.91** | 0.1 |
"""
    )
    assert "**no difference** in seeds (all 2 equal)" in document
    assert "A · Ana Ruiz, 2026-11-20 15:00 UTC\n\n```text\nlooks good\n```" in document
