"""The rows of `make bench` about the MLflow plugin: one script, tracked by gitexp and by MLflow's own SQLite store."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import synthetic
from tests.bench.bench import Bench, Row

RUNS = 10_000
FASTER = {"log": 20.0, "short": 2.0, "search": 5.0}  # than MLflow's own store, at least
WHAT = {
    "log": ("MLflow: log_metric", "us"),
    "short": ("MLflow: start, 20 x log_param, finish", "ms"),
    "batch": ("MLflow: start, log_params of 20, finish", "ms"),
    "get": ("MLflow: get_run of an active run", "ms"),
    "search": (f"MLflow: search_runs among {RUNS:,} runs, 1,000 found", "ms"),
}
_ADDRESSES = {"gitexp": "gitexp:.", "mlflow": "sqlite:///mlflow.db"}
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true", "GITEXP_QUIET": "1"}


def plugin(bench: Bench) -> list[Row]:
    """Measure what MLflow's users wait for; the limit is so many times less than MLflow's own store takes."""
    python = _interpreter()
    if python is None:
        print("no environment has both MLflow and gitexp: run the tests of the plugin first", file=sys.stderr)
        return []
    where = bench.repository("mlflow", files=20)
    synthetic.make(where, RUNS)
    rows = {key: Row(what, unit, None) for key, (what, unit) in WHAT.items()}
    for tracker in ("mlflow", "gitexp"):
        found = [_measured(bench, python, where, tracker) for _ in range(bench.repeats)]
        for key, row in rows.items():
            row.figures[tracker] = min(result[key] for result in found)
    for key, row in rows.items():
        row.limit = row.figures["mlflow"] / FASTER[key] if key in FASTER else None
    return list(rows.values())


def _interpreter() -> str | None:
    """Return a Python that has MLflow and gitexp: this one, or that of the plugin's tests."""
    for python in (
        os.environ.get("BENCH_MLFLOW", ""),
        sys.executable,
        str(Path(sys.prefix, "mlflow-newest/bin/python")),
    ):
        if python and Path(python).exists():
            done = subprocess.run([python, "-c", "import mlflow, sqlalchemy, gitexp"], capture_output=True)
            if not done.returncode:
                return python
    return None


def _measured(bench: Bench, python: str, where: Path, tracker: str) -> dict[str, float]:
    environment = {**bench.environment(), **_QUIET, "MLFLOW_TRACKING_URI": _ADDRESSES[tracker]}
    command = [python, "-m", "tests.bench.plugin"]
    done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Do the work of one tracker and print what it took."""
    import mlflow

    client = mlflow.MlflowClient()
    copied = client.get_experiment_by_name("churn")
    key = _copy() if copied is None else copied.experiment_id
    mlflow.set_experiment("bench")
    found = {"log": _log(), "short": _short(_one_by_one), "batch": _short(_at_once), "get": _get(client)}
    print(json.dumps({**found, "search": _search(client, key)}))


def _took(work: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _log(calls: int = 1000) -> float:
    import mlflow

    with mlflow.start_run():
        mlflow.log_metric("loss", 1.0, step=0)
        return 1e6 / calls * _took(lambda: [mlflow.log_metric("loss", 1 / step, step=step) for step in range(1, calls)])


def _short(log: Callable[[Any], None], times: int = 25) -> float:
    import mlflow

    def one() -> None:
        with mlflow.start_run():
            log(mlflow)

    return statistics.median(_took(one) for _ in range(times)) * 1e3


def _one_by_one(mlflow: Any) -> None:
    for number in range(20):
        mlflow.log_param(f"p{number}", number)


def _at_once(mlflow: Any) -> None:
    mlflow.log_params({f"p{number}": number for number in range(20)})


def _get(client: Any, times: int = 50) -> float:
    import mlflow

    with mlflow.start_run() as run:
        _one_by_one(mlflow)
        return statistics.median(_took(lambda: client.get_run(run.info.run_id)) for _ in range(times)) * 1e3


def _search(client: Any, key: str, times: int = 5) -> float:
    def search() -> None:
        found = client.search_runs([key], "metrics.val_auc > 0.2 and params.amp = 'true'", order_by=["metrics.loss"])
        assert len(found) == 1000

    search()
    return statistics.median(_took(search) for _ in range(times)) * 1e3


def _copy() -> str:
    """Put the runs of the repository into MLflow's own store as they are, row by row: its API would take minutes."""
    import mlflow
    from mlflow.store.tracking.dbmodels import models
    from mlflow.tracking._tracking_service.utils import _get_store

    source = mlflow.MlflowClient("gitexp:.")
    key, token = mlflow.create_experiment("churn"), None
    wanted = source.get_experiment_by_name("churn").experiment_id
    while True:
        page = source.search_runs([wanted], page_token=token)
        with _get_store().ManagedSessionMaker(read_only=False) as session:
            for kind, rows in _rows(page, int(key), models).items():
                session.bulk_insert_mappings(kind, rows)
        token = page.token
        if not token:
            return str(key)


def _rows(page: Any, experiment: int, models: Any) -> dict[Any, list[dict[str, Any]]]:
    found: dict[Any, list[dict[str, Any]]] = {}
    for run in page:
        info, run_id = run.info, {"run_uuid": run.info.run_id}
        named = {"name": info.run_name, "user_id": info.user_id, "status": info.status, "lifecycle_stage": "active"}
        times = {"start_time": info.start_time, "end_time": info.end_time, "experiment_id": experiment}
        found.setdefault(models.SqlRun, []).append({**run_id, **named, **times, "artifact_uri": info.artifact_uri})
        for kind, values in ((models.SqlParam, run.data.params), (models.SqlTag, run.data.tags)):
            found.setdefault(kind, []).extend({**run_id, "key": key, "value": value} for key, value in values.items())
        for metric in run.data._metric_objs:
            row = {"key": metric.key, "value": metric.value, "timestamp": metric.timestamp, "step": metric.step}
            found.setdefault(models.SqlLatestMetric, []).append({**run_id, **row, "is_nan": False})
    return found


if __name__ == "__main__":
    main()
