"""Every hyper-parameter with its unit, default and source, in the groups that ``--help`` shows.

Nothing here imports torch: a typing error is answered at once.
"""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Self, get_args

from breakout_a3c.called import called
from breakout_a3c.errors import UserError
from breakout_a3c.extensions import GAMES, NETWORKS, REGISTERED_FOR

Network = Literal["paper", "nature", "lstm", "nature-lstm", "mlp"]
Actions = Literal["reduced", "minimal", "full"]
Background = Literal["black", "commonest", "screen"]
Precision = Literal["auto", "float32", "bf16"]
Device = Literal["cpu", "cuda", "auto"]
LossReduction = Literal["mean", "sum"]
ValueLoss = Literal["squared", "smooth-l1"]
Algorithm = Literal["a3c", "a2c"]
Optimizer = Literal["rmsprop", "adam"]
StartMethod = Literal["forkserver", "spawn"]

RECURRENT = ("lstm", "nature-lstm")  # the networks that remember
CARTPOLE = "cartpole"
MIRRORED_GAMES = ("breakout",)  # whose mirrored screen is a screen of the same game
# What the default settings are in games other than Breakout: its own values were measured for it alone.
# docs/notes/other-games.md says what each is for.
OTHER_GAMES: dict[str, Any] = {
    "anneal_part": 0.5,
    "background": "commonest",
    "learning_rate": 1e-2,
    "learning_rate_power": 1.0,
    "late_starts": 0.0,
    "life_loss_penalty": 0.0,
    "max_episode_frames": 108_000,
    "max_kl": 0.004,
    "max_value_change": 0.5,
    "network": "paper",
    "optimizer_eps": 3e-3,
    "second_chances": 0.0,
    "stall_steps": None,
    "sticky_games": 0.0,
    "symmetric": False,
}
MAX_TEXT = 100  # characters of a setting
GAMES_PER_SEED = 10_000  # of an evaluation
PROTOCOL_SEEDS = 100_000  # that can be asked for; the next one's games are those of the evaluations beside a training
CHECKPOINTS, RUNS = Path("checkpoints"), Path("runs")  # where trainings write, unless told otherwise


def option(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    setting: str | None = None,
    hidden: bool = False,
) -> Any:
    """Declare a field that is also a setting: an option of the command line and a line of a saved configuration.

    Args:
        default: Value of the default preset.
        help: Unit, meaning and source.
        low: Smallest value allowed.
        high: Largest value allowed.
        setting: Its name there, unless it is that of the field; no two fields have the same.
        hidden: Whether ``--help`` leaves it out.
    """
    metadata = {"help": help, "low": low, "high": high, "setting": setting, "hidden": hidden}
    return field(default=default, metadata=metadata)


def setting_name(spec: "Field[Any]") -> str:
    """Return the name of a field's setting."""
    name: str = spec.metadata["setting"] or spec.name
    return name


def option_name(setting: str) -> str:
    """Return how a setting's option is typed."""
    return "--" + setting.replace("_", "-")


def is_plain(value: object) -> bool:
    """Return whether a file may hold ``value`` as a setting: a short text, a number that fits 64 bits, or None."""
    if isinstance(value, str):
        return len(value) < MAX_TEXT
    return value is None or isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**63)


def check_value(spec: "Field[Any]", value: Any) -> None:
    """Raise a UserError unless ``value`` fits the type and the range of the field ``spec``."""
    name = option_name(setting_name(spec))
    choices = get_args(spec.type)
    if choices and all(isinstance(choice, str) for choice in choices):
        choices = (*choices, *REGISTERED_FOR.get(setting_name(spec), ()))
        if value not in choices:
            raise UserError(f"{name} is {value!r}: choose one of {', '.join(choices)}{own_hint(spec)}.")
        return
    allowed = choices or (spec.type,)
    if isinstance(value, int) and not isinstance(value, bool) and float in allowed:
        value = float(value)
    if type(value) not in allowed:
        expected = " or ".join("none" if kind is type(None) else kind.__name__ for kind in allowed)
        raise UserError(f"{name} is {value!r}: give it {expected}.")
    if isinstance(value, str) and not value.isprintable():
        raise UserError(f"{name} is {value!r}: use printable characters only.")
    low, high = spec.metadata["low"], spec.metadata["high"]
    # Written so that nan fails.
    if low is not None and value is not None and not value >= low:
        raise UserError(f"{name} is {value}: it must be at least {low}.")
    if high is not None and value is not None and not value <= high:
        raise UserError(f"{name} is {value}: it must be at most {high}.")
    if isinstance(value, float) and value == float("inf"):
        raise UserError(f"{name} is infinite: give a finite number.")


def own_hint(spec: "Field[Any]") -> str:
    """Return how one of a user's own is made known, for a setting that takes such."""
    return ", or give --import FILE for one of your own" if setting_name(spec) in REGISTERED_FOR else ""


class Options:
    """A group of settings.

    Raises:
        UserError: If a value is out of its range.
    """

    __slots__ = ()

    def __post_init__(self) -> None:
        for spec in fields(self):  # type: ignore[arg-type]  # each subclass is a dataclass
            check_value(spec, getattr(self, spec.name))


@dataclass(frozen=True, slots=True)
class GameOptions(Options):
    """Which game is played, and what the learner sees of it."""

    name: str = option(
        "breakout",
        f"an Atari game of ale-py, as {called('games')} lists them, or cartpole, or one of --import",
        setting="game",
    )
    actions: Actions = option(
        "reduced",
        "reduced: Breakout without NOOP, as FIRE does nothing while the ball flies; "
        "minimal, and other games: the game's own minimal set (Mnih et al. 2016); full: all 18 (Machado et al. 2018)",
    )
    frame_skip: int = option(4, "emulator frames per agent step (Mnih et al. 2015)", low=1, high=60)
    max_noops: int = option(
        30, "random no-op frames at a game's start, 1 to this many; 0: none (Mnih et al. 2015)", low=0, high=1000
    )
    sticky: float = option(
        0.0,
        "probability that the emulator repeats the last action, in the evaluations beside the training, too "
        "(Machado et al. 2018: 0.25)",
        low=0,
        high=1,
    )
    auto_fire: bool = option(
        True, "press FIRE for each new life where the game has it, as extra frames inside the game (OpenAI baselines)"
    )
    max_episode_frames: int = option(
        65_535,
        "emulator frames after which a training game is truncated and bootstrapped "
        "(Breakout serves no ball after 65,535; Mnih et al. 2015: 108,000)",
        low=100,
        high=10_000_000,
    )
    terminal_on_life_loss: bool = option(
        True, "a lost life ends the learner's episode while the game goes on (Mnih et al. 2015)"
    )
    clip_rewards: bool = option(True, "the learner sees the reward's sign only (Mnih et al. 2015)")
    life_loss_penalty: float = option(
        1.0,
        "taken from the learner's reward for each lost life, after clipping "
        "(docs/notes/life-loss-penalty.md; Mnih et al. 2016: 0)",
        low=0,
        high=1e6,
    )
    second_chances: float = option(
        0.75,
        "probability that a lost life is played again from a moment shortly before, in half of an actor-learner's "
        "training games, whose scores are not counted (docs/notes/second-chances.md; Mnih et al. 2016: 0)",
        low=0,
        high=0.95,
    )
    sticky_games: float = option(
        0.94,
        "part of an actor-learner's training games whose actions stick (0.25) once they begin, so that the agent bears "
        "it; their scores have a mean of their own (docs/notes/sticky-games.md); 0: none",
        low=0,
        high=0.95,
    )
    sticky_games_begin: float = option(
        0.36, "part of the run after which sticky games begin (docs/notes/sticky-games.md)", low=0, high=1
    )
    late_starts: float = option(
        0.5,
        "Breakout alone: probability that a training game goes on from a moment of an earlier one, late stages as "
        "often as early ones; its score is not counted (docs/notes/late-starts-early.md; Mnih et al. 2016: 0)",
        low=0,
        high=0.9,
    )
    stall_steps: int | None = option(
        400,
        "agent steps without a reward after which a training game is over, as if its last life were lost: it may "
        "go round in circles for ever (docs/notes/stalls.md; Mnih et al. 2016: none); none: never",
        low=1,
        high=10**9,
    )
    reward_rule: str | None = option(
        None,
        "a rule of your own for the learner's rewards, in place of clipping and penalty (docs/library.md); none: "
        "those two",
    )
    reward_scale: float = option(1.0, "factor of the learner's rewards", low=1e-6, high=1e6)

    @property
    def is_atari(self) -> bool:
        """Whether ale-py plays it."""
        return self.name != CARTPOLE and self.name not in GAMES


@dataclass(frozen=True, slots=True)
class NetworkOptions(Options):
    """The network, and the arithmetic of its layers."""

    name: Network = option(
        "lstm",
        "paper: conv 16-32, dense 256 (Mnih et al. 2016); nature: conv 32-64-64, dense 512 "
        "(Mnih et al. 2015); lstm, nature-lstm: the same with 256 LSTM cells after the dense layer "
        "(Mnih et al. 2016; docs/notes/lstm.md); "
        "mlp: one dense layer of 256, for CartPole; or one of --import",
        setting="network",
    )
    separate_value_network: bool = option(
        False, "give the value function a trunk of its own; otherwise it shares the policy's (Mnih et al. 2016)"
    )
    symmetric: bool = option(
        True,
        "Breakout alone: tie the weights so that the mirrored screen has the same value and the mirrored policy "
        "(van der Pol et al. 2020; docs/notes/symmetry.md; Mnih et al. 2016: no)",
    )
    background: Background = option(
        "screen",
        "what the network sees as zero: black (Mnih et al. 2015); screen: each pixel as it mostly is in a game's first "
        "seconds (docs/notes/usual-screen.md); commonest: the gray of most pixels then (docs/notes/other-games.md)",
    )
    precision: Precision = option(
        "auto", "arithmetic of the convolutions and the dense layer; auto: bf16 where the device has it"
    )
    device: Device = option(
        "cpu",
        "where the layers of the actor-learners compute; games, shared parameters and evaluations stay on the CPU. "
        "cuda: a GPU, for all actor-learners; auto: that one, if a trial at the start makes more steps/s with it "
        "(docs/large-machine.md)",
    )


@dataclass(frozen=True, slots=True)
class LearnerOptions(Options):
    """Who learns, and from how many games at once."""

    algorithm: Algorithm = option(
        "a3c", "a3c: asynchronous actor-learners (Mnih et al. 2016); a2c: one learner that plays all games in step"
    )
    threads: int = option(
        8,
        "a3c: actor-learners, each a process (Mnih et al. 2016: 16 threads), on any device; a2c: threads that play "
        "Atari games. Not given: as many as cores, at least 8 on Atari",
        low=1,
        high=512,
    )
    envs: int = option(
        16,
        "games that each actor-learner plays at once (docs/notes/games-per-actor-learner.md); a2c: all games; "
        "1 is the paper's, where a rollout ends with the game or the life. Not given: 8 where more than 4 learn at a "
        "time, on as many cores (docs/notes/lateness.md)",
        low=1,
        high=8192,
    )

    @property
    def count(self) -> int:
        """How many processes learn."""
        return 1 if self.algorithm == "a2c" else self.threads


@dataclass(frozen=True, slots=True)
class ReturnOptions(Options):
    """Rollouts, and the advantages and returns that are computed from them."""

    rollout_length: int = option(
        5,
        "agent steps per game between two updates at the start, the paper's t_max (Mnih et al. 2016)",
        low=1,
        high=100_000,
    )
    final_rollout_length: int | None = option(
        20,
        "after --anneal-part of the run, reached linearly (Smith et al. 2018; docs/notes/rollout-length.md); "
        "none: as at the start",
        low=1,
        high=100_000,
    )
    gamma: float = option(0.99, "discount per agent step (Mnih et al. 2016)", low=0, high=1)
    gae_lambda: float = option(
        0.95,
        "lambda of the generalised advantages; 1: the paper's n-step returns, 0: one-step targets "
        "(Schulman et al. 2016)",
        low=0,
        high=1,
    )

    def rollout_length_at(self, annealed: float) -> int:
        """Return the length of a rollout, which grows linearly with ``ScheduleOptions.annealed``."""
        final = self.rollout_length if self.final_rollout_length is None else self.final_rollout_length
        return round(self.rollout_length + (final - self.rollout_length) * annealed)


@dataclass(frozen=True, slots=True)
class OptimizerOptions(Options):
    """The optimizer, whose statistics all actor-learners share."""

    name: Optimizer = option(
        "rmsprop",
        "rmsprop (Mnih et al. 2016) or adam (Kingma and Ba 2015), both with shared statistics",
        setting="optimizer",
    )
    learning_rate: float = option(
        2e-3, "at the start (docs/notes/larger-learning-rate.md; Mnih et al. 2016: 7e-4)", low=0, high=10
    )
    final_learning_rate: float = option(0.0, "at the end (Mnih et al. 2016)", low=0, high=10)
    learning_rate_power: float = option(
        2.0,
        "power of the part of the run that is left, with which the learning rate goes to its final value "
        "(docs/notes/annealing.md); 1: linearly (Mnih et al. 2016)",
        low=0,
        high=100,
    )
    warmup_updates: int = option(
        200,
        "updates over which the learning rate rises linearly at the start: 2 / (1 - square decay) "
        "(Ma and Yarats 2021; docs/notes/warm-up-and-value-limit.md); 0: none",
        low=0,
        high=10**9,
    )
    square_decay: float = option(
        0.99,
        "decay of the mean square of the gradients: RMSprop's alpha (Mnih et al. 2016), Adam's beta2",
        low=0,
        high=0.999999,
    )
    eps: float = option(
        1e-5,
        "added to the root of the mean square (baselines a2c)",
        low=1e-12,
        high=10,
        setting="optimizer_eps",
    )
    rmsprop_eps_inside_root: bool = option(
        False, "add it under the root and leave out the correction for the start (Mnih et al. 2016, equation S3)"
    )
    adam_beta1: float = option(0.9, "decay of Adam's mean gradient (Kingma and Ba 2015)", low=0, high=0.999999)
    max_grad_norm: float = option(
        0.5, "global norm at which the gradient is clipped (OpenAI baselines a2c)", low=1e-12, high=1e38
    )
    average_steps: int = option(
        100_000,
        "agent steps over which the parameters that play, are evaluated and published are averaged "
        "(Polyak and Juditsky 1992; docs/notes/parameter-average.md); 0: the newest play",
        low=0,
        high=10**15,
    )

    def learning_rate_at(self, progress: float, updates: int) -> float:
        """Return the learning rate: annealed by a power, and risen linearly over the first updates.

        Args:
            progress: How much of the run is done.
            updates: So far, of all actor-learners.
        """
        left: float = (1 - progress) ** self.learning_rate_power
        rate = self.final_learning_rate + (self.learning_rate - self.final_learning_rate) * left
        return rate * min(1.0, (updates + 1) / max(1, self.warmup_updates))


@dataclass(frozen=True, slots=True)
class LossOptions(Options):
    """The terms of the loss (Mnih et al. 2016, section 4.2)."""

    entropy_coef: float = option(0.01, "weight of the entropy bonus at the start (Mnih et al. 2016)", low=0, high=1e38)
    final_entropy_coef: float = option(
        0.001,
        "after --anneal-part of the run, reached linearly (docs/notes/entropy-coefficient.md)",
        low=0,
        high=1e38,
    )
    value_coef: float = option(0.5, "weight of the squared error of the value (OpenAI baselines a2c)", low=0, high=1e38)
    value_loss: ValueLoss = option("squared", "of the value's error (Mnih et al. 2016), or smooth-l1, linear beyond 1")
    reduction: LossReduction = option(
        "mean",
        "over a rollout's steps: mean (baselines a2c) or sum (Mnih et al. 2016)",
        setting="loss_reduction",
    )

    def entropy_coef_at(self, annealed: float) -> float:
        """Return the weight of the entropy bonus, which falls linearly with ``ScheduleOptions.annealed``."""
        return self.entropy_coef + (self.final_entropy_coef - self.entropy_coef) * annealed


@dataclass(frozen=True, slots=True)
class StepLimitOptions(Options):
    """How far one update may move the policy and the values."""

    max_kl: float | None = option(
        0.016,
        "nats of divergence, over a sample of its rollout, beyond which a step that changes the policy is shortened "
        "(Schulman et al. 2015; docs/notes/trust-region.md); none: no limit (Mnih et al. 2016)",
        low=1e-12,
        high=1e38,
    )
    max_value_change: float | None = option(
        0.25,
        "root mean square, over the same states, by which a step may move the values before it is shortened "
        "(Wu et al. 2017; docs/notes/warm-up-and-value-limit.md); none: no limit (Mnih et al. 2016)",
        low=1e-12,
        high=1e38,
    )
    max_staleness: int | None = option(
        3,
        "updates of others between an actor-learner's pull and its own, beyond which its step is shortened in "
        "proportion: 8 whole steps at a time add up to one that teaches nothing (Zhang et al. 2016; "
        "docs/notes/lateness.md); none: no limit (Mnih et al. 2016)",
        low=0,
        high=10**6,
    )

    @property
    def active(self) -> bool:
        """Whether a step is tried before it is taken."""
        return self.max_kl is not None or self.max_value_change is not None

    def scale_at(self, staleness: int) -> float:
        """Return how much of a step is taken whose gradient is so many updates late."""
        if self.max_staleness is None or staleness <= self.max_staleness:
            return 1.0
        return (1 + self.max_staleness) / (1 + staleness)


@dataclass(frozen=True, slots=True)
class ScheduleOptions(Options):
    """The length of the run, which is the horizon of all schedules; the first limit reached ends it."""

    total_steps: int | None = option(
        5_000_000,
        "agent steps of all actor-learners together; also the horizon of the schedules; none: no limit",
        low=1,
        high=10**15,
    )
    max_minutes: float | None = option(
        None, "minutes of training, counted over resumes; a horizon too; none: no limit", low=0.001, high=1e7
    )
    max_episodes: int | None = option(
        None, "finished games of all actor-learners together; a horizon too; none: no limit", low=1, high=10**15
    )
    anneal_part: float = option(
        0.3,
        "part of the run over which entropy coefficient and rollout length reach their final values "
        "(docs/notes/annealing.md)",
        low=1e-6,
        high=1,
    )

    def annealed(self, progress: float) -> float:
        """Return how far entropy coefficient and rollout length are on their way to their final values, 0 to 1."""
        return min(1.0, progress / self.anneal_part)

    def progress(self, steps: int, minutes: float, games: int) -> float:
        """Return how much of the run is done, 0 to 1, by whichever limit is nearest.

        Args:
            steps: Agent steps so far, of all actor-learners.
            minutes: Minutes of training so far.
            games: Games finished so far.
        """
        limits = ((steps, self.total_steps), (minutes, self.max_minutes), (games, self.max_episodes))
        return min(1.0, max(done / limit if limit else 0.0 for done, limit in limits))

    def minutes_left(self, steps: int, minutes: float, games: int, steps_per_second: float) -> float:
        """Return the minutes until the nearest limit; inf where there is none, or no speed yet.

        Args:
            steps: Agent steps so far, of all actor-learners.
            minutes: Minutes of training so far.
            games: Games finished so far, which go on at their mean rate.
            steps_per_second: Of all actor-learners.
        """
        left = [math.inf]
        if self.total_steps and steps_per_second > 0:
            left.append((self.total_steps - steps) / steps_per_second / 60)
        if self.max_minutes:
            left.append(self.max_minutes - minutes)
        if self.max_episodes and games:
            left.append(minutes * (self.max_episodes - games) / games)
        return max(0.0, min(left))


@dataclass(frozen=True, slots=True)
class UpkeepOptions(Options):
    """Seed, checkpoints, evaluations, processes."""

    seed: int = option(
        1,
        "of this run; each actor-learner and game derives its own. Repeatable bit for bit, on the same kind of machine "
        "with the same versions: one actor-learner (--threads 1, or a2c) with --precision float32 on the CPU, without "
        "--max-minutes. Several are asynchronous: two runs with the same seed differ",
        low=0,
        high=2**31 - 1,
    )
    checkpoint_minutes: float = option(10.0, "minutes between two checkpoints", low=0.001, high=1e7)
    keep_checkpoints: int = option(5, "newest numbered checkpoints kept, beside best.pt", low=1, high=10**6)
    eval_minutes: float = option(
        5.0, "minutes between two evaluations of a snapshot, which choose best.pt; 0: none", low=0, high=1e7
    )
    eval_episodes: int = option(10, "full games of such an evaluation, sampled", low=1, high=1000)
    start_method: StartMethod = option("forkserver", "how processes start", hidden=True)


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """All that defines a training; it is saved in every checkpoint.

    Raises:
        UserError: If a value is out of its range or contradicts another.
    """

    game: GameOptions = GameOptions()
    network: NetworkOptions = NetworkOptions()
    learners: LearnerOptions = LearnerOptions()
    returns: ReturnOptions = ReturnOptions()
    optimizer: OptimizerOptions = OptimizerOptions()
    loss: LossOptions = LossOptions()
    step_limits: StepLimitOptions = StepLimitOptions()
    schedule: ScheduleOptions = ScheduleOptions()
    upkeep: UpkeepOptions = UpkeepOptions()

    def __post_init__(self) -> None:
        game, network = self.game.name, self.network.name
        if (network == "mlp" and self.game.is_atari) or (network not in ("mlp", *NETWORKS) and game == CARTPOLE):
            raise UserError(
                f"network {network} does not fit the game {game}: use mlp for cartpole, another for Atari, "
                f"and --import FILE for a game of your own."
            )
        if network in RECURRENT and self.network.separate_value_network:
            raise UserError(f"network {network} has one memory: leave out --separate-value-network.")
        if self.network.symmetric and network in NETWORKS:
            raise UserError(f"network {network} has no left and right: give --no-symmetric.")
        if self.network.symmetric and game not in MIRRORED_GAMES:
            raise UserError(f"the game {game} is not its own mirror image: give --no-symmetric.")
        if self.game.late_starts and game != "breakout":
            raise UserError(f"late starts are counted in Breakout's points: give --late-starts 0 for {game}.")
        for name in ("second_chances", "sticky_games"):
            if getattr(self.game, name) and not self.game.is_atari:
                raise UserError(f"{name} are for Atari games: give --{name.replace('_', '-')} 0 for {game}.")
        if self.optimizer.name == "adam" and self.optimizer.rmsprop_eps_inside_root:
            raise UserError("--rmsprop-eps-inside-root is for rmsprop: leave it out with --optimizer adam.")

    def without_effect(self) -> dict[str, str]:
        """Return the settings that do nothing beside the others, with the option that they are for."""
        found = {} if self.optimizer.name == "adam" else {"adam_beta1": "--optimizer adam"}
        if self.learners.envs == 1:
            found |= dict.fromkeys(("second_chances", "sticky_games"), "several games, --envs 2 or more")
        if self.game.sticky:
            found |= {"sticky_games": "--sticky 0"}
        if not self.game.sticky_games:
            found |= {"sticky_games_begin": "--sticky-games 0.94"}
        if not self.game.is_atari:
            found |= dict.fromkeys(("background", "sticky"), "an Atari --game")
        if self.network.name in NETWORKS:
            found["background"] = "a --network of this program"
        if self.game.reward_rule is not None:
            found |= dict.fromkeys(("clip_rewards", "life_loss_penalty"), "--reward-rule none")
        return found

    def replace(self, **settings: Any) -> Self:
        """Return this configuration with other values of some settings, which may be of several groups.

        Args:
            settings: By their names, as ``to_dict`` has them.
        """
        changes: dict[str, dict[str, Any]] = {}
        for name, value in settings.items():
            group, spec = SETTINGS[name]
            changes.setdefault(group, {})[spec.name] = value
        groups = {group: dataclasses.replace(getattr(self, group), **values) for group, values in changes.items()}
        return dataclasses.replace(self, **groups)

    def replace_given(self, settings: dict[str, Any]) -> Self:
        """Return this configuration with the settings that a user gave.

        Another game than Breakout starts from ``OTHER_GAMES``, unless this is not the default configuration.
        """
        is_other = settings.get("game", self.game.name) not in MIRRORED_GAMES
        return self.replace(**(OTHER_GAMES | settings if is_other and self == type(self)() else settings))

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings by the names of the settings, for checkpoints and TensorBoard."""
        return {name: getattr(getattr(self, group), spec.name) for name, (group, spec) in SETTINGS.items()}


def all_settings() -> Iterator[tuple[str, tuple[str, "Field[Any]"]]]:
    """Yield each setting's name, with the group that has it and its field."""
    for group in fields(TrainConfig):
        for spec in fields(group.type):  # type: ignore[arg-type]  # each is a class, as annotations are no strings here
            yield setting_name(spec), (group.name, spec)


SETTINGS = dict(all_settings())
