"""How processes start, end and talk.

Here: what this process may use, start and preload, ends, pipes, turns on shared cores. Not here: what the processes do.
"""
