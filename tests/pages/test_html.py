"""The HTML of pages: one file that loads nothing, and in which what records say is text."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from gitexp.pages import html
from gitexp.pages.parts import Cell, Column, Index, Report, Series, Table
from tests.pages import sample


class Tags(HTMLParser):
    """Collects the tags with their attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def data(page: str) -> dict[str, object]:
    """Return the curves of a page."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    value: dict[str, object] = json.loads(found[1])
    return value


def shape(page: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(tag, tuple(sorted(attributes))) for tag, attributes in Tags(page).tags]


@pytest.mark.parametrize("name", sample.HOSTILE)
def test_whatever_a_record_says_the_tags_of_the_page_are_the_same(name: str) -> None:
    page = html.report(sample.report(name=name))
    assert shape(page) == shape(html.report(sample.report(name="plain")))


@pytest.mark.parametrize("name", sample.HOSTILE)
def test_the_curves_of_hostile_names_are_json_that_nothing_else_can_be_read_from(name: str) -> None:
    found = data(html.report(sample.report(name=name)))
    raw = json.dumps(found, ensure_ascii=True)
    assert [run["name"] for run in found["runs"]] == [found["runs"][0]["name"]] * 2  # type: ignore[index]
    page = html.report(sample.report(name=name))
    block = page.split('id="data">')[1].split("</script>")[0]
    assert not set(block) & set("<>&\u2028\u2029") and json.loads(block) == json.loads(raw)


def test_nothing_on_a_page_points_outside_it() -> None:
    for tag, attributes in Tags(html.report(sample.report())).tags:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            target = attributes.get(name) or ""
            assert not target or target.startswith(("#", "data:image/png;base64,", "data:,")), (tag, target)
        assert not any(name.startswith("on") or name == "style" for name in attributes), tag


def test_the_policy_allows_only_the_pages_own_style_and_script() -> None:
    policy = html.report(sample.report()).split('Security-Policy" content="')[1].split('"')[0].replace("&#39;", "'")
    listed = dict(part.split(" ", 1) for part in policy.split("; "))
    assert listed["default-src"] == listed["base-uri"] == listed["form-action"] == "'none'"
    assert re.fullmatch(r"'sha256-[\w+/]{43}='", listed["script-src"])
    assert re.fullmatch(r"'sha256-[\w+/]{43}='", listed["style-src"])
    assert listed["img-src"] == "data:"


def test_the_hashes_of_the_policy_are_those_of_what_is_in_the_page() -> None:
    import base64
    import hashlib

    page = html.report(sample.report())
    for tag in ("style", "script"):
        content = page.rsplit(f"<{tag}>", 1)[1].split(f"</{tag}>")[0]
        assert base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() in page.split("viewport")[0]


def test_the_library_of_the_charts_comes_with_its_licence() -> None:
    assert "Permission is hereby granted, free of charge" in html.report(sample.report())


def test_values_that_json_does_not_know_are_gaps() -> None:
    series = Series(0, [0, 1, 2, 3], [0.0] * 4, [1.0, float("nan"), float("inf"), None])
    page = sample.report(runs=1)
    chart = replace(page.charts[0], series=(series,))
    found = data(html.report(replace(page, charts=(chart,))))
    assert found["charts"][0]["series"][0]["y"] == [1.0, None, None, None]  # type: ignore[index]


def test_a_report_without_anything_is_a_page_all_the_same() -> None:
    empty = Report("nothing", (), (), (), None, (), (), True, (), (), (), (), (), "now")
    page = html.report(empty)
    assert "<h1>nothing</h1>" in page and "<section" not in page and 'href="#' not in page


def test_a_page_of_a_site_loads_the_shared_files_beside_it_and_nothing_else() -> None:
    style, script = html.shared()
    page = html.run(sample.report(home="../index.html"), "../assets")
    found = [attributes.get("src") or attributes.get("href") or "" for _, attributes in Tags(page).tags]
    beside = {target for target in found if target and not target.startswith(("#", "data:"))}
    assert beside == {f"../assets/{style}", f"../assets/{script}", "../index.html"}
    assert "script-src &#39;self&#39; file:;" in page


def test_the_index_comes_in_pieces_and_escapes_its_cells() -> None:
    rows = ((Cell("<b>x</b>", "<b>x</b>", link=f"runs/{at}.html"),) for at in range(500))
    page = Index("<i>churn</i>", ("500 runs",), (), Table((Column("run"),), rows), "newest run")
    pieces = list(html.index(page, "assets"))
    assert len(pieces) > 5
    whole = "".join(pieces)
    assert whole.count("&lt;b&gt;x&lt;/b&gt;") == 1000 and "<b>x" not in whole and "<i>" not in whole
