"""The games, from the emulator's screen to what a learner sees of a step.

Here: preprocessing, Atari, CartPole, batches of games, seeds. Not here: networks and torch.
"""
