"""A training from a script, with a callback a status."""

import gymnasium

from breakout_a3c import PRESETS, TrainingStatus, load_agent, train


def show(status: TrainingStatus) -> bool:
    """Print how it goes; stop at a mean score of 200."""
    print(f"{status.steps:,} steps, mean score {status.mean_return:.0f}")
    return not status.mean_return >= 200


if __name__ == "__main__":  # the actor-learners are processes that import this script
    checkpoint = train(PRESETS["cartpole"].replace(total_steps=100_000), on_status=show)
    assert checkpoint is not None, "it learned nothing"
    print(load_agent(checkpoint).play_in(gymnasium.make("CartPole-v1"), episodes=5))
