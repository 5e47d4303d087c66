"""The random play beside which other games stand."""

from pathlib import Path

import torch

from benchmarks.learning.other_games import uniform
from breakout_a3c.saving.agent import build_agent, load_agent


def test_what_plays_in_the_processes_of_an_evaluation_is_uniform(checkpoint_path: Path) -> None:
    agent = load_agent(checkpoint_path)
    observations = torch.randint(0, 256, (3, 84, 84, 4), dtype=torch.uint8)
    assert agent.network(observations)[0].any()
    rebuilt = build_agent(uniform(agent).checkpoint, checkpoint_path)  # as each process does
    assert not rebuilt.network(observations)[0].any()
