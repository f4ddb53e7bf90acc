"""How a run that is being recorded keeps confusion matrices, ROC and precision-recall curves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from gitexp import text
from gitexp.errors import UsageError
from gitexp.ops.recording import evaluate
from gitexp.ops.recording.lifecycle import Session
from gitexp.record import evaluation, names, values
from gitexp.record.evaluation import Evaluation, Rates
from gitexp.sdk.kinds import Made

_AREAS = {"roc": "auc", "pr": "ap"}


class Recording(Protocol):
    """What a run that is being recorded gives to those who record for it."""

    _session: Session | None
    _prefix: str

    def _check_open(self) -> None: ...

    def _refuse(self, reason: str, line: str) -> None: ...

    def _warn(self, reason: str, line: str) -> None: ...

    def _keep_made(self, name: str, made: Made, facts: dict[str, Any], wait: bool) -> None: ...

    def log_metric(self, name: str, value: Any, step: int | None = None) -> None:
        """Log one point of one metric."""


def keep(run: Recording, name: str, compute: Callable[[], Evaluation], step: int | None = None) -> None:
    """Compute an evaluation in the call and keep it; what cannot be evaluated warns once and is counted."""
    run._check_open()
    if not isinstance(name, str) or not name:
        raise UsageError(f"{values.short_repr(name)[:80]} is no name for an evaluation", hint='name="val"')
    path = names.check(evaluation.path(run._prefix + name))
    if run._session is None:
        return
    try:
        found = compute()
        data = evaluation.encode(found)
    except evaluate.Unusable as error:
        run._refuse("evaluations", f"{name!r}: {error}")
    else:
        run._keep_made(path, Made("", lambda: data, len(data)), {}, wait=False)
        _say_of(run, name, found, step)


def _say_of(run: Recording, name: str, found: Evaluation, step: int | None) -> None:
    """Log the area as a metric, and say what is missing of it."""
    if found.left_out:
        run._warn("samples", f"{name!r}: {text.plural(found.left_out, 'sample')} left out, with NaN or no class")
    if not isinstance(found, Rates):
        return
    if found.area is None:
        run._warn("areas", f"{name!r} has no area: no class has samples of it and samples of others")
    else:
        run.log_metric(f"{name}_{_AREAS[found.kind]}", found.area, step)
