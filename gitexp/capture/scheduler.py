"""Who started a run: a scheduler, a pipeline, a CI service, a launcher; read from the variables that each sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gitexp import redact

Environ = Mapping[str, str]
_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")

# name: (the variable that tells it, {key: variable}); a system that builds its URL of parts has a function below.
_SYSTEMS: dict[str, tuple[str, dict[str, str]]] = {
    "slurm": (
        "SLURM_JOB_ID",
        {
            "job_id": "SLURM_JOB_ID",
            "job_name": "SLURM_JOB_NAME",
            "array_job_id": "SLURM_ARRAY_JOB_ID",
            "array_task_id": "SLURM_ARRAY_TASK_ID",
            "cluster": "SLURM_CLUSTER_NAME",
            "partition": "SLURM_JOB_PARTITION",
            "nodes": "SLURM_JOB_NUM_NODES",
            "tasks": "SLURM_NTASKS",
            "task": "SLURM_PROCID",
            "restarts": "SLURM_RESTART_COUNT",
        },
    ),
    "pbs": ("PBS_JOBID", {"job_id": "PBS_JOBID", "job_name": "PBS_JOBNAME", "queue": "PBS_QUEUE"}),
    "lsf": ("LSB_JOBID", {"job_id": "LSB_JOBID", "job_name": "LSB_JOBNAME", "queue": "LSB_QUEUE"}),
    "sge": ("SGE_TASK_ID", {"job_id": "JOB_ID", "job_name": "JOB_NAME", "queue": "QUEUE", "task": "SGE_TASK_ID"}),
    "kubeflow": (
        "KFP_RUN_ID",
        {"job_id": "KFP_RUN_ID", "job_name": "KFP_RUN_NAME", "pod": "KFP_POD_NAME", "namespace": "KFP_NAMESPACE"},
    ),
    "argo": (
        "ARGO_NODE_ID",
        {"job_id": "ARGO_NODE_ID", "job_name": "ARGO_WORKFLOW_NAME", "pod": "ARGO_POD_NAME"},
    ),
    "airflow": (
        "AIRFLOW_CTX_DAG_RUN_ID",
        {
            "job_id": "AIRFLOW_CTX_DAG_RUN_ID",
            "dag": "AIRFLOW_CTX_DAG_ID",
            "task": "AIRFLOW_CTX_TASK_ID",
            "attempt": "AIRFLOW_CTX_TRY_NUMBER",
        },
    ),
    "github": (
        "GITHUB_ACTIONS",
        {
            "job_id": "GITHUB_RUN_ID",
            "job_name": "GITHUB_JOB",
            "attempt": "GITHUB_RUN_ATTEMPT",
            "workflow": "GITHUB_WORKFLOW",
            "event": "GITHUB_EVENT_NAME",
        },
    ),
    "gitlab": (
        "GITLAB_CI",
        {
            "job_id": "CI_JOB_ID",
            "job_name": "CI_JOB_NAME",
            "pipeline": "CI_PIPELINE_ID",
            "event": "CI_PIPELINE_SOURCE",
            "url": "CI_JOB_URL",
        },
    ),
    "jenkins": ("JENKINS_URL", {"job_id": "BUILD_NUMBER", "job_name": "JOB_NAME", "url": "BUILD_URL"}),
    "buildkite": (
        "BUILDKITE_BUILD_ID",
        {"job_id": "BUILDKITE_JOB_ID", "pipeline": "BUILDKITE_BUILD_NUMBER", "url": "BUILDKITE_BUILD_URL"},
    ),
    "circleci": ("CIRCLECI", {"job_id": "CIRCLE_BUILD_NUM", "job_name": "CIRCLE_JOB", "url": "CIRCLE_BUILD_URL"}),
    "azure-pipelines": ("TF_BUILD", {"job_id": "BUILD_BUILDID", "job_name": "AGENT_JOBNAME"}),
    "sagemaker": ("TRAINING_JOB_NAME", {"job_id": "TRAINING_JOB_NAME"}),
    "ray": ("RAY_JOB_ID", {"job_id": "RAY_JOB_ID"}),
    "torchrun": (
        "TORCHELASTIC_RUN_ID",
        {
            "job_id": "TORCHELASTIC_RUN_ID",
            "task": "RANK",
            "tasks": "WORLD_SIZE",
            "restarts": "TORCHELASTIC_RESTART_COUNT",
        },
    ),
    "openmpi": ("OMPI_COMM_WORLD_RANK", {"task": "OMPI_COMM_WORLD_RANK", "tasks": "OMPI_COMM_WORLD_SIZE"}),
    "mpi": ("PMI_RANK", {"task": "PMI_RANK", "tasks": "PMI_SIZE"}),
}


def capture(environ: Environ) -> list[dict[str, Any]]:
    """Return each system that had a part in starting this process, the outermost first: name, job_id, url …"""
    found = [*_kubernetes(environ)]
    for name, (sign, keys) in _SYSTEMS.items():
        if environ.get(sign):
            told = {key: redact.text(environ[variable]) for key, variable in keys.items() if environ.get(variable)}
            url = _URLS[name](environ) if name in _URLS else told.get("url", "")
            found.append({"name": name, **told, **({"url": redact.url(url)} if url else {})})
    if not found and environ.get("CI", "").lower() in ("true", "1", "yes"):
        found.append({"name": "ci"})
    return found


def _kubernetes(environ: Environ) -> list[dict[str, Any]]:
    if not environ.get("KUBERNETES_SERVICE_HOST"):
        return []
    job: dict[str, Any] = {"name": "kubernetes"}
    pod = environ.get("POD_NAME") or environ.get("HOSTNAME")
    namespace = environ.get("POD_NAMESPACE") or _namespace()
    job.update({key: value for key, value in (("pod", pod), ("namespace", namespace)) if value})
    return [job]


def _namespace() -> str:
    try:
        return _SERVICE_ACCOUNT.read_text().strip()
    except (OSError, ValueError):
        return ""


def _github(environ: Environ) -> str:
    server, project = environ.get("GITHUB_SERVER_URL"), environ.get("GITHUB_REPOSITORY")
    run, attempt = environ.get("GITHUB_RUN_ID"), environ.get("GITHUB_RUN_ATTEMPT")
    if not (server and project and run):
        return ""
    return f"{server}/{project}/actions/runs/{run}" + (f"/attempts/{attempt}" if attempt else "")


def _azure(environ: Environ) -> str:
    server, project = environ.get("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI"), environ.get("SYSTEM_TEAMPROJECT")
    build = environ.get("BUILD_BUILDID")
    return f"{server}{project}/_build/results?buildId={build}" if server and project and build else ""


_URLS: dict[str, Callable[[Environ], str]] = {"github": _github, "azure-pipelines": _azure}
