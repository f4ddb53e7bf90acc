"""`mlflow ui` on a repository in a real browser: runs, charts, artifacts and models, and no request that fails."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest

from tests import support
from tests.integrations.mlflow import conftest, serving


@pytest.fixture
def shown(project: Path, tmp_path: Path) -> Iterator[tuple[Any, str, dict[str, str]]]:
    """A page of a browser, the server's address, and what there is to see."""
    support.needs("chromium")
    from playwright.sync_api import sync_playwright

    client = mlflow.MlflowClient(f"gitexp:{project}")
    run = client.create_run("0", run_name="browsed")
    for step in range(10):
        client.log_metric(run.info.run_id, "loss", 1 / (step + 1), step=step)
    client.log_param(run.info.run_id, "lr", 0.25)
    client.log_text(run.info.run_id, "seen in a browser", "notes/hello.txt")
    model = client.create_logged_model("0", "seen-model", source_run_id=run.info.run_id)
    support.write(tmp_path / "m/MLmodel", "flavors: {}\n")
    client.log_model_artifacts(model.model_id, str(tmp_path / "m"))
    client.finalize_logged_model(model.model_id, "READY")
    client.log_outputs(run.info.run_id, [mlflow.entities.LoggedModelOutput(model.model_id, 0)])
    client.set_terminated(run.info.run_id)
    client.create_registered_model("registered-one")
    client.create_model_version("registered-one", f"models:/{model.model_id}", run.info.run_id)
    conftest.forget()
    with serving.server(project) as address, sync_playwright() as started:
        browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.set_default_timeout(30_000)
        yield page, address, {"run": run.info.run_id, "model": model.model_id}
        browser.close()


def test_pages_show_what_the_repository_has(shown: tuple[Any, str, dict[str, str]]) -> None:
    page, address, ids = shown
    failed: list[str] = []
    page.on("response", lambda answer: failed.append(f"{answer.status} {answer.url}") if answer.status >= 500 else None)
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.goto(f"{address}/#/experiments/0/runs")
    page.get_by_text("browsed").first.wait_for()
    page.goto(f"{address}/#/experiments/0/runs/{ids['run']}")
    page.get_by_text("0.25").first.wait_for()
    page.goto(f"{address}/#/experiments/0/runs/{ids['run']}/model-metrics")
    page.locator("svg.main-svg").first.wait_for()
    page.goto(f"{address}/#/experiments/0/runs/{ids['run']}/artifacts/notes/hello.txt")
    page.get_by_text("seen in a browser").first.wait_for()
    page.goto(f"{address}/#/experiments/0/models")
    page.get_by_text("seen-model").first.wait_for()
    page.goto(f"{address}/#/experiments/0/models/{ids['model']}")
    page.get_by_text("seen-model").first.wait_for()
    page.goto(f"{address}/#/models")
    page.get_by_text("registered-one").first.wait_for()
    page.goto(f"{address}/#/models/registered-one/versions/1")
    page.get_by_text("registered-one").first.wait_for()
    for part in ("traces", "evaluation-runs", "datasets", "judges"):
        page.goto(f"{address}/#/experiments/0/{part}")
        page.wait_for_timeout(2000)  # it asks again and again, so it is never idle
    assert failed == []
