"""Cores and memory within the limits that hold, and the container; read from trees like /proc and /sys."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitexp.capture import machine
from tests import support

ID = "0123456789abcdef" * 4
DIGEST = "sha256:" + "fedcba9876543210" * 4


def test_this_machine_tells_cpu_cores_and_memory() -> None:
    found = machine.capture()
    assert found["cpu"]
    assert 0 < found["cores"] <= (os.cpu_count() or 1)
    assert found["memory_bytes"] > 1 << 20
    assert machine.platform()["system"] == os.uname().sysname


def test_a_tree_that_tells_nothing_gives_what_python_knows(tmp_path: Path) -> None:
    found = machine.capture(tmp_path)
    assert found["cores"] == len(os.sched_getaffinity(0))
    assert machine.container({}, tmp_path) == {}


@pytest.mark.parametrize(
    ("quota", "cores"), [("50000 100000", 0.5), ("100000 100000", 1), ("max 100000", None), ("", None)]
)
def test_the_cpu_quota_of_cgroup_2_limits_the_cores(tmp_path: Path, quota: str, cores: float | None) -> None:
    support.write(tmp_path / "proc/self/cgroup", "0::/slice/job\n")
    support.write(tmp_path / "sys/fs/cgroup/slice/cpu.max", quota + "\n")
    support.write(tmp_path / "sys/fs/cgroup/slice/job/cpu.max", "max 100000\n")
    assert machine.usable_cores(tmp_path) == (cores or len(os.sched_getaffinity(0)))


def test_the_cpu_quota_of_cgroup_1_limits_the_cores(tmp_path: Path) -> None:
    support.write(tmp_path / "proc/self/cgroup", "4:cpu,cpuacct:/docker/abc\n3:memory:/docker/abc\n")
    support.write(tmp_path / "sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us", "75000\n")
    support.write(tmp_path / "sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us", "100000\n")
    assert machine.usable_cores(tmp_path) == 0.75


@pytest.mark.parametrize("place", ["sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"])
def test_the_memory_limit_of_a_container_counts(tmp_path: Path, place: str) -> None:
    support.write(tmp_path / place, "1048576\n")
    assert machine.usable_memory_bytes(tmp_path) == 1048576
    support.write(tmp_path / place, "9223372036854771712\n")  # what cgroup 1 writes for "no limit"
    assert (machine.usable_memory_bytes(tmp_path) or 0) > 1048576


def test_a_docker_container_tells_its_id_and_image(tmp_path: Path) -> None:
    support.write(tmp_path / ".dockerenv", "")
    support.write(tmp_path / "proc/self/cgroup", "0::/\n")
    mounts = f"1 2 0:1 /docker/containers/{ID}/hostname /etc/hostname rw - ext4 /dev/vda rw\n"
    support.write(tmp_path / "proc/self/mountinfo", mounts)
    found = machine.container({"CONTAINER_IMAGE": f"host/team/train@{DIGEST}"}, tmp_path)
    assert found == {"runtime": "docker", "id": ID, "image": f"host/team/train@{DIGEST}", "digest": DIGEST}


def test_a_pod_tells_its_container_by_the_cgroup(tmp_path: Path) -> None:
    support.write(tmp_path / "proc/self/cgroup", f"0::/kubepods/burstable/pod1/cri-containerd-{ID}.scope\n")
    assert machine.container({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, tmp_path) == {"runtime": "kubernetes", "id": ID}


def test_podman_tells_image_and_image_id(tmp_path: Path) -> None:
    told = f'engine="podman-4.3"\nid="{ID}"\nimage="host/train:1"\nimageid="{ID}"\n'
    support.write(tmp_path / "run/.containerenv", told)
    found = machine.container({}, tmp_path)
    assert found == {"runtime": "podman", "id": ID, "image": "host/train:1", "image_id": f"sha256:{ID}"}


def test_an_image_file_is_the_image_of_apptainer(tmp_path: Path) -> None:
    found = machine.container({"APPTAINER_CONTAINER": "/images/train.sif"}, tmp_path)
    assert found == {"runtime": "apptainer", "image": "/images/train.sif"}


def test_the_name_of_the_processor_is_found_where_it_stands(tmp_path: Path) -> None:
    support.write(tmp_path / "one/proc/cpuinfo", "processor\t: 0\nmodel name\t: Fast CPU @ 3 GHz\n")
    support.write(tmp_path / "two/sys/firmware/devicetree/base/model", "Board 5\0")
    assert machine.capture(tmp_path / "one")["cpu"] == "Fast CPU @ 3 GHz"
    assert machine.capture(tmp_path / "two")["cpu"] == "Board 5"
    assert machine.capture(tmp_path / "three")["cpu"] == os.uname().machine
