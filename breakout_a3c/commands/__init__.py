"""What is typed: one file a program, from its options to its exit code.

Here: train, play, games, curves, publish. Not here: anything that two of them need.
"""
