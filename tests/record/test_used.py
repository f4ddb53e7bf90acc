"""used.json: what comes back, and what is no such file."""

from __future__ import annotations

import pytest

from gitexp.errors import Damaged
from gitexp.record import used
from gitexp.record.used import Use

MODEL = Use("kqzvmxrlopnkqzvm", "models/model.pt", "ab" * 32, "churn/lgbm@models/model.pt", 1_795_184_520_123)
FOLDER = Use("kqzvmxrlopnkqzvm", "models/", "", "@~1:models", 1_795_184_520_999)


def test_what_was_written_comes_back_each_once_the_earliest_first() -> None:
    later = Use(MODEL.run, MODEL.artifact, MODEL.sha256, "again", MODEL.time_ms + 5)
    assert used.decode(used.encode([FOLDER, later, MODEL])) == [MODEL, FOLDER]


@pytest.mark.parametrize(
    "content",
    [
        b"{}", b"[1]", b"{", b'[{"run": "x"}]',
        b'[{"run": "kqzvmxrlopnkqzvm", "artifact": "../x", "time": "2026-11-20T14:02:11.123Z"}]',
        b'[{"run": "kqzvmxrlopnkqzvm", "artifact": "x", "sha256": "ABC", "time": "2026-11-20T14:02:11.123Z"}]',
        b'[{"run": "kqzvmxrlopnkqzvm", "artifact": "x", "as": 3, "time": "2026-11-20T14:02:11.123Z"}]',
        b'[{"run": "kqzvmxrlopnkqzvm", "artifact": "x", "time": "yesterday"}]',
        b'[{"run": "kqzvmxrlopnkqzvm", "artifact": "x"}]',
    ],
)  # fmt: skip
def test_what_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(Damaged, match=r"used\.json does not parse"):
        used.decode(content)
