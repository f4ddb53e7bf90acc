"""How a run that is being recorded keeps confusion matrices, ROC and precision-recall curves."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gitexp import text
from gitexp.errors import UsageError
from gitexp.ops import attach, evaluate
from gitexp.record import evaluation, names, values
from gitexp.record.evaluation import Evaluation, Rates

if TYPE_CHECKING:
    from gitexp.sdk.run import Run

_AREAS = {"roc": "auc", "pr": "ap"}


def keep(run: Run, name: str, compute: Callable[[], Evaluation], step: int | None = None) -> None:
    """Compute an evaluation in the call and keep it; what cannot be evaluated warns once and is counted."""
    run._check_open()
    if not isinstance(name, str) or not name:
        raise UsageError(f"{values.short_repr(name)[:80]} is no name for an evaluation", hint='name="val"')
    path = names.check(evaluation.path(run._prefix + name))
    session = run._session
    if session is None:
        return
    try:
        found = compute()
        attach.add_bytes(session, evaluation.encode(found), path)
    except evaluate.Unusable as error:
        run._refuse("evaluations", f"{name!r}: {error}")
    except OSError as error:
        run._refuse("artifacts", f"{name!r} could not be kept: {error}")
    else:
        _say_of(run, name, found, step)


def _say_of(run: Run, name: str, found: Evaluation, step: int | None) -> None:
    """Log the area as a metric, and say what is missing of it."""
    if found.left_out:
        run._warn("samples", f"{name!r}: {text.plural(found.left_out, 'sample')} left out, with NaN or no class")
    if not isinstance(found, Rates):
        return
    if found.area is None:
        run._warn("areas", f"{name!r} has no area: no class has samples of it and samples of others")
    else:
        run.log_metric(f"{name}_{_AREAS[found.kind]}", found.area, step)
