"""How many agent steps a second, how much memory?

Beside the bare emulator, beside Stable-Baselines3, over half an hour, and on many cores.
"""
