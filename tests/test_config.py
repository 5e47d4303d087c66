"""The settings: ranges, schedules, presets, and the way to a checkpoint and back."""

import math
from typing import Any, get_args

import pytest

from breakout_a3c.config import OTHER_GAMES, SETTINGS, TrainConfig, option_name
from breakout_a3c.errors import UserError
from breakout_a3c.presets import PRESETS
from breakout_a3c.saving.retired_settings import ADDED_LATER, RENAMED, from_dict

BREAKOUT = PRESETS["breakout"]


def out_of_range() -> list[tuple[str, Any]]:
    """Return a value just outside each bound of each field, and a word outside each choice."""
    cases: list[tuple[str, Any]] = []
    for name, (_, spec) in SETTINGS.items():
        choices = get_args(spec.type)
        low, high = spec.metadata["low"], spec.metadata["high"]
        if choices and isinstance(choices[0], str):
            cases.append((name, "nonsense"))
        # A whole number where the field is one, so that the range is what fails and not the type.
        step = 1 if isinstance(spec.default, int) else 0.5
        if low is not None:
            cases.append((name, low - step))
        if high is not None:
            cases.append((name, high + step if isinstance(high, int) else 2 * high))
    return cases


@pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))
def test_presets_survive_the_way_to_a_checkpoint_and_back(preset: TrainConfig) -> None:
    assert from_dict(preset.to_dict(), "a test") == preset


def test_the_paper_preset_is_the_papers() -> None:
    paper = PRESETS["paper"]
    assert (paper.returns.rollout_length, paper.learners.envs) == (5, 1)
    assert (paper.returns.gae_lambda, paper.returns.gamma) == (1.0, 0.99)
    optimizer = paper.optimizer
    assert (optimizer.learning_rate, optimizer.final_learning_rate, optimizer.warmup_updates) == (7e-4, 0.0, 0)
    assert (optimizer.square_decay, optimizer.eps, optimizer.rmsprop_eps_inside_root) == (0.99, 0.1, True)
    assert (optimizer.max_grad_norm, optimizer.average_steps) == (40.0, 0)
    assert (paper.loss.entropy_coef, paper.loss.final_entropy_coef, paper.loss.reduction) == (0.01, 0.01, "sum")
    assert (paper.game.actions, paper.game.auto_fire, paper.game.life_loss_penalty) == ("minimal", False, 0.0)
    assert (paper.network.name, paper.network.precision) == ("paper", "float32")


def test_the_machado_preset_has_machados_interface_and_no_lives() -> None:
    game = PRESETS["machado"].game
    assert (game.actions, game.sticky, game.frame_skip) == ("full", 0.25, 4)
    assert (game.auto_fire, game.max_noops, game.max_episode_frames) == (False, 0, 108_000)
    assert (game.terminal_on_life_loss, game.life_loss_penalty, game.second_chances) == (False, 0.0, 0.0)


@pytest.mark.parametrize(
    ("first", "final", "annealed", "expected"),
    [(5, 20, 0.0, 5), (5, 20, 0.4, 11), (5, 20, 1.0, 20), (20, 5, 0.5, 12), (7, None, 0.9, 7)],
)
def test_a_rollout_goes_from_its_first_length_to_its_final_one(
    first: int, final: int | None, annealed: float, expected: int
) -> None:
    config = BREAKOUT.replace(rollout_length=first, final_rollout_length=final)
    assert config.returns.rollout_length_at(annealed) == expected


@pytest.mark.parametrize(
    ("part", "progress", "expected"),
    [(0.3, 0.0, 0.0), (0.3, 0.15, 0.5), (0.3, 0.3, 1.0), (0.3, 1.0, 1.0), (1.0, 0.25, 0.25)],
)
def test_a_part_of_the_run_anneals(part: float, progress: float, expected: float) -> None:
    assert BREAKOUT.replace(anneal_part=part).schedule.annealed(progress) == pytest.approx(expected)


def test_a_config_holds_only_what_a_checkpoint_may_hold() -> None:
    assert all(isinstance(value, str | int | float | None) for value in BREAKOUT.to_dict().values())


@pytest.mark.parametrize(
    ("total_steps", "max_minutes", "steps", "minutes", "expected"),
    [
        (1000, None, 250, 99.0, 0.25),
        (None, 10.0, 10**9, 4.0, 0.4),
        (1000, 10.0, 250, 4.0, 0.4),
        (1000, 10.0, 900, 4.0, 0.9),
        (1000, 10.0, 0, 0.0, 0.0),
        (1000, 10.0, 1200, 4.0, 1.0),
        (1000, 10.0, 0, 11.0, 1.0),
        (None, None, 10**9, 10**6, 0.0),
    ],
)
def test_progress_follows_the_nearer_limit(
    total_steps: int | None, max_minutes: float | None, steps: int, minutes: float, expected: float
) -> None:
    config = BREAKOUT.replace(total_steps=total_steps, max_minutes=max_minutes)
    assert config.schedule.progress(steps, minutes, 0) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("limits", "speed", "expected"),
    [
        ({"total_steps": 7000}, 10.0, 10.0),  # 6,000 steps are left
        ({"total_steps": 7000}, 0.0, math.inf),
        ({"total_steps": 7000, "max_minutes": 9.0}, 10.0, 5.0),
        ({"total_steps": None, "max_episodes": 150}, 10.0, 2.0),  # 50 games are left, at 25 a minute
        ({"total_steps": None}, 10.0, math.inf),
        ({"total_steps": 900}, 10.0, 0.0),
    ],
)
def test_the_nearest_limit_tells_the_minutes_left(limits: dict[str, Any], speed: float, expected: float) -> None:
    schedule = BREAKOUT.replace(**limits).schedule
    assert schedule.minutes_left(steps=1000, minutes=4.0, games=100, steps_per_second=speed) == pytest.approx(expected)


@pytest.mark.parametrize("limit", [{"total_steps": 0}, {"max_minutes": 0.0}])
def test_a_limit_of_zero_is_never_no_limit(limit: dict[str, Any]) -> None:
    try:
        config = BREAKOUT.replace(**({"total_steps": None} | limit))
    except UserError:
        return
    assert config.schedule.progress(1, 1.0, 0) == 1.0


@pytest.mark.parametrize(
    ("power", "progress", "expected"),
    [
        (1.0, 0, 8e-4),
        (1.0, 0.25, 6.5e-4),
        (1.0, 1, 2e-4),
        (2.0, 0, 8e-4),
        (2.0, 0.5, 3.5e-4),
        (2.0, 1, 2e-4),
        (0.0, 0.9, 8e-4),
    ],
)
def test_the_learning_rate_falls_with_a_power_of_what_is_left(power: float, progress: float, expected: float) -> None:
    config = BREAKOUT.replace(learning_rate=8e-4, final_learning_rate=2e-4, learning_rate_power=power)
    assert config.optimizer.learning_rate_at(progress, updates=10_000) == pytest.approx(expected)


@pytest.mark.parametrize(("annealed", "expected"), [(0.0, 0.02), (0.5, 0.011), (1.0, 0.002)])
def test_the_entropy_coefficient_falls_linearly(annealed: float, expected: float) -> None:
    config = BREAKOUT.replace(entropy_coef=0.02, final_entropy_coef=0.002)
    assert config.loss.entropy_coef_at(annealed) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("warmup", "updates", "expected"),
    [(200, 0, 5e-6), (200, 99, 5e-4), (200, 199, 1e-3), (200, 10**6, 1e-3), (1, 0, 1e-3), (0, 0, 1e-3)],
)
def test_the_learning_rate_rises_over_the_first_updates(warmup: int, updates: int, expected: float) -> None:
    config = BREAKOUT.replace(
        learning_rate=2e-3, final_learning_rate=0.0, learning_rate_power=1.0, warmup_updates=warmup
    )
    assert config.optimizer.learning_rate_at(0.5, updates) == pytest.approx(expected)


@pytest.mark.parametrize(("name", "value"), out_of_range())
def test_a_value_out_of_range_names_its_option(name: str, value: Any) -> None:
    with pytest.raises(UserError, match=f"^{option_name(name)} is "):
        TrainConfig().replace(**{name: value})


@pytest.mark.parametrize("name", SETTINGS)
def test_a_bound_itself_is_allowed(name: str) -> None:
    spec = SETTINGS[name][1]
    for bound in (spec.metadata["low"], spec.metadata["high"]):
        if bound is not None:
            assert TrainConfig().replace(**{name: bound}).to_dict()[name] == bound


@pytest.mark.parametrize(
    "name", [name for name, (_, spec) in SETTINGS.items() if str not in (spec.type, *get_args(spec.type))]
)
@pytest.mark.parametrize("value", ["8", [1], b"x"], ids=repr)
def test_a_wrong_type_names_its_option(name: str, value: Any) -> None:
    with pytest.raises(UserError, match=f"^{option_name(name)} is "):
        TrainConfig().replace(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("game", 3), ("threads", 8.0), ("threads", True), ("threads", None), ("auto_fire", 1), ("auto_fire", None),
     ("gamma", True), ("gamma", None), ("total_steps", 8e6), ("max_minutes", "none")],
)  # fmt: skip
def test_near_misses_of_a_type_are_refused(name: str, value: Any) -> None:
    with pytest.raises(UserError, match=f"^{option_name(name)} is "):
        TrainConfig().replace(**{name: value})


def test_a_whole_number_will_do_for_a_fraction() -> None:
    assert TrainConfig().replace(gamma=1, max_minutes=30).schedule.progress(0, 15, 0) == 0.5


@pytest.mark.parametrize(
    "name", [name for name, (_, spec) in SETTINGS.items() if float in (get_args(spec.type) or (spec.type,))]
)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_only_finite_numbers(name: str, value: float) -> None:
    with pytest.raises(UserError, match=f"^{option_name(name)} is "):
        TrainConfig().replace(**{name: value})


@pytest.mark.parametrize(("game", "network"), [("breakout", "mlp"), ("cartpole", "paper"), ("cartpole", "nature")])
def test_network_and_game_must_fit(game: str, network: Any) -> None:
    with pytest.raises(UserError, match=f"network {network} does not fit the game {game}"):
        TrainConfig().replace(game=game, network=network)


def test_an_unknown_setting_names_itself_and_its_source() -> None:
    with pytest.raises(UserError, match=r"^old.pt .*'colour', 'warp'"):
        from_dict(BREAKOUT.to_dict() | {"warp": 9, "colour": "red"}, "old.pt")


def test_a_wrong_setting_names_its_source() -> None:
    with pytest.raises(UserError, match=r"^old.pt .*--threads is 0"):
        from_dict(BREAKOUT.to_dict() | {"threads": 0}, "old.pt")


def test_messages_are_one_sentence() -> None:
    for name, value in out_of_range():
        with pytest.raises(UserError) as caught:
            TrainConfig().replace(**{name: value})
        assert str(caught.value).endswith(".")
        assert "\n" not in str(caught.value)


def test_adam_has_no_epsilon_inside_the_root() -> None:
    with pytest.raises(UserError, match="leave it out with --optimizer adam"):
        BREAKOUT.replace(optimizer="adam", rmsprop_eps_inside_root=True)


def test_a2c_has_one_learner_with_all_games() -> None:
    a3c = BREAKOUT.replace(threads=3, envs=5)
    assert (a3c.learners.count, a3c.learners.envs) == (3, 5)
    a2c = a3c.replace(algorithm="a2c")
    assert (a2c.learners.count, a2c.learners.envs) == (1, 5)


def test_a_checkpoint_from_before_an_option_goes_on_without_it() -> None:
    old = BREAKOUT.to_dict()
    del old["symmetric"], old["max_kl"], old["max_value_change"], old["warmup_updates"], old["background"]
    found = from_dict(old, "old.pt")
    assert not found.network.symmetric
    assert found.network.background == "black"
    assert found.step_limits.max_kl is found.step_limits.max_value_change is None
    assert not found.step_limits.active
    assert found.optimizer.warmup_updates == 0
    assert found.game.life_loss_penalty == BREAKOUT.game.life_loss_penalty


def test_a_name_that_breaks_the_line_is_told_in_one() -> None:
    with pytest.raises(UserError, match=r"^--game is 'two\\nlines': use printable characters only\.$"):
        BREAKOUT.replace(game="two\nlines")


def test_only_breakout_is_known_to_be_symmetric() -> None:
    with pytest.raises(UserError, match=r"the game pong is not its own mirror image: give --no-symmetric\.$"):
        BREAKOUT.replace(game="pong")
    assert not BREAKOUT.replace(game="pong", symmetric=False, late_starts=0.0).network.symmetric
    settings = BREAKOUT.to_dict() | {"game": "pong", "late_starts": 0.0}
    assert not from_dict(settings, "old.pt").network.symmetric, "it had no effect there"


def test_another_game_has_its_own_settings() -> None:
    given = {"game": "pong"}
    assert BREAKOUT.replace_given(given).to_dict().items() >= OTHER_GAMES.items()
    assert BREAKOUT.replace_given(given | {"network": "lstm"}).network.name == "lstm"
    with pytest.raises(UserError, match="give --no-symmetric"):
        BREAKOUT.replace(total_steps=77).replace_given(given)


def test_settings_have_one_name_each() -> None:
    groups = [getattr(BREAKOUT, group) for group in {group for group, _ in SETTINGS.values()}]
    assert len(SETTINGS) == sum(len(group.__slots__) for group in groups)
    assert not RENAMED.keys() & SETTINGS.keys()
    assert set(RENAMED.values()) | set(ADDED_LATER) <= SETTINGS.keys()


def test_retired_settings_go_on_under_their_new_names() -> None:
    now = BREAKOUT.replace(square_decay=0.9, optimizer_eps=0.01, envs=7)
    old = now.to_dict() | {"rmsprop_alpha": 0.9, "rmsprop_eps": 0.01, "envs_per_thread": 7, "envs": 40}
    del old["square_decay"], old["optimizer_eps"]
    assert from_dict(old, "old.pt") == now, "A3C played envs_per_thread games, whatever envs said"
    a2c = from_dict(old | {"algorithm": "a2c"}, "old.pt")
    assert a2c == now.replace(algorithm="a2c", envs=40)
