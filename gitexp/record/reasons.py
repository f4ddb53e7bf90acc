"""Why a run failed, in a word that becomes a tag (docs/format.md, "Reasons"): rules over what is known of a failure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from gitexp import redact

ERROR, EXIT, OUTPUT, LOSS = "error", "exit", "output", "loss"
SOURCES = (ERROR, EXIT, OUTPUT, LOSS)  # the surest first
MAX_TEXT = 300
_SEARCHED = 20_000  # characters of a message in which a rule's text is looked for


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: its tag, what told it (one of SOURCES), and what was seen there, in one line."""

    tag: str
    source: str
    text: str

    @classmethod
    def of(cls, tag: str, source: str, text: str) -> Reason:
        """Return a reason with its text on one line, bounded, and without secrets."""
        line = " ".join(redact.text(text[:_SEARCHED]).split())
        return cls(tag, source, line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 1] + "…")

    def to_json(self) -> dict[str, str]:
        """Return the object that stands in run.json and in the journal."""
        return {"tag": self.tag, "from": self.source, "text": self.text}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Reason:
        """Read such an object; raises KeyError."""
        return cls(str(value["tag"]), str(value["from"]), str(value.get("text", "")))


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that went wrong: an exception (its class and those it derives from, dotted) or a line that was printed.

    `module` is where it was raised, as far as that is known; `exit_code` the code of a command that ended with it.
    """

    types: tuple[str, ...] = ()
    text: str = ""
    module: str = ""
    exit_code: int | None = None

    @property
    def line(self) -> str:
        """What it is, as Python says it."""
        return ": ".join(filter(None, (self.types[0] if self.types else "", self.text)))


@dataclass(frozen=True, slots=True)
class Rule:
    """What gives a tag: each part that is said has to fit, and at least one is."""

    tag: str
    types: tuple[str, ...] = ()
    text: str = ""  # a regular expression, compiled when the first run fails: a start does without
    modules: tuple[str, ...] = ()
    exits: frozenset[int] = frozenset()

    def fits(self, fault: Fault) -> bool:
        """Say whether it is about this fault."""
        if self.exits and fault.exit_code not in self.exits:
            return False
        if self.types and not any(fnmatchcase(name, pattern) for name in fault.types for pattern in self.types):
            return False
        if self.modules and not f"{fault.module}.".startswith(self.modules):
            return False
        return not self.text or re.search(self.text, fault.line[:_SEARCHED], re.IGNORECASE) is not None


def first(faults: Iterable[Fault], rules: Sequence[Rule]) -> tuple[str, Fault] | None:
    """Return the tag of the first fault that a rule is about, and that fault."""
    return next(((rule.tag, fault) for fault in faults for rule in rules if rule.fits(fault)), None)


def merged(found: Iterable[Reason]) -> tuple[Reason, ...]:
    """Return the reasons of all processes of a run, the surest first, each tag once.

    What was printed last tells nothing where the exception itself was seen.
    """
    ordered = sorted(found, key=lambda reason: SOURCES.index(reason.source) if reason.source in SOURCES else 99)
    sure = any(reason.source == ERROR for reason in ordered)
    kept = [reason for reason in ordered if reason.source != OUTPUT or not sure]
    return tuple({reason.tag: reason for reason in reversed(kept)}[tag] for tag in dict.fromkeys(r.tag for r in kept))


def tagged(found: Iterable[Reason], tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of a run with those of its reasons; what somebody said under such a key stays."""
    return {**{reason.tag: "" for reason in found}, **tags}


def untagged(found: Iterable[Reason], tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of a run without those that its reasons gave: it goes on."""
    gone = {reason.tag for reason in found}
    return {key: value for key, value in tags.items() if value or key not in gone}


def _rule(tag: str, *types: str, text: str = "", modules: tuple[str, ...] = (), exits: tuple[int, ...] = ()) -> Rule:
    return Rule(tag, types, text, modules, frozenset(exits))


_TABLES = ("pandas.", "polars.", "pyarrow.", "datasets.", "dask.", "cudf.")
_SCHEMA = (
    "pandera.* pandas.errors.ParserError pandas.errors.EmptyDataError pandas.errors.MergeError"
    " polars.exceptions.*Schema* polars.exceptions.ColumnNotFoundError polars.exceptions.ShapeError"
    " pyarrow.lib.ArrowInvalid pyarrow.lib.ArrowTypeError pyarrow.lib.ArrowKeyError jsonschema.*ValidationError"
    " datasets.*DatasetGenerationError datasets.*CastError pyspark.*AnalysisException great_expectations.*"
    " *.SchemaError *.SchemaErrors"
)
_NETWORK = (
    "ConnectionError Connection*Error socket.gaierror urllib.error.* requests.exceptions.* urllib3.exceptions.*"
    " http.client.* httpx.* aiohttp.*"
)
# The first that fits decides, so what is said most exactly comes first. Names of classes are those of the libraries'
# current versions; none of them is imported.
BUILT_IN = (
    _rule("interrupted", "KeyboardInterrupt"),
    _rule("oom", "MemoryError", "*.OutOfMemoryError", "*._ArrayMemoryError", "*.ResourceExhaustedError"),
    _rule(
        "oom",
        text=r"\bout of (?:shared )?memory\b|\boom when allocating\b|\boom[-_ ]?kill|can(?:'|no)t allocate memory"
        r"|unable to allocate [\d.]+ [kmgtp]?i?b\b|std::bad_alloc|\bbad allocation\b|\balloc_cpu\b"
        r"|memory allocation of \d+ bytes failed|_STATUS_ALLOC_FAILED|\bmemory allocation error\b|\bjava heap space\b"
        r"|\bOutOfMemoryError\b|cudaErrorMemoryAllocation|RESOURCE_EXHAUSTED: .*\balloc",
    ),
    _rule("disk", "sqlite3.*Error", "sqlite3.*", text=r"disk is full"),
    _rule("disk", text=r"no space left on device|disk quota exceeded|\bdisk full\b|file size limit exceeded"),
    _rule("nan", "FloatingPointError"),
    _rule(
        "nan",
        text=r"\b(?:loss(?:es)?|grad(?:ient)?s?|(?:grad(?:ient)?_?)?norm|logits?|weights?|outputs?|inputs?(?: \w{1,9})?"
        r"|values?|tensors?|parameters?)\b[^\n]{0,60}?"
        r"\b(?:nan|(?<![\[(]-)(?<!, )inf|infinity|infinite|non-?finite|not finite)\b"  # not the range (0.0, inf)
        r"|\b(?:nan|non-?finite|infinite)\b[ \w]{0,20}\b(?:loss|grad)|\breturned nan\b|\bnan or inf found\b"
        r"|cannot convert (?:float nan|non-finite)",
    ),
    _rule("timeout", "TimeoutError", "*.TimeoutError", "*.TimeoutExpired", "*.*Timeout", "*.DeadlineExceeded*"),
    _rule(
        "timeout",
        text=r"\bdue to time limit\b|\bcollective operation timeout\b|\bcpu time limit exceeded\b"
        r"|\b(?:timed out|timeout (?:expired|exceeded|reached))\b",
    ),
    _rule("preempted", text=r"\bdue to preemption\b|\bpreempted\b"),
    _rule("data-schema", "KeyError", "*.KeyError", modules=_TABLES),
    _rule("data-schema", *_SCHEMA.split()),
    _rule(
        "data-schema",
        text=r"\bnot in index\b|none of \[.*\] are in the \[?(?:columns|index)|columns? .{1,80}not (?:found|in)\b"
        r"|could not convert string to float|conversion from .{1,40} failed in column"
        r"|feature[ _]names? (?:mismatch|should match|must be)"
        r"|X has \d+ features, but|number of features in data \(\d+\)|usecols do not match"
        r"|\b(?:schema|dtypes?|columns?) (?:mismatch|do(?:es)? not match)|length mismatch: expected axis",
    ),
    _rule("gpu", "torch.AcceleratorError", "*.NcclError"),
    _rule(
        "gpu",
        text=r"\b(?:cuda|hip|nccl|nvml|cudnn|cublas) error\b|\bcudaError|CU(?:BLAS|DNN)_STATUS_|device-side assert"
        r"|no cuda-capable device|found no nvidia driver|not compiled with cuda|gpu has fallen off the bus",
    ),
    _rule("network", *_NETWORK.split()),
    _rule("network", text=r"name or service not known|failure in name resolution|connection (?:refused|reset)"),
    _rule("missing-file", "FileNotFoundError"),
    _rule("missing-module", "ModuleNotFoundError", "ImportError"),
    _rule("timeout", exits=(124, 152)),  # of timeout(1); SIGXCPU
    _rule("disk", exits=(153,)),  # SIGXFSZ
    _rule("interrupted", exits=(129, 130, 143)),  # SIGHUP, SIGINT, SIGTERM
    _rule("crash", exits=(132, 134, 135, 136, 139)),  # SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV
)
TAGS = tuple(dict.fromkeys(rule.tag for rule in BUILT_IN))
