"""A version for those who use it: exactly the bytes that were registered, and what an endpoint says it serves."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gitexp import canonical, ids, text
from gitexp.errors import Damaged, NotFound, UsageError
from gitexp.git import objects
from gitexp.ops.files import restore
from gitexp.ops.files.restore import Plan
from gitexp.ops.finding import using
from gitexp.ops.finding.using import Found
from gitexp.ops.registry import evidence, flavour
from gitexp.ops.registry import models as named
from gitexp.record.model import Model, Version
from gitexp.store import runs
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

FORMATS = ("shell", "json", "k8s")
PREFIX = "GITEXP_MODEL"
_LABEL = 63  # characters of a value of a Kubernetes label


def run_of(workspace: Workspace, version: Version) -> Run | None:
    """Return the run that a version is of, as it was registered; None where it is not in this clone."""
    if version.commit:
        return runs.load(workspace, version.commit) if objects.exists(workspace.repo, version.commit) else None
    return runs.by_id(workspace, version.run) if version.run else None


def recorded(workspace: Workspace, model: Model, version: Version) -> Run:
    """Return the run that a version is of; raises NotFound where it is not here, Damaged where it is another's."""
    label, run = named.label(model, version), run_of(workspace, version)
    if run is None:
        what = f"run {ids.short(version.run)} of {label}" if version.run else f"{label} names no run; its source"
        raise NotFound(f"{what} is not in this clone", hint="gitexp fetch")
    if version.run != run.id:
        raise Damaged(
            f"{label} names run {ids.short(version.run)}, its commit is of {ids.short(run.id)}",
            hint=f"gitexp model verify {model.name}",
        )
    return run


def content(workspace: Workspace, model: Model, version: Version) -> Found:
    """Return the artifact of a version, held against the hash that was registered.

    Raises what `recorded` raises, and Damaged where the run has other bytes under that name.
    """
    run, label = recorded(workspace, model, version), named.label(model, version)
    found = using.of_run(run, version.artifact.rstrip("/"), label)
    sha256 = evidence.sha256_of(run, found.name)
    if sha256 != version.sha256:
        raise Damaged(
            f"{label} was registered with sha256 {version.sha256[:12]}…, its run has {(sha256 or '')[:12]}…",
            hint=f"gitexp model verify {model.name}",
        )
    return found


def plans(workspace: Workspace, chosen: Sequence[tuple[Model, Version]], to: str) -> list[Plan]:
    """Decide where versions go: one as `cp -r` would put it, each of several below `to`/<model>/<number>/."""
    found = [(model, version, content(workspace, model, version)) for model, version in chosen]
    if len(found) == 1:
        item = found[0][2]
        return [restore.plan_one(item.run, item.name, item.items, to)]
    return [
        restore.plan_one(item.run, item.name, item.items, f"{Path(to, _folder(model), str(version.number))}/")
        for model, version, item in found
    ]


def _folder(model: Model) -> str:
    """Return a name for a folder that no two models share."""
    return ids.model_ref(model.first).removeprefix(ids.MODELS)


def metadata(model: Model, version: Version) -> dict[str, Any]:
    """Return what an endpoint says of the version that it serves, the same keys for every version."""
    code = version.details.get("code")
    code = code if isinstance(code, dict) else {}
    framework = version.details.get("framework")
    return {
        "model": model.name,
        "version": version.number,
        "stage": version.stage,
        "aliases": model.aliases_of(version),
        "event": version.id,
        "registered": canonical.iso(version.time_ms),
        "run": version.run or None,
        "run_name": version.details.get("run_name"),
        "experiment": version.details.get("experiment"),
        "run_commit": version.commit or None,
        "code_commit": code.get("commit"),
        "code_dirty": code.get("dirty"),
        "artifact": version.artifact or None,
        "sha256": version.sha256 or None,
        "size": version.size,
        "framework": framework if isinstance(framework, str) else None,
    }


def environment(found: Mapping[str, Any], form: str, *, prefix: str = PREFIX) -> str:
    """Return metadata as lines for a shell, as JSON, or as labels and annotations for Kubernetes."""
    if form == "json":
        return text.safe_json(canonical.dumps(dict(found)).decode())
    if form == "k8s":
        return _kubernetes(found)
    if form != "shell":
        raise UsageError(f"no format {form!r}", hint=f"one of: {', '.join(FORMATS)}")
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", prefix):
        raise UsageError(f"{prefix!r} cannot begin the name of a variable", hint=f"--prefix {PREFIX}")
    names = {key: prefix if key == "model" else f"{prefix}_{key.upper()}" for key in found}
    return "".join(f"export {names[key]}={shlex.quote(_plain(value))}\n" for key, value in found.items())


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return text.safe(",".join(map(str, value)))
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else text.safe(str(value))


_LABELS = ("model", "version", "stage", "run", "experiment", "framework", "code_commit")


def _kubernetes(found: Mapping[str, Any]) -> str:
    """Return YAML to be merged into an object: labels to select by, and the exact values as annotations."""
    labels = {key: _label(key, found[key]) for key in _LABELS}
    lines = ["metadata:", "  labels:"]
    lines += [f'    gitexp/{key.replace("_", "-")}: "{value}"' for key, value in labels.items() if value]
    lines.append("  annotations:")
    told = {key: _plain(value) for key, value in found.items()}
    lines += [f"    gitexp/{key.replace('_', '-')}: {_quoted(value)}" for key, value in told.items() if value]
    return "\n".join(lines) + "\n"


def _label(key: str, value: Any) -> str:
    """Return what Kubernetes takes as a label: letters and digits, `-`, `_` and `.` between them, 63 at most.

    What is not the value itself ends with letters made from it: to select one model must not select another.
    """
    said = flavour.name_of(str(value)) if key == "framework" and value else _plain(value)
    label = re.sub(r"[^A-Za-z0-9_.-]+", "-", said)[:_LABEL].strip("-_.")
    if label == said:
        return label
    digest = ids.short(ids.from_text(said))
    return f"{label[: _LABEL - len(digest) - 1].rstrip('-_.')}-{digest}".lstrip("-")


def _quoted(value: str) -> str:
    """Return a text in double quotes of JSON, which YAML reads alike."""
    return canonical.line(value).decode()
