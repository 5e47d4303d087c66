"""The manifest for Kubernetes: it is one, and its command is understood."""

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from breakout_a3c.commands import train

ROOT = Path(__file__).parents[2]
DOCUMENTS: list[dict[str, Any]] = list(yaml.safe_load_all((ROOT / "docs/kuberay.yaml").read_text()))
JOB, CLAIM = DOCUMENTS
CLUSTER = JOB["spec"]["rayClusterSpec"]


def test_it_is_a_job_of_kuberay() -> None:
    assert (JOB["apiVersion"], JOB["kind"]) == ("ray.io/v1", "RayJob")
    assert CLUSTER["authOptions"] == {"mode": "token"}
    groups = [CLUSTER["headGroupSpec"], *CLUSTER["workerGroupSpecs"]]
    images = {container["image"] for group in groups for container in group["template"]["spec"]["containers"]}
    assert len(images) == 1, "the same version on all machines"
    volume = CLUSTER["headGroupSpec"]["template"]["spec"]["volumes"][0]
    assert volume["persistentVolumeClaim"]["claimName"] == CLAIM["metadata"]["name"]


def test_its_command_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    program, command, *arguments = shlex.split(JOB["spec"]["entrypoint"])
    assert (program, command) == ("breakout-a3c", "train")
    monkeypatch.setattr(sys, "argv", ["breakout-a3c train", *arguments])
    options = train.parse_options()
    assert (options.cluster, options.threads, options.run) == ("auto", 16, "breakout")
    assert options.resume is train.NEWEST
    mounts = CLUSTER["headGroupSpec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    assert options.checkpoints.is_relative_to(mounts[0]["mountPath"])


def test_each_machine_has_the_cores_of_its_actor_learners() -> None:
    (workers,) = CLUSTER["workerGroupSpecs"]
    (container,) = workers["template"]["spec"]["containers"]
    assert container["resources"]["requests"]["cpu"] == "16"


def test_ray_is_that_of_the_requirements() -> None:
    assert f"ray=={CLUSTER['rayVersion']}" in (ROOT / "requirements-cluster.txt").read_text().split()
    assert f"ray[default]=={CLUSTER['rayVersion']}" in (ROOT / "Dockerfile").read_text()
