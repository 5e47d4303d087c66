"""Agents in programs of a user's own: what they answer, and which environments they take."""

import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import ale_py
import gymnasium
import numpy as np
import pytest
from ale_py.vector_env import AtariVectorEnv
from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation
from stable_baselines3.common.env_util import make_atari_env
from stable_baselines3.common.vec_env import (
    DummyVecEnv,
    SubprocVecEnv,
    VecFrameStack,
    VecNormalize,
    VecTransposeImage,
)

import breakout_a3c
from breakout_a3c import TrainedAgent, UserError, load_agent
from breakout_a3c.games.preprocessing import Bytes
from tests.running import run

gymnasium.register_envs(ale_py)
BREAKOUT = "ALE/Breakout-v5"

VectorMaker = Callable[[Sequence[Callable[[], gymnasium.Env]]], gymnasium.vector.VectorEnv]


def theirs(game: str = BREAKOUT, *, sticky: float = 0.0, frames: int = 400, **preprocessing: object) -> gymnasium.Env:
    """Return a game as users of gymnasium have it, that ends early."""
    environment = gymnasium.make(game, frameskip=1, repeat_action_probability=sticky, max_num_frames_per_episode=frames)
    return FrameStackObservation(AtariPreprocessing(environment, **preprocessing), 4)


def sb3_vector(vector_class: type[DummyVecEnv], **wrapper: object) -> VecFrameStack:
    """Return two games as users of Stable-Baselines3 have them, with whole scores unless ``wrapper`` says otherwise."""
    games = make_atari_env(
        "BreakoutNoFrameskip-v4",
        n_envs=2,
        env_kwargs={"max_num_frames_per_episode": 400},
        wrapper_kwargs={"terminal_on_life_loss": False, "clip_reward": False} | wrapper,
        vec_env_cls=vector_class,
        vec_env_kwargs={"start_method": "fork"} if vector_class is SubprocVecEnv else {},
    )
    return VecFrameStack(games, n_stack=4)


@pytest.fixture(scope="module")
def agent(checkpoint_path: Path) -> TrainedAgent:
    return load_agent(checkpoint_path, seed=1)


@pytest.fixture(scope="module")
def observation(agent: TrainedAgent) -> Bytes:
    seen, _ = agent.make_environment(seed=1).reset(seed=1)
    assert isinstance(seen, np.ndarray)
    return seen


def test_the_package_is_imported_without_what_it_offers() -> None:
    code = (
        "import sys, os; before = dict(os.environ); import breakout_a3c; "
        "print(sorted({'torch', 'cv2', 'gymnasium', 'numpy'} & sys.modules.keys()), before == dict(os.environ))"
    )
    done = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[] True\n"


def test_what_is_public_is_there() -> None:
    assert set(breakout_a3c.__all__) <= set(dir(breakout_a3c))
    assert all(getattr(breakout_a3c, name) is not None for name in breakout_a3c.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'load_agents'"):
        breakout_a3c.load_agents  # noqa: B018


def test_one_observation_and_a_batch_are_answered_alike(agent: TrainedAgent, observation: Bytes) -> None:
    one, batch = agent.policy(observation), agent.policy(np.stack([observation] * 3))
    assert one.probabilities.shape == (3,)
    assert one.value.shape == ()
    assert one.probabilities.sum() == pytest.approx(1)
    assert batch.probabilities.shape == (3, 3)
    assert batch.value.shape == (3,)
    np.testing.assert_allclose(batch.probabilities[0], one.probabilities, rtol=1e-5)
    assert agent.act(np.stack([observation] * 3)).shape == (3,)


def test_frames_may_come_first_or_last(agent: TrainedAgent, observation: Bytes) -> None:
    last, first = agent.policy(observation), agent.policy(observation.transpose(2, 0, 1))
    np.testing.assert_array_equal(first.probabilities, last.probabilities)


def test_a_greedy_action_is_the_most_probable(agent: TrainedAgent, observation: Bytes) -> None:
    assert agent.act(observation, greedy=True) == agent.policy(observation).probabilities.argmax()


def test_actions_are_sampled_by_the_policy(agent: TrainedAgent, observation: Bytes) -> None:
    chosen = agent.act(np.stack([observation] * 2000))
    found = np.bincount(chosen, minlength=3) / len(chosen)
    np.testing.assert_allclose(found, agent.policy(observation).probabilities, atol=0.05)


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (lambda: theirs("ALE/Pong-v5"), "the agent was trained on breakout, and the environment is "),
        (lambda: gymnasium.make(BREAKOUT), r"shape \(210, 160, 3\).*: turn the screen to gray"),
        (lambda: AtariPreprocessing(gymnasium.make(BREAKOUT, frameskip=1)), r"shape \(84, 84\).*: stack four frames"),
        (lambda: theirs(scale_obs=True), "pixels are float32, .*: leave out scale_obs"),
        (lambda: theirs(grayscale_newaxis=True), "leave out grayscale_newaxis"),
        (lambda: theirs(frame_skip=2), "repeats an action for 2 frames, and the agent was trained with 4"),
        (lambda: AtariVectorEnv("breakout", 2, continuous=True), "actions have no numbers, .*: leave out continuous"),
        (lambda: AtariVectorEnv("breakout", 2, batch_size=1), "some of its games at a time: leave out batch_size"),
    ],
)
def test_what_would_be_played_wrongly_is_refused(agent: TrainedAgent, made: object, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        agent.translate(made())  # type: ignore[operator]


def test_actions_are_translated_by_what_they_do(agent: TrainedAgent) -> None:
    assert agent.action_names == ("FIRE", "RIGHT", "LEFT")
    assert [agent.translate(theirs()).actions(action) for action in range(3)] == [1, 2, 3]
    every = gymnasium.make(BREAKOUT, frameskip=1, full_action_space=True)
    every = FrameStackObservation(AtariPreprocessing(every), 4)
    meanings = every.unwrapped.get_action_meanings()
    assert [meanings[agent.translate(every).actions(action)] for action in range(3)] == ["FIRE", "RIGHT", "LEFT"]


def test_it_plays_in_an_environment_of_gymnasium(agent: TrainedAgent) -> None:
    scores = agent.play_in(theirs(), episodes=2, seed=1)
    assert len(scores) == 2


@pytest.mark.parametrize("make", [gymnasium.vector.SyncVectorEnv, gymnasium.vector.AsyncVectorEnv])
def test_it_plays_in_a_vector_of_gymnasium(agent: TrainedAgent, make: VectorMaker) -> None:
    with closing(make([theirs, theirs])) as vector:
        assert len(agent.play_in(vector, episodes=3, seed=1)) == 3


def test_it_plays_its_own_game_in_other_processes(agent: TrainedAgent) -> None:
    def ours() -> gymnasium.Env:
        return gymnasium.make("breakout_a3c/Breakout-v0", max_episode_frames=400)

    with closing(gymnasium.vector.AsyncVectorEnv([ours, ours])) as vector:
        assert len(agent.play_in(vector, episodes=2, seed=1)) == 2


@pytest.mark.parametrize("make", [gymnasium.vector.SyncVectorEnv, gymnasium.vector.AsyncVectorEnv])
@pytest.mark.parametrize(
    ("game", "sentence"),
    [
        (lambda: theirs("ALE/Pong-v5"), "the agent was trained on breakout, and the environment is "),
        (lambda: theirs(frame_skip=2), "repeats an action for 2 frames"),
        (lambda: theirs(terminal_on_life_loss=True), "ends a game with each life"),
        (lambda: gymnasium.wrappers.ClipReward(theirs(), -1, 1), "clips or scales its rewards"),
    ],
)
def test_a_vector_that_would_be_played_wrongly_is_refused(
    agent: TrainedAgent, make: VectorMaker, game: Callable[[], gymnasium.Env], sentence: str
) -> None:
    with closing(make([game])) as vector, pytest.raises(UserError, match=sentence):
        agent.play_in(vector)


@pytest.mark.parametrize("vector_class", [DummyVecEnv, SubprocVecEnv])
@pytest.mark.parametrize("frames_first", [False, True])
def test_it_plays_in_a_vector_of_stable_baselines3(
    agent: TrainedAgent, vector_class: type[DummyVecEnv], frames_first: bool
) -> None:
    with closing(sb3_vector(vector_class)) as vector:
        stacked = VecTransposeImage(vector) if frames_first else vector
        assert len(agent.play_in(stacked, episodes=3, seed=1)) == 3


@pytest.mark.parametrize("vector_class", [DummyVecEnv, SubprocVecEnv])
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"terminal_on_life_loss": True}, "ends a game with each life"),
        ({"clip_reward": True}, "clips or scales its rewards"),
    ],
)
def test_what_stable_baselines3_does_by_default_is_refused(
    agent: TrainedAgent, vector_class: type[DummyVecEnv], options: dict[str, bool], sentence: str
) -> None:
    with closing(sb3_vector(vector_class, **options)) as vector, pytest.raises(UserError, match=sentence):
        agent.play_in(vector)


def test_scores_of_normalized_rewards_are_refused(agent: TrainedAgent) -> None:
    vector = VecNormalize(sb3_vector(DummyVecEnv), norm_obs=False)
    with closing(vector), pytest.raises(UserError, match="clips or scales its rewards"):
        agent.play_in(vector)


def test_frames_that_sb3_skips_are_counted(agent: TrainedAgent) -> None:
    vector = sb3_vector(DummyVecEnv, frame_skip=2)
    with closing(vector), pytest.raises(UserError, match="repeats an action for 2 frames"):
        agent.translate(vector)


def test_it_plays_in_the_vector_of_the_emulator(agent: TrainedAgent) -> None:
    vector = AtariVectorEnv("breakout", 2, reward_clipping=False, max_num_frames_per_episode=400)
    with pytest.warns(UserWarning, match="clips rewards unless it is given reward_clipping=False"):
        assert len(agent.play_in(vector, episodes=2, seed=1)) == 2


def test_scores_that_are_none_are_refused(agent: TrainedAgent) -> None:
    with pytest.raises(UserError, match="ends a game with each life"):
        agent.play_in(theirs(terminal_on_life_loss=True))


def test_it_plays_in_its_own_environment(agent: TrainedAgent) -> None:
    assert len(agent.play_in(agent.make_environment(max_episode_frames=400), seed=1)) == 1


def test_a_model_is_called_by_its_name() -> None:
    assert "breakout" in breakout_a3c.published_models()
    assert load_agent("breakout").action_names == ("FIRE", "RIGHT", "LEFT")
    with pytest.raises(UserError, match="there is no model 'breakot': give a path, or one of breakout"):
        load_agent("breakot")


def test_cartpole_is_played_in_gymnasiums_own(cartpole_checkpoint_path: Path) -> None:
    agent = load_agent(cartpole_checkpoint_path, seed=1)
    (score,) = agent.play_in(gymnasium.make("CartPole-v1"), seed=1)
    assert 8 <= score <= 500
    with pytest.raises(UserError, match="trained on cartpole"):
        agent.translate(gymnasium.make("Acrobot-v1"))
