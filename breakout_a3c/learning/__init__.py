"""A3C itself (Mnih et al. 2016): network, rollout, advantages, loss, optimizer, actor-learner.

Here: all that one actor-learner process runs. Not here: who starts it, saves, or shows it.
"""
