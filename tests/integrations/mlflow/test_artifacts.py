"""Artifacts by MLflow's API: kept as gitexp keeps them, seen at once, the same in both."""

from __future__ import annotations

import random
import threading
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.exceptions import MlflowException

from tests import support


def listed(client: Any, run_id: str, path: str | None = None) -> list[tuple[str, bool, int | None]]:
    return [(item.path, item.is_dir, item.file_size) for item in client.list_artifacts(run_id, path)]


def test_artifacts_are_listed_while_the_run_is_live(client: Any, tmp_path: Path) -> None:
    support.write(tmp_path / "a.txt", "hello")
    support.write(tmp_path / "more/b.txt", "b")
    support.write(tmp_path / "more/deep/c.bin", b"\0" * 200_000)
    run = client.create_run("0")
    client.log_artifact(run.info.run_id, str(tmp_path / "a.txt"))
    client.log_artifact(run.info.run_id, str(tmp_path / "a.txt"), "sub/folder")
    client.log_artifacts(run.info.run_id, str(tmp_path / "more"), "all")
    expected = [("a.txt", False, 5), ("all", True, None), ("sub", True, None)]
    assert listed(client, run.info.run_id) == expected
    assert listed(client, run.info.run_id, "sub") == [("sub/folder", True, None)]
    assert listed(client, run.info.run_id, "all/deep") == [("all/deep/c.bin", False, 200_000)]
    assert listed(client, run.info.run_id, "a.txt") == []
    assert listed(client, run.info.run_id, "nothing") == []
    assert len(support.gitexp("artifact", "ls", run.info.run_id, "--json").json) == 4
    client.set_terminated(run.info.run_id)
    assert listed(client, run.info.run_id) == expected
    assert "all/deep/c.bin" in support.gitexp("artifact", "ls", run.info.run_id, "--json").stdout


def test_a_whole_folder_at_the_top_and_the_same_name_again(client: Any, tmp_path: Path) -> None:
    support.write(tmp_path / "out/x.txt", "1")
    support.write(tmp_path / "out/y/z.txt", "2")
    run = client.create_run("0")
    client.log_artifacts(run.info.run_id, str(tmp_path / "out"))
    support.write(tmp_path / "out/x.txt", "changed")
    client.log_artifact(run.info.run_id, str(tmp_path / "out/x.txt"))
    assert listed(client, run.info.run_id) == [("x.txt", False, 7), ("y", True, None)]
    client.set_terminated(run.info.run_id)
    got = client.download_artifacts(run.info.run_id, "x.txt", str(tmp_path))
    assert Path(got).read_text() == "changed"


def test_files_of_a_logged_model_are_none_of_its_run(client: Any, tmp_path: Path) -> None:
    support.write(tmp_path / "m/weights.bin", "w")
    run_id = client.create_run("0").info.run_id
    model = client.create_logged_model("0", "m", source_run_id=run_id).model_id
    client.log_model_artifacts(model, str(tmp_path / "m"))
    client.log_text(run_id, "own", "own.txt")
    got = Path(client.download_artifacts(run_id, "", str(support.write(tmp_path / "to/x", "").parent)))
    assert sorted(path.name for path in got.iterdir()) == ["own.txt", "x"]
    mlflow.artifacts.get_artifact_repository(client.get_run(run_id).info.artifact_uri).delete_artifacts()
    assert listed(client, run_id) == []
    assert [item.path for item in client.list_logged_model_artifacts(model)] == ["weights.bin"]


def test_download_of_a_file_a_folder_and_everything(client: Any, tmp_path: Path) -> None:
    content = {"a.txt": b"a", "d/b.txt": b"bb", "d/e/c.bin": random.Random(7).randbytes(300_000)}
    for name, data in content.items():
        support.write(tmp_path / "src" / name, data)
    run = client.create_run("0")
    client.log_artifacts(run.info.run_id, str(tmp_path / "src"), "top")
    for _ in range(2):
        whole = Path(client.download_artifacts(run.info.run_id, ""))
        assert {str(path.relative_to(whole)) for path in whole.rglob("*") if path.is_file()} == {
            f"top/{name}" for name in content
        }
        (tmp_path / "to").mkdir(exist_ok=True)
        folder = Path(client.download_artifacts(run.info.run_id, "top/d", str(tmp_path / "to")))
        assert folder == tmp_path / "to/d" and (folder / "e/c.bin").read_bytes() == content["d/e/c.bin"]
        one = Path(mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/top/d/b.txt"))
        assert one.read_bytes() == b"bb"
        client.set_terminated(run.info.run_id)


def test_what_is_not_there_cannot_be_downloaded(client: Any, tmp_path: Path) -> None:
    run = client.create_run("0")
    with pytest.raises(MlflowException) as failure:
        client.download_artifacts(run.info.run_id, "nothing.txt", str(tmp_path))
    assert failure.value.error_code == "RESOURCE_DOES_NOT_EXIST"


@pytest.mark.parametrize("path", ["../x", "/abs", "a/../../b"])
def test_paths_that_lead_out_are_refused(client: Any, tmp_path: Path, path: str) -> None:
    support.write(tmp_path / "a.txt", "a")
    run = client.create_run("0")
    with pytest.raises(MlflowException):
        client.log_artifact(run.info.run_id, str(tmp_path / "a.txt"), path)
    with pytest.raises(MlflowException):
        client.list_artifacts(run.info.run_id, path)


def test_a_missing_file_is_what_python_says(client: Any, tmp_path: Path) -> None:
    run = client.create_run("0")
    with pytest.raises(FileNotFoundError):
        client.log_artifact(run.info.run_id, str(tmp_path / "nothing"))
    assert listed(client, run.info.run_id) == []


def test_values_become_artifacts(tracking: str) -> None:
    import matplotlib.pyplot as plt
    import numpy as np
    import pandas as pd

    with mlflow.start_run() as run:
        mlflow.log_text("hello", "notes/a.txt")
        mlflow.log_dict({"a": 1}, "config.json")
        mlflow.log_dict({"a": 1}, "config.yaml")
        figure, axes = plt.subplots()
        axes.plot([1, 2])
        mlflow.log_figure(figure, "plots/loss.png")
        plt.close(figure)
        mlflow.log_image(np.zeros((4, 4, 3), dtype=np.uint8), "black.png")
        mlflow.log_image(np.zeros((4, 4, 3), dtype=np.uint8), key="steps", step=3)
        mlflow.log_table(pd.DataFrame({"x": [1, 2]}), "table.json")
        mlflow.log_table({"x": [3]}, "table.json")
        mlflow.flush_artifact_async_logging()
    paths = {item.path for item in mlflow.artifacts.list_artifacts(run_id=run.info.run_id)}
    assert {"notes", "config.json", "config.yaml", "plots", "black.png", "images", "table.json"} <= paths
    assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/notes/a.txt") == "hello"
    assert mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/config.json") == {"a": 1}
    assert list(mlflow.load_table("table.json", run_ids=[run.info.run_id])["x"]) == [1, 2, 3]


def test_files_can_be_taken_back(client: Any, tmp_path: Path) -> None:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    support.write(tmp_path / "d/a.txt", "a")
    support.write(tmp_path / "d/b.txt", "b")
    run = client.create_run("0")
    client.log_artifacts(run.info.run_id, str(tmp_path / "d"), "d")
    repo = get_artifact_repository(run.info.artifact_uri)
    repo.delete_artifacts("d/a.txt")
    assert listed(client, run.info.run_id, "d") == [("d/b.txt", False, 1)]
    client.set_terminated(run.info.run_id)
    repo.delete_artifacts()
    assert listed(client, run.info.run_id) == []


def test_artifacts_come_late_to_a_run_that_has_ended(client: Any, tmp_path: Path) -> None:
    support.write(tmp_path / "a.txt", "a")
    support.write(tmp_path / "b.txt", "b")
    run = client.create_run("0")
    client.log_artifact(run.info.run_id, str(tmp_path / "a.txt"))
    client.set_terminated(run.info.run_id)
    client.log_artifact(run.info.run_id, str(tmp_path / "b.txt"))
    assert [item[0] for item in listed(client, run.info.run_id)] == ["a.txt", "b.txt"]
    got = Path(client.download_artifacts(run.info.run_id, ""))
    assert {path.name: path.read_text() for path in got.iterdir()} == {"a.txt": "a", "b.txt": "b"}


def test_threads_log_at_once(client: Any, tmp_path: Path) -> None:
    run = client.create_run("0")

    def log(number: int) -> None:
        for part in range(5):
            path = support.write(tmp_path / f"{number}-{part}.txt", f"{number} {part}")
            client.log_artifact(run.info.run_id, str(path), f"t{number}")

    threads = [threading.Thread(target=log, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(listed(client, run.info.run_id, f"t{number}")) for number in range(4)] == [5] * 4


def test_a_large_file_is_an_object_once(client: Any, project: Path, tmp_path: Path) -> None:
    path = support.write(tmp_path / "model.bin", random.Random(1).randbytes(1 << 20))
    for _ in range(2):
        run = client.create_run("0")
        client.log_artifact(run.info.run_id, str(path))
        client.set_terminated(run.info.run_id)
    objects = [file for file in (project / ".git/gitexp/objects").rglob("*") if file.is_file()]
    assert [file.stat().st_size for file in objects] == [1 << 20]
    support.git(project, "fsck", "--strict")
