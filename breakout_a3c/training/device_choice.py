"""Where the layers of a training compute: on the CPU's cores, or on a GPU (``--device``)."""

import time
from collections.abc import Callable
from typing import NamedTuple

import torch

from breakout_a3c.config import Device, TrainConfig
from breakout_a3c.errors import UserError
from breakout_a3c.learning.actor_learner import differentiate, make_collector
from breakout_a3c.learning.local_parameters import LocalParameters
from breakout_a3c.learning.networks import resolve_precision
from breakout_a3c.learning.rollout import game_threads
from breakout_a3c.processes.resources import usable_cores

TRIAL_SECONDS = 1.0  # on each device


class DeviceChoice(NamedTuple):
    """Where the layers compute, and what is said of it at the start; of the CPU that was asked for, nothing."""

    name: Device
    message: str = ""


def require_device(config: TrainConfig) -> None:
    """Raise a UserError if a training wants a GPU, and torch finds none."""
    if config.network.device != "cuda" or torch.cuda.is_available():
        return
    if torch.version.cuda is None:
        raise UserError(
            "--device cuda: the torch installed here has no CUDA: install one that has, or give --device cpu."
        )
    raise UserError("--device cuda: torch finds no GPU that it can use: see nvidia-smi, or give --device cpu.")


def choose_device(config: TrainConfig, trial: Callable[[TrainConfig, Device], float] | None = None) -> DeviceChoice:
    """Return where the layers of a training compute.

    With ``auto`` that is the GPU where it alone takes less time for them than all cores that learn together: the cores
    then have the games alone to play.

    Args:
        config: The training's settings.
        trial: Measures the seconds that a device takes for an agent step; None: ``layer_seconds``.
    """
    device = config.network.device
    if device == "auto" and not torch.cuda.is_available():
        return DeviceChoice("cpu", "The layers compute on the CPU: torch finds no GPU here.")
    if device != "auto":
        return DeviceChoice(device, f"{on_gpu(config)}." if device == "cuda" else "")
    trial = trial or layer_seconds
    cores = min(config.learners.count, usable_cores())
    if config.learners.algorithm == "a2c":
        cores = game_threads(config)
    on_cpu, on_cuda = 1e6 * trial(config, "cpu") / cores, 1e6 * trial(config, "cuda")
    times = f"they take {on_cuda:.0f} us an agent step there, and {on_cpu:.0f} on {cores} cores together"
    if on_cuda < on_cpu:
        return DeviceChoice("cuda", f"{on_gpu(config)}: {times}.")
    return DeviceChoice("cpu", f"The layers compute on the CPU, not on the GPU: {times}.")


def on_gpu(config: TrainConfig) -> str:
    """Say that the layers compute on the GPU, and who plays the games."""
    threads = game_threads(config.replace(device="cuda"))
    return (
        f"The layers compute on the GPU, {torch.cuda.get_device_name()}; each learner plays its games by {threads} "
        f"thread{'s' if threads > 1 else ''}"
    )


def layer_seconds(config: TrainConfig, device: Device, seconds: float = TRIAL_SECONDS) -> float:
    """Return how long the layers take for an agent step of one actor-learner: acting and the gradient.

    Args:
        config: The training's settings.
        device: ``cpu``, on one core, or ``cuda``.
        seconds: That the trial takes, at least.
    """
    config = config.replace(device=device, algorithm="a3c")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        network, collector = make_collector(config, learner_id=0, updates=0, play_state=b"")
        local = LocalParameters(network, resolve_precision(config.network.precision, device))
        rollout = collector.collect(network)  # frames of the game: the CPU's layers look at changed pixels alone
        steps, began = 0, 0.0
        while not steps or time.perf_counter() - began < seconds:
            with torch.no_grad():
                weights, state = network.weights(), rollout.lstm_states[0]
                for observations in rollout.observations:
                    *_, state = network.act(observations, weights, state)
            differentiate(local, rollout, torch.zeros_like(rollout.values), rollout.values, config.loss, progress=0.0)
            local.take_gradient(config.optimizer.max_grad_norm)
            if began:
                steps += len(rollout)
            else:  # the first time is not measured: what a device compiles and takes then
                began = time.perf_counter()
        return (time.perf_counter() - began) / steps
    finally:
        torch.set_num_threads(threads)
