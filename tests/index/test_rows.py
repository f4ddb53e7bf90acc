"""Rows of records as they are, and of records as nobody should write them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitexp import canonical, ids
from gitexp.errors import Damaged
from gitexp.index import database, rows, search
from gitexp.store import annotations as said
from gitexp.store import runs
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace
from tests import stored
from tests.index import agreement

NUMBERS = st.integers() | st.floats() | st.sampled_from(["NaN", "Infinity", "-Infinity", 2**63, -(2**63), 0.1, 1e308])
SCALARS = (
    st.none() | st.booleans() | NUMBERS | st.text(st.characters(), max_size=5) | st.sampled_from(["1e3", " 7", "x"])
)
NAMES = st.text(st.characters(exclude_characters="\0"), max_size=4) | st.sampled_from(
    ["lr", "LR", "a.b", "a\\b", ".", ""]
)
PARAMS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=8
)
KEYS = ["count", "first", "last", "min", "max", "mean", "set", "first_step", "last_step", "min_step", "max_step"]
WHOLE = st.fixed_dictionaries(
    {key: st.integers(0, 9) for key in KEYS if key == "count" or key.endswith("_step")}
    | dict.fromkeys(("first", "last", "min", "max", "mean"), NUMBERS)
)
AGGREGATE = WHOLE | st.dictionaries(st.sampled_from(KEYS), SCALARS, max_size=11) | SCALARS
SUMMARY = st.dictionaries(NAMES, AGGREGATE, max_size=4) | SCALARS


def readable(run: Run) -> bool:
    try:
        _ = run.record, run.flat_params, run.summary
    except Damaged:
        return False
    return True


def check(workspace: Workspace, files: dict[str, bytes]) -> None:
    """Record a run of these files, and check that the index has it as the record says, or says that it is damaged."""
    run = stored.make(workspace, "odd", ids.new_run_id(), files=files)
    run = runs.load(workspace, str(run.commit), run.ref)
    entry = search.get(database.of(workspace), run.id)
    assert entry is not None
    assert (entry.damaged is None) == readable(run), entry.damaged
    if entry.damaged is None:
        assert canonical.line(entry.flat_params) == canonical.line(run.flat_params)
        assert agreement.values(entry) == agreement.values(run)
    else:
        assert (entry.name, entry.status, entry.flat_params, entry.summary) == ("odd", "completed", {}, {})


@given(params=st.dictionaries(NAMES, PARAMS, max_size=5), summary=SUMMARY)
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_json_a_record_holds_the_index_says_the_same_as_the_record(
    workspace: Workspace, params: Any, summary: Any
) -> None:
    check(workspace, {"params.json": json.dumps(params).encode(), "summary.json": json.dumps(summary).encode()})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"null",
        b'{"a": ' + b"[" * 200 + b"]" * 200 + b"}",
        b"\xff\xfe",
        b'{"a": 1e999, "b": NaN}',
    ],
)
@pytest.mark.parametrize("name", ["params.json", "summary.json", "environment.json", "data.json", "run.json"])
def test_a_file_that_is_no_record_s_harms_nothing(workspace: Workspace, name: str, content: bytes) -> None:
    if name != "run.json":
        check(workspace, {name: content})
        return
    run = stored.make(workspace, "odd", ids.new_run_id())
    assert rows.stored(workspace, str(run.ref), str(run.commit)) is not None


@pytest.mark.parametrize(
    "data", [b'[1, {"name": 7, "rows": "x", "bytes": 1e999}, {"role": "train"}]', b'[{"rows": 99e99}]']
)
def test_odd_data_sets_are_rows_of_what_can_be_read_of_them(workspace: Workspace, data: bytes) -> None:
    check(workspace, {"data.json": data})
    assert database.of(workspace).rows("SELECT COUNT(*) FROM dataset")[0][0] in (1, 2)


@pytest.mark.parametrize(
    "environment",
    [[], {"python": [], "gpus": {"a": 1}, "packages": {"x": 1, "y": {"version": [1]}}}, {"gpus": [1, {"name": 2}]}],
)
def test_an_odd_environment_harms_nothing(workspace: Workspace, environment: Any) -> None:
    check(workspace, {"environment.json": json.dumps(environment).encode()})
    assert database.of(workspace).rows("SELECT COUNT(*) FROM environment") == [(1,)]


def test_a_run_of_more_names_than_a_person_gives_is_damaged(workspace: Workspace) -> None:
    params = {f"p{number}": number for number in range(rows.MAX_NAMES + 1)}
    run = stored.make(workspace, "many", files={"params.json": json.dumps(params).encode()})
    entry = search.get(database.of(workspace), run.id)
    assert entry is not None
    assert "20,001 params" in str(entry.damaged)


def test_a_ref_that_holds_another_run_is_damaged(workspace: Workspace) -> None:
    run = stored.make(workspace)
    ref = "refs/experiments/churn/other-zzzzzzz"
    row = rows.stored(workspace, ref, str(run.commit))
    assert row is not None
    assert "holds the record of another run" in row.fields["damaged"]
    assert rows.stored(workspace, ref, "0" * 40) is None
    assert rows.stored(workspace, ref, str(workspace.repo.head().commit)) is None


@pytest.mark.parametrize(
    ("ref", "parts"),
    [
        ("refs/experiments/churn/lr0.1-kqzvmxr", ("churn", "lr0.1", "kqzvmxr")),
        ("refs/experiments/a/b/x-y-kqzvmxr", ("a/b", "x-y", "kqzvmxr")),
        ("refs/experiments-live/churn/x-kqzvmxr", ("churn", "x", "kqzvmxr")),
        ("refs/experiments/x-kqzvmxr", None),
        ("refs/experiments/churn/x-KQZVMXR", None),
        ("refs/experiments/churn/x", None),
    ],
)
def test_what_a_ref_says(ref: str, parts: tuple[str, str, str] | None) -> None:
    assert rows.leaf(ref) == parts


def test_facts_are_laid_over_a_record(workspace: Workspace) -> None:
    run = stored.make(workspace, tags={"stage": "draft", "kept": "yes"}, description="as recorded")
    assert agreement.check(workspace)[0].tags == {"stage": "draft", "kept": "yes"}
    said.add(
        workspace, [said.about_run(run, "tag", key="stage", value="\ud800"), said.about_run(run, "untag", key="kept")]
    )
    entry = search.get(database.of(workspace), run.id)
    assert entry is not None
    assert (entry.tags, entry.description) == ({"stage": "\\ud800"}, "as recorded")
