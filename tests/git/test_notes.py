"""The notes tree: any fan-out read, 2/2 written, nothing lost among many writers, histories joined by union."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitexp.git import discover, notes, objects, refs
from gitexp.git.repo import Repo
from tests import support

REF = notes.REF
ANA = objects.Signature("Ana Ruiz", "ana@acme.io", 1_763_000_000)


@pytest.fixture
def repo(project: Path) -> Repo:
    return discover.find(project)


def blob(repo: Repo, text: str) -> str:
    return objects.write_blob(repo, text.encode())


def hang(repo: Repo, oid: str, *lines: bytes) -> str | None:
    return notes.append(repo, REF, {oid: lines}, ANA)


def everything(repo: Repo, ref: str = REF) -> dict[str, list[bytes]]:
    tip = refs.get(repo, ref)
    found = notes.changed(repo, None, tip) if tip else {}
    return {oid: notes.lines(repo, blobs, strict=False) for oid, (_, blobs) in found.items()}


def plain(project: Path, *args: str) -> str:
    return support.git(project, "notes", "--ref", "experiments", *args)


def test_a_note_is_at_fan_out_two_and_two_and_plain_git_shows_it(repo: Repo, project: Path) -> None:
    oid = blob(repo, "a run")
    hang(repo, oid, b"second", b"first")
    assert support.git(project, "ls-tree", "-r", "--name-only", REF) == f"{oid[:2]}/{oid[2:4]}/{oid[4:]}"
    assert plain(project, "show", oid) == "first\nsecond"
    support.git(project, "fsck", "--strict")


def test_lines_that_are_there_already_make_no_commit(repo: Repo) -> None:
    oid = blob(repo, "a run")
    assert hang(repo, oid, b"x") == refs.get(repo, REF)
    assert hang(repo, oid, b"x") is None


def test_several_objects_in_one_commit(repo: Repo, project: Path) -> None:
    oids = [blob(repo, str(i)) for i in range(20)]
    notes.append(repo, REF, {oid: [b"x"] for oid in oids}, ANA, message="tag 20 runs")
    assert support.git(project, "rev-list", "--count", REF) == "1"
    assert everything(repo) == {oid: [b"x"] for oid in oids}


def test_a_change_writes_only_the_touched_blob_and_three_trees(repo: Repo, project: Path) -> None:
    notes.append(repo, REF, {hashlib.sha1(b"%d" % i).hexdigest(): [b"x"] for i in range(2000)}, ANA)
    before = support.git(project, "count-objects").split()[0]
    hang(repo, hashlib.sha1(b"7").hexdigest(), b"y")
    after = support.git(project, "count-objects").split()[0]
    assert int(after) - int(before) == 5  # with the commit


@pytest.mark.parametrize("levels", [(), (2,), (2, 2), (2, 2, 2), (2, 2, 2, 2)], ids=str)
def test_any_fan_out_is_read_and_a_change_moves_the_note_to_two_and_two(repo: Repo, levels: tuple[int, ...]) -> None:
    first, second = (hashlib.sha1(text).hexdigest() for text in (b"1", b"2"))
    files = {}
    for oid in (first, second):
        parts, rest = [], oid
        for width in levels:
            parts, rest = [*parts, rest[:width]], rest[width:]
        files["/".join([*parts, rest])] = (objects.FILE, blob(repo, "old\n"))
    files["README"] = (objects.FILE, blob(repo, "not a note\n"))
    refs.update(repo, REF, notes.write_commit(repo, objects.write_tree(repo, files), (), ANA, "foreign"), old=None)
    assert everything(repo) == {first: [b"old"], second: [b"old"]}
    assert notes.read(repo, REF, first) == [b"old"]
    hang(repo, first, b"new")
    assert everything(repo) == {first: [b"new", b"old"], second: [b"old"]}
    tip = refs.get(repo, REF)
    assert tip is not None
    found = {path for path, _ in objects.walk(repo, objects.read_commit(repo, tip).tree)}
    assert {f"{first[:2]}/{first[2:4]}/{first[4:]}", "README"} < found
    assert len(found) == 3


def test_a_note_at_two_depths_is_read_as_one(repo: Repo) -> None:
    oid = hashlib.sha1(b"1").hexdigest()
    files = {oid: (objects.FILE, blob(repo, "flat\n")), f"{oid[:2]}/{oid[2:]}": (objects.FILE, blob(repo, "deep\n"))}
    refs.update(repo, REF, notes.write_commit(repo, objects.write_tree(repo, files), (), ANA, "foreign"), old=None)
    assert everything(repo) == {oid: [b"deep", b"flat"]}
    hang(repo, oid, b"new")
    assert everything(repo) == {oid: [b"deep", b"flat", b"new"]}


def test_plain_git_appends_to_our_notes_and_we_to_its(repo: Repo, project: Path) -> None:
    oids = [blob(repo, str(i)) for i in range(300)]
    for oid in oids[:3]:
        hang(repo, oid, b"ours")
    for oid in oids[:3]:
        plain(project, "append", "-m", "theirs", oid)
    hang(repo, oids[0], b"again")
    assert notes.read(repo, REF, oids[0]) == [b"again", b"ours", b"theirs"]
    assert plain(project, "show", oids[0]) == "again\nours\ntheirs"
    assert sorted(line.split()[1] for line in plain(project, "list").splitlines()) == sorted(oids[:3])
    support.git(project, "fsck", "--strict")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["ours", "theirs"]), st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_merging_is_what_plain_git_makes_of_cat_sort_uniq(
    repo: Repo, project: Path, writes: list[tuple[str, int, int]]
) -> None:
    for name in ("ours", "theirs", "experiments", "plain"):
        support.git(project, "update-ref", "-d", f"refs/notes/{name}")
    base = notes.append(repo, "refs/notes/ours", {blob(repo, "0"): [b"base"]}, ANA)
    assert base is not None
    refs.update(repo, "refs/notes/theirs", base, old=None)
    for side, oid, line in writes:
        notes.append(
            repo, f"refs/notes/{side}", {blob(repo, str(oid)): [b"line %d of %s" % (line, side.encode())]}, ANA
        )
    ours, theirs = (str(refs.get(repo, f"refs/notes/{side}")) for side in ("ours", "theirs"))
    refs.update(repo, REF, ours, old=None)
    refs.update(repo, "refs/notes/plain", ours, old=None)
    notes.merge(repo, REF, theirs, ANA)
    support.git(project, "notes", "--ref", "plain", "merge", "--quiet", "-s", "cat_sort_uniq", "theirs")
    assert everything(repo) == everything(repo, "refs/notes/plain")
    other_way = objects.read_commit(repo, notes_merged(repo, theirs, ours)).tree
    assert objects.read_commit(repo, str(refs.get(repo, REF))).tree == other_way


def notes_merged(repo: Repo, ours: str, theirs: str) -> str:
    refs.update(repo, "refs/notes/swapped", ours, old=refs.get(repo, "refs/notes/swapped"))
    notes.merge(repo, "refs/notes/swapped", theirs, ANA)
    return str(refs.get(repo, "refs/notes/swapped"))


def test_unrelated_histories_are_joined_with_both_as_parents(repo: Repo, project: Path) -> None:
    one, two = blob(repo, "1"), blob(repo, "2")
    ours = hang(repo, one, b"a")
    theirs = notes.append(repo, "refs/notes/theirs", {one: [b"b"], two: [b"c"]}, ANA, clock=7)
    assert ours and theirs
    merged = notes.merge(repo, REF, theirs, ANA)
    assert merged is not None
    assert objects.read_commit(repo, merged).parents == (ours, theirs)
    assert everything(repo) == {one: [b"a", b"b"], two: [b"c"]}
    assert notes.merge(repo, REF, theirs, ANA) is None
    assert notes.contains(repo, merged, theirs)


def test_a_history_that_only_went_on_is_fast_forwarded(repo: Repo) -> None:
    oid = blob(repo, "1")
    base = hang(repo, oid, b"a")
    ahead = hang(repo, oid, b"b")
    assert base and ahead
    refs.update(repo, REF, base, old=ahead)
    assert notes.merge(repo, REF, ahead, ANA) == ahead == refs.get(repo, REF)
    assert notes.merge(repo, REF, base, ANA) is None
    refs.delete(repo, REF, old=ahead)
    assert notes.merge(repo, REF, ahead, ANA) == ahead


def test_dropped_lines_do_not_come_back_in_a_union(repo: Repo) -> None:
    one, two = blob(repo, "1"), blob(repo, "2")
    ours = hang(repo, one, b"keep", b"leaked")
    theirs = notes.append(repo, "refs/notes/theirs", {two: [b"leaked"]}, ANA)
    assert ours and theirs
    tree = notes.combine(repo, ours, theirs, drop=lambda line: line == b"leaked")
    assert notes.changed(repo, None, notes.write_commit(repo, tree, (), ANA, "purge")).keys() == {one}


def test_changed_opens_only_what_differs(repo: Repo) -> None:
    oids = [hashlib.sha1(b"%d" % i).hexdigest() for i in range(300)]
    before = notes.append(repo, REF, {oid: [b"x"] for oid in oids}, ANA)
    after = hang(repo, oids[5], b"y")
    assert list(notes.changed(repo, before, after)) == [oids[5]]
    assert notes.changed(repo, after, after) == {}


def test_the_trailer_says_the_greatest_clock_and_plain_commits_have_none(repo: Repo, project: Path) -> None:
    oid = blob(repo, "1")
    first = notes.append(repo, REF, {oid: [b"a"]}, ANA, clock=4)
    second = notes.append(repo, REF, {oid: [b"b"]}, ANA, clock=2)
    assert first and second
    assert [notes.reached(repo, commit) for commit in (first, second)] == [4, 4]
    plain(project, "append", "-m", "theirs", oid)
    third = refs.get(repo, REF)
    assert third and notes.reached(repo, third) is None


def test_a_note_beyond_the_size_limit_counts_as_one_damaged_line(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    hang(repo, blob(repo, "1"), b"x" * 100)
    monkeypatch.setattr(notes, "MAX_NOTE_BYTES", 50)
    assert list(everything(repo).values()) == [[notes.UNREADABLE]]


WRITER = """
import sys
from gitexp.git import discover, notes, objects
repo, who = discover.find(sys.argv[1]), objects.Signature("Ana", "ana@acme.io", 1763000000)
for i in range(5):
    notes.append(repo, notes.REF, {sys.argv[2]: [b"line %d of %s" % (i, sys.argv[3].encode())]}, who)
"""


def test_sixteen_processes_annotating_one_run_lose_nothing(repo: Repo, project: Path) -> None:
    oid = blob(repo, "a run")
    command = [sys.executable, "-c", WRITER, str(project), oid]
    children = [subprocess.Popen([*command, str(i)], cwd=support.ROOT) for i in range(16)]
    assert [child.wait(timeout=60) for child in children] == [0] * 16
    assert len(notes.read(repo, REF, oid)) == 16 * 5
    assert support.git(project, "rev-list", "--count", REF) == str(16 * 5)
    support.git(project, "fsck", "--strict")
