"""A trained agent at play: evaluated, shown in a window or on a page, recorded.

Here: everything that watches an agent. Not here: anything that changes its parameters.
"""
