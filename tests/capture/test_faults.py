"""What exceptions and outputs tell of a failure; the libraries are real where they are installed."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies

from gitexp.capture import faults
from gitexp.record import reasons
from gitexp.record.reasons import Fault
from tests import support


def tag(found: list[Fault]) -> str:
    first = reasons.first(found, reasons.BUILT_IN)
    return first[0] if first else ""


def raised(work) -> BaseException:  # type: ignore[no-untyped-def]  # anything that raises
    try:
        work()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def fail() -> None:
    raise MemoryError("in a process of its own")


def column() -> None:
    import pandas as pd

    pd.DataFrame({"a": [1]})["b"]


def schema() -> None:
    import pyarrow as pa

    pa.Table.from_pydict({"a": ["x"]}).cast(pa.schema([("a", pa.int64())]))


def not_finite() -> None:
    import numpy as np
    from sklearn.linear_model import LinearRegression

    LinearRegression().fit(np.array([[np.nan]]), [1.0])


def too_large() -> None:
    import numpy as np

    np.empty((1 << 45,), dtype="f8")


@pytest.mark.parametrize(
    ("work", "wanted"),
    [(column, "data-schema"), (schema, "data-schema"), (not_finite, "nan"), (too_large, "oom"), (fail, "oom")],
)
def test_what_libraries_really_raise_gets_its_word(work, wanted: str) -> None:  # type: ignore[no-untyped-def]  # five
    assert tag(list(faults.of_exception(raised(work)))) == wanted


@pytest.mark.parametrize(("work", "wanted"), [("column", "data-schema"), ("not_finite", "nan"), ("too_large", "oom")])
def test_the_same_is_read_off_what_a_process_printed(work: str, wanted: str) -> None:
    code = f"from tests.capture.test_faults import {work}; {work}()"
    done = subprocess.run([sys.executable, "-c", code], cwd=support.ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert tag(list(faults.of_output("epoch 1: loss 0.5\n" + done.stderr))) == wanted


def test_causes_and_contexts_and_the_members_of_groups_are_looked_at() -> None:
    def wrapped() -> None:
        try:
            fail()
        except MemoryError as error:
            raise RuntimeError("training failed") from error

    def handled() -> None:
        try:
            fail()
        except MemoryError:
            sys.exit(1)

    def hidden() -> None:
        try:
            fail()
        except MemoryError:
            raise RuntimeError("something else") from None

    def several() -> None:
        raise ExceptionGroup("two", [ValueError("a"), TimeoutError("b")])

    assert [tag(list(faults.of_exception(raised(work)))) for work in (wrapped, handled, hidden, several)] == [
        "oom", "oom", "", "timeout",
    ]  # fmt: skip


def test_a_class_of_ones_own_is_known_by_what_it_derives_from() -> None:
    class GpuMemory(MemoryError):
        def __str__(self) -> str:
            raise KeyError("broken")

    found = list(faults.of_exception(GpuMemory()))
    assert found[0].types[1:] == ("MemoryError",)
    assert found[0].text == "<KeyError in __str__>"
    assert tag(found) == "oom"


def test_what_another_process_raised_is_seen_through_its_traceback() -> None:
    with ProcessPoolExecutor(1) as pool:
        error = raised(pool.submit(fail).result)
    assert tag(list(faults.of_exception(RuntimeError(f"worker failed:\n{error.__cause__}")))) == "oom"


OUTPUTS = [
    ("epoch 1\nCUDA out of memory, trying a smaller batch\n" + "epoch 2\n" * 30 + "Segmentation fault\n", ""),
    ("epoch 1\nLoss is nan, stopping training\n", "nan"),
    ("Traceback (most recent call last):\n  File \"t.py\", line 1, in <module>\n    f()\nTimeoutError\n", "timeout"),
    ("Traceback (most recent call last):\n  File \"t.py\", line 1, in <module>\nmylib.Odd: two\nlines\n", ""),
    ("no traceback, but: [Errno 28] No space left on device\n", "disk"),
    (
        "Traceback (most recent call last):\n  File \"t.py\", line 1\nMemoryError\n\nDuring handling of the above "
        "exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"t.py\", line 2\n"
        "RuntimeError: gave up\n",
        "oom",
    ),
    (
        "Traceback (most recent call last):\n  File \"t.py\", line 1\nMemoryError\ngoing on with less\nTraceback "
        "(most recent call last):\n  File \"t.py\", line 2\nRuntimeError: gave up\n",
        "",
    ),
    ("Traceback (most recent call last):", ""),
    ("", ""),
    ("\0\ufffd" * 100, ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), OUTPUTS)
def test_outputs_are_read_from_their_last_traceback_on(text: str, wanted: str) -> None:
    assert tag(list(faults.of_output(text))) == wanted


def test_only_the_end_of_a_file_is_read(tmp_path: Path) -> None:
    path = support.write(tmp_path / "output.log", b"MemoryError\n" + b"x" * (1 << 20) + b"\nend \xff\n")
    assert faults.tail(path).endswith("\nend \ufffd\n")
    assert "MemoryError" not in faults.tail(path)
    assert faults.tail(tmp_path / "none") == ""


@hypothesis.given(
    strategies.lists(strategies.sampled_from([*map(str, OUTPUTS), "\n", "  File", "|"]) | strategies.text())
)
def test_any_output_can_be_read(parts: list[str]) -> None:
    found = list(faults.of_output("".join(parts)))
    assert all(isinstance(fault, Fault) for fault in found)
    tag(found)
