"""A whole game by an exported model, with onnxruntime and gymnasium alone.

First: python -m breakout_a3c export models/breakout.safetensors agent.onnx
"""

import sys

import ale_py
import gymnasium
import numpy as np
import onnxruntime
from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation

FIRE = 1  # the model's actions 0, 1, 2 are FIRE, RIGHT, LEFT, the game's 1, 2, 3

gymnasium.register_envs(ale_py)
session = onnxruntime.InferenceSession(sys.argv[1] if len(sys.argv) > 1 else "agent.onnx")
environment = gymnasium.make(
    "ALE/Breakout-v5", frameskip=1, repeat_action_probability=0.0, max_num_frames_per_episode=10_000
)
environment = FrameStackObservation(AtariPreprocessing(environment), 4)
memory = {each.name: np.zeros((1, each.shape[1]), np.float32) for each in session.get_inputs()[1:]}  # of an LSTM
random = np.random.default_rng(0)
observation, info = environment.reset(seed=1)
score, lives, over = 0.0, info["lives"], False
while not over:
    frames_last = np.asarray(observation).transpose(1, 2, 0)[np.newaxis]  # (1, 84, 84, 4) uint8
    logits, _, *states = session.run(None, {"observations": frames_last, **memory})
    action = int((logits[0] + random.gumbel(size=logits.shape[1])).argmax())  # a sample of the policy
    observation, reward, terminated, truncated, info = environment.step(FIRE + action)
    score, over = score + float(reward), terminated or truncated
    for name, state in zip(memory, states, strict=True):
        memory[name] = state * (info["lives"] == lives)  # each life begins without a past
    lives = info["lives"]
print(f"score {score:.0f}")
