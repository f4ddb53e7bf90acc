"""Which words a failure gets: the rules over classes, texts, places and exit codes."""

from __future__ import annotations

import pytest

from gitexp.record import reasons
from gitexp.record.reasons import ERROR, EXIT, LOSS, OUTPUT, Fault, Reason, Rule

KNOWN = [
    ("torch.OutOfMemoryError", "CUDA out of memory. Tried to allocate 20.00 MiB", "oom"),
    ("torch.cuda.OutOfMemoryError", "CUDA out of memory.", "oom"),
    ("RuntimeError", "CUDA error: out of memory", "oom"),
    ("RuntimeError", "[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory", "oom"),
    ("RuntimeError", "DataLoader worker is out of shared memory. Please raise your shared memory limit.", "oom"),
    ("jaxlib.xla_extension.XlaRuntimeError", "RESOURCE_EXHAUSTED: Out of memory allocating 4294967296 bytes", "oom"),
    ("tensorflow.python.framework.errors_impl.ResourceExhaustedError", "{{function_node}} OOM when allocating", "oom"),
    ("numpy.core._exceptions._ArrayMemoryError", "Unable to allocate 7.28 TiB for an array", "oom"),
    ("OSError", "[Errno 12] Cannot allocate memory", "oom"),
    ("", "terminate called after throwing an instance of 'std::bad_alloc'", "oom"),
    ("", "slurmstepd: error: Detected 1 oom_kill event in StepId=7.batch.", "oom"),
    ("google.api_core.exceptions.ResourceExhausted", "429 Quota exceeded", ""),
    ("OSError", "[Errno 28] No space left on device: 'model.pt'", "disk"),
    ("sqlite3.OperationalError", "database or disk is full", "disk"),
    ("FloatingPointError", "invalid value encountered in divide", "nan"),
    ("ValueError", "Input X contains NaN.", "nan"),
    ("RuntimeError", "Function 'MulBackward0' returned nan values in its 0th output.", "nan"),
    ("SystemExit", "Loss is nan, stopping training", "nan"),
    ("ValueError", "The loss returned in `training_step` is nan or inf.", "nan"),
    ("ValueError", "cannot convert float NaN to integer", "nan"),
    ("TimeoutError", "", "timeout"),
    ("subprocess.TimeoutExpired", "Command 'x' timed out after 5 seconds", "timeout"),
    ("requests.exceptions.ReadTimeout", "HTTPSConnectionPool", "timeout"),
    ("", "slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 2026-11-21T10:00:00 DUE TO TIME LIMIT ***", "timeout"),
    ("", "slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 2026-11-21T10:00:00 DUE TO PREEMPTION ***", "preempted"),
    ("pandera.errors.SchemaError", "column 'age' not in dataframe", "data-schema"),
    ("polars.exceptions.ColumnNotFoundError", 'unable to find column "b"', "data-schema"),
    ("polars.exceptions.InvalidOperationError", "conversion from `str` to `i64` failed in column 'a'", "data-schema"),
    ("_duckdb.BinderException", 'Binder Error: Referenced column "z" not found in FROM clause!', "data-schema"),
    ("ValueError", "feature_names mismatch: ['a'] ['b']", "data-schema"),
    ("jsonschema.exceptions.ValidationError", "'b' is a required property", "data-schema"),
    ("jax.errors.JaxRuntimeError", "RESOURCE_EXHAUSTED: Out of memory allocating 17592186044416 bytes.", "oom"),
    ("ValueError", "Expected parameter loc (Tensor of shape ()) of distribution Normal(loc: nan, scale: 1.0)", "nan"),
    ("pyarrow.lib.ArrowInvalid", "Schema at index 1 was different", "data-schema"),
    ("KeyError", "\"['b'] not in index\"", "data-schema"),
    ("ValueError", "could not convert string to float: 'abc'", "data-schema"),
    ("ValueError", "X has 3 features, but StandardScaler is expecting 4 features as input.", "data-schema"),
    ("RuntimeError", "CUDA error: device-side assert triggered", "gpu"),
    ("ConnectionRefusedError", "[Errno 111] Connection refused", "network"),
    ("requests.exceptions.ConnectionError", "Max retries exceeded", "network"),
    ("FileNotFoundError", "[Errno 2] No such file or directory: 'train.csv'", "missing-file"),
    ("ModuleNotFoundError", "No module named 'torch'", "missing-module"),
    ("KeyboardInterrupt", "", "interrupted"),
    ("KeyError", "'lr'", ""),
    ("InvalidParameterError", "The 'C' parameter of SVC must be a float in the range (0.0, inf]. Got -0.5.", ""),
    ("InvalidParameterError", "The 'C' parameter of SVC must be a float in the range (-inf, 0.0]. Got 0.5.", ""),
    ("ValueError", "lr must be positive", ""),
    ("ValueError", "no information in the input file", ""),
    ("AssertionError", "", ""),
]


@pytest.mark.parametrize(("kind", "text", "tag"), KNOWN, ids=lambda value: str(value)[:40])
def test_a_failure_that_libraries_are_known_to_raise_gets_its_word(kind: str, text: str, tag: str) -> None:
    found = reasons.first([Fault((kind,) if kind else (), text)], reasons.BUILT_IN)
    assert (found[0] if found else "") == tag


def test_a_key_error_is_one_of_the_schema_only_where_a_library_of_tables_raised_it() -> None:
    def tag(module: str) -> str:
        found = reasons.first([Fault(("KeyError", "LookupError"), "'b'", module)], reasons.BUILT_IN)
        return found[0] if found else ""

    assert tag("pandas.core.indexes.base") == tag("polars.dataframe.frame") == "data-schema"
    assert tag("pandas_helper") == tag("train") == tag("") == ""


@pytest.mark.parametrize(("code", "tag"), [(124, "timeout"), (139, "crash"), (130, "interrupted"), (153, "disk")])
def test_exit_codes_have_words(code: int, tag: str) -> None:
    found = reasons.first([Fault(exit_code=code)], [rule for rule in reasons.BUILT_IN if rule.exits])
    assert found is not None
    assert found[0] == tag


def test_every_part_of_a_rule_has_to_fit() -> None:
    rule = Rule("quota", types=("mylib.*",), text="quota", exits=frozenset({75}))
    assert rule.fits(Fault(("mylib.Error",), "Quota reached", exit_code=75))
    assert not rule.fits(Fault(("mylib.Error",), "Quota reached", exit_code=1))
    assert not rule.fits(Fault(("other.Error",), "Quota reached", exit_code=75))
    assert not rule.fits(Fault(("mylib.Error",), "no", exit_code=75))


def test_the_surest_reason_comes_first_and_output_gives_way_to_the_exception() -> None:
    loss, exit, output = Reason("nan", LOSS, "l"), Reason("timeout", EXIT, "e"), Reason("gpu", OUTPUT, "o")
    error = Reason("oom", ERROR, "x")
    assert reasons.merged([loss, output, exit]) == (exit, output, loss)
    assert reasons.merged([loss, output, exit, error]) == (error, exit, loss)
    assert reasons.merged([Reason("nan", LOSS, "l"), Reason("nan", ERROR, "first")]) == (Reason("nan", ERROR, "first"),)


def test_a_reason_is_one_bounded_line_without_secrets() -> None:
    reason = Reason.of("oom", ERROR, "a\n  b token=ghp_" + "x" * 36 + " " + "y" * 1000)
    assert reason.text.startswith("a b ")
    assert "ghp_" not in reason.text
    assert len(reason.text) == reasons.MAX_TEXT
    assert Reason.from_json(reason.to_json()) == reason


def test_tags_of_reasons_leave_what_somebody_said() -> None:
    found = [Reason("oom", ERROR, ""), Reason("nan", LOSS, "")]
    assert reasons.tagged(found, {"nan": "known", "a": "b"}) == {"oom": "", "nan": "known", "a": "b"}
    assert reasons.untagged(found, {"oom": "", "nan": "known", "a": ""}) == {"nan": "known", "a": ""}
