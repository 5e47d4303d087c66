"""A training on several machines: groups of actor-learners that exchange what they changed.

Here: the exchange, a machine's group, the driver's view of all. Not here: how one machine trains, as it does without.
"""
