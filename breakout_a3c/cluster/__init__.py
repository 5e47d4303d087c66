"""A training on several machines: groups of actor-learners that exchange what they changed.

Here: the exchange, what runs on each machine, and the driver's view of them. Not here: how one machine trains, which is
the same as without a cluster.
"""
