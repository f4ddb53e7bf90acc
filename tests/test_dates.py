"""Times as people write them. The zone of the tests is UTC unless they set another."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from gitexp import canonical, dates
from gitexp.errors import UsageError

NOW = canonical.from_iso("2026-11-20T15:00:00+00:00")  # a Friday


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def said(text: str) -> tuple[str, str]:
    """Return both ends of what a text means."""
    span = dates.read(text, NOW)
    return tuple(datetime.fromtimestamp(ms / 1000).isoformat(" ", "milliseconds")[:23] for ms in span)  # type: ignore[return-value]  # two


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026-11-20", "2026-11-20 00:00:00.000", "2026-11-21 00:00:00.000"),
        ("2026-02", "2026-02-01 00:00:00.000", "2026-03-01 00:00:00.000"),
        ("2026", "2026-01-01 00:00:00.000", "2027-01-01 00:00:00.000"),
        ("2026-11-20 14:02", "2026-11-20 14:02:00.000", "2026-11-20 14:03:00.000"),
        ("2026-11-20T14:02:03", "2026-11-20 14:02:03.000", "2026-11-20 14:02:04.000"),
        ("2026-11-20T14:02:03.5Z", "2026-11-20 14:02:03.500", "2026-11-20 14:02:03.501"),
        ("2026-11-20 14:02 +0130", "2026-11-20 12:32:00.000", "2026-11-20 12:33:00.000"),
        ("2026-11-20T14:02-05:00", "2026-11-20 19:02:00.000", "2026-11-20 19:03:00.000"),
        ("now", "2026-11-20 15:00:00.000", "2026-11-20 15:00:00.000"),
        ("Today", "2026-11-20 00:00:00.000", "2026-11-21 00:00:00.000"),
        ("yesterday", "2026-11-19 00:00:00.000", "2026-11-20 00:00:00.000"),
        ("yesterday 9:30", "2026-11-19 09:30:00.000", "2026-11-19 09:31:00.000"),
        ("14:02", "2026-11-20 14:02:00.000", "2026-11-20 14:03:00.000"),
        ("friday", "2026-11-20 00:00:00.000", "2026-11-21 00:00:00.000"),
        ("last friday", "2026-11-13 00:00:00.000", "2026-11-14 00:00:00.000"),
        ("mon", "2026-11-16 00:00:00.000", "2026-11-17 00:00:00.000"),
        ("2 days ago", "2026-11-18 15:00:00.000", "2026-11-18 15:00:00.000"),
        ("2.weeks.ago", "2026-11-06 15:00:00.000", "2026-11-06 15:00:00.000"),
        ("an hour ago", "2026-11-20 14:00:00.000", "2026-11-20 14:00:00.000"),
        ("1 hour 30 minutes ago", "2026-11-20 13:30:00.000", "2026-11-20 13:30:00.000"),
        ("1h30m ago", "2026-11-20 13:30:00.000", "2026-11-20 13:30:00.000"),
        ("1.5 hours ago", "2026-11-20 13:30:00.000", "2026-11-20 13:30:00.000"),
        ("9 months ago", "2026-02-20 15:00:00.000", "2026-02-20 15:00:00.000"),
        ("1 year ago", "2025-11-20 15:00:00.000", "2025-11-20 15:00:00.000"),
        ("@1700000000", "2023-11-14 22:13:20.000", "2023-11-14 22:13:21.000"),
    ],
)
def test_a_time_is_a_moment_or_a_span(text: str, start: str, end: str) -> None:
    assert said(text) == (start, end)


def test_a_month_that_is_too_short_gives_its_last_day() -> None:
    now = canonical.from_iso("2026-03-31T12:00:00+00:00")
    assert dates.read("1 month ago", now).start_ms == canonical.from_iso("2026-02-28T12:00:00+00:00")


def test_a_time_without_a_zone_is_local_and_a_day_is_as_long_as_the_clock_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    assert dates.read("2026-11-20 14:02", NOW).start_ms == canonical.from_iso("2026-11-20T13:02:00+00:00")
    shortest = dates.read("2026-03-29", NOW)
    assert shortest.end_ms - shortest.start_ms == 23 * 3_600_000


@pytest.mark.parametrize(
    "text",
    [
        "", "soon", "2026-13-01", "2026-02-30", "20261120", "2026-11-20 25:00", "2026-11-20 1:2", "0000-01-01", "9999",
        "2 parsecs ago", "2 days", "1.5 months ago", "99999 years ago", "9" * 40 + " days ago", "last today", "tod",
        "2026-11-20T14:02+99:99", "@", "@-1", "2026-11-20; DROP TABLE run", "٢٠٢٦-١١-٢٠", "2026-11-20 14:02 PST",
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match="is no time") as caught:
        dates.read(text, NOW)
    assert caught.value.hint.startswith("for example: 2026-11-20")
