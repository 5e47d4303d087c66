"""Atari games against gymnasium's own preprocessing, and the rules of lives, ends and seeds."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import ale_py
import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation
from numpy.typing import NDArray

from breakout_a3c.config import Actions
from breakout_a3c.games import atari
from breakout_a3c.games.atari import AtariGame, mirror_of

gymnasium.register_envs(ale_py)


def make_reference(game: str) -> AtariPreprocessing:
    emulator = gymnasium.make(f"ALE/{game}-v5", frameskip=1, repeat_action_probability=0.0)
    return AtariPreprocessing(emulator, noop_max=0, terminal_on_life_loss=False)


def make_bare(game: str = "breakout", **changes: Any) -> AtariGame:
    """Return a game with nothing but the frames: no no-ops, no FIRE, no refill."""
    settings = {"seed": 0, "actions": "minimal", "auto_fire": False, "refill_on_life_loss": False, "max_noops": 0}
    return AtariGame(game, **(settings | changes))


def play(game: AtariGame, action: Callable[[], int], steps: int = 3000) -> Iterator[tuple[Any, ...]]:
    """Yield what each step of one game returns, to its end or for so many steps."""
    for _ in range(steps):
        outcome = game.step(action())
        yield outcome
        if outcome[2] or outcome[3]:
            return


def randomly(game: AtariGame, seed: int = 0) -> Callable[[], int]:
    generator = np.random.default_rng(seed)
    return lambda: int(generator.integers(game.action_space.n))


def always(game: AtariGame, name: str) -> Callable[[], int]:
    return lambda: game.action_names.index(name)


def record(game: AtariGame, steps: int = 60) -> bytes:
    """Return all pixels of the same random actions, started by ``reset``."""
    first, _ = game.reset()
    return b"".join([first.tobytes(), *(outcome[0].tobytes() for outcome in play(game, randomly(game), steps))])


class RecordedEmulator:
    """An emulator that keeps every screen."""

    def __init__(self, ale: ale_py.ALEInterface) -> None:
        self._ale = ale
        self.screens: list[NDArray[np.uint8]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ale, name)

    def act(self, action: ale_py.Action) -> float:
        reward = self._ale.act(action)
        self.screens.append(self._ale.getScreenGrayscale())
        return reward


@pytest.mark.parametrize(("game", "name"), [("breakout", "Breakout"), ("pong", "Pong"), ("ms_pacman", "MsPacman")])
@pytest.mark.parametrize("seed", [0, 1])
def test_whole_games_are_gymnasiums_bit_for_bit(game: str, name: str, seed: int) -> None:
    frames = make_reference(name)
    reference = FrameStackObservation(frames, stack_size=4)
    ours = make_bare(game, seed=seed)
    choose = randomly(ours, seed)
    theirs, _ = reference.reset(seed=seed)
    observation, _ = ours.reset()
    ended, steps = False, 0
    while not ended:  # so that the last frame, of a game that is over, is seen by nobody
        assert np.array_equal(observation, np.moveaxis(theirs, 0, -1)), f"other pixels after {steps} steps"
        action = choose()
        theirs, reward, terminated, truncated, _ = reference.step(action)
        observation, *outcome, info = ours.step(action)
        assert outcome == [reward, terminated, truncated]
        assert info["frames"] == frames.ale.getEpisodeFrameNumber()
        ended, steps = terminated or truncated, steps + 1
    assert steps > 100


@pytest.mark.parametrize("skip", [1, 2, 3, 7])
def test_any_frame_skip_is_gymnasiums(skip: int) -> None:
    emulator = gymnasium.make("ALE/Breakout-v5", frameskip=1, repeat_action_probability=0.0)
    reference = AtariPreprocessing(emulator, noop_max=0, frame_skip=skip, terminal_on_life_loss=False)
    reference.reset()
    ours = make_bare(frame_skip=skip)
    ours.reset()
    choose = randomly(ours)
    for _ in range(100):
        action = choose()
        assert np.array_equal(ours.step(action)[0][..., -1], reference.step(action)[0])


@pytest.mark.parametrize("refill", [True, False])
def test_with_everything_on_each_frame_is_still_gymnasiums(refill: bool) -> None:
    reference = make_reference("Breakout")
    game = AtariGame(seed=4, refill_on_life_loss=refill)
    emulator = RecordedEmulator(game.ale)
    game.ale = emulator
    game.reset()
    lives_lost = 0
    for observation, _, terminated, _, info in play(game, randomly(game)):
        previous, last = emulator.screens[-2:]
        frames = [3]
        if info["life_lost"]:
            lives_lost += 1
            # The frame of FIRE is an extra one, between the step's last frame and the observation.
            previous, frames = (np.zeros_like(last), [0, 1, 2, 3]) if refill else (emulator.screens[-3], [3])
        reference.obs_buffer = [last.copy(), previous]
        expected = reference._get_obs()
        assert terminated or all(np.array_equal(observation[..., frame], expected) for frame in frames)
    assert lives_lost == 5


def test_the_stack_is_oldest_first() -> None:
    game = make_bare()
    before, _ = game.reset()
    for observation, *_ in play(game, randomly(game), 30):
        assert np.array_equal(observation[..., :3], before[..., 1:])
        before = observation
    assert not np.array_equal(observation[..., 0], observation[..., 3])


def test_a_game_starts_with_four_equal_frames() -> None:
    game = AtariGame(seed=0)
    for _ in range(2):
        observation, info = game.reset()
        assert all(np.array_equal(observation[..., frame], observation[..., 3]) for frame in range(3))
        assert observation.any()
        assert (info["lives"], info["life_lost"]) == (5, False)
        list(play(game, randomly(game), 10))


def test_a_lost_life_is_no_end_and_the_ball_is_served_again() -> None:
    """Going right for ever never fires: without FIRE by itself, nothing would happen after the first ball."""
    game = AtariGame(seed=0)
    game.reset()
    lives = [5]
    for observation, _, terminated, truncated, info in play(game, always(game, "RIGHT")):
        assert not truncated
        if not info["life_lost"]:
            assert info["lives"] == lives[-1]
            continue
        lives.append(info["lives"])
        assert terminated == (info["lives"] == 0)
        assert all(np.array_equal(observation[..., frame], observation[..., 3]) for frame in range(3))
        ball = game.ale.getRAM()[[99, 101]]
        assert terminated or ball.any(), "the ball is not in play"
    assert lives == [5, 4, 3, 2, 1, 0]
    assert terminated


def test_without_auto_fire_no_ball_is_served() -> None:
    game = make_bare(max_noops=30)
    game.reset()
    outcomes = list(play(game, always(game, "RIGHT"), 300))
    assert len(outcomes) == 300
    assert {(reward, info["lives"]) for _, reward, _, _, info in outcomes} == {(0.0, 5)}


@pytest.mark.parametrize("sticky", [0.0, 0.25])
def test_every_life_is_served_whatever_the_policy(sticky: float) -> None:
    """With sticky actions the emulator may hold on to the action before FIRE."""
    game = AtariGame(seed=2, sticky=sticky, actions="minimal")
    for _ in range(8):
        game.reset()
        *_, (_, _, terminated, _, info) = play(game, always(game, "RIGHT"), 400)
        assert terminated, f"{info['lives']} lives wait for a ball"


def test_auto_fire_is_an_extra_frame_only_where_a_life_begins() -> None:
    game = AtariGame(seed=0)
    _, before = game.reset()
    for _, _, terminated, _, info in play(game, always(game, "RIGHT")):
        frames = info["frames"] - before["frames"]
        assert frames <= 4 if terminated else frames == 4 + info["life_lost"]
        before = info


def test_rewards_are_raw() -> None:
    """Breakout's rows of bricks are worth 1, 4 and 7 points; who follows the ball hits all of them."""
    game = AtariGame(seed=0)
    game.reset()

    def follow_the_ball() -> int:
        ball, paddle = (int(address) for address in game.ale.getRAM()[[99, 72]])
        name = "RIGHT" if ball > paddle + 10 else "LEFT" if ball < paddle + 2 else "FIRE"
        return game.action_names.index(name)

    assert {reward for _, reward, *_ in play(game, follow_the_ball)} == {0.0, 1.0, 4.0, 7.0}


def test_without_refill_the_stack_runs_on_over_a_lost_life() -> None:
    game = AtariGame(seed=0, refill_on_life_loss=False)
    before, _ = game.reset()
    lives_lost = 0
    for observation, *_, info in play(game, randomly(game)):
        assert np.array_equal(observation[..., :3], before[..., 1:])
        before = observation
        lives_lost += info["life_lost"]
    assert lives_lost == 5


@pytest.mark.parametrize("auto_fire", [True, False])
def test_a_long_game_is_truncated_and_not_terminated(auto_fire: bool) -> None:
    game = AtariGame(seed=0, max_episode_frames=100, auto_fire=auto_fire)
    game.reset()
    *before, (_, _, terminated, truncated, info) = play(game, always(game, "FIRE"))
    assert (terminated, truncated) == (False, True)
    assert 100 <= info["frames"] < 105
    assert before[-1][-1]["frames"] < 100
    _, info = game.reset()
    assert info["frames"] < 100


def test_a_game_that_is_over_at_its_limit_is_terminated() -> None:
    game = AtariGame(seed=0, max_noops=0)
    game.reset()
    *_, (*_, info) = play(game, always(game, "RIGHT"))
    limited = AtariGame(seed=0, max_noops=0, max_episode_frames=info["frames"])
    limited.reset()
    *_, (_, _, terminated, truncated, _) = play(limited, always(limited, "RIGHT"))
    assert (terminated, truncated) == (True, False)


def noops(seed: int, games: int, max_noops: int = 30) -> list[int]:
    game = AtariGame(seed=seed, max_noops=max_noops, auto_fire=False)
    return [game.reset()[1]["frames"] for _ in range(games)]


def test_games_start_with_1_to_30_noops() -> None:
    assert set(noops(seed=1, games=200)) == set(range(1, 31))
    assert set(noops(seed=1, games=30, max_noops=2)) == {1, 2}
    assert set(noops(seed=1, games=3, max_noops=0)) == {0}


def test_noops_differ_by_seed_and_are_reproducible() -> None:
    assert noops(seed=1, games=20) == noops(seed=1, games=20)
    assert noops(seed=1, games=20) != noops(seed=3, games=20)
    assert len({tuple(noops(seed=None, games=20)) for _ in range(2)}) == 2


def test_reset_with_a_seed_is_a_new_game_of_that_seed() -> None:
    game, other = AtariGame(seed=5, sticky=0.25), AtariGame(seed=6, sticky=0.25)
    expected = record(game)
    record(other)
    other.reset(seed=5)
    assert record(other) != expected, "a second game of the same seed goes on in its random numbers"
    replayed, _ = AtariGame(seed=9, sticky=0.25).reset(seed=5)
    again, _ = other.reset(seed=5)
    assert np.array_equal(replayed, again)


def test_a_sticky_game_does_not_depend_on_the_games_played_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def play() -> list[Any]:
        game = AtariGame(seed=3, sticky=0.25)
        game.reset()
        return [game.step(step % 3)[1:] for step in range(200)]

    monkeypatch.setattr(atari, "STARTS", defaultdict(list))
    assert play() == play(), "the second one restores the start that the first one emulated"


def test_sticky_actions_change_the_game() -> None:
    plain = record(make_bare())
    assert record(make_bare()) == plain
    assert record(make_bare(seed=1)) == plain, "without sticky actions the emulator is deterministic"
    sticky = record(make_bare(sticky=0.25))
    assert sticky != plain
    assert record(make_bare(sticky=0.25)) == sticky
    assert record(make_bare(sticky=0.25, seed=1)) != sticky


def test_actions_of_breakout() -> None:
    assert AtariGame(actions="reduced").action_names == ("FIRE", "RIGHT", "LEFT")
    assert AtariGame(actions="minimal").action_names == ("NOOP", "FIRE", "RIGHT", "LEFT")
    assert AtariGame(actions="full").action_names == (
        "NOOP", "FIRE", "UP", "RIGHT", "LEFT", "DOWN", "UPRIGHT", "UPLEFT", "DOWNRIGHT", "DOWNLEFT", "UPFIRE",
        "RIGHTFIRE", "LEFTFIRE", "DOWNFIRE", "UPRIGHTFIRE", "UPLEFTFIRE", "DOWNRIGHTFIRE", "DOWNLEFTFIRE",
    )  # fmt: skip
    assert AtariGame("pong", actions="reduced").action_names == AtariGame("pong", actions="minimal").action_names


@pytest.mark.parametrize(("actions", "mirrored"), [
        ("reduced", (0, 2, 1)), ("minimal", (0, 1, 3, 2)),
        ("full", (0, 1, 2, 4, 3, 5, 7, 6, 9, 8, 10, 12, 11, 13, 15, 14, 17, 16)),
    ])  # fmt: skip
def test_breakout_says_which_actions_mirror_each_other(actions: Actions, mirrored: tuple[int, ...]) -> None:
    game = AtariGame(actions=actions)
    assert game.mirrored_actions == mirrored
    assert game.action_names.index("RIGHT") == mirrored[game.action_names.index("LEFT")]


def test_a_game_that_is_not_its_own_mirror_image_names_no_mirrored_actions() -> None:
    assert AtariGame("ms_pacman").mirrored_actions is None


@pytest.mark.parametrize(
    ("names", "mirrored"),
    [
        (("NOOP",), (0,)),
        (("LEFT", "RIGHT"), (1, 0)),
        (("UP", "UPLEFT", "DOWN", "UPRIGHT"), (0, 3, 2, 1)),
        (("UPRIGHTFIRE", "FIRE", "DOWNLEFTFIRE", "UPLEFTFIRE", "DOWNRIGHTFIRE"), (3, 1, 4, 0, 2)),
    ],
)
def test_the_mirror_image_of_an_action_has_left_and_right_exchanged(
    names: tuple[str, ...], mirrored: tuple[int, ...]
) -> None:
    assert mirror_of(names) == mirrored


def test_the_mirror_image_of_the_mirror_image_is_the_action() -> None:
    names = [action.name for action in ale_py.Action]
    mirrored = mirror_of(names)
    assert [mirrored[other] for other in mirrored] == list(range(18))
    assert {name for name, other in zip(names, mirrored, strict=True) if names[other] == name} == {
        "NOOP", "FIRE", "UP", "DOWN", "UPFIRE", "DOWNFIRE",
    }  # fmt: skip


def test_actions_without_their_mirror_image_are_refused() -> None:
    with pytest.raises(ValueError, match="RIGHT"):
        mirror_of(["FIRE", "LEFT"])


@pytest.mark.parametrize(("name", "direction"), [("RIGHT", 1), ("LEFT", -1), ("FIRE", 0)])
def test_an_action_does_what_its_name_says(name: str, direction: int) -> None:
    game = AtariGame(seed=0)
    game.reset()
    before = int(game.ale.getRAM()[72])  # the paddle
    list(play(game, always(game, name), 3))
    assert np.sign(int(game.ale.getRAM()[72]) - before) == direction


def test_render_is_the_screen_in_colour() -> None:
    game = AtariGame(seed=0)
    game.reset()
    picture = game.render()
    assert (picture.shape, picture.dtype) == ((210, 160, 3), np.uint8)
    assert not np.array_equal(picture[..., 0], picture[..., 2])
