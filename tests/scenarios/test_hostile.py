"""Runs from elsewhere whose records are made to hurt: nothing is written outside, run, shown raw or read for ever."""

from __future__ import annotations

import copy
import json
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gitexp
from gitexp import errors, ids
from gitexp.git import objects, refs
from gitexp.git.objects import Entry
from gitexp.git.repo import Repo
from gitexp.store import runs
from gitexp.store import workspace as workspaces
from gitexp.store.workspace import Workspace
from tests import stored, support

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.exe\u2066\u2028\r\nRun: forged\x00\ud800\U000e0041"
BAD, BAD_NAME = "mnopqrsmnopqrsmn", "strange"
REF = f"refs/experiments/churn/{BAD_NAME}-{ids.short(BAD)}"
GOOD = "kqzvmxrkqzvmxrkq"
RECORD: dict[str, Any] = {
    "format": 1,
    "id": BAD,
    "experiment": {"id": ids.experiment_id("churn"), "name": "churn"},
    "name": BAD_NAME,
    "status": "failed",
    "start": "2026-11-20T14:00:00.000Z",
    "end": "2026-11-20T14:01:00.000Z",
    "duration": 60.0,
    "command": ["python", "train.py"],
    "exit_code": 1,
    "error": {"type": "ValueError", "message": "no", "traceback": "Traceback\n  line\nValueError: no"},
    "user": {"name": "Eve", "email": "eve@evil.io", "source": "git", "offset_minutes": 60},
    "host": "gpu01",
    "seeds": {"python": 42},
    "tags": {"owner": "eve"},
    "description": "a try",
    "parent": "nopqrstnopqrstno",
    "forked_from": "opqrstuopqrstuop",
    "parents": [],
    "code": {"dirty": True, "changed": ["a.py"], "untracked": ["b.py"], "left_out": [{"path": "c", "reason": "large"}],
             "edited": ["d.py"], "branch": "main", "policy": "allow", "complete": False},
    "cost": {"gpu_seconds": 1.0},
    "lost": {"points": 2},
    "names": {},
}  # fmt: skip
SUMMARY = {"val_auc": {"count": 1, "first": 0.9, "last": 0.9, "min": 0.9, "max": 0.9, "mean": 0.9}}
READERS = (
    ("log", "--all"), ("log", "--all", "--columns", "all"), ("log", "--all", "--json"), ("log", "--all", "--oneline"),
    ("log", "--all", "--format", "{name} {tags} {params} {metrics} {error} {host}"), ("log", "--all", "--grep", "x"),
    ("log", "--best", "val_auc"), ("show", BAD), ("show", BAD, "--json"), ("show", BAD, "--output"), ("show", GOOD),
    ("diff", GOOD, BAD), ("diff", BAD, GOOD, "--json"), ("diff", GOOD, BAD, "--name-only"), ("status",),
    ("status", "--json"), ("status", "--porcelain"), ("fsck",), ("fsck", "--json"), ("ref", BAD),
    ("ref", "--json", BAD), ("tag", BAD), ("tag", BAD, "--json"), ("experiment", "ls"), ("experiment", "ls", "--json"),
    ("branch", BAD, "try"), ("show", "@{max:val_auc}"), ("report", BAD, "--md"), ("report", GOOD, BAD),
)  # fmt: skip
FEW = (("log", "--all"), ("log", "--all", "--json"), ("show", BAD), ("show", BAD, "--json"), ("diff", GOOD, BAD),
       ("diff", BAD, GOOD, "--json"), ("fsck",), ("status", "--json"), ("report", BAD),
       ("report", GOOD, BAD, "--md"))  # fmt: skip


@pytest.fixture
def workspace(project: Path) -> Workspace:
    """Return the workspace of `project`, which has one run of its own."""
    opened = workspaces.open()
    stored.make(opened, logged={"val_auc": [0.5, 0.8]}, given={"lr": 0.1})
    return opened


def forge(workspace: Workspace, files: Mapping[str, Any] = {}, ref: str = REF, said: str = "") -> str:
    """Put a run commit with these files in its record where a fetch puts one; None takes a file away.

    A file is its bytes, a JSON value, or (mode, object id).
    """
    repo = workspace.repo
    whole = {"run.json": RECORD, "params.json": {"lr": 0.2}, "summary.json": SUMMARY,
             ".gitattributes": runs.ATTRIBUTES, **files}  # fmt: skip
    entries = {
        name: item if isinstance(item, tuple) else (objects.FILE, objects.write_blob(repo, _bytes(item)))
        for name, item in whole.items()
        if item is not None
    }
    head = str(repo.head().commit)
    tree = objects.graft(repo, objects.read_commit(repo, head).tree, runs.FOLDER, objects.write_tree(repo, entries))
    return point(workspace, objects.Commit(tree, (head,), _person(), _person(), said or trailers()), ref)


def point(workspace: Workspace, commit: objects.Commit, ref: str = REF) -> str:
    """Store a commit and make it what `ref` holds."""
    oid = objects.write_commit(workspace.repo, commit)
    refs.update(workspace.repo, ref, oid, old=refs.get(workspace.repo, ref))
    return oid


def trailers(subject: str = "churn/strange: failed in 1:00", **changed: str) -> str:
    """Return the message of a run commit."""
    said = {"Run": BAD, "Experiment": "churn", "Name": BAD_NAME, "Status": "failed", "Format": "1", **changed}
    return "\n".join([subject, "", *(f"{key}: {value}" for key, value in said.items()), ""])


def _person() -> objects.Signature:
    return objects.Signature("Eve", "eve@evil.io", 1_763_647_200)


def _bytes(item: Any) -> bytes:
    return item if isinstance(item, bytes) else json.dumps(item).encode()


def read(*arguments: str) -> support.Result:
    """Run a command that reads; whatever it meets it ends with an answer or an error of ours, and prints plain text."""
    result = support.gitexp(*arguments, expect=None)
    assert result.code in (0, 2, 4, 5, 6, 8), f"gitexp {arguments} ended with {result.code}:\n{result.stderr}"
    raw = [c for c in result.stdout + result.stderr if _is_raw(c)]
    assert not raw, f"gitexp {arguments} printed {raw[0]!r}"
    if result.code == 0 and "--json" in arguments:
        assert result.json is not None
    return result


def _is_raw(character: str) -> bool:
    return character not in "\n\t" and unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def test_no_text_of_a_run_reaches_the_terminal_raw(workspace: Workspace, untouched: None) -> None:
    record = {**_evil(RECORD, keep=("format", "id", "status", "start", "end", "parents", "policy")), "parents": []}
    record["experiment"]["name"] = record["name"] = EVIL
    said = trailers(f"churn/{EVIL}: failed").replace(f"Name: {BAD_NAME}", "Name: \x1b[2Jx\u202e")
    forge(
        workspace,
        {
            "run.json": record,
            "params.json": {EVIL: {EVIL: [EVIL]}},
            "summary.json": {EVIL: SUMMARY["val_auc"]},
            "environment.json": _evil({"python": {"version": ""}, "packages": {"torch": {"version": ""}}, "cuda": "",
                                       "gpus": [{"name": ""}], "variables": {"A": ""}, "container": {"digest": ""}}),
            "data.json": [{"name": EVIL, "role": EVIL, "uri": EVIL, "sha256": EVIL, "rows": 1}],
            "output.log": EVIL.encode("utf-8", "surrogatepass"),
            "artifacts/%1B%5B2J%E2%80%AE": b"x",
        },
        said=said,
    )  # fmt: skip
    for arguments in READERS:
        read(*arguments)
    assert "\\x1b[2J" in read("show", BAD).stdout


def _evil(value: Any, keep: tuple[str, ...] = ()) -> Any:
    """Return a JSON value with every text but those of some keys replaced."""
    if isinstance(value, dict):
        return {key: item if key in keep else _evil(item, keep) for key, item in value.items()}
    if isinstance(value, list):
        return [_evil(item, keep) for item in value]
    return EVIL if isinstance(value, str) else value


def test_facts_from_elsewhere_reach_the_terminal_safe(workspace: Workspace) -> None:
    support.gitexp("tag", GOOD, "owner=ana")
    support.gitexp("note", GOOD, "-m", "hello", expect=None)
    tip = support.git(".", "show", "--format=", "--name-only", "refs/notes/experiments").split("\n")[-1]
    line = json.loads(support.git(".", "show", f"refs/notes/experiments:{tip}").split("\n")[0])
    commit = str(workspace.repo.head().commit)
    said = {"tag": {"key": EVIL, "value": EVIL}, "note": {"text": EVIL}, "title": {"text": EVIL},
            "post": {"name": EVIL, "value": 1.0}}  # fmt: skip
    author = {"name": EVIL, "email": EVIL}
    lines = [
        json.dumps({**line, "op": op, **what, "author": author, "clock": number, "fact": "k" * 15 + "klmn"[number]})
        for number, (op, what) in enumerate(said.items())
    ]
    support.git(".", "notes", "--ref=experiments", "append", "-m", "\n".join(lines), commit)
    for arguments in READERS:
        read(*arguments)


def test_artifacts_never_get_names_that_mean_places_outside(workspace: Workspace) -> None:
    blob = (objects.FILE, objects.write_blob(workspace.repo, b"x"))
    names = {"a": "../../etc/passwd", "b": "/etc/passwd", "c": "x/../../y", "d": "", "e": "fine/name", "f": "x\x00/.."}
    forge(
        workspace,
        {
            "run.json": {**RECORD, "names": names},
            **{f"artifacts/{stored}": blob for stored in names},
            "artifacts/%2E%2E/%2E%2E/x": blob,
            "artifacts/%2Fetc%2Fpasswd": blob,
            "artifacts/../up": blob,
            "artifacts/./here": blob,
        },
    )
    found = {artifact["name"] for artifact in read("show", BAD, "--json").json["artifacts"]}
    assert found == {"a", "b", "c", "d", "fine/name", "f", "%2E%2E/%2E%2E/x", "%2Fetc%2Fpasswd"}


def test_links_and_submodules_in_a_record_are_not_followed(workspace: Workspace, untouched: None) -> None:
    repo = workspace.repo
    secret = objects.write_blob(repo, str(support.write(Path.home() / "secret", "hunter2")).encode())
    link, module = (objects.LINK, secret), (objects.SUBMODULE, str(repo.head().commit))
    forge(workspace, {"artifacts/link": link, "artifacts/module": module, "artifacts/dir/link": link,
                      "output.log": link, "metrics.csv": module, "environment.json": link})  # fmt: skip
    for arguments in READERS:
        assert "hunter2" not in read(*arguments).stdout
    assert read("show", BAD, "--json").json["artifacts"] == []
    for entry in (link, module, (objects.TREE, objects.write_tree(repo, {"x": link}))):
        forge(workspace, {"run.json": entry})
        _spoils_nothing()


def _spoils_nothing(why: str = "") -> None:
    """Check that the bad run is told in a line, and that all others are listed and shown as ever."""
    assert GOOD[:7] in read("log", "--all").stdout
    assert BAD[:7] in (told := read("log", "--all").stdout + read("log", "--all").stderr), told
    assert GOOD in {run["id"] for run in read("log", "--all", "--json").json}
    assert read("show", GOOD).code == 0
    shown = read("show", BAD)
    assert shown.code in (6, 8)
    assert why in shown.stderr
    for arguments in READERS:
        read(*arguments)


BROKEN = {
    "no run.json": ({"run.json": None}, "run.json"),
    "an empty run.json": ({"run.json": b""}, "run.json"),
    "no JSON": ({"run.json": b"\xff\xfe{"}, "run.json"),
    "a list": ({"run.json": []}, "run.json"),
    "a newer version": ({"run.json": {**RECORD, "format": 2}}, "newer"),
    "no version": ({"run.json": {**RECORD, "format": None}}, "format"),
    "the id of another run": ({"run.json": {**RECORD, "id": GOOD}}, "another run"),
    "no id": ({"run.json": {**RECORD, "id": "../../x"}}, "id"),
    "nested JSON": ({"run.json": b'{"format":1,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"}, "deep"),
    "nested within Python's bounds": ({"run.json": b'{"format":1,"x":' + b"[" * 300 + b"]" * 300 + b"}"}, "deep"),
    "a time that no calendar has": ({"run.json": {**RECORD, "start": "0001-01-01T00:00:00+23:59"}}, "time"),
    "params that do not parse": ({"params.json": b"{"}, "params.json"),
    "nested params": ({"params.json": b'{"a":' * 400 + b"1" + b"}" * 400}, "params.json"),
    "a summary that is none": ({"summary.json": {"val_auc": [1]}}, "summary.json"),
}  # fmt: skip


@pytest.mark.parametrize("files, why", BROKEN.values(), ids=BROKEN)
def test_a_run_that_cannot_be_read_spoils_no_list(
    workspace: Workspace, untouched: None, files: dict[str, Any], why: str
) -> None:
    forge(workspace, files)
    _spoils_nothing(why)


def test_refs_that_hold_no_run_spoil_no_list(workspace: Workspace) -> None:
    head = str(workspace.repo.head().commit)
    blob = objects.write_blob(workspace.repo, b"x")
    for number, oid in enumerate((head, blob, objects.read_commit(workspace.repo, head).tree)):
        refs.update(workspace.repo, f"{REF[:-1]}{'klm'[number]}", oid, old=None)
    forge(workspace, said="no trailers at all\n")
    for arguments in READERS:
        read(*arguments)
    assert GOOD[:7] in read("log", "--all").stdout
    assert "4 refs without a run (gitexp fsck)" in read("log", "--all").stdout


def test_what_a_later_version_adds_to_a_record_is_passed_over(workspace: Workspace, untouched: None) -> None:
    forge(workspace, {"run.json": {**RECORD, "energy": {"kWh": [1]}, "code": {**RECORD["code"], "new": 1}},
                      "power.json": b"{}", "artifacts2/x": b"y"})  # fmt: skip
    for arguments in READERS:
        read(*arguments)
    assert read("show", BAD).code == 0


@pytest.mark.slow
def test_100_mb_of_json_are_not_read(workspace: Workspace, untouched: None) -> None:
    text = objects.write_blob(workspace.repo, b'{"a": "' + b"x" * (100 << 20) + b'"}')
    names = ("run.json", "params.json", "summary.json", "environment.json", "data.json")
    for at, name in enumerate(names):
        forge(workspace, {name: (objects.FILE, text)})
        for arguments in (("log", "--all"), ("show", BAD)) if at else (("fsck", "--quick"), ("diff", GOOD, BAD)):
            done = bounded(*arguments)
            assert done.returncode in (0, 8), done.stderr
            assert "Error" not in done.stderr


def bounded(*arguments: str) -> Any:
    """Run gitexp in a process that may have half a gigabyte of memory."""
    code = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))\n"
        "from gitexp.cli.main import main\nmain(sys.argv[1:])\n"
    )
    return support.execute(".", sys.executable, "-c", code, *arguments, check=False)


@pytest.mark.slow
def test_folders_that_hold_themselves_a_billion_times_end(workspace: Workspace) -> None:
    repo = workspace.repo
    level = objects.write_tree(repo, {f"f{n}": (objects.FILE, objects.write_blob(repo, b"x")) for n in range(100)})
    for _ in range(10):
        level = objects.write_tree(repo, {f"d{n}": (objects.TREE, level) for n in range(10)})
    empty = objects.write_tree(repo, {})
    for _ in range(300):
        empty = objects.write_tree(repo, {"d": (objects.TREE, empty)})
    for tree in (level, empty):
        forge(workspace, {"artifacts": (objects.TREE, tree)})
        assert read("show", BAD).code == 8
        assert read("log", "--all").code == 0
        read("fsck")


CSV = {
    "a million columns": b"metric,step,time,value\n" + b"," * 1_000_000 + b"\n",
    "garbage": bytes(range(256)) * 100,
    "a field beyond all bounds": b"metric,step,time,value\n" + b"x" * 1_000_000 + b",0,0.000,1\n",
    "no number": b"metric,step,time,value\nloss,zero,0.000,1\n",
    "a time beyond all bounds": b"metric,step,time,value\nloss,0,1e308,1\n",
    "an integer of 5,000 digits": b"metric,step,time,value\nloss," + b"9" * 5000 + b",0.000,1\n",
}


@pytest.mark.parametrize("data", CSV.values(), ids=CSV)
def test_metrics_that_do_not_parse_are_said(workspace: Workspace, untouched: None, data: bytes) -> None:
    forge(workspace, {"metrics.csv": data, "system.csv": data})
    with pytest.raises(errors.Damaged, match=r"metrics\.csv"):
        gitexp.get_run(BAD).metrics()
    for arguments in READERS:
        read(*arguments)
    assert read("show", BAD).code == 0


def test_numbers_that_no_array_of_64_bits_holds_come_back(workspace: Workspace) -> None:
    big = 10**400
    forge(workspace, {"metrics.csv": f"metric,step,time,value\nval_auc,{big},0.000,{big}\n".encode(),
                      "summary.json": {"val_auc": {"count": 1, "last": big, "min": big, "max": big, "first": big,
                                                   "first_step": big, "last_step": big, "mean": 0.0}}})  # fmt: skip
    for arguments in READERS:
        read(*arguments)
    series = gitexp.get_run(BAD).metric("val_auc")
    assert (list(series.steps), list(series.values)) == ([big], [float("inf")])
    assert list(gitexp.get_run(BAD).metrics()["step"]) == [big]


def test_thousands_of_tags_are_read(workspace: Workspace, untouched: None) -> None:
    tags = {f"tag{number}": "x" * 50 for number in range(5000)}
    forge(workspace, {"run.json": {**RECORD, "tags": tags}, "params.json": dict.fromkeys(tags, 1),
                      "summary.json": dict.fromkeys(tags, SUMMARY["val_auc"])})  # fmt: skip
    assert len(read("show", BAD, "--json").json["tags"]) == 5000
    for arguments in FEW:
        read(*arguments)


def test_a_record_changes_nothing_in_what_git_does(workspace: Workspace, project: Path, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    for kind in ("clean", "smudge"):
        support.git(project, "config", f"filter.x.{kind}", f"touch {trace}; cat")
    support.git(project, "config", "diff.x.textconv", f"touch {trace}; cat")
    attributes = b"* filter=x diff=x\n/../*.py filter=x diff=x\n*.py filter=x diff=x\n[attr]binary filter=x\n"
    forge(workspace, {".gitattributes": attributes, "artifacts/.gitattributes": attributes,
                      ".gitmodules": b'[submodule "x"]\n\tpath = x\n\turl = ext::touch\n'})  # fmt: skip
    with support.untouched(project):
        for arguments in (*READERS, ("diff", GOOD, BAD, "--code"), ("diff", GOOD, BAD, "--stat")):
            read(*arguments)
    support.write(project / "train.py", "edited\n")
    support.gitexp("run", "--", "true")
    assert not trace.exists()
    assert support.record(project, _newest(project))["code"]["dirty"]


GOOD_REF = f"refs/experiments/churn/baseline-{GOOD[:7]}"


def _newest(project: Path) -> str:
    return next(ref for ref in support.run_refs(project) if ref not in (REF, GOOD_REF))


EDITS = {
    "above the work tree": lambda repo, file, link: [Entry("..", objects.TREE, tree_of(repo, file))],
    "a hook": lambda repo, file, link: [Entry(".git", objects.TREE, tree_of(repo, file))],
    "a hook for file systems that ignore case": lambda repo, file, link: [
        Entry(".GIT", objects.TREE, tree_of(repo, file))
    ],
    "a slash in a name": lambda repo, file, link: [Entry("../evil", objects.FILE, file.oid)],
    "through a link": lambda repo, file, link: [link, Entry("dir", objects.TREE, tree_of(repo, file))],
    "through a link, the other way": lambda repo, file, link: [Entry("dir", objects.TREE, tree_of(repo, file)), link],
}


def tree_of(repo: Repo, *entries: Entry) -> str:
    """Return a folder of these entries."""
    return objects.write_entries(repo, list(entries))


@pytest.mark.parametrize("entries", EDITS.values(), ids=EDITS)
def test_the_edits_of_a_run_are_never_written_outside_the_work_tree(
    workspace: Workspace, project: Path, tmp_path: Path, entries: Callable[[Repo, Entry, Entry], list[Entry]]
) -> None:
    repo, outside = workspace.repo, tmp_path / "outside"
    outside.mkdir()
    file = Entry("evil", objects.FILE, objects.write_blob(repo, b"evil"))
    link = Entry("dir", objects.LINK, objects.write_blob(repo, str(outside).encode()))
    head = str(repo.head().commit)
    tree = objects.write_entries(
        repo, [*objects.entries(repo, objects.read_commit(repo, head).tree), *entries(repo, file, link)]
    )
    edits = objects.write_commit(repo, objects.Commit(tree, (head,), _person(), _person(), EVIL))
    code = {"commit": head, "snapshot": edits, "dirty": True, "complete": True}
    forge(workspace, {"run.json": {**RECORD, "code": code, "parents": [{"role": "code", "commit": edits}]}})
    for arguments in (("apply", BAD), ("apply", BAD, "--merge"), ("branch", BAD), ("branch", BAD, "two", "--switch"),
                      ("diff", GOOD, BAD), ("show", BAD)):  # fmt: skip
        result = support.gitexp(*arguments, expect=None)
        assert result.code != 70, result.stderr
        assert not [c for c in result.stdout + result.stderr if _is_raw(c)]
        assert list(outside.iterdir()) == []
        assert not (project.parent / "evil").exists()
        assert not (project / ".git/evil").exists()


def test_fetch_takes_a_strange_run_and_leaves_out_what_is_no_run(
    workspace: Workspace, project: Path, bare: Path, tmp_path: Path
) -> None:
    forge(workspace, {"artifacts/x": (objects.LINK, objects.write_blob(workspace.repo, b"/etc"))})
    other = f"refs/experiments/churn/other-{'klmnopq'}"
    refs.update(workspace.repo, other, str(refs.get(workspace.repo, REF)), old=None)
    support.git(project, "push", "--quiet", str(bare), f"{REF}:{REF}", f"{other}:{other}", f"{GOOD_REF}:{GOOD_REF}")
    clone = tmp_path / "clone"
    support.git(tmp_path, "clone", "--quiet", str(bare), str(clone))
    with support.untouched(clone):
        result = support.process(clone, "fetch", "--json")
        assert {item["ref"] for item in result.json["skipped"]} == {other}
        assert set(support.run_refs(clone)) == {REF, GOOD_REF}
        assert GOOD[:7] in support.process(clone, "log", "--all").stdout


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from([EVIL, "NaN", "9" * 300, 10**400, -(2**63), 1e308, "2026-11-20T14:00:00Z", "a" * 40]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


def _places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield above
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _places(item, (*above, key))


def _with(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    """Return a JSON value with another one at a place."""
    if not place:
        return new
    changed = copy.deepcopy(value)
    level = changed
    for key in place[:-1]:
        level = level[key]
    level[place[-1]] = new
    return changed


ENVIRONMENT = {
    "python": {"implementation": "CPython", "version": "3"}, "packages": {"torch": {"version": "2", "commit": "a"}},
    "platform": {"system": "Linux", "machine": "x86_64", "release": "6"}, "machine": {"cpu": "x", "memory_bytes": 1},
    "gpus": [{"index": 0, "name": "H100"}], "cuda": "12", "container": {"digest": "x"}, "variables": {"A": "b"},
}  # fmt: skip
DATA = [{"name": "train", "role": "train", "uri": "s3://x", "sha256": "a" * 64, "rows": 3}]
WHOLE = {
    "run.json": RECORD, "params.json": {"lr": 0.1, "layers": [1], "adam": {"beta": 1}}, "summary.json": SUMMARY,
    "environment.json": ENVIRONMENT, "data.json": DATA,
}  # fmt: skip
PLACES = [(name, place) for name, value in WHOLE.items() for place in _places(value)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.sampled_from(PLACES), anything), min_size=1, max_size=2))
def test_whatever_a_record_holds_each_command_ends_with_an_answer(
    workspace: Workspace, changes: list[tuple[tuple[str, tuple[Any, ...]], Any]]
) -> None:
    files: dict[str, Any] = dict(WHOLE)
    for (name, place), new in changes:
        try:
            files[name] = _with(files[name], place, new)
        except (KeyError, TypeError, IndexError):  # the first change took this place away
            continue
    forge(workspace, files)
    for arguments in FEW:
        read(*arguments)
    assert GOOD[:7] in read("log", "--all").stdout


def test_a_commit_message_that_is_not_the_record_is_found(workspace: Workspace) -> None:
    forge(workspace, said=trailers(Name="x" * 100_000))
    assert GOOD[:7] in read("log", "--all").stdout
    forge(workspace, said=trailers(Run=GOOD))
    for arguments in READERS:
        read(*arguments)
    assert read("fsck").code == 8
