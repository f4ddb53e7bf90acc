"""HTML: templates that escape all they are given, and the style and script of a page, in it or beside it."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from gitexp import text
from gitexp.pages.parts import Index, Report, Series

if TYPE_CHECKING:
    from jinja2 import Environment, Template
    from markupsafe import Markup

STYLE, SCRIPT = ("uplot.min.css", "page.css"), ("uplot.min.js", "page.js")
LICENCE = "uplot.LICENSE"
HUES = 8  # colours of the style sheet; the ninth run has the first one again, dashed
_DASHES = 3
_EXACT = 2**53  # up to here a script knows all integers
_DIGITS = 7  # of a value on a curve: what a float of 32 bits has


def report(page: Report) -> str:
    """Return a whole page that needs nothing beside it; its policy allows nothing from anywhere."""
    return _template("report.html").render(**_whole(), page=page, data=_data(page))


def run(page: Report, folder: str) -> str:
    """Return a page about runs whose style and script lie in `folder`, as `shared` names them."""
    return _template("report.html").render(**_beside(folder), page=page, data=_data(page))


def index(page: Index, folder: str) -> Iterator[str]:
    """Yield the page that lists all runs, piece by piece: there may be many."""
    stream = _template("index.html").stream(**_beside(folder), page=page, data=None)
    stream.enable_buffering(64)
    return iter(stream)


@cache
def shared() -> Mapping[str, bytes]:
    """Return {name: bytes} of the files that the pages of a site share; a name changes with the content."""
    style, script = _asset(*STYLE).encode(), _script().encode()
    return {_named("page", ".css", style): style, _named("page", ".js", script): script}


@cache
def fingerprint() -> str:
    """Return a word that changes whenever the same page would come out otherwise."""
    digest = hashlib.sha256()
    for folder in ("assets", "templates"):
        for file in sorted(_files(folder).iterdir(), key=lambda item: item.name):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _named(stem: str, suffix: str, data: bytes) -> str:
    return f"{stem}-{hashlib.sha256(data).hexdigest()[:12]}{suffix}"


def _script() -> str:
    """Return the script of all pages, with the licence that goes wherever its library goes."""
    return f"/*\n{_asset(LICENCE)}*/\n{_asset(*SCRIPT)}"


def _whole() -> dict[str, Any]:
    style, script = _asset(*STYLE), _script()
    allowed = {"img-src": "data:", "style-src": _hashed(style), "script-src": _hashed(script)}
    return {"policy": _policy(allowed), "style": _markup(style), "script": _markup(script)}


def _beside(folder: str) -> dict[str, Any]:
    """Return the same for files beside the page: `file:` is what a page opened from a disk may load from."""
    style, script = shared()
    own = "'self' file:"
    allowed = {"img-src": f"{own} data:", "style-src": own, "script-src": own}
    return {"policy": _policy(allowed), "style_file": f"{folder}/{style}", "script_file": f"{folder}/{script}"}


def _policy(allowed: Mapping[str, str]) -> str:
    listed = {"default-src": "'none'", **allowed, "base-uri": "'none'", "form-action": "'none'"}
    return "; ".join(f"{name} {value}" for name, value in listed.items())


def _hashed(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _data(page: Report) -> Markup:
    """Return the curves as JSON that no parser of HTML can take for anything else."""
    value = {
        "runs": [{"label": item.label, "name": _shown(f"{item.name}")} for item in page.runs],
        "hues": HUES,
        "charts": [
            {
                "name": _shown(chart.name),
                "best": chart.best,
                "series": [_series(series) for series in chart.series],
            }
            for chart in page.charts
        ],
    }
    found = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return _markup(found.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _series(series: Series) -> dict[str, Any]:
    return {
        "run": series.run,
        "x": [int(step) if abs(step) < _EXACT else float(step) for step in series.steps],
        "t": [round(float(second), 1) for second in series.seconds],
        "y": [_number(value) for value in series.values],
    }


def _number(value: float | None) -> float | None:
    if value is None:
        return None
    try:
        value = float(value)
    except OverflowError:
        return None
    if not math.isfinite(value):
        return None
    return float(f"{value:.{_DIGITS}g}")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("gitexp.pages"),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["key"] = lambda run: f"k{run % HUES} d{run // HUES % _DASHES}"
    return made


def _template(name: str) -> Template:
    return _environment().get_template(name)


def _shown(value: object) -> object:
    """Make characters visible that would reorder or hide the text around them."""
    if type(value) is str:  # what is markup is a kind of its own
        return value if value.isascii() and value.isprintable() else text.safe_lines(value)
    return "" if value is None else value


def _markup(content: str) -> Markup:
    from markupsafe import Markup

    return Markup(content)


@cache
def _asset(*names: str) -> str:
    return "\n".join(_files("assets").joinpath(name).read_text() for name in names)


def _files(folder: str) -> Any:
    return resources.files("gitexp.pages") / folder
