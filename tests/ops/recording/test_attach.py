"""Files that will not hold still while they are kept."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitexp.ops.recording import attach, folders
from gitexp.ops.recording.attach import Work
from gitexp.ops.recording.lifecycle import Session
from gitexp.store import objects as large
from gitexp.store.live import LiveRun
from tests import stored, support


@pytest.fixture
def session(project: Path) -> Iterator[Session]:
    with stored.live() as session:
        yield session


def work(session: Session) -> tuple[Work, dict[str, str], dict[str, str]]:
    troubles: dict[str, str] = {}
    noticed: dict[str, str] = {}
    return Work(session, troubles.__setitem__, noticed.__setitem__), troubles, noticed


def read(session: Session) -> dict[str, bytes]:
    run = LiveRun(session.workspace, session.folder, session.start)
    return {item.name: run.artifact_bytes(item, 1 << 30) or b"" for item in run.artifacts}


@pytest.mark.parametrize("count", [3, 300])
def test_files_of_a_folder_that_vanish_or_grow_are_told_of_and_the_rest_is_kept(
    session: Session, tmp_path: Path, count: int
) -> None:
    for number in range(count):
        support.write(tmp_path / f"out/{number:03}", str(number))
    found = folders.listing(tmp_path / "out", lambda what, why: None).files
    (tmp_path / "out/001").unlink()
    support.write(tmp_path / "out/002", b"x" * 200_000)  # small no more
    doing, troubles, _ = work(session)
    attach.add_files(doing, found, "out")
    assert troubles == {str(tmp_path / "out/001"): "no such file or directory"}
    kept = read(session)
    assert len(kept) == count - 1
    assert (kept["out/000"], kept["out/002"]) == (b"0", b"x" * 200_000)


def test_a_file_that_grows_all_the_time_is_kept_as_it_once_was_and_said_to_have_changed(
    session: Session, tmp_path: Path
) -> None:
    path = support.write(tmp_path / "log.bin", bytes(8 << 20))
    ended = threading.Event()

    def grow() -> None:
        with open(path, "ab", buffering=0) as file:
            while not ended.is_set() and file.tell() < 64 << 20:
                file.write(os.urandom(100))

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        doing, troubles, noticed = work(session)
        attach.add(doing, path, "log.bin")
    finally:
        ended.set()
        writer.join()
    run = LiveRun(session.workspace, session.folder, session.start)
    (found,) = run.artifacts
    kept = large.path(session.workspace, found.sha256 or "")
    assert kept is not None
    data = kept.read_bytes()
    assert hashlib.sha256(data).hexdigest() == found.sha256 and path.read_bytes().startswith(data)
    assert run.artifact_facts == {"log.bin": {"changed": True}}
    assert troubles == {} and noticed == {"log.bin": attach.CHANGED}


def test_an_object_that_is_freed_between_being_found_and_being_named_is_stored_again(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = support.write(tmp_path / "model.pt", b"m" * 200_000)
    post = session.writer.post

    def freed_meanwhile(op: str, **fields: object) -> bool:
        target = large.path(session.workspace, str(fields["sha256"]))
        if target is not None:
            target.unlink()
        return post(op, **fields)

    monkeypatch.setattr(session.writer, "post", freed_meanwhile)
    doing, _, _ = work(session)
    attach.add(doing, path, "model.pt")
    attach.add_bytes(session, b"n" * 200_000, "bytes.pt")
    monkeypatch.undo()
    assert read(session) == {"model.pt": b"m" * 200_000, "bytes.pt": b"n" * 200_000}
