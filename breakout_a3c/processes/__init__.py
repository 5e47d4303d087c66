"""How processes start, end and talk.

Here: start and preload, pipes, turns on shared cores. Not here: what the processes do.
"""
