"""What runs in the virtual environment of Stable-Baselines3, not in this project's.

``benchmarks.common.sb3_venv`` makes it; ``speed.sb3_training`` and ``evaluation.sb3_harness`` start these programs.
"""
