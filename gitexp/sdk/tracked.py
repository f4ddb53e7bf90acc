"""A decorator: each call of a function is a run, its arguments the params, returned numbers the summary."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar, overload

from gitexp.sdk.active import start_run

P = ParamSpec("P")
R = TypeVar("R")


@overload
def track(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def track(
    *, experiment: str | None = None, name: str | None = None, tags: Mapping[str, Any] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def track(
    function: Callable[P, R] | None = None,
    /,
    *,
    experiment: str | None = None,
    name: str | None = None,
    tags: Mapping[str, Any] | None = None,
) -> Callable[P, R] | Callable[[Callable[P, R]], Callable[P, R]]:
    """Make every call of a function a run: `@gitexp.track`, or `@gitexp.track(experiment="churn")`.

    The arguments, defaults included, are the params; numbers in a returned mapping are set in the summary; an exception
    makes the run `failed` and goes on. The function logs with `gitexp.log` and the like.
    """

    def decorate(wrapped: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(wrapped)

        @functools.wraps(wrapped)
        def run_it(*args: P.args, **kwargs: P.kwargs) -> R:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            params = {key: value for key, value in bound.arguments.items() if key not in ("self", "cls")}
            with start_run(experiment, name=name, params=params, tags=tags) as run:
                result = wrapped(*args, **kwargs)
                if isinstance(result, Mapping):
                    for key, value in result.items():
                        if isinstance(value, int | float):
                            run.summary[str(key)] = value
                return result

        return run_it

    return decorate if function is None else decorate(function)
