"""The asynchronous advantage actor-critic (Mnih et al. 2016, algorithm S3): one actor-learner."""

import math
import sys
import traceback
from multiprocessing.connection import Connection

import numpy as np
import torch
from torch import Tensor

from breakout_a3c.config import LossOptions, StepLimitOptions, TrainConfig
from breakout_a3c.games.make import make_environments
from breakout_a3c.games.seeds import training_seeds
from breakout_a3c.learning.advantages import generalised_advantages
from breakout_a3c.learning.local_parameters import LocalParameters
from breakout_a3c.learning.losses import Losses, actor_critic_losses
from breakout_a3c.learning.networks import ActorCritic, device_of, make_network, resolve_precision
from breakout_a3c.learning.reports import ReportSender, UpdateMeasures
from breakout_a3c.learning.rollout import Rollout, RolloutCollector, game_threads
from breakout_a3c.learning.shared_parameters import SharedParameters
from breakout_a3c.learning.step_limits import PolicyChange, limit_step

NO_GPU_MEMORY = "The GPU has no memory left: give fewer --threads or --envs, or --device cpu."


def learn(
    config: TrainConfig, shared: SharedParameters, learner_id: int, reports: ReportSender, play_state: bytes = b""
) -> bytes:
    """Pull the parameters, roll out, differentiate the loss, push a step; again and again.

    Args:
        config: The run's settings.
        shared: What all actor-learners update.
        learner_id: Index of this one; its slot in the counters.
        reports: Where statistics and finished games go.
        play_state: Where the games stood that it goes on with; empty to begin new ones.

    Returns:
        Where its games stand.
    """
    network, collector = make_collector(config, learner_id, int(shared.updates[learner_id]), play_state)
    local = LocalParameters(network, resolve_precision(config.network.precision, config.network.device))
    # The parameters that play: a copy where the step limits ask for them again, when others have moved the shared ones.
    parameters = torch.empty_like(shared.parameters) if config.step_limits.active else shared.parameters

    for progress in shared.turns(learner_id):
        version, machine_version = shared.total_updates(), shared.optimizer_updates()
        local.pull(parameters.copy_(shared.parameters))
        rollout = collector.collect(network, progress)

        advantages = generalised_advantages(
            rollout.rewards,
            rollout.values,
            rollout.next_values,
            rollout.ended,
            config.returns.gamma,
            config.returns.gae_lambda,
        )
        returns = advantages + rollout.values
        losses = differentiate(local, rollout, advantages, returns, config.loss, config.schedule.annealed(progress))
        gradient, grad_norm = local.take_gradient(config.optimizer.max_grad_norm)

        staleness = shared.total_updates() - version
        learning_rate = config.optimizer.learning_rate_at(progress, version)
        step, change = step_within_limits(
            gradient, grad_norm, learning_rate, parameters, local, rollout, shared, machine_version, config.step_limits
        )
        measures = None
        if step is not None:
            shared.push(learner_id, step)
            measures = UpdateMeasures.of_update(losses, grad_norm, change, staleness)
        games = collector.take_finished()
        shared.count(learner_id, len(rollout), len(games))
        reports.add(measures, advantages, returns, games)
    return collector.state()


def make_collector(
    config: TrainConfig, learner_id: int, updates: int, play_state: bytes
) -> tuple[ActorCritic, RolloutCollector]:
    """Return the network of an actor-learner, on its device, and what plays its games.

    Args:
        config: The run's settings.
        learner_id: Index of the actor-learner.
        updates: That it has made. They are a part of the seed: one that starts again plays other games.
        play_state: Where the games stood that it goes on with; empty to begin new ones.
    """
    sequence = np.random.SeedSequence(config.upkeep.seed, spawn_key=(learner_id, updates))
    action_seed, *game_seeds = training_seeds(sequence, 1 + config.learners.envs)
    environments = make_environments(config.game, game_seeds)
    collector = RolloutCollector(config, environments, action_seed)
    if play_state:
        collector.restore(play_state)
    return make_network(config.network, environments[0]).to(device_of(config.network.device)), collector


def differentiate(
    local: LocalParameters,
    rollout: Rollout,
    advantages: Tensor,
    returns: Tensor,
    options: LossOptions,
    annealed: float,
) -> Losses:
    """Add the gradient of a rollout's loss to the local one; return the losses.

    First heads and memory, over the whole rollout, from the features that acting computed. Then the trunks, in parts of
    some 80 agent steps: their layers would take most of the memory.

    Args:
        local: The network that played the rollout, unchanged since; where the gradient goes.
        rollout: ``T`` steps of ``B`` games.
        advantages: ``(T, B)``.
        returns: ``(T, B)``.
        options: The terms' weights.
        annealed: How far the weight of the entropy bonus is on its way to its final value, 0 to 1.
    """
    network = local.network
    features = [each.requires_grad_() for each in rollout.features(network)]
    logits, values = network.replay_from_cache(features, rollout.lstm_states, rollout.ended)
    losses = actor_critic_losses(
        logits.flatten(0, 1),
        values.flatten(),
        rollout.actions.flatten(),
        advantages.flatten(),
        returns.flatten(),
        entropy_coef=options.entropy_coef_at(annealed),
        value_coef=options.value_coef,
        value_loss_kind=options.value_loss,
        reduction=options.reduction,
    )
    losses.total.backward()
    gradients = [gradient_of(each) for each in features]
    for rows in rollout.parts():
        observations = rollout.observations[rows].flatten(0, 1)
        outputs = network.features_from_cache(observations, rollout.cached_outputs_of(rows))
        # Not torch.autograd.backward(outputs, gradients), which imports sympy first: 0.3 s in each process.
        pairs = zip(outputs, gradients, strict=True)
        torch.stack([(output * gradient[rows].flatten(0, 1)).sum() for output, gradient in pairs]).sum().backward()
        local.add_gradient()
    return losses._replace(total=losses.total.detach())


def gradient_of(tensor: Tensor) -> Tensor:
    """Return what ``backward`` left at a tensor."""
    assert tensor.grad is not None, "gradient_of is for after backward()"
    return tensor.grad


def step_within_limits(
    gradient: Tensor,
    grad_norm: float,
    learning_rate: float,
    parameters: Tensor,
    local: LocalParameters,
    rollout: Rollout,
    shared: SharedParameters,
    version: int,
    limits: StepLimitOptions,
) -> tuple[Tensor | None, PolicyChange | None]:
    """Return the optimizer's step for a gradient, shortened where it goes too far or is late, and what it changes.

    Args:
        gradient: ``(P,)``, clipped.
        grad_norm: Before clipping.
        learning_rate: At this point of the run.
        parameters: ``(P,)`` that played the rollout.
        local: The network that played it; left with the parameters that were tried.
        rollout: The states on which the change is measured.
        shared: Holds the optimizer.
        version: How many updates of this machine's actor-learners are in the parameters.
        limits: Of the change of policy and values, and of lateness.

    Returns:
        ``(P,)``, or None where the gradient or what the step leaves is not finite; what the whole step changes, or
        None where it was not measured.
    """
    if not math.isfinite(grad_norm):
        return None, None
    updates = shared.optimizer_updates()
    step, change = shared.optimizer.step_for(gradient, updates).mul_(learning_rate), None
    if limits.active:
        step, change = limit_step(step, parameters, local, rollout, limits)
        if not change.finite:
            return None, change
    scale = limits.scale_at(updates - version)
    return step * scale if scale < 1 else step, change


def run_actor_learner(
    config: TrainConfig, shared: SharedParameters, learner_id: int, pipe: Connection, play_state: Tensor
) -> None:
    """Be one actor-learner process; an error reaches the user by the pipe.

    Args:
        config: The run's settings.
        shared: What all actor-learners update.
        learner_id: Index of this one.
        pipe: To the trainer.
        play_state: ``(bytes,)`` uint8, where the games stood that it goes on with; empty to begin new ones.
    """
    reports = ReportSender(learner_id, pipe)
    torch.set_num_threads(game_threads(config))  # the one learner of a2c computes on the cores that it plays on
    try:
        reports.close(learn(config, shared, learner_id, reports, play_state.numpy().tobytes()))
    except BrokenPipeError:
        pass  # the trainer is gone, and this process is about to be
    except Exception as error:
        reports.fail(NO_GPU_MEMORY if lacks_gpu_memory(error) else traceback.format_exc())
        sys.exit(1)


def lacks_gpu_memory(error: Exception) -> bool:
    """Return whether a GPU has no memory left: for a tensor, or for what CUDA and its libraries keep of a process."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    words = str(error)  # CUDA's own, or cuBLAS's: CUBLAS_STATUS_ALLOC_FAILED
    return isinstance(error, RuntimeError) and "CU" in words and ("out of memory" in words or "ALLOC_FAILED" in words)
