"""The thread that stores: in order, never in the caller's way, closed from anywhere."""

from __future__ import annotations

import threading

import pytest

from gitexp.ops.recording import storing
from gitexp.ops.recording.storing import Storer


def test_jobs_are_done_in_order_and_all_before_close_returns() -> None:
    done: list[int] = []
    storer = Storer(lambda error: None)
    for number in range(500):
        storer.take(lambda number=number: done.append(number))  # type: ignore[misc]  # a default is how it is bound
    storer.close()
    assert done == list(range(500))
    assert storer.waiting == 0
    storer.close()


def test_a_job_that_raises_is_told_and_the_next_is_done() -> None:
    told: list[Exception] = []
    done: list[str] = []
    storer = Storer(told.append)
    storer.take(lambda: print(1 / 0), wait=True)
    storer.take(lambda: done.append("next"), wait=True)
    storer.close()
    assert [type(error) for error in told] == [ZeroDivisionError]
    assert done == ["next"]


def test_a_caller_whose_bytes_fill_the_memory_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "HELD_BYTES", 100)
    go, done = threading.Event(), []
    storer = Storer(lambda error: None)
    storer.take(lambda: go.wait(30) and None, held_bytes=60)
    threading.Timer(0.05, go.set).start()
    storer.take(lambda: done.append("second"), held_bytes=60)
    assert done == ["second"]
    assert storer.waits == 1
    storer.close()


def test_it_goes_on_after_it_was_closed() -> None:
    done: list[int] = []
    storer = Storer(lambda error: None)
    storer.take(lambda: done.append(1))
    storer.close()
    storer.take(lambda: done.append(2))
    storer.close()
    assert done == [1, 2]
