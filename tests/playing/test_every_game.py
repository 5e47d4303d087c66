"""Each of ale-py's games for one player: it is played, drawn, and a person has keys for all its actions."""

from dataclasses import replace

import numpy as np
import pytest

from breakout_a3c.config import OTHER_GAMES
from breakout_a3c.games.atari import AtariGame
from breakout_a3c.games.make import make_environment
from breakout_a3c.games.names import atari_games
from breakout_a3c.learning.networks import make_network
from breakout_a3c.playing.controls import action_of
from breakout_a3c.playing.evaluation import Protocol
from breakout_a3c.playing.player import Player
from breakout_a3c.playing.scene import PICTURE_HEIGHT, draw_scene
from breakout_a3c.presets import BREAKOUT
from tests.playing.test_window import KEYS_OF, SCENE

STEPS = 200
# The quick ones, each for what it has and most games lack.
SAMPLE = {
    "adventure": "250 lines, without points in the beginning",
    "asterix": "no FIRE, and lives that are won",
    "backgammon": "no NOOP",
    "breakout": "the game that the settings are for",
    "carnival": "214 lines",
    "haunted_house": "a point less for each FIRE",
    "journey_escape": "230 lines, points are lost, no lives",
    "klax": "a game that random play soon ends",
    "kung_fu_master": "FIRE with directions alone",
    "pong": "scores below 0, no lives",
    "pooyan": "220 lines",
    "seaquest": "all 18 actions",
    "skiing": "scores of some -10,000",
    "video_checkers": "no NOOP, and diagonals alone",
    "video_pinball": "scores of many thousands",
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in SAMPLE else pytest.mark.slow) for name in atari_games()]
)
def test_a_game_is_played_drawn_and_has_keys(name: str) -> None:
    options = BREAKOUT.replace_given({"game": name}).game
    game = make_environment(options, seed=0)
    assert isinstance(game, AtariGame)
    random = np.random.default_rng(0)
    observation, info = game.reset()
    looks = {observation.tobytes()}
    for _ in range(STEPS):
        frames, lives = info["frames"], info["lives"]
        observation, reward, terminated, truncated, info = game.step(int(random.integers(game.action_space.n)))
        looks.add(observation.tobytes())
        assert game.observation_space.contains(observation)
        assert isinstance(reward, float)
        assert not truncated
        assert frames < info["frames"] <= frames + 5
        assert info["life_lost"] == (info["lives"] < lives)
        assert info["lives"] >= 0
        if terminated:
            observation, info = game.reset()
    assert len(looks) > 1
    assert np.array_equal(game.restore(game.state()), observation)
    assert (game.mirrored_actions is None) == (name != "breakout")
    assert options.max_episode_frames == (65_535 if name == "breakout" else OTHER_GAMES["max_episode_frames"])
    names = game.action_names
    assert {action_of(KEYS_OF[action], names) for action in names} == set(names), "an action that no keys play"
    screen = game.render()
    scene = replace(
        SCENE,
        screen=screen,
        title=name.replace("_", " "),
        action_names=names,
        probabilities=np.full(len(names), 1 / len(names), np.float32),
    )
    picture = draw_scene(scene)
    scale = PICTURE_HEIGHT // screen.shape[0]
    assert picture.shape[0] == scale * screen.shape[0]
    assert picture.shape[1] % 2 == 0
    assert np.array_equal(picture[::scale, : scale * screen.shape[1] : scale], screen)


@pytest.mark.parametrize(("name", "lives"), [("pong", None), ("seaquest", 4)])
def test_a_game_without_lives_shows_none(name: str, lives: int | None) -> None:
    config = BREAKOUT.replace_given({"game": name, "precision": "float32"})
    network = make_network(config.network, make_environment(config.game))
    scene = next(Player(network, config.game, Protocol(episodes=1)).play(0))
    assert (scene.title, scene.lives) == (name, lives)
