"""What a program of a user's own calls; the package itself offers it, by the names in ``breakout_a3c.__all__``.

Here: agents, environments, trainings, and the registers of what users add. Not here: what a command line needs.
"""
