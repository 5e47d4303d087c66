"""Measurements, in folders by the question that they answer; nothing of the program imports them.

Run each from the repository's root: ``python -m benchmarks.speed.throughput --help``.
"""
