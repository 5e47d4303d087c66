"""The asynchronous advantage actor-critic (Mnih et al. 2016, algorithm S3): one actor-learner."""

import math
import sys
import traceback
from multiprocessing.connection import Connection

import numpy as np
import torch
from torch import Tensor

from breakout_a3c.config import TrainConfig
from breakout_a3c.games.batch import game_threads
from breakout_a3c.games.make import make_environments
from breakout_a3c.games.seeds import training_seeds
from breakout_a3c.learning.advantages import generalised_advantages
from breakout_a3c.learning.local_parameters import LocalParameters
from breakout_a3c.learning.losses import Losses, actor_critic_losses
from breakout_a3c.learning.networks import ActorCritic, make_network, resolve_precision
from breakout_a3c.learning.reports import ReportSender
from breakout_a3c.learning.rollout import Rollout, RolloutCollector
from breakout_a3c.learning.shared_parameters import SharedParameters
from breakout_a3c.learning.step_limits import Change, trusted_step


def learn(
    config: TrainConfig, shared: SharedParameters, worker_id: int, reports: ReportSender, play_state: bytes = b""
) -> bytes:
    """Pull the parameters, roll out, differentiate the loss, push a step that is trusted; again and again.

    Args:
        config: The run's settings.
        shared: What all actor-learners update.
        worker_id: Index of this one; its slot in the counters.
        reports: Where statistics and finished games go.
        play_state: Where the games stood that it goes on with; else it begins new ones.

    Returns:
        Where its games stand.
    """
    # Its own updates are a part of the seed: a worker that starts again plays other games.
    sequence = np.random.SeedSequence(config.seed, spawn_key=(worker_id, int(shared.updates[worker_id])))
    action_seed, *game_seeds = training_seeds(sequence, 1 + config.games_each)
    environments = make_environments(config, game_seeds)
    collector = RolloutCollector(config, environments, action_seed)
    if play_state:
        collector.restore(play_state)
    network = make_network(config, environments[0])
    local = LocalParameters(network, resolve_precision(config.precision))

    for progress in shared.turns(worker_id):
        pulled_version = shared.total_updates()
        # The trust region asks for it again, when others have moved it.
        pulled = shared.parameters.clone() if config.limits_steps else shared.parameters
        local.pull(pulled)
        rollout = collector.collect(network, progress)

        advantages = generalised_advantages(
            rollout.rewards, rollout.values, rollout.next_values, rollout.ended, config.gamma, config.gae_lambda
        )
        returns = advantages + rollout.values
        losses = differentiate(network, local, rollout, advantages, returns, config.entropy_coef_at(progress), config)
        gradient, grad_norm = local.take_gradient(config.max_grad_norm)

        staleness = shared.total_updates() - pulled_version
        change = Change()
        finite = math.isfinite(grad_norm)
        if finite:
            step = shared.direction(gradient).mul_(config.learning_rate_at(progress, pulled_version))
            if config.limits_steps:
                step, change = trusted_step(step, pulled, network, local, rollout, config)
            finite = change.finite
        if finite:
            shared.push(step)
        games = collector.take_finished()
        shared.count(worker_id, len(rollout), finite, len(games))
        reports.add(finite, losses, grad_norm, change, staleness, advantages, returns, games)
    return collector.state()


def differentiate(
    network: ActorCritic,
    local: LocalParameters,
    rollout: Rollout,
    advantages: Tensor,
    returns: Tensor,
    entropy_coef: float,
    config: TrainConfig,
) -> Losses:
    """Add the gradient of a rollout's loss to the local one; return the losses.

    It is done in parts of some 80 agent steps, so that memory does not grow with the rollout.

    Args:
        network: What played the rollout; its parameters are those of ``local``, and have not changed since.
        local: Where the gradient goes.
        rollout: ``T`` steps of ``B`` games.
        advantages: ``(T, B)``.
        returns: ``(T, B)``.
        entropy_coef: Weight of the entropy bonus.
        config: The other terms' weights.
    """
    losses = []
    for rows in rollout.parts():
        logits, values = network.reuse(rollout.observations[rows].flatten(0, 1), rollout.layer_outputs_of(rows))
        part = actor_critic_losses(
            logits,
            values,
            rollout.actions[rows].flatten(),
            advantages[rows].flatten(),
            returns[rows].flatten(),
            entropy_coef,
            config,
            share=len(values) / len(rollout),
        )
        part.total.backward()
        local.add_gradient()
        losses.append(part)
    return Losses(*(torch.stack(terms).sum().detach() for terms in zip(*losses, strict=True)))


def run_actor_learner(
    config: TrainConfig, shared: SharedParameters, worker_id: int, pipe: Connection, play_state: Tensor
) -> None:
    """Be one actor-learner process; an error ends up in front of the user by the pipe.

    Args:
        config: The run's settings.
        shared: What all actor-learners update.
        worker_id: Index of this one.
        pipe: To the trainer.
        play_state: ``(bytes,)`` uint8, where the games stood that it goes on with; empty to begin new ones.
    """
    reports = ReportSender(worker_id, pipe)
    torch.set_num_threads(game_threads(config))  # the one learner of a2c computes on the cores that it plays on
    try:
        reports.close(learn(config, shared, worker_id, reports, play_state.numpy().tobytes()))
    except BrokenPipeError:
        pass  # the trainer is gone, and this process is about to be
    except Exception:
        reports.fail(traceback.format_exc())
        sys.exit(1)
