"""Watching a training: each game is played by the parameters that are the newest where it begins."""

import itertools
from pathlib import Path
from typing import Any

from breakout_a3c.config import GAMES_PER_SEED
from breakout_a3c.errors import UserError
from breakout_a3c.playing.controls import Controls
from breakout_a3c.playing.evaluation import Protocol
from breakout_a3c.playing.page_address import Address
from breakout_a3c.playing.player import Player, Shown
from breakout_a3c.playing.recording import RecordingOnDemand
from breakout_a3c.playing.show import Display, show_game
from breakout_a3c.playing.web_page import Page
from breakout_a3c.saving.agent import build_agent
from breakout_a3c.saving.watched_run import Watcher


def make_following_player(run: Path, controls: Controls, **rules: Any) -> Player:
    """Return a player that asks the training of a run for its newest parameters at each game.

    Args:
        run: Its folder of checkpoints.
        controls: Set by the viewer.
        **rules: Of the protocol, where it is not the one that the training is for.

    Raises:
        UserError: If there is neither a training nor a checkpoint.
    """
    watcher = Watcher(run)

    def newest() -> Shown:
        path, checkpoint, curve = watcher.ask()
        return Shown(build_agent(checkpoint, path).network, checkpoint.steps, curve)

    path, checkpoint, _ = watcher.ask()
    network, game = build_agent(checkpoint, path).network, checkpoint.config.game
    return Player(network, game, Protocol.trained_for(game, **rules), controls, newest)


def show_training(run: Path, display: Display, controls: Controls) -> None:
    """Show the games of a training until the viewer quits."""
    with RecordingOnDemand(controls) as recordings:
        player = make_following_player(run, controls, episodes=GAMES_PER_SEED)
        for game in itertools.cycle(range(GAMES_PER_SEED)):
            if not show_game(display, player.play(game), player.frames_per_second, controls, recordings):
                break


def serve_training(run: Path, address: Address) -> None:
    """Be the process beside a training that shows it on a page; it works while somebody looks, and ends with it."""
    controls = Controls()
    with Page(controls, address, waits_for_viewers=True) as page:
        while not controls.closed:
            page.wait_for_viewer()
            try:
                show_training(run, page, controls)
            except UserError:  # nothing was learned yet, or the checkpoint is being replaced
                page.pause()
