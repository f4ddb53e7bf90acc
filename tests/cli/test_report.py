"""gitexp report and gitexp site: where the page goes, what is printed, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import stored, support

A, B = "kqzvmxrkqzvmxrkq", "mzrokvumzrokvumz"


@pytest.fixture
def runs(project: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the short commit that two runs of an experiment have in common."""
    monkeypatch.setenv("GITEXP_NOW", stored.NOW)
    stored.make(None, "lr0.1", A, at="14:00", given={"lr": 0.1, "depth": 3}, logged={"val_auc": [0.8, 0.93]})
    stored.make(None, "lr0.2", B, at="14:30", given={"lr": 0.2, "depth": 3}, logged={"val_auc": [0.8, 0.94]})
    support.gitexp("note", "lr0.2", "first above 0.93; *check* <b>calibration</b>")
    return support.git(project, "rev-parse", "--short=7", "HEAD")


def test_markdown_goes_to_stdout(runs: str, untouched: None) -> None:
    shown = support.gitexp("report", "lr0.1", "lr0.2", "--md")
    assert shown.stderr == ""
    head, _, provenance = shown.stdout.partition("<details><summary>provenance</summary>")
    assert (
        head
        == f"""\
## churn: lr0.1 and lr0.2

2 runs · none with uncommitted edits

| run | status | val_auc:max<br>↑ better | lr | took | started | code |
| --- | --- | --: | --: | --: | --- | --- |
| A lr0.1 | completed | 0.9300 | 0.1 | 1:00 | 2026-11-20 14:00 | {runs} |
| B lr0.2 | completed | **0.9400** | 0.2 | 1:00 | 2026-11-20 14:30 | {runs} |

**in short**

- val\\_auc:max: B is better than A, +0.01000, +1.1 % (higher: guessed from the name)
- 1 cause possible: param lr.

**metrics**

| metric | A<br>lr0.1 | B<br>lr0.2 | change |   |
| --- | --: | --: | --: | --: |
| val_auc:max | 0.9300 | **0.9400** | +0.01000 | +1.1 % |

**params**

| param | A<br>lr0.1 | B<br>lr0.2 |
| --- | --- | --- |
| lr | 0.1 | 0.2 |

**code**

- The same code.

**data**

- No dataset was recorded.

**seeds**

- No seed was recorded.

**packages**

- A has no record of its packages.
- B has no record of its packages.

**no difference** in machine (the same)

**notes**

B · Ana Ruiz, 2026-11-20 15:00 UTC

```text
first above 0.93; *check* <b>calibration</b>
```

"""
    )
    assert "| command | python train.py |" in provenance
    assert provenance.endswith("</details>\n\nMade by gitexp, 2026-11-20 15:00 UTC\n")


def test_a_page_goes_to_a_file_and_its_size_to_stderr(runs: str, tmp_path: Path, untouched: None) -> None:
    path = tmp_path / "new/report.html"
    shown = support.gitexp("report", "lr0.*", "-o", str(path), "--title", "Friday <1>")
    assert shown.stdout == ""
    assert re.fullmatch(rf"gitexp: {path} written \(\d+ kB\)\n", shown.stderr)
    page = path.read_text()
    assert "<title>Friday &lt;1&gt;</title>" in page and "&lt;b&gt;calibration&lt;/b&gt;" in page


def test_without_a_run_it_is_the_newest_and_a_pipe_gets_the_page(runs: str) -> None:
    shown = support.gitexp("report")
    assert shown.stdout.startswith("<!doctype html>") and "<h1>lr0.2</h1>" in shown.stdout


def test_a_terminal_is_not_filled_with_html(runs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITEXP_FORCE_TERMINAL", "1")
    shown = support.gitexp("report", expect=2)
    assert shown.stderr == "gitexp: a page is not for a terminal\ngitexp report -o report.html   (or --md)\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere",), "no run 'nowhere'"),
        (("@", "--json"), "--max-drop, --require and --json go with --pr"),
        (("@", "--pr", "main..HEAD", "--md"), "--pr finds its runs itself"),
        (("--pr", "main...HEAD", "--md"), "'main...HEAD' is not a range"),
    ],
)
def test_what_cannot_be_meant_is_refused(runs: str, arguments: tuple[str, ...], said: str) -> None:
    shown = support.gitexp("report", *arguments, expect=None)
    assert shown.code in (2, 4) and said in shown.stderr


def test_a_review_fails_no_command_whatever_the_gate_says(runs: str, project: Path) -> None:
    support.git(project, "switch", "--quiet", "-c", "try")
    support.commit(project, "try", notes__md="try")
    stored.make(None, "lr0.4", "tvnqylstvnqylstv", at="14:40", given={"lr": 0.4}, logged={"val_auc": [0.7]})
    lines = support.gitexp("report", "--pr", "main..HEAD", "--md").lines
    assert lines[:5] == [
        "## main..HEAD: val\\_auc 0.7000, worse than main (0.9400)",
        "",
        "main: 2 runs · HEAD: 1 run · best by val\\_auc:max (higher: guessed from the name)",
        "",
        "✘ **gate failed: val\\_auc:max**",
    ]
    assert "| val_auc:max | 0.7000 | 0.9400 | -0.2400 | no drop | FAIL |" in lines


def test_a_site_says_where_it_is_and_what_was_done(runs: str, tmp_path: Path, untouched: None) -> None:
    out = tmp_path / "out"
    shown = support.gitexp("site", str(out))
    assert shown.stdout == f"{out / 'index.html'}\n"
    assert shown.stderr == "gitexp: 2 runs: 2 pages written, 0 unchanged, 0 removed\n"
    found = support.gitexp("site", str(out), "-e", "churn", "--json").json
    assert found == {"folder": str(out), "total": 2, "written": 0, "unchanged": 2, "removed": 0, "damaged": []}


def test_a_site_over_something_else_is_refused(runs: str, project: Path) -> None:
    shown = support.gitexp("site", str(project), expect=2)
    assert shown.stderr.startswith(f"gitexp: {project} holds something else: a site gets a folder of its own\n")
