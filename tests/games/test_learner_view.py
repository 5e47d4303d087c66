"""What the learner sees of a step, case by case."""

from typing import Any

import pytest

from breakout_a3c.config import GameOptions
from breakout_a3c.games.learner_view import learner_view

RAW = {"clip_rewards": False, "life_loss_penalty": 0.0, "terminal_on_life_loss": False}
CLIPPED = {"clip_rewards": True, "life_loss_penalty": 0.0, "terminal_on_life_loss": True}
PENALTY = {"clip_rewards": True, "life_loss_penalty": 1.0, "terminal_on_life_loss": True}
STALL = {"stall_steps": 10}
LOST, OVER = {"life_lost": True}, {"game_over": True}


def quiet(steps: int) -> dict[str, Any]:
    return {"steps_since_reward": steps}


@pytest.mark.parametrize(
    ("options", "raw", "step", "reward", "terminated", "gives_up"),
    [
        # Rewards alone: as they are, their sign, and both with a factor.
        (RAW, 7.0, {}, 7.0, False, False),
        (RAW, -3.5, {}, -3.5, False, False),
        (CLIPPED, 7.0, {}, 1.0, False, False),
        (CLIPPED, 0.25, {}, 1.0, False, False),
        (CLIPPED, 0.0, {}, 0.0, False, False),
        (CLIPPED, -3.5, {}, -1.0, False, False),
        (RAW | {"reward_scale": 0.5}, 7.0, {}, 3.5, False, False),
        (CLIPPED | {"reward_scale": 0.5}, 7.0, {}, 0.5, False, False),
        # A lost life: an end or none, with a penalty after clipping and before the factor.
        (RAW, 2.0, LOST, 2.0, False, False),
        (CLIPPED, 2.0, LOST, 1.0, True, False),
        (PENALTY, 2.0, LOST, 0.0, True, False),
        (PENALTY, 0.0, LOST, -1.0, True, False),
        (PENALTY | {"terminal_on_life_loss": False}, 0.0, LOST, -1.0, False, False),
        (RAW | {"life_loss_penalty": 2.5}, 7.0, LOST, 4.5, False, False),
        (PENALTY | {"life_loss_penalty": 0.5, "reward_scale": 4.0}, 7.0, LOST, 2.0, True, False),
        # The end of the game: always an end, with a penalty only if it costs a life.
        (RAW, 1.0, OVER, 1.0, True, False),
        (PENALTY, 1.0, OVER, 1.0, True, False),
        (PENALTY, 0.0, OVER | LOST, -1.0, True, False),
        (RAW, 0.0, OVER | LOST, 0.0, True, False),
        # A stall: the last life, whatever else ends the learner's episode.
        (PENALTY | {"stall_steps": None}, 0.0, quiet(1_000_000), 0.0, False, False),
        (PENALTY | STALL, 0.0, quiet(9), 0.0, False, False),
        (PENALTY | STALL, 0.0, quiet(10), -1.0, True, True),
        (PENALTY | STALL, 0.0, quiet(11), -1.0, True, True),
        (RAW | STALL, 0.0, quiet(10), 0.0, True, True),
        (PENALTY | STALL, 0.0, quiet(10) | LOST, -1.0, True, True),
        (PENALTY | STALL, 0.0, quiet(10) | OVER, -1.0, True, True),
        (PENALTY | {"stall_steps": 1}, 1.0, quiet(0), 1.0, False, False),
    ],
)
def test_what_the_learner_sees(
    options: dict[str, Any], raw: float, step: dict[str, Any], reward: float, terminated: bool, gives_up: bool
) -> None:
    arguments: dict[str, Any] = {"game_over": False, "life_lost": False, "steps_since_reward": 0} | step
    seen = learner_view(raw, options=GameOptions(**options), **arguments)
    assert seen == (reward, terminated, gives_up)
    assert [type(value) for value in seen] == [float, bool, bool]


def test_of_breakouts_preset_a_brick_is_one_point_and_a_lost_life_minus_one() -> None:
    view = learner_view(7.0, game_over=False, life_lost=False, steps_since_reward=0, options=GameOptions())
    lost = learner_view(0.0, game_over=False, life_lost=True, steps_since_reward=5, options=GameOptions())
    assert (view.reward, view.terminated) == (1.0, False)
    assert (lost.reward, lost.terminated) == (-1.0, True)
