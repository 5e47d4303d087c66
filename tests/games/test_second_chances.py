"""Lost lives that are played again go on exactly where the game stood, and such games are not counted."""

import zlib
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from breakout_a3c.games.atari import AtariGame
from breakout_a3c.games.batch import GameBatch
from breakout_a3c.games.make import make_environments
from breakout_a3c.games.second_chances import MOMENTS, STEPS_BETWEEN, TOO_LATE, SecondChances
from breakout_a3c.games.state import pack, unpack
from breakout_a3c.presets import BREAKOUT, CARTPOLE_A3C


def play_on(chances: SecondChances, game: AtariGame, steps: range) -> None:
    for step in steps:
        chances.see(0, game, float(step), step)


def test_a_moment_of_the_last_steps_is_drawn_but_not_the_newest(game: AtariGame) -> None:
    lengths = set()
    for seed in range(100):
        chances = SecondChances(1.0, games=2, seed=seed)
        play_on(chances, game, range(1, 301))
        moment = chances.draw(0)
        assert moment is not None
        lengths.add(moment.episode_length)
    newest = range(300 - STEPS_BETWEEN * (MOMENTS - 1), 301, STEPS_BETWEEN)
    assert lengths == set(newest[:-TOO_LATE])


def test_what_came_after_a_moment_is_forgotten(game: AtariGame) -> None:
    chances = SecondChances(1.0, games=2, seed=0)
    play_on(chances, game, range(1, 301))
    earlier = [300]
    while moment := chances.draw(0):
        assert moment.episode_length <= earlier[-1]
        assert chances._moments[0][-1] is moment
        earlier.append(moment.episode_length)
    assert earlier[-1] == 300 - STEPS_BETWEEN * (MOMENTS - 1), "it ends where nothing earlier is remembered"


def test_a_life_too_short_has_no_second_chance(game: AtariGame) -> None:
    chances = SecondChances(1.0, games=2, seed=0)
    play_on(chances, game, range(1, 2 * STEPS_BETWEEN))
    assert chances.draw(0) is None


def test_as_many_lives_are_played_again_as_are_wanted(game: AtariGame) -> None:
    chances, again = SecondChances(0.3, games=2, seed=0), 0
    for _ in range(1000):
        chances.forget(0)
        play_on(chances, game, range(1, 2 * STEPS_BETWEEN + 1))
        again += chances.draw(0) is not None
    assert again == pytest.approx(300, abs=45)


def test_a_life_that_is_over_for_good_is_forgotten(game: AtariGame) -> None:
    chances = SecondChances(0.0, games=2, seed=0)
    play_on(chances, game, range(1, 301))
    assert chances.draw(0) is None
    assert not chances._moments[0]


def batch(probability: float, seeds: list[int], seed: int = 3) -> GameBatch:
    config = BREAKOUT.replace(second_chances=probability)
    return GameBatch(config, make_environments(config.game, seeds), seed=seed)


class Watched:
    """A batch that is played with random actions, and what was seen of its first game."""

    def __init__(self, games: GameBatch, seed: int = 0) -> None:
        self.games = games
        self.observations = games.reset()
        self._random = np.random.default_rng(seed)

    def step(self) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        actions = self._random.integers(3, size=len(self.games)).tolist()
        seen = self.games.step(actions, self.observations)
        return seen.terminated, seen.rewards


def test_the_first_half_of_the_games_go_back_and_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("breakout_a3c.games.second_chances.STEPS_BETWEEN", 2)  # lives of random play are short
    games = batch(0.95, [2, 4])
    games._second_chances.np_random = np.random.default_rng(0)  # type: ignore[union-attr]
    games._second_chances._probability = 1.0  # type: ignore[union-attr]
    watched, lost, put_back = Watched(games), 0, 0
    for _ in range(1500):
        before = games._lengths[0]
        terminated, rewards = watched.step()
        lost += terminated[0]
        put_back += games._lengths[0] < before
        assert rewards[0] == -1 or not terminated[0], "the learner sees the loss all the same"
    finished = games.take_finished()
    assert lost > 30
    assert put_back >= 0.9 * lost, "all but those of lives that nothing is remembered of"
    assert len(finished) > 3, "the second game ends as ever"


def test_a_game_that_stalls_has_none() -> None:
    """It would go round in circles again."""
    config = BREAKOUT.replace(second_chances=0.95, late_starts=0.0, stall_steps=12)
    games = GameBatch(config, make_environments(config.game, [2, 4]), seed=3)
    games._second_chances._probability = 1.0  # type: ignore[union-attr]
    watched, ends = Watched(games), 0
    for _ in range(600):
        since = games._lengths[0] - games._rewarded_at[0]
        terminated, _ = watched.step()
        if terminated[0] and since == 11:
            ends += 1
            assert games._lengths[0] == 0
    assert ends > 3


def test_a_game_goes_on_where_it_stood(monkeypatch: pytest.MonkeyPatch) -> None:
    games = batch(0.95, [2, 4])
    chances, environment = games._second_chances, games._environments[0]
    assert chances is not None
    assert isinstance(environment, AtariGame)
    watched = Watched(games)
    for _ in range(3 * STEPS_BETWEEN):
        watched.step()
    at = environment.state()
    chances.forget(0)
    chances.see(0, environment, 7.0, 70)
    monkeypatch.setattr(chances, "draw", lambda index: chances_moment)
    chances_moment = type("M", (), {"episode_return": 7.0, "episode_length": 70, "state": at})()
    lives = environment.ale.lives()
    while not watched.step()[0][0]:
        pass
    assert np.array_equal(watched.observations[0], at["observation"])
    assert (games._returns[0], games._lengths[0]) == (7.0, 70)
    assert environment.ale.lives() == lives


def test_a_batch_that_is_stopped_goes_on_as_if_it_had_not_been(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("breakout_a3c.games.second_chances.STEPS_BETWEEN", 3)
    whole = Watched(batch(0.5, [2, 4, 6, 8]))
    for _ in range(300):
        whole.step()
    other = batch(0.5, [3, 5, 7, 9], seed=8)
    other.reset()
    half = Watched(other)
    half.observations = other.restore(whole.games.state())
    half._random.bit_generator.state = whole._random.bit_generator.state
    for _ in range(300):
        assert all(map(np.array_equal, whole.step(), half.step()))
        assert np.array_equal(whole.observations, half.observations)
    assert whole.games._returns == half.games._returns


def test_a_state_without_moments_begins_without() -> None:
    games = batch(0.5, [2, 4])
    games.reset()
    state = {name: values for name, values in games.state().items() if not name.startswith("second_chances")}
    games.restore(state)


def test_a_state_that_no_batch_writes_is_refused() -> None:
    games = batch(0.5, [2, 4, 6, 8])
    games.reset()
    for steps in ([3], [3, 10**6]):
        with pytest.raises(ValueError, match="out of range"):
            games.restore(games.state() | {"second_chances/steps": np.array(steps)})


def test_packed_arrays_are_what_they_were() -> None:
    values = np.arange(12, dtype=np.int16).reshape(3, 4)
    assert np.array_equal(unpack(pack(values), np.empty_like(values)), values)
    assert np.array_equal(unpack(pack(values[0]), np.empty(7, np.int16)), values[0]), "a vector may be of any length"


@pytest.mark.parametrize(
    ("packed", "why"),
    [
        (b"nothing that was packed", "damaged"),
        (zlib.compress(bytes(2**21)), "too many"),
        (zlib.compress(bytes(5)), "multiple of element size"),
    ],
)
def test_bytes_that_nobody_packed_are_refused(packed: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        unpack(np.frombuffer(packed, np.uint8), np.empty((3, 4), np.int16))


def test_the_options_say_where_they_are_for() -> None:
    with pytest.raises(Exception, match="second_chances are for Atari games"):
        replace(CARTPOLE_A3C, game=replace(CARTPOLE_A3C.game, second_chances=0.5))
