"""A game by the published model, in a loop of your own."""

import breakout_a3c

agent = breakout_a3c.load_agent("breakout")  # or the path of a model or a checkpoint
environment = agent.make_environment(seed=1)
observation, info = environment.reset()
score, over = 0.0, False
while not over and info["frames"] < 10_000:
    observation, reward, terminated, truncated, info = environment.step(agent.act(observation))
    score, over = score + reward, terminated or truncated
print(f"score {score:.0f} after {info['frames']:,} frames")
