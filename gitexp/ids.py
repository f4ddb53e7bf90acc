"""Run ids, experiment ids, and the names and slugs that stand in refs."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata

from gitexp.errors import UsageError

ALPHABET = "klmnopqrstuvwxyz"  # the sixteen hex digits in letters no hex digit uses
_TO_LETTERS = str.maketrans("0123456789abcdef", ALPHABET)
_ID = re.compile(r"[k-z]{16}")
_ID_PREFIX = re.compile(r"[k-z]{4,16}")
_LEAF = re.compile(r"-[k-z]{7}$")
_WINDOWS = frozenset({"con", "prn", "aux", "nul", *(f"com{i}" for i in range(10)), *(f"lpt{i}" for i in range(10))})

SHORT = 7
MAX_NAME = 250  # characters of a run or experiment name
MAX_SLUG = 60  # bytes of one path component of a ref: with "-<id7>.lock" far below 255
DEFAULT_EXPERIMENT = "default"
MODELS = "refs/models/"


def new_run_id() -> str:
    """Return 16 letters from k to z, 64 random bits."""
    return os.urandom(8).hex().translate(_TO_LETTERS)


def is_run_id(text: str) -> bool:
    """Say whether `text` is a whole run id."""
    return _ID.fullmatch(text) is not None


def is_id_prefix(text: str) -> bool:
    """Say whether `text` can be the beginning of a run id: 4 to 16 letters from k to z."""
    return _ID_PREFIX.fullmatch(text) is not None


def short(run_id: str) -> str:
    """Return the first seven letters, the form people see."""
    return run_id[:SHORT]


def experiment_id(name: str) -> str:
    """Return the id of the experiment first called `name`: the same in every clone; "0" is `default`."""
    if name == DEFAULT_EXPERIMENT:
        return "0"
    return hashlib.sha256(b"gitexp experiment\0" + name.encode()).hexdigest()[:16].translate(_TO_LETTERS)


def check_name(name: str, kind: str = "run") -> str:
    """Return `name` (NFC) or raise UsageError: empty, too long, control characters, or lone surrogates."""
    if not isinstance(name, str) or not name.strip():
        raise UsageError(f"a {kind} needs a name", hint="give it letters, for example: baseline")
    if len(name) > MAX_NAME:
        raise UsageError(f"{kind} name of {len(name)} characters: at most {MAX_NAME}", hint=f"shorten {name[:40]!r}…")
    if any(unicodedata.category(c) in ("Cc", "Cs") or c in "\u2028\u2029" for c in name):
        raise UsageError(f"{kind} name {name!r} has control characters", hint="use letters, digits, spaces, - and _")
    return unicodedata.normalize("NFC", name.strip())


def check_experiment(name: str) -> str:
    """Return an experiment's name or raise UsageError; slashes make levels, none may be empty, `.` or `..`."""
    name = check_name(name, "experiment")
    if any(not part.strip() or part.strip() in (".", "..") for part in name.split("/")):
        raise UsageError(f"experiment name {name!r} has an empty, '.' or '..' part", hint="for example: vision/resnet")
    return name


def slug(text: str) -> str:
    """Return one ref component that is safe in refs and as a file name on every system, case-insensitive ones too.

    Lower case, letters and digits of any script kept, all else folded to single hyphens.
    """
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFKC", text).casefold())
    folded = "".join(c if c.isalnum() or c in "._=+" else "-" for c in text)
    folded = re.sub(r"-{2,}", "-", re.sub(r"\.{2,}", ".", folded)).strip("-.")
    while len(folded.encode()) > MAX_SLUG:
        folded = folded[:-1].rstrip("-.")
    if folded.endswith(".lock"):
        folded = folded[:-5] + "-lock"
    if folded.split(".")[0] in _WINDOWS:
        folded = "_" + folded
    return folded or "run"


def experiment_slug(name: str) -> str:
    """Return the ref path of an experiment: one slug a level; what two names would share is told apart by a digest."""
    parts = [slug(part) for part in name.split("/")]
    # A level that ends like a run's leaf could be a file where another experiment needs a folder.
    parts = [part + "_" if _LEAF.search(part) else part for part in parts]
    path = "/".join(parts)
    if path != name:
        path += "-" + experiment_id(name)[:4]
    return path


def check_model(name: str) -> str:
    """Return a model's name or raise UsageError: as an experiment's, without `:` and `@`, which name its versions."""
    name = check_name(name, "model")
    if any(not part.strip() or part.strip() in (".", "..") for part in name.split("/")):
        raise UsageError(f"model name {name!r} has an empty, '.' or '..' part", hint="for example: churn")
    if ":" in name or "@" in name:
        raise UsageError(f"model name {name!r} has ':' or '@', which name a version", hint="for example: churn")
    return name


def model_ref(name: str) -> str:
    """Return the ref of the model first called `name`: refs/models/<slug>, and a digest where the slug is not the name.

    One level only, so a model `a` and a model `a/b` can both exist.
    """
    plain = slug(name)
    if plain != name or _LEAF.search(plain):
        plain += "-" + hashlib.sha256(b"gitexp model\0" + name.encode()).hexdigest()[:SHORT].translate(_TO_LETTERS)
    return MODELS + plain


def run_ref(experiment_path: str, name: str, run_id: str) -> str:
    """Return the full ref of a run: refs/experiments/<experiment>/<name>-<id7>."""
    return f"refs/experiments/{experiment_path}/{slug(name)}-{short(run_id)}"


def from_text(text: str) -> str:
    """Return the run id that a text shared by several processes always gives (GITEXP_RUN_ID, a job's name)."""
    return hashlib.sha256(b"gitexp run\0" + text.encode()).hexdigest()[:16].translate(_TO_LETTERS)
