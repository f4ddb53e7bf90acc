"""Events of the model registry as messages of commits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitexp.record import event
from gitexp.record.event import Event

OID = "4f2a9c1e" * 5


def test_an_event_comes_back_from_its_message() -> None:
    made = Event(event.TRANSITION, "vision/réseau", 1_700_000_000_123, OID, OID, {"stage": "production", "from": None})
    assert event.decode(event.encode(made, "promote it")) == made


def test_the_message_opens_with_a_line_for_people() -> None:
    text = event.encode(Event(event.CREATE, "churn", 0), "create\nchurn")
    assert text.startswith('create churn\n\n{\n  "format": 1,\n')


@given(st.dictionaries(st.text(min_size=1), st.text() | st.integers() | st.none(), max_size=5))
def test_unknown_keys_are_kept(arguments: dict[str, object]) -> None:
    known = {"format", "op", "model", "time", "rules", "version"}
    plain = {key: value for key, value in arguments.items() if key not in known}
    try:
        text = event.encode(Event(event.NOTE, "m", 5, None, None, plain), "note")
        text.encode()
    except ValueError:
        return
    assert event.decode(text).arguments == plain


@pytest.mark.parametrize(
    "message",
    [
        "",
        "no body",
        "subject\n\nnot json",
        "subject\n\n[]",
        'subject\n\n{"op": "note"}',
        'subject\n\n{"format": true, "op": "note", "model": "m", "time": "2026-01-01"}',
        'subject\n\n{"format": 1, "op": "note", "model": "", "time": "2026-01-01"}',
        'subject\n\n{"format": 1, "op": "note", "model": "m", "time": "yesterday"}',
        'subject\n\n{"format": 1, "op": "note", "model": "m", "time": "2026-01-01", "version": "3"}',
        'subject\n\n{"format": 1, "op": "note", "model": "m", "time": "2026-01-01", "rules": 7}',
        'subject\n\n{"format": 1, "op": "note", "model": "m", "time": "9999-12-31T23:59:59-14:00"}',
        'subject\n\n{"format": 1, "op": "note", "model": "m", "time": "0001-01-01T00:00:00+14:00"}',
        'subject\n\n{"format": 1, "op": "note", "model": "a:b", "time": "2026-01-01"}',
        'subject\n\n{"format": 1, "op": "note", "model": " m", "time": "2026-01-01"}',
        'subject\n\n{"format": 1, "op": "note", "model": "m", "time": "2026-01-01", "text": "\\ud800"}',
        'subject\n\n{"format": 1, "op": "note", "model": "m", "time": "2026-01-01", "n": [9223372036854775808]}',
        "subject\n\n" + "[" * 200,
        "subject\n\n" + " " * event.MAX_BYTES,
    ],
)
def test_what_holds_no_event_is_refused(message: str) -> None:
    with pytest.raises(ValueError):
        event.decode(message)


def test_an_event_beyond_the_limit_is_not_written() -> None:
    with pytest.raises(ValueError, match="at most"):
        event.encode(Event(event.NOTE, "m", 0, arguments={"text": "x" * event.MAX_BYTES}), "note")


def test_json_that_readers_could_take_differently_is_not_canonical() -> None:
    said = event.encode(Event(event.NOTE, "m", 5, arguments={"text": "fine", "value": 0.5}), "note")
    assert event.is_canonical(said)
    assert not event.is_canonical(said.replace('  "text"', '  "text": "evil",\n  "text"'))
    assert not event.is_canonical(said.replace("0.5", "NaN"))
