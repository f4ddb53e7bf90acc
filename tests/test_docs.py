"""The docs tell what the code does: every command, setting, error, ref and key is there, and the examples are real.

UPDATE_DOCS=1 writes the outputs of the examples, and the generated files, into the docs instead of comparing them.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitexp import errors
from tests import console, support

DOCS = support.ROOT / "docs"
UPDATE = bool(os.environ.get("UPDATE_DOCS"))
PAGES = sorted([support.ROOT / "README.md", *DOCS.glob("*.md")])
PLAYED = [path for path in PAGES if "```console" in path.read_text()]


def text(*names: str) -> str:
    """Return the text of some pages of the docs, or of all of them."""
    return "\n".join((DOCS / name).read_text() for name in names) or "\n".join(path.read_text() for path in PAGES)


def test_the_generated_pages_are_those_of_the_commands() -> None:
    from gitexp.cli import reference

    if UPDATE:
        reference.write(DOCS)
    stale = [name for name, wanted in reference.pages().items() if (DOCS / name).read_text() != wanted]
    assert stale == [], "make docs"


def test_every_command_is_told_of_outside_its_reference() -> None:
    from gitexp.cli import reference

    told = "\n".join(path.read_text() for path in PAGES if path.name != "cli.md")
    verbs = [entry.path for entry in reference.entries() if entry.path.count(" ") == 1]
    missing = [verb for verb in verbs if not re.search(verb.replace("gitexp", r"(gitexp|git exp)") + r"\b", told)]
    assert missing == []


def test_every_setting_is_documented() -> None:
    settings = importlib.import_module("gitexp.store.config").SETTINGS
    found = settings.values() if isinstance(settings, dict) else settings
    page = text("settings.md")
    assert [setting.name for setting in found if f"`{setting.name}`" not in page] == []


def error_classes() -> Iterator[type[errors.GitexpError]]:
    for value in vars(errors).values():
        if isinstance(value, type) and issubclass(value, errors.GitexpError):
            yield value


def test_every_error_is_in_the_table_of_exit_codes() -> None:
    rows = re.findall(r"^\| *(\d+) *\|(.*)\|", text("scripting.md"), re.MULTILINE)
    told = {(int(code), name) for code, cells in rows for name in re.findall(r"`(\w+)`", cells)}
    assert {(error.exit_code, error.__name__) for error in error_classes()} - told == set()


def ref_namespaces() -> set[str]:
    """Return the ref namespaces that stand in the code, for example refs/experiments."""
    found = set()
    for path in (support.ROOT / "gitexp").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= set(re.findall(r"refs/(?:notes/|gitexp/)?[a-z][a-z-]+", node.value))
    return found - {"refs/heads", "refs/remotes", "refs/tags"}  # Git's own


def test_every_ref_namespace_is_in_the_format() -> None:
    assert sorted(name for name in ref_namespaces() if name not in text("format.md")) == []


def keys(value: object) -> Iterator[str]:
    """Yield the keys of a run.json, but not those that the user chose."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            if key not in ("tags", "seeds", "lost", "names"):
                yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)


def test_every_key_of_a_record_is_in_the_format() -> None:
    records = sorted((support.ROOT / "tests/format").rglob("run.json"))
    assert records, "there are golden records"
    page = text("format.md")
    found = {key for path in records for key in keys(json.loads(path.read_bytes()))}
    assert sorted(key for key in found if f"`{key}`" not in page and f'"{key}"' not in page) == []


CHOSEN = {
    "params",
    "metrics",
    "environment",
    "tags",
    "seeds",
    "lost",
    "posts",
    "verdicts",
    "code",
    "left_out",
    "columns",
    "values",
    "parts",
}


def printed_keys(value: object) -> Iterator[str]:
    """Yield the keys of a JSON document but those below what the user, the machine or the record decides."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not re.fullmatch("[k-z]{16}", key):
                yield key
            if key not in CHOSEN or isinstance(inner, list):
                yield from printed_keys(inner)
            elif key == "metrics":
                yield from (name for aggregates in inner.values() for name in aggregates)
    elif isinstance(value, list):
        for inner in value:
            yield from printed_keys(inner)


def test_every_key_of_json_is_in_the_reference(project: Path, bare: Path) -> None:
    for loss in ("0.5", "0.25"):
        code = f"with gitexp.start_run('churn', params={{'lr': {loss}}}) as run: run.log({{'loss': {loss}}})"
        code += "; run.log_dataset('data.csv')"
        support.write(project / "data.csv", f"loss\n{loss}\n")
        support.python(project, f"import gitexp\n{code}\nrun.note('good')\nrun.log_artifact", env={"GITEXP_QUIET": "1"})
    lines = (
        "log", "show @", "diff", "importance loss", "status", "ref @", "tag @", "note @", "title @ fine",
        "experiment ls",
        "push --dry-run", "push --yes", "fetch", "status", "recover", "hooks ls", "config", "rm @~1", "undelete *",
        "bundle churn.zip", "unbundle churn.zip", "leaderboard", "leaderboard main",
        "plot -m loss", "plot --kind bar -m loss",
        "check --metric loss --baseline @~1 --require status='completed' --max-drop 9",
        "data ls", "data ls @", "data diff @~1 @", "data check @", "report --pr main", "site ../site",
        "artifact add @ README.md", "artifact ls @", "artifact verify @", "artifact diff @~1 @",
        "artifact get @ --to got", "get @:README.md --to again.md", "artifact drop @", "du", "du --by artifact",
    )  # fmt: skip
    support.write(project / "gitexp.toml", '[leaderboard.main]\nmetric = "loss"\nfloors = ["loss < 0.3"]\n')
    page, missing = text("scripting.md"), set()
    for line in lines:
        found = set(printed_keys(support.gitexp(*line.split(), "--json").json))
        missing |= {f"{line}: {key}" for key in found if f"`{key}`" not in page}
    assert sorted(missing) == []


def test_every_environment_variable_is_documented() -> None:
    found: set[str] = set()
    for path in (support.ROOT / "gitexp").rglob("*.py"):
        found |= set(re.findall(r"\bGITEXP_[A-Z_]*[A-Z]\b", path.read_text()))
    assert sorted(name for name in found if name not in text()) == []


def test_every_public_name_of_the_sdk_is_documented() -> None:
    sdk = importlib.import_module("gitexp.sdk")
    recording = [name for name in vars(sdk.Run) if not name.startswith("_")]
    reading = [name for name in vars(sdk.RecordedRun) if not name.startswith("_")]
    page = text("sdk.md")
    assert [name for name in [*sdk.__all__, *recording, *reading] if not re.search(rf"\b{name}\b", page)] == []


def test_every_link_leads_somewhere() -> None:
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert broken == []


@pytest.mark.slow
@pytest.mark.parametrize("page", PLAYED, ids=[path.stem for path in PLAYED])
def test_the_examples_print_what_the_page_says(page: Path, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    faults = console.play(page, console.Shell(folder, tmp_path / "pwd"), update=UPDATE)
    assert not faults, "\n\n".join(faults)


EXAMPLE = """\
<!-- file: hello.py -->
```python
print("hello")
```
Text, and <!-- a comment -->.
<!-- run: mkdir inner
cd inner -->
```console
$ python ../hello.py
hello
$ echo "one
> two"; echo
one
two

$ date --iso-8601=seconds
2020-01-01T00:00:00+00:00
$ seq 3; echo a b c
1
...
a ... c
```
```console fails
$ ls nothing
...No such file...
```
"""


def test_an_example_is_played(tmp_path: Path) -> None:
    page = support.write(tmp_path / "page.md", EXAMPLE)
    assert console.play(page, console.Shell(tmp_path, tmp_path / "pwd")) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [("\nhello\n", "\nhallo\n"), ("\n1\n...", "\n2\n..."), ("a ... c", "a ..."), ("console fails", "console")],
)
def test_a_wrong_example_is_found(tmp_path: Path, old: str, new: str) -> None:
    page = support.write(tmp_path / "page.md", EXAMPLE.replace(old, new).replace("a ...\n", "a ... b\n"))
    assert len(console.play(page, console.Shell(tmp_path, tmp_path / "pwd"))) == 1


def test_an_update_writes_the_real_output_where_it_differs(tmp_path: Path) -> None:
    page = support.write(tmp_path / "page.md", EXAMPLE.replace("\nhello\n", "\nhallo\nholla\n"))
    console.play(page, console.Shell(tmp_path, tmp_path / "pwd"), update=True)
    assert page.read_text() == EXAMPLE


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("kqzvmxr  lr0.05  completed  12m  4:12  0.9410", "wxlnpty lr0.05 completed just now 0.8s 0.9410"),
        ("a3f91c2+ on main", "77d01be+ on main"),
        ("refs/experiments/churn/lr0.05-kqzvmxr", "refs/experiments/churn/lr0.05-mzrokvu"),
        ("when 2026-11-20 14:02 +0100, Ana", "when 2026-01-02 04:02 +0000, Ana"),
    ],
)
def test_what_differs_each_time_is_hidden(one: str, other: str) -> None:
    assert console.normal(one) == console.normal(other)
