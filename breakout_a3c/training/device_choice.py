"""Where the layers of a training compute: on the CPU's cores, or on a GPU (``--device``)."""

import time
from collections.abc import Callable
from pathlib import Path

import torch

from breakout_a3c.config import TrainConfig
from breakout_a3c.errors import UserError
from breakout_a3c.processes.start import Context
from breakout_a3c.training.plan import DeviceChoice, TrainingPlan, initial_parameters
from breakout_a3c.training.supervisor import ActorLearnersCannotRun, Supervisor

READY_SECONDS = 60.0  # until each actor-learner has made two updates
TRIAL_SECONDS = 5.0


def training_speed(config: TrainConfig, context: Context) -> float:
    """Return the agent steps/s of a training's actor-learners, tried for some seconds with fresh weights.

    Args:
        config: The training's settings, with the device to be tried.
        context: Starts the processes.

    Raises:
        ActorLearnersCannotRun: If they cannot run there.
    """
    config = config.replace(total_steps=None, max_minutes=None, max_episodes=None)
    shared = initial_parameters(TrainingPlan(config, "trial", Path(), Path()))
    supervisor = Supervisor(context, config, shared)
    try:
        supervisor.start()
        deadline = time.monotonic() + READY_SECONDS
        while int(shared.updates.min()) < 2 and time.monotonic() < deadline:
            supervisor.poll(0.1)
        began, steps = time.monotonic(), shared.total_steps()
        while time.monotonic() < began + TRIAL_SECONDS:
            supervisor.poll(0.1)
        return (shared.total_steps() - steps) / (time.monotonic() - began)
    finally:
        supervisor.stop()


def choose_device(
    config: TrainConfig,
    context: Context,
    say: Callable[[str], object] = print,
    trial: Callable[[TrainConfig, Context], float] = training_speed,
) -> DeviceChoice:
    """Return where the layers of a training compute; ``auto`` tries the CPU and the GPU.

    Args:
        config: The training's settings.
        context: Starts its processes.
        say: Told that a trial begins, which takes a while.
        trial: Returns the agent steps/s of settings.

    Raises:
        UserError: If a GPU is asked for, and torch finds none.
    """
    device = config.network.device
    if device == "cpu":
        return DeviceChoice()
    if not torch.cuda.is_available():
        if device == "cuda":
            raise UserError(f"--device cuda: {why_no_gpu()}, or give --device cpu.")
        return DeviceChoice(message="The layers compute on the CPU: torch finds no GPU here.")
    gpu = torch.cuda.get_device_name()
    if device == "cuda":
        return DeviceChoice("cuda", gpu, f"The layers compute on the GPU, {gpu}.")
    say("Trying the CPU and the GPU, each for some seconds.")
    try:
        on_cpu, on_gpu = (trial(config.replace(device=name), context) for name in ("cpu", "cuda"))
    except ActorLearnersCannotRun as error:
        reason = str(error).splitlines()[-2:][0]  # the traceback's last line; one follows it
        return DeviceChoice(message=f"The layers compute on the CPU, as the trial failed: {reason}")
    speeds = f"{on_cpu:,.0f} agent steps/s on the CPU, {on_gpu:,.0f} with the GPU"
    if on_gpu > on_cpu:
        return DeviceChoice("cuda", gpu, f"The layers compute on the GPU, {gpu}: {speeds}.")
    return DeviceChoice(message=f"The layers compute on the CPU: {speeds}.")


def why_no_gpu() -> str:
    """Return why torch finds no GPU, and what to do."""
    if torch.version.cuda is None:
        return "the torch installed here has no CUDA: install one that has"
    return "torch finds no GPU that it can use: see nvidia-smi"
