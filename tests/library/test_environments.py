"""Our environments under gymnasium's names."""

import os
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import breakout_a3c
from breakout_a3c.games.names import atari_games
from tests.running import run

ROOT = Path(__file__).parents[2]


def test_each_game_has_a_name() -> None:
    breakout_a3c.register_environments()
    names = [name for name in gymnasium.registry if name.startswith("breakout_a3c/")]
    assert len(names) == len(atari_games())
    assert "breakout_a3c/SpaceInvaders-v0" in names


def test_a_game_is_made_as_agents_see_it() -> None:
    breakout_a3c.register_environments()
    environment = gymnasium.make("breakout_a3c/Breakout-v0", sticky=0.25, max_episode_frames=400)
    observation, info = environment.reset(seed=1)
    assert (observation.shape, observation.dtype) == ((84, 84, 4), np.uint8)
    assert info["lives"] == 5
    assert environment.unwrapped.sticky == 0.25  # type: ignore[attr-defined]
    check_env(environment.unwrapped, skip_render_check=True)


@pytest.mark.parametrize("name", ["breakout_a3c.library.environments:breakout_a3c/Pong-v0"])
def test_gymnasium_imports_what_stands_before_the_colon(name: str) -> None:
    code = f"import gymnasium; print(gymnasium.make({name!r}).reset(seed=1)[0].shape)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "(84, 84, 4)\n"
