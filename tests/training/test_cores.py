import pytest

from breakout_a3c.presets import PRESETS
from breakout_a3c.training.cores import fitted_to_cores


@pytest.mark.parametrize(
    ("cores", "given", "threads", "envs"),
    [
        (2, {}, 8, 16),
        (4, {}, 8, 16),
        (8, {}, 8, 8),
        (16, {}, 16, 8),
        (1000, {}, 512, 8),
        (2, {"threads": 8}, 8, 16),
        (8, {"threads": 8}, 8, 8),
        (16, {"threads": 4}, 4, 16),
        (16, {"envs": 16}, 16, 16),
        (16, {"envs": 4}, 16, 4),
    ],
)
def test_the_cores_decide_what_the_user_has_not_said(
    cores: int, given: dict[str, int], threads: int, envs: int
) -> None:
    config = fitted_to_cores(PRESETS["breakout"].replace(**given), given, cores)
    assert (config.learners.threads, config.learners.envs) == (threads, envs)


def test_the_paper_has_one_game_on_any_machine() -> None:
    learners = fitted_to_cores(PRESETS["paper"], {}, cores=16).learners
    assert (learners.threads, learners.envs) == (16, 1)


@pytest.mark.parametrize("name", ["cartpole", "cartpole-a2c", "td-actor-critic", "reinforce"])
def test_cartpole_has_its_own_numbers(name: str) -> None:
    assert fitted_to_cores(PRESETS[name], {}, cores=16) == PRESETS[name]


def test_a2c_keeps_its_games() -> None:
    config = PRESETS["breakout"].replace(algorithm="a2c")
    assert fitted_to_cores(config, {}, cores=16) == config
