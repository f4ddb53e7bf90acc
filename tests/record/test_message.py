"""The run commit's message: for people first, and with trailers that lists read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitexp import ids
from gitexp.errors import UsageError
from gitexp.record import headline, message, summary
from gitexp.record.message import Trailers
from gitexp.record.points import Point
from gitexp.record.run import STATUSES, RunRecord

RECORD = RunRecord(
    "kqzvmxrlopnkqzvm",
    "churn",
    "baseline",
    "completed",
    1_763_000_000_000,
    end_ms=1_763_000_252_000,
    description="a try",
)


def checked(name: str) -> str:
    try:
        return ids.check_name(name)
    except UsageError:
        return "name"


names = st.text(max_size=12).map(checked)
texts = st.text(max_size=30) | st.sampled_from(
    ["Run: zzzzzzzz", "\n\nRun: x\nStatus: failed\nFormat: 9\n", "\r\nDirty: yes"]
)


@given(names, names, st.sampled_from(STATUSES), st.booleans(), texts, st.lists(texts, max_size=3))
def test_trailers_say_what_the_record_says_whatever_the_texts_are(
    experiment: str, name: str, status: str, dirty: bool, description: str, metrics: list[str]
) -> None:
    record = replace(
        RECORD, experiment=experiment, name=name, status=status, code={"dirty": dirty}, description=description
    )
    written = message.encode(record, summary.of(Point(metric, 1, 0, 0.5) for metric in metrics))
    assert message.decode(written) == Trailers(record.id, experiment, name, status, dirty, 1, record.start_ms)
    subject, blank, *_ = written.split("\n")
    assert subject.startswith(f"{experiment}/{name}: {status} in 4:12")
    assert blank == ""


@pytest.mark.parametrize("name", ["two\nlines", "return\r", "a\nRun: zzzzzzzzzzzzzzzz\nStatus: failed"])
def test_a_foreign_name_cannot_forge_a_trailer(name: str) -> None:
    record = replace(RECORD, name=name, experiment=name)
    found = message.decode(message.encode(record, {}))
    assert found is not None
    assert (found.id, found.status) == (RECORD.id, "completed")


def test_a_message_is_a_line_the_main_metrics_the_description_and_trailers() -> None:
    points = [Point("loss", 1, 0, 0.5), Point("loss", 2, 0, 0.25), Point("val_auc", 1, 0, 0.94)]
    assert message.encode(replace(RECORD, code={"dirty": True}), summary.of(points)) == (
        "churn/baseline: completed in 4:12, val_auc 0.9400\n\n"
        "val_auc: last 0.9400, min 0.9400, max 0.9400\n"
        "loss: last 0.2500, min 0.2500, max 0.5000\n\n"
        "a try\n\n"
        "Run: kqzvmxrlopnkqzvm\nExperiment: churn\nName: baseline\nStatus: completed\n"
        "Start: 2025-11-13T02:13:20.000Z\nDirty: yes\nFormat: 1\n"
    )


def test_a_run_without_metrics_says_how_it_ended() -> None:
    written = message.encode(replace(RECORD, status="killed", end_ms=None, description=""), {})
    assert written.startswith("churn/baseline: killed\n\nRun: ")


def test_validation_comes_before_test_and_test_before_the_rest() -> None:
    points = [
        Point(name, 1, 0, 1.0) for name in ("train/loss", "contest", "test_acc", "val/loss", "a", "b", "validation")
    ]
    assert headline.metrics(summary.of(points)) == ["val/loss", "validation", "test_acc", "a", "b"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fix a bug\n",
        "fix a bug\n\nSigned-off-by: Ana\n",
        "x\n\nRun: k\nExperiment: e\nName: n\nStatus: s\n",
        "x\n\nRun: k\nExperiment: e\nName: n\nStatus: s\nFormat: one\n",
        "x\n\nRun: k\n\nExperiment: e\nName: n\nStatus: s\nFormat: 1\n",
    ],
)
def test_another_commit_is_no_run(text: str) -> None:
    assert message.decode(text) is None
