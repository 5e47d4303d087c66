"""The forkserver of a training imports this last: what each of its actor-learners would start with by itself.

That is silent where something is wrong: the actor-learners meet the same, and say so in a sentence.
"""

import os
from contextlib import suppress

from breakout_a3c.games.atari import first_screens
from breakout_a3c.games.emulators import make_ready

MOST = 16  # emulators, which take a second: nothing else happens meanwhile

with suppress(Exception):
    game, count = os.environ["FORKSERVER_EMULATORS"].split()
    first_screens(game)
    make_ready(game, min(int(count), MOST))
