"""Checkpoints and published models: atomic writes, distrustful reads, rotation.

Here: what is on the disk. Not here: when it is written, which is the trainer's to say.
"""
