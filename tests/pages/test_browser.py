"""Pages in a real browser, from a file: nothing is loaded, charts draw, zoom and toggle, tables sort."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gitexp.pages import html
from gitexp.pages.parts import Cell, Chart, Column, Index, Series, Table
from tests import support
from tests.pages import sample

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Start the system's Chromium once for all tests of this file."""
    support.needs("chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        chromium = started.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        yield chromium.new_context(viewport={"width": 1000, "height": 700})
        chromium.close()


class Opened:
    """A page in a tab, and all it asked the network or the disk for, logged or threw."""

    def __init__(self, tab: Any, file: Path, scheme: str = "light") -> None:
        self.requests: list[str] = []
        self.trouble: list[str] = []
        self.page = tab
        self.page.emulate_media(color_scheme=scheme)
        self.page.set_default_timeout(8000)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.note(message.text))
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.trouble.append("dialog"), dialog.dismiss()))
        self.page.goto(file.as_uri())

    def note(self, said: str) -> None:
        """Keep what is logged, but for the advice on how these tests look at a canvas."""
        if not said.startswith("Canvas2D: Multiple readback"):
            self.trouble.append(said)

    def of(self, query: str) -> list[str]:
        """Return the texts of the elements that a query finds and that can be seen."""
        return [item.inner_text() for item in self.page.query_selector_all(query) if item.is_visible()]

    def loaded(self) -> list[str]:
        """Return what was loaded beside what stands in the page itself."""
        return [url for url in self.requests if not url.startswith("data:")]


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    """Give a tab of a window of a desk's size."""
    found = browser.new_page()
    yield found
    found.close()


@pytest.fixture
def show(tab: Any, tmp_path: Path) -> Iterator[Any]:
    """Give a function that opens a page from a file; its tab is closed at the end, and it must have had no trouble."""
    opened: list[Opened] = []

    def open_page(page: str, scheme: str = "light") -> Opened:
        found = Opened(tab, support.write(tmp_path / "report.html", page), scheme)
        opened.append(found)
        return found

    yield open_page
    for found in opened:
        assert found.trouble == []


INK = """figure => {
  const canvas = figure.querySelector("canvas"), found = {};
  const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  for (let i = 0; i < data.length; i += 4) {
    const colour = [data[i], data[i + 1], data[i + 2]];
    if (data[i + 3] > 200) found[colour] = (found[colour] || 0) + 1;
  }
  return found;
}"""
CHARTS = "figure[data-chart]"


def ink(opened: Opened, at: int = 0) -> dict[str, int]:
    """Return the colours drawn on a chart, with their pixels."""
    opened.page.wait_for_selector("figure canvas")
    found: dict[str, int] = opened.page.query_selector_all(CHARTS)[at].evaluate(INK)
    return found


BLUE, RED = "0,114,178", "213,94,0"  # the first two colours of the style sheet


def test_a_report_draws_its_curves_and_loads_nothing(show: Any) -> None:
    opened = show(html.report(sample.report()))
    for at in (0, 1):
        drawn = ink(opened, at)
        assert drawn[BLUE] > 100 and drawn[RED] > 100
    assert opened.loaded() == [opened.page.url]


def test_dragging_zooms_all_curves_and_a_double_click_shows_all_again(show: Any) -> None:
    opened = show(html.report(sample.report()))
    ink(opened)
    whole, page = ticks(opened), opened.page
    box = page.query_selector(".u-over").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 80, box["y"] + 50, steps=4)
    page.mouse.up()
    page.wait_for_selector("#reset", state="visible")
    near = ticks(opened)
    assert near != whole and ink(opened, 1) != {}
    page.mouse.dblclick(box["x"] + 60, box["y"] + 50)
    page.wait_for_selector("#reset", state="hidden")
    assert ticks(opened) == whole


def ticks(opened: Opened) -> list[Any]:
    """Return the pictures of all charts: their axes are drawn too."""
    opened.page.wait_for_timeout(60)
    picture = "figure => figure.querySelector('canvas').toDataURL()"
    return [figure.evaluate(picture) for figure in opened.page.query_selector_all(CHARTS)]


def test_the_legend_hides_a_run_or_leaves_it_alone(show: Any) -> None:
    opened = show(html.report(sample.report(runs=3)))
    ink(opened)
    chips = opened.page.query_selector_all(".legend [data-run]")
    chips[0].click()
    opened.page.mouse.move(5, 5)
    opened.page.wait_for_timeout(300)
    drawn = ink(opened)
    assert BLUE not in drawn and drawn[RED] > 100
    assert chips[0].get_attribute("aria-pressed") == "false"
    opened.page.click(".legend .every")
    chips[1].dblclick()
    opened.page.mouse.move(5, 5)
    opened.page.wait_for_timeout(300)
    assert BLUE not in ink(opened)
    assert [chip.get_attribute("aria-pressed") for chip in chips] == ["false", "true", "false"]


def test_the_pointer_shows_the_values_of_all_runs(show: Any) -> None:
    opened = show(html.report(sample.report()))
    ink(opened)
    box = opened.page.query_selector(".u-over").bounding_box()
    opened.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    opened.page.wait_for_selector(".tip", state="visible")
    said = opened.of(".tip")[0]
    assert said.startswith("step ") and "A lr0.1" in said and "B lr0.2" in said and "0.9" in said


@pytest.mark.parametrize("button", ["[data-x=t]", "[data-log=x]", "[data-log=y]"])
def test_axes_can_be_changed(show: Any, button: str) -> None:
    opened = show(html.report(sample.report()))
    ink(opened)
    before = ticks(opened)
    opened.page.click(button)
    after = ticks(opened)
    assert before[0] != after[0] and ink(opened)[RED] > 50
    assert opened.page.get_attribute(button, "aria-pressed") == "true"


def test_a_spike_can_be_clipped_and_curves_smoothed(show: Any) -> None:
    values = [step % 5 / 5 for step in range(300)]
    values[150] = 1000.0
    chart = Chart("loss", "", (Series(0, range(300), range(300), values),))
    opened = show(html.report(sample.report(runs=1, charts=(chart,))))
    flat = ink(opened)[BLUE]
    opened.page.click("#clip")
    opened.page.wait_for_timeout(100)
    jagged = ink(opened)[BLUE]
    assert jagged > 2 * flat
    opened.page.fill("#smooth", "0.95")
    opened.page.wait_for_timeout(100)
    assert ink(opened)[BLUE] < jagged


@pytest.mark.parametrize("runs", [1, 2])
def test_a_page_without_curves_has_no_trouble(show: Any, runs: int) -> None:
    opened = show(html.report(sample.report(runs=runs, charts=())))
    opened.page.click("#runs th:last-child button")
    assert opened.of("figure canvas") == []


def test_curves_without_a_finite_value_say_so_and_one_point_is_drawn(show: Any) -> None:
    none = Chart("nan", "", (Series(0, [0, 1], [0, 1], [None, None]),))
    dot = Chart("dot", "", (Series(0, [5], [0], [0.5]),))
    flat = Chart("flat", "", (Series(0, [0, 1, 2], [0, 1, 2], [0.0, 0.0, 0.0]),))
    opened = show(html.report(sample.report(runs=1, charts=(none, dot, flat))))
    opened.page.wait_for_selector("canvas")
    assert opened.of(".empty") == ["no finite value to draw"]
    drawn = [figure.evaluate(INK) for figure in opened.page.query_selector_all("figure[data-chart]:has(canvas)")]
    assert all(BLUE in item for item in drawn) and len(drawn) == 2


def test_a_click_on_a_heading_sorts_and_what_is_missing_comes_last(show: Any) -> None:
    opened = show(html.report(sample.report(runs=4)))
    first = "#runs tbody tr td:last-child"
    opened.page.click("#runs th:last-child button")
    assert opened.of(first) == ["0.3", "0.2", "0.1", "–"]
    opened.page.click("#runs th:last-child button")
    assert opened.of(first) == ["0.1", "0.2", "0.3", "–"]
    assert opened.page.get_attribute("#runs th:last-child", "aria-sort") == "ascending"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_hostile_names_stay_text(show: Any, scheme: str) -> None:
    name = " ".join(sample.HOSTILE)
    opened = show(html.report(sample.report(name=name)), scheme)
    opened.page.wait_for_selector("canvas")
    plot = opened.page.query_selector(".u-over")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    opened.page.mouse.move(box["x"] + 100, box["y"] + box["height"] - 20)
    opened.page.wait_for_selector(".tip", state="visible")
    assert "<script>alert(1)</script>" in opened.of("h1")[0] and "<script>" in opened.of(".tip")[0]
    assert opened.loaded() == [opened.page.url]
    assert len(opened.page.query_selector_all("script")) == 2


def test_nothing_is_wider_than_a_phone(show: Any) -> None:
    wide = Table(tuple(Column(f"parameter{at}") for at in range(30)), (tuple(Cell("value" * 8) for _ in range(30)),))
    opened = show(html.report(sample.report(runs=8, table=wide, name="n" * 90)))
    opened.page.set_viewport_size({"width": 360, "height": 700})
    opened.page.wait_for_timeout(400)  # curves follow the window a moment later
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 360
    opened.page.reload()
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 360


def test_printing_draws_the_curves_that_were_never_scrolled_to(show: Any) -> None:
    page = sample.report()
    many = tuple(replace(page.charts[0], name=f"m{at}") for at in range(20))
    opened = show(html.report(replace(page, charts=many)), "dark")
    assert opened.page.evaluate("document.querySelectorAll('canvas').length") < 20
    assert opened.page.pdf().startswith(b"%PDF")
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert opened.page.evaluate("document.querySelectorAll('figure canvas').length") == 20
    assert ink(opened, 19)[BLUE] > 50


def test_the_index_of_a_site_is_filtered_by_words_and_by_numbers(tab: Any, tmp_path: Path) -> None:
    names = [f"run-{at}" for at in range(12)]
    rows = tuple(
        (Cell(name, name, link=f"runs/{name}.html"), Cell(str(at / 10), at / 10)) for at, name in enumerate(names)
    )
    page = Index("churn", ("12 runs",), (), Table((Column("run"), Column("val_auc:max", True)), rows), "now")
    for name, data in html.shared().items():
        support.write(tmp_path / "assets" / name, data)
    opened = Opened(tab, support.write(tmp_path / "index.html", "".join(html.index(page, "assets"))))
    opened.page.fill("#filter", "run-1")
    assert opened.of("tbody td:first-child") == ["run-1", "run-10", "run-11"] and opened.of("#matched") == ["3 of 12"]
    opened.page.fill("#filter", "val_auc:max>=1.0 run")
    assert opened.of("tbody td:first-child") == ["run-10", "run-11"]
    opened.page.fill("#filter", "")
    assert len(opened.of("tbody tr")) == 12
    assert {Path(url).parent.name for url in opened.loaded()} == {tmp_path.name, "assets"}
    assert opened.trouble == []
