"""A reward rule of your own: a brick counts as many as the game says, by its root, and a lost life costs two.

python train.py --import examples/own_reward.py --reward-rule roots
"""

import math

from breakout_a3c import register_reward_rule


def roots(reward: float, life_lost: bool) -> float:
    """Return what the learner sees of a step."""
    return math.copysign(math.sqrt(abs(reward)), reward) - 2.0 * life_lost


register_reward_rule("roots", roots)
