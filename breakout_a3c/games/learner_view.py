"""What the learner sees of a step: rewards clipped, lost lives as ends (Mnih et al. 2015, methods).

Scores never pass through here: they are the raw rewards of whole games.
"""

from typing import NamedTuple

from breakout_a3c.config import GameOptions
from breakout_a3c.extensions import REWARD_RULES


class LearnerView(NamedTuple):
    """A step as the learner sees it."""

    reward: float
    terminated: bool  # nothing follows: the learner's episode is over
    stalled: bool  # the game is to be given up, as if its last life were lost


def learner_view(
    reward: float,
    *,
    game_over: bool,
    life_lost: bool,
    steps_since_reward: int,
    options: GameOptions,
) -> LearnerView:
    """Return what the learner sees of a step of the game.

    Args:
        reward: Raw, as the emulator counts it.
        game_over: Whether the step ended the game; a truncated game is not over.
        life_lost: Whether it cost a life.
        steps_since_reward: Agent steps since the last reward, this one included: 0 if it brought one.
        options: How rewards, lost lives and stalls look to the learner.
    """
    stalled = options.stall_steps is not None and steps_since_reward >= options.stall_steps
    life_lost = life_lost or stalled
    if options.reward_rule is not None:
        seen = float(REWARD_RULES[options.reward_rule](reward, life_lost))
    else:
        clipped = float((reward > 0) - (reward < 0)) if options.clip_rewards else reward
        seen = clipped - options.life_loss_penalty * life_lost
    terminated = game_over or stalled or (options.terminal_on_life_loss and life_lost)
    return LearnerView(options.reward_scale * seen, terminated, stalled)
