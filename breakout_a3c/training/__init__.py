"""One training from its first process to its last checkpoint: start, supervise, report, save, stop.

Here: the trainer's own process and its evaluator. Not here: what an actor-learner computes.
"""
