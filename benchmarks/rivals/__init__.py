"""Other programs that learn Breakout: how each is made to run, and how its score is read.

``learning.race`` runs them, each in a virtual environment of its own. Their code is not a part of this repository.
"""
