"""MLflow's exceptions, with the error codes that its clients and its REST API know."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mlflow.exceptions import MlflowException
from mlflow.protos import databricks_pb2

from gitexp import errors
from gitexp.errors import GitexpError

_CODES: tuple[tuple[type[GitexpError], str], ...] = (
    (errors.UsageError, "INVALID_PARAMETER_VALUE"),
    (errors.NotFound, "RESOURCE_DOES_NOT_EXIST"),
    (errors.Refused, "PERMISSION_DENIED"),
    (errors.Conflict, "RESOURCE_CONFLICT"),
)


def bad(message: str) -> MlflowException:
    """Return what is raised for a value that cannot be."""
    return _of(message, "INVALID_PARAMETER_VALUE")


def missing(message: str) -> MlflowException:
    """Return what is raised for what does not exist."""
    return _of(message, "RESOURCE_DOES_NOT_EXIST")


def exists(message: str) -> MlflowException:
    """Return what is raised for what exists already."""
    return _of(message, "RESOURCE_ALREADY_EXISTS")


def wrong_state(message: str) -> MlflowException:
    """Return what is raised for what cannot be done with what is deleted."""
    return _of(message, "INVALID_STATE")


@contextmanager
def told() -> Iterator[None]:
    """Raise gitexp's errors as MLflow's, the hint with them."""
    try:
        yield
    except GitexpError as error:
        raise of(error) from error


def of(error: GitexpError) -> MlflowException:
    """Return an error of gitexp's as MLflow's."""
    code = next((code for kind, code in _CODES if isinstance(error, kind)), "INTERNAL_ERROR")
    return _of(f"{error} ({error.hint})" if error.hint else str(error), code)


def _of(message: str, code: str) -> MlflowException:
    return MlflowException(message, error_code=getattr(databricks_pb2, code))
