"""The settings: ranges, schedules, presets, and the way to a checkpoint and back."""

from dataclasses import fields, replace
from typing import Any, get_args

import pytest

from breakout_a3c.config import TrainConfig
from breakout_a3c.errors import UserError
from breakout_a3c.presets import PRESETS
from breakout_a3c.saving.retired_settings import from_dict

BREAKOUT = PRESETS["breakout"]


def option_of(name: str) -> str:
    return "--" + name.replace("_", "-")


def out_of_range() -> list[tuple[str, Any]]:
    """Return a value just outside each bound of each field, and a word outside each choice."""
    cases: list[tuple[str, Any]] = []
    for spec in fields(TrainConfig):
        choices = get_args(spec.type)
        low, high = spec.metadata["low"], spec.metadata["high"]
        if choices and isinstance(choices[0], str):
            cases.append((spec.name, "nonsense"))
        # A whole number where the field is one, so that the range is what fails and not the type.
        step = 1 if isinstance(spec.default, int) else 0.5
        if low is not None:
            cases.append((spec.name, low - step))
        if high is not None:
            cases.append((spec.name, high + step if isinstance(high, int) else 2 * high))
    return cases


@pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))
def test_presets_survive_the_way_to_a_checkpoint_and_back(preset: TrainConfig) -> None:
    assert from_dict(preset.to_dict(), "a test") == preset


def test_the_paper_preset_is_the_papers() -> None:
    paper = PRESETS["paper"]
    assert (paper.rollout_length, paper.envs_per_thread, paper.gae_lambda, paper.gamma) == (5, 1, 1.0, 0.99)
    assert (paper.learning_rate, paper.final_learning_rate, paper.warmup_updates) == (7e-4, 0.0, 0)
    assert (paper.rmsprop_alpha, paper.rmsprop_eps, paper.rmsprop_eps_inside_root) == (0.99, 0.1, True)
    assert (paper.entropy_coef, paper.final_entropy_coef, paper.max_grad_norm) == (0.01, 0.01, 40.0)
    assert (paper.actions, paper.auto_fire, paper.loss_reduction, paper.network) == ("minimal", False, "sum", "paper")
    assert (paper.precision, paper.average_steps, paper.life_loss_penalty) == ("float32", 0, 0.0)


@pytest.mark.parametrize(
    ("first", "final", "progress", "expected"),
    [(5, 20, 0.0, 5), (5, 20, 0.2, 11), (5, 20, 0.5, 20), (5, 20, 1.0, 20), (20, 5, 0.25, 12), (7, None, 0.9, 7)],
)
def test_a_rollout_has_its_final_length_by_the_middle_of_the_run(
    first: int, final: int | None, progress: float, expected: int
) -> None:
    config = replace(BREAKOUT, rollout_length=first, final_rollout_length=final)
    assert config.rollout_length_at(progress) == expected


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
    config = replace(BREAKOUT, total_steps=total_steps, max_minutes=max_minutes)
    assert config.progress(steps, minutes, 0) == pytest.approx(expected)


@pytest.mark.parametrize("limit", [{"total_steps": 0}, {"max_minutes": 0.0}])
def test_a_limit_of_zero_is_never_no_limit(limit: dict[str, Any]) -> None:
    try:
        config = replace(BREAKOUT, **({"total_steps": None} | limit))
    except UserError:
        return
    assert config.progress(1, 1.0, 0) == 1.0


@pytest.mark.parametrize(
    ("progress", "learning_rate", "entropy_coef"),
    [(0, 8e-4, 0.02), (0.25, 6.5e-4, 0.011), (0.5, 5e-4, 0.002), (1, 2e-4, 0.002)],
)
def test_schedules_are_linear(progress: float, learning_rate: float, entropy_coef: float) -> None:
    config = replace(
        BREAKOUT, learning_rate=8e-4, final_learning_rate=2e-4, entropy_coef=0.02, final_entropy_coef=0.002
    )
    assert config.learning_rate_at(progress, updates=10_000) == pytest.approx(learning_rate)
    assert config.entropy_coef_at(progress) == pytest.approx(entropy_coef)


@pytest.mark.parametrize(
    ("warmup", "updates", "expected"),
    [(200, 0, 5e-6), (200, 99, 5e-4), (200, 199, 1e-3), (200, 10**6, 1e-3), (1, 0, 1e-3), (0, 0, 1e-3)],
)
def test_the_learning_rate_rises_over_the_first_updates(warmup: int, updates: int, expected: float) -> None:
    config = replace(BREAKOUT, learning_rate=2e-3, final_learning_rate=0.0, warmup_updates=warmup)
    assert config.learning_rate_at(0.5, updates) == pytest.approx(expected)


@pytest.mark.parametrize(("name", "value"), out_of_range())
def test_a_value_out_of_range_names_its_option(name: str, value: Any) -> None:
    with pytest.raises(UserError, match=f"^{option_of(name)} is "):
        TrainConfig(**{name: value})


@pytest.mark.parametrize("spec", fields(TrainConfig), ids=lambda spec: spec.name)
def test_a_bound_itself_is_allowed(spec: Any) -> None:
    for bound in (spec.metadata["low"], spec.metadata["high"]):
        if bound is not None:
            assert getattr(TrainConfig(**{spec.name: bound}), spec.name) == bound


@pytest.mark.parametrize("name", [spec.name for spec in fields(TrainConfig) if spec.type is not str])
@pytest.mark.parametrize("value", ["8", [1], b"x"], ids=repr)
def test_a_wrong_type_names_its_option(name: str, value: Any) -> None:
    with pytest.raises(UserError, match=f"^{option_of(name)} is "):
        TrainConfig(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("game", 3), ("threads", 8.0), ("threads", True), ("threads", None), ("auto_fire", 1), ("auto_fire", None),
     ("gamma", True), ("gamma", None), ("total_steps", 8e6), ("max_minutes", "none")],
)  # fmt: skip
def test_near_misses_of_a_type_are_refused(name: str, value: Any) -> None:
    with pytest.raises(UserError, match=f"^{option_of(name)} is "):
        TrainConfig(**{name: value})


def test_a_whole_number_will_do_for_a_fraction() -> None:
    assert TrainConfig(gamma=1, max_minutes=30).progress(0, 15, 0) == 0.5


@pytest.mark.parametrize(
    "name", [spec.name for spec in fields(TrainConfig) if float in (get_args(spec.type) or (spec.type,))]
)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_only_finite_numbers(name: str, value: float) -> None:
    with pytest.raises(UserError, match=f"^{option_of(name)} is "):
        TrainConfig(**{name: value})


@pytest.mark.parametrize(("game", "network"), [("breakout", "mlp"), ("cartpole", "paper"), ("cartpole", "nature")])
def test_network_and_game_must_fit(game: str, network: Any) -> None:
    with pytest.raises(UserError, match=f"network {network} does not fit the game {game}"):
        TrainConfig(game=game, network=network)


def test_an_unknown_setting_names_itself_and_its_source() -> None:
    with pytest.raises(UserError, match=r"^old.pt .*'colour', 'warp'"):
        from_dict(BREAKOUT.to_dict() | {"warp": 9, "colour": "red"}, "old.pt")


def test_a_wrong_setting_names_its_source() -> None:
    with pytest.raises(UserError, match=r"^old.pt .*--threads is 0"):
        from_dict(BREAKOUT.to_dict() | {"threads": 0}, "old.pt")


def test_messages_are_one_sentence() -> None:
    for name, value in out_of_range():
        with pytest.raises(UserError) as caught:
            TrainConfig(**{name: value})
        assert str(caught.value).endswith(".")
        assert "\n" not in str(caught.value)


def test_adam_has_no_epsilon_inside_the_root() -> None:
    with pytest.raises(UserError, match="leave it out with --optimizer adam"):
        replace(BREAKOUT, optimizer="adam", rmsprop_eps_inside_root=True)


def test_a2c_has_one_learner_with_all_games() -> None:
    a3c = replace(BREAKOUT, threads=3, envs_per_thread=5, envs=7)
    assert (a3c.actor_learners, a3c.games_each) == (3, 5)
    a2c = replace(a3c, algorithm="a2c")
    assert (a2c.actor_learners, a2c.games_each) == (1, 7)


def test_a_checkpoint_from_before_an_option_goes_on_without_it() -> None:
    old = BREAKOUT.to_dict()
    del old["symmetric"], old["max_kl"], old["max_value_change"], old["warmup_updates"]
    found = from_dict(old, "old.pt")
    assert not found.symmetric
    assert found.max_kl is found.max_value_change is None
    assert not found.limits_steps
    assert found.warmup_updates == 0
    assert found.life_loss_penalty == BREAKOUT.life_loss_penalty


@pytest.mark.parametrize(("game", "symmetric"), [("breakout", True), ("pong", False)])
def test_only_breakout_is_known_to_be_symmetric(game: str, symmetric: bool) -> None:
    config = TrainConfig(game=game)
    assert config.is_symmetric is symmetric
    assert ("symmetric" in config.without_effect()) is not symmetric
