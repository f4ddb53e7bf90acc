"""Who started a run, told by the variables of schedulers, pipelines and CI services."""

from __future__ import annotations

from typing import Any

import pytest

from gitexp.capture import scheduler

JOBS: list[tuple[dict[str, str], list[dict[str, Any]]]] = [
    ({}, []),
    ({"HOME": "/home/ana", "PATH": "/bin"}, []),
    ({"CI": "true"}, [{"name": "ci"}]),
    ({"SLURM_JOB_ID": "42", "SLURM_JOB_NAME": "train", "SLURM_PROCID": "1", "SLURM_NTASKS": "4"}, [
        {"name": "slurm", "job_id": "42", "job_name": "train", "task": "1", "tasks": "4"}]),
    ({"SLURM_JOB_ID": "42", "SLURM_ARRAY_JOB_ID": "40", "SLURM_ARRAY_TASK_ID": "2", "TORCHELASTIC_RUN_ID": "x",
      "RANK": "0", "WORLD_SIZE": "8"}, [
        {"name": "slurm", "job_id": "42", "array_job_id": "40", "array_task_id": "2"},
        {"name": "torchrun", "job_id": "x", "task": "0", "tasks": "8"}]),
    ({"GITHUB_ACTIONS": "true", "CI": "true", "GITHUB_RUN_ID": "9", "GITHUB_SERVER_URL": "https://git.example.com",
      "GITHUB_REPOSITORY": "a/b", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_JOB": "train", "GITHUB_TOKEN": "secret"}, [
        {"name": "github", "job_id": "9", "job_name": "train", "attempt": "2",
         "url": "https://git.example.com/a/b/actions/runs/9/attempts/2"}]),
    ({"GITHUB_ACTIONS": "true"}, [{"name": "github"}]),
    ({"GITLAB_CI": "true", "CI_JOB_ID": "7", "CI_JOB_URL": "https://u:pw@gl.example.com/a/-/jobs/7"}, [
        {"name": "gitlab", "job_id": "7", "url": "https://gl.example.com/a/-/jobs/7"}]),
    ({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": "pod-1", "POD_NAMESPACE": "ml", "KFP_RUN_ID": "r1"}, [
        {"name": "kubernetes", "pod": "pod-1", "namespace": "ml"}, {"name": "kubeflow", "job_id": "r1"}]),
    ({"AIRFLOW_CTX_DAG_RUN_ID": "manual__1", "AIRFLOW_CTX_DAG_ID": "train", "AIRFLOW_CTX_TASK_ID": "fit"}, [
        {"name": "airflow", "job_id": "manual__1", "dag": "train", "task": "fit"}]),
    ({"OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_SIZE": "4"}, [{"name": "openmpi", "task": "3", "tasks": "4"}]),
    ({"JENKINS_URL": "https://j/", "BUILD_NUMBER": "5", "BUILD_URL": "https://j/5"}, [
        {"name": "jenkins", "job_id": "5", "url": "https://j/5"}]),
]  # fmt: skip


@pytest.mark.parametrize(("environ", "expected"), JOBS)
def test_a_job_is_known_by_its_variables(environ: dict[str, str], expected: list[dict[str, Any]]) -> None:
    assert scheduler.capture(environ) == expected
