"""Whether a GPU learns as the CPU does: gradients side by side, and short runs of the whole program."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.common.paths import ROOT
from benchmarks.common.trainings import Training
from breakout_a3c.config import Device, Network, TrainConfig
from breakout_a3c.learning.actor_learner import differentiate, make_collector
from breakout_a3c.learning.advantages import generalised_advantages
from breakout_a3c.learning.local_parameters import LocalParameters
from breakout_a3c.presets import BREAKOUT

NETWORKS: tuple[Network, ...] = ("paper", "lstm", "nature", "nature-lstm")
SMOKE_SECONDS = 120.0  # that a run may take
# Each trains for some seconds, all at the same time.
SMOKE_RUNS = {
    "default": [],
    "nature in float32": ["--network", "nature", "--precision", "float32"],
    "nature-lstm in bf16": ["--network", "nature-lstm", "--precision", "bf16"],
    "paper preset": ["--preset", "paper"],
    "a2c": ["--algorithm", "a2c"],
    "cartpole": ["--preset", "cartpole"],
}
SHORT = ["--threads", "2", "--max-minutes", "0.1", "--eval-minutes", "0"]


def gradient_differences(device: Device) -> dict[str, float]:
    """Return for each network how far the gradient of one rollout on ``device`` is from the CPU's, by their norms."""
    found = {}
    for name in NETWORKS:
        config = BREAKOUT.replace(network=name, envs=4, precision="float32")
        on_cpu, there = (gradient_on(each, config) for each in ("cpu", device))
        found[name] = float((there - on_cpu).norm() / on_cpu.norm())
    return found


def gradient_on(device: Device, config: TrainConfig) -> torch.Tensor:
    """Return the gradient ``(P,)`` of the first rollout of fresh weights, the same on each device."""
    torch.manual_seed(0)
    network, collector = make_collector(config.replace(device=device), learner_id=0, updates=0, play_state=b"")
    local = LocalParameters(network)
    rollout = collector.collect(network)
    advantages = generalised_advantages(
        rollout.rewards, rollout.values, rollout.next_values, rollout.ended, config.returns.gamma, 1.0
    )
    differentiate(local, rollout, advantages, advantages + rollout.values, config.loss, progress=0.0)
    return local.take_gradient(max_norm=1e9)[0].clone()


def smoke_runs(device: Device, folder: Path) -> list[dict[str, Any]]:
    """Train for some seconds in several ways, go on with one of the runs on the CPU, and play its last checkpoint."""
    began = time.monotonic()
    trainings = {name: Training(folder, name.replace(" ", "-")) for name in SMOKE_RUNS}
    logs = {name: folder / f"{training.run}.log" for name, training in trainings.items()}
    started = {
        name: trainings[name].start([*options, *SHORT, "--device", device], log=logs[name])
        for name, options in SMOKE_RUNS.items()
    }
    found = [outcome(name, process, logs[name], began) for name, process in started.items()]
    first = trainings["default"]
    if snapshots := first.snapshots():
        arguments = ["--device", "cpu", "--max-minutes", "0.2"]
        resumed = first.start(arguments, resume=snapshots[-1], log=logs["default"])
        found.append(outcome("its resumption on the CPU", resumed, logs["default"], began))
        log = folder / "play.log"
        with log.open("w") as output:
            command = [sys.executable, "play.py", str(first.snapshots()[-1]), "--episodes", "2"]
            played = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        found.append(outcome("its evaluation", played, log, began))
    return found


def outcome(name: str, process: "subprocess.Popen[bytes]", log: Path, began: float) -> dict[str, Any]:
    """Wait for a run; return how it ended, with the end of what it printed."""
    try:
        code = process.wait(SMOKE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    printed = log.read_text().strip().splitlines()
    return {"run": name, "code": code, "seconds": round(time.monotonic() - began, 1), "printed": printed[-12:]}
