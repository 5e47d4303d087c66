"""The published model in gymnasium's own environment."""

import ale_py
import gymnasium
from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation

import breakout_a3c

gymnasium.register_envs(ale_py)
environment = gymnasium.make(
    "ALE/Breakout-v5", frameskip=1, repeat_action_probability=0.0, max_num_frames_per_episode=10_000
)
environment = FrameStackObservation(AtariPreprocessing(environment), 4)
(score,) = breakout_a3c.load_agent("breakout").play_in(environment, seed=1)
print(f"score {score:.0f}")
