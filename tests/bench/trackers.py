"""What is measured: gitexp, the floor (the least work that would do), and the peers whose venvs are there.

This file runs in the venv of each, so it imports only the standard library at its top.
"""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

METRIC, STEPS = "acc", 10  # what searches rank by; how many points of each metric their runs have
Found = list[tuple[str, float]]
Spec = tuple[str, dict[str, float], list[dict[str, float]]]
Scalar = Callable[[str, float, int], object]
Several = Callable[[Mapping[str, float], int], object]


class Gitexp:
    """gitexp through its public functions; the current folder is the repository."""

    module = "gitexp"
    environment: ClassVar[dict[str, str]] = {"GITEXP_QUIET": "1"}

    def start(self, name: str, params: Mapping[str, Any]) -> Any:
        import gitexp

        return gitexp.start_run("bench", name=name, params=params)

    def scalar(self, run: Any) -> Scalar:
        log = run.log_metric
        return lambda key, value, step: log(key, value, step=step)

    def several(self, run: Any) -> Several:
        log = run.log
        return lambda metrics, step: log(metrics, step=step)

    def finish(self, run: Any) -> None:
        run.finish()

    def many(self, specs: Iterable[Spec]) -> None:
        import gitexp

        for name, params, points in specs:
            run = gitexp.start_run("bench", name=name, params=params)
            for step, metrics in enumerate(points):
                run.log(metrics, step=step)
            run.finish()

    def search(self, limit: int) -> Found:
        import gitexp

        runs = gitexp.runs(where="params.lr < 0.01", sort=f"-last(metrics.{METRIC})", limit=limit)
        return [(run.id, float(run.summary[METRIC].last)) for run in runs]

    def history(self, tag: str, run: Any) -> int:
        import gitexp

        return len(gitexp.get_run(run.id).metrics())


class Floor:
    """Buffered appends while running; then eight loose objects, a commit and a ref, all fsync'd, with libgit2."""

    module = "pygit2"
    environment: ClassVar[dict[str, str]] = {}

    def __init__(self) -> None:
        import pygit2
        from pygit2.enums import Option

        pygit2.option(Option.ENABLE_FSYNC_GITDIR, True)
        self.repo = pygit2.Repository(".")

    def start(self, name: str, params: Mapping[str, Any]) -> Any:
        path = Path(".git", f"floor-{name}.csv")
        return {"name": name, "params": dict(params), "path": path, "file": open(path, "w", buffering=1 << 16)}

    def scalar(self, run: Any) -> Scalar:
        write, now = run["file"].write, time.time
        return lambda key, value, step: write(f"{key},{step},{now()},{value!r}\n")

    def several(self, run: Any) -> Several:
        write, now = run["file"].write, time.time

        def log(metrics: Mapping[str, float], step: int) -> None:
            moment = now()
            write("".join([f"{key},{step},{moment},{value!r}\n" for key, value in metrics.items()]))

        return log

    def finish(self, run: Any) -> None:
        import pygit2
        from pygit2.enums import FileMode

        run["file"].close()
        builder = self.repo.TreeBuilder()
        contents = [json.dumps({"params": run["params"], "name": run["name"], "part": part}) for part in range(7)]
        for part, content in enumerate([run["path"].read_text(), *contents]):
            builder.insert(f"part{part}.json", self.repo.create_blob(content.encode()), FileMode.BLOB)
        run["path"].unlink()
        who, parent = pygit2.Signature("bench", "bench@localhost"), self.repo.head.target
        self.repo.create_commit(f"refs/floor/{run['name']}", who, who, run["name"], builder.write(), [parent])


class Trackio:
    """Trackio with its local SQLite file."""

    module = "trackio"
    environment: ClassVar[dict[str, str]] = {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TRACKIO_DIR": "trackio",
    }

    def start(self, name: str, params: Mapping[str, Any]) -> Any:
        import trackio

        run = trackio.init(project="bench", name=name, config=dict(params), embed=False)
        run.log({"x": 1}, step=0)  # without a metric it keeps nothing
        return run

    def scalar(self, run: Any) -> Scalar:
        import trackio

        log = trackio.log
        return lambda key, value, step: log({key: value}, step=step)

    def several(self, run: Any) -> Several:
        import trackio

        log = trackio.log
        return lambda metrics, step: log(metrics, step=step)

    def finish(self, run: Any) -> None:
        import trackio

        trackio.finish()

    def many(self, specs: Iterable[Spec]) -> None:
        """Record the first runs as one does, the others as rows like theirs: 15 ms a run, and later more."""
        import sqlite3

        specs = list(specs)
        for name, params, points in specs[:100]:
            run = self.start(name, params)
            for step, metrics in enumerate(points):
                run.log(metrics, step=step)
            self.finish(run)
        with sqlite3.connect("trackio/bench.db") as database:
            for name, params, points in specs[100:]:
                row = (name, name, json.dumps(params), "2026-11-21T06:00:00")
                database.execute("INSERT INTO configs (run_id, run_name, config, created_at) VALUES (?, ?, ?, ?)", row)
                rows = [
                    (name, "2026-11-21T06:00:00", name, step, json.dumps(metrics))
                    for step, metrics in enumerate(points)
                ]
                database.executemany(
                    "INSERT INTO metrics (run_id, timestamp, run_name, step, metrics) VALUES (?, ?, ?, ?, ?)", rows
                )

    def search(self, limit: int) -> Found:
        from trackio.sqlite_storage import SQLiteStorage

        value = f"json_extract(m.metrics, '$.{METRIC}')"
        query = (
            f"SELECT m.run_name AS name, {value} AS value FROM metrics m JOIN configs c ON c.run_id = m.run_id "
            f"WHERE m.step = {STEPS - 1} AND json_extract(c.config, '$.lr') < 0.01 ORDER BY value DESC LIMIT {limit}"
        )
        return [(row["name"], row["value"]) for row in SQLiteStorage.query_project("bench", query)["rows"]]

    def history(self, tag: str, run: Any) -> int:
        from trackio.sqlite_storage import SQLiteStorage

        return len(SQLiteStorage.get_metric_values("bench", tag, "loss"))


class Mlflow:
    """MLflow with its local SQLite file."""

    module = "mlflow"
    environment: ClassVar[dict[str, str]] = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_TRACKING_URI": "sqlite:///mlflow.db",
    }

    def start(self, name: str, params: Mapping[str, Any]) -> Any:
        import mlflow

        run = mlflow.start_run(run_name=name)
        mlflow.log_params(dict(params))
        return run

    def scalar(self, run: Any) -> Scalar:
        import mlflow

        log = mlflow.log_metric
        return lambda key, value, step: log(key, value, step=step)

    def several(self, run: Any) -> Several:
        import mlflow

        log = mlflow.log_metrics
        return lambda metrics, step: log(metrics, step=step)

    def finish(self, run: Any) -> None:
        import mlflow

        mlflow.end_run()

    def many(self, specs: Iterable[Spec]) -> None:
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param

        client, now = MlflowClient(), int(time.time() * 1000)
        for name, params, points in specs:
            run = client.create_run("0", run_name=name).info.run_id
            rows = [Metric(key, value, now, step) for step, one in enumerate(points) for key, value in one.items()]
            client.log_batch(run, rows, [Param(key, str(value)) for key, value in params.items()])
            client.set_terminated(run)

    def search(self, limit: int) -> Found:
        """Page by the metric, and compare the param here: there is no `<` for params."""
        from mlflow import MlflowClient

        found: Found = []
        client, token = MlflowClient(), None
        while True:
            page = client.search_runs(["0"], order_by=[f"metrics.{METRIC} DESC"], max_results=1000, page_token=token)
            for run in page:
                if float(run.data.params["lr"]) < 0.01:
                    found.append((run.info.run_id, run.data.metrics[METRIC]))
            token = page.token
            if not token or len(found) >= limit:
                return found[:limit]

    def history(self, tag: str, run: Any) -> int:
        from mlflow import MlflowClient

        return len(MlflowClient().get_metric_history(run.info.run_id, "loss"))


class Sacred:
    """Sacred with its file observer; a run is a function call there, so each has a thread."""

    module = "sacred"
    environment: ClassVar[dict[str, str]] = {}

    def start(self, name: str, params: Mapping[str, Any]) -> Any:
        from sacred import SETTINGS, Experiment
        from sacred.observers import FileStorageObserver

        SETTINGS.CAPTURE_MODE = "no"
        experiment = Experiment(name, save_git_info=False)
        experiment.observers.append(FileStorageObserver("sacred"))
        experiment.add_config(dict(params))
        ready: queue.Queue[Any] = queue.Queue()
        stop = threading.Event()

        def body(_run: Any) -> None:
            ready.put(_run)
            stop.wait()

        experiment.main(body)
        thread = threading.Thread(target=lambda: experiment.run("body", options={"--loglevel": "ERROR"}))
        thread.start()
        return ready.get(), stop, thread

    def scalar(self, run: Any) -> Scalar:
        return run[0].log_scalar  # type: ignore[no-any-return]  # untyped

    def several(self, run: Any) -> Several:
        log = run[0].log_scalar
        return lambda metrics, step: [log(key, value, step) for key, value in metrics.items()]

    def finish(self, run: Any) -> None:
        run[1].set()
        run[2].join()

    def history(self, tag: str, run: Any) -> int:
        metric = json.loads(Path("sacred", str(run[0]._id), "metrics.json").read_text())["loss"]
        return len(list(zip(metric["steps"], metric["values"], strict=True)))


class Tbx:
    """tensorboardX, not fsync'd."""

    module = "tensorboardX"
    environment: ClassVar[dict[str, str]] = {}

    def start(self, name: str, params: Mapping[str, Any]) -> Any:
        from tensorboardX import SummaryWriter

        writer = SummaryWriter(os.path.join("tbx", name))  # noqa: PTH118 - a plain string
        writer.add_hparams(dict(params), {"start": 0.0}, name="hp")
        return writer

    def scalar(self, run: Any) -> Scalar:
        return run.add_scalar  # type: ignore[no-any-return]  # untyped

    def several(self, run: Any) -> Several:
        add = run.add_scalar
        return lambda metrics, step: [add(key, value, step) for key, value in metrics.items()]

    def finish(self, run: Any) -> None:
        run.close()

    def history(self, tag: str, run: Any) -> int:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(os.path.join("tbx", tag), size_guidance={"scalars": 0})  # noqa: PTH118
        events.Reload()
        return len(events.Scalars("loss"))


# name: (class, the venv under $BENCH_HOME/venvs)
TRACKERS: dict[str, tuple[Any, str]] = {
    "gitexp": (Gitexp, ""),
    "floor": (Floor, ""),
    "trackio": (Trackio, "trackio"),
    "sacred": (Sacred, "sacred"),
    "tensorboardX": (Tbx, "tbx"),
    "mlflow": (Mlflow, "mlflow"),
}
