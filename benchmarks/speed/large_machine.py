"""What many cores bring, and a GPU, in under eight minutes and one JSON file: ``make large-machine``.

1. The bare emulator's speed on all cores.
2. With ``--device cuda``, whether the GPU learns as the CPU does; see device_check.py.
3. Where one actor-learner spends its time, and the speed of several numbers of actor-learners and games.
4. The default training, with the numbers that train.py takes by itself and a snapshot every ten seconds, until its
   score is well beyond 400 or three quarters of the time are over.
5. The first snapshots that reach 400, 300, 200 and 100 points: the means of 100 fresh games, played on all cores. They
   are found by bisection, as if means only rose from snapshot to snapshot, which they nearly do.

What the time was too short for is null in the file. While it runs, the program needs neither a network nor a display.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from types import FrameType
from typing import Any

import numpy as np
import psutil
import torch

from benchmarks.common.contenders import training as started_training
from benchmarks.common.emulators import emulator_speed
from benchmarks.common.machine import describe_machine, usable_cores
from benchmarks.common.paths import LEARNED, RESULTS, ROOT
from benchmarks.common.processes import benchmark_context
from benchmarks.common.programs import command_line, make_parser
from benchmarks.common.runs import Events, read_result, write_result
from benchmarks.common.trainings import STOPPED_BY_SIGTERM, Training, play_games, stop
from benchmarks.speed.breakdown import time_breakdown
from breakout_a3c.config import Device, TrainConfig
from breakout_a3c.playing.curves import MINUTES, SCORE
from breakout_a3c.playing.evaluation import Protocol
from breakout_a3c.presets import BREAKOUT
from breakout_a3c.processes.start import Context, kill_children
from breakout_a3c.saving.agent import load_agent
from breakout_a3c.saving.checkpoints import load_checkpoint
from breakout_a3c.training.cores import MOST_THREADS, fitted_to_cores
from breakout_a3c.training.device_choice import why_no_gpu
from breakout_a3c.training.supervisor import ActorLearnersCannotRun

TARGETS = (400, 300, 200, 100)  # in the order in which they are searched
SNAPSHOT_SECONDS = 10.0
LOOK_SECONDS = 2.0
# The training ends once its score has been so high for so long.
ENOUGH_SCORE, ENOUGH_SECONDS = 430, 30.0
EMULATOR_SECONDS, EMULATOR_FRACTION = 10.0, 0.05  # at most, the latter of the whole time
TRAINING_FRACTION = 0.75  # of the whole time that is over when the training ends
CHECK_SECONDS = 110.0  # that the check of a GPU may take
TRIAL_SECONDS = 8.0  # of each number of actor-learners and games
BREAKDOWN_STEPS = 10_000
RESERVE_SECONDS = 10.0  # at the end, to write the result and to end every process
FIRST_PROTOCOL_SEED = 3000  # of the evaluations, one a snapshot
METHOD = (
    "bisection over the snapshots, as if their means only rose; minutes are those of the first snapshot whose mean of "
    "100 games reaches the score, null where it is not known: it lies after not_by and at or before reached_by"
)
EVALUATION_FACTS = ("mean", "standard_error", "truncated_games", "seed")


class OutOfTime(BaseException):
    """The time is over; no ``except Exception`` on the way takes it for something else."""


class TimeBudget:
    """The time that the program may take, from the start of its process.

    Args:
        seconds: The whole of it.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._began: float = time.monotonic() - (time.time() - psutil.Process().create_time())

    def used(self) -> float:
        """Return the seconds since the process started."""
        return time.monotonic() - self._began

    @contextmanager
    def hard_stop(self, reserve: float) -> Iterator[None]:
        """Leave the ``with`` block when no more than ``reserve`` seconds are left, wherever it is."""

        def leave(number: int, frame: FrameType | None) -> None:
            raise OutOfTime

        before = signal.signal(signal.SIGALRM, leave)
        signal.setitimer(signal.ITIMER_REAL, max(0.001, self.seconds - reserve - self.used()))
        try:
            with suppress(OutOfTime):
                yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def candidates(cores: int, device: Device) -> list[TrainConfig]:
    """Return the numbers of actor-learners and games that are tried on so many cores, those of train.py first.

    Fewer actor-learners than cores show what the cores take from each other, such as memory bandwidth.
    """
    cores = min(cores, MOST_THREADS)
    usual = fitted_to_cores(BREAKOUT, (), cores).learners
    others = [(cores, 16), (cores, 4), (max(1, cores // 2), usual.envs), (1, usual.envs)]
    if device == "cuda":
        others = [(4, 64), (8, 32), (16, 16)]
    numbers = [(usual.threads, usual.envs), *((threads, envs) for threads, envs in others if threads <= cores)]
    return [BREAKOUT.replace(threads=threads, envs=envs, device=device) for threads, envs in dict.fromkeys(numbers)]


def try_speeds(context: Context, configs: list[TrainConfig], rows: list[dict[str, Any]]) -> None:
    """Add the agent steps/s of some settings to ``rows``, or why they have none."""
    for config in configs:
        learners = config.learners
        row: dict[str, Any] = {"actor_learners": learners.threads, "games_each": learners.envs}
        row["device"] = config.network.device
        rows.append(row)
        try:
            contender = started_training(context, "trial", config, LEARNED)
        except ActorLearnersCannotRun as error:
            row["error"] = str(error)
            continue
        try:
            contender.run_slice(TRIAL_SECONDS)
        finally:
            contender.end()
        row["steps_per_second"] = round(contender.rates[-1])
        print(row, flush=True)


def check_device(folder: Path, seconds: float) -> dict[str, Any] | None:
    """Return what device_check.py finds; None where it takes longer."""
    output = folder / "device-check.json"
    command = [sys.executable, "-m", "benchmarks.speed.device_check", "--output", str(output)]
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return read_result(output) if output.exists() else None


def train(training: Training, config: TrainConfig, budget: TimeBudget) -> str:
    """Run the default training with some numbers of actor-learners and games; return why it ended."""
    log = training.folder / "train.log"
    arguments = [
        "--threads", str(config.learners.threads), "--envs", str(config.learners.envs),
        "--device", config.network.device, "--checkpoint-minutes", f"{SNAPSHOT_SECONDS / 60:.4f}",
        "--keep-checkpoints", "1000", "--eval-minutes", "0",
    ]  # fmt: skip
    process = training.start(arguments, log=log)
    try:
        reason = wait_for_end(process, Events(training.curves), TRAINING_FRACTION * budget.seconds - budget.used())
    except BaseException:
        process.kill()  # its actor-learners end with it
        process.wait()
        raise
    code = stop(process)
    if code not in (0, STOPPED_BY_SIGTERM):
        reason = f"failure with code {code}: {log.read_text()[-1000:]}"
    return reason


def wait_for_end(process: "subprocess.Popen[bytes]", events: Events, seconds: float) -> str:
    """Wait until a training has ended, has learned enough, or has taken so long; return which."""
    deadline = time.monotonic() + seconds
    while process.poll() is None:
        if time.monotonic() > deadline:
            return "time"
        time.sleep(min(LOOK_SECONDS, max(0.0, deadline - time.monotonic())))
        events.reload()
        if learned_enough(events):
            return "score"
    return "its last step"


def learned_enough(events: Events) -> bool:
    """Return whether the score of the training games has been high enough for long enough."""
    curve = events.series(SCORE)
    if not len(curve.times) or curve.times[-1] - curve.times[0] < ENOUGH_SECONDS:
        return False
    return bool(curve.values[curve.times >= curve.times[-1] - ENOUGH_SECONDS].min() >= ENOUGH_SCORE)


def training_facts(events: Events, bare_steps_per_second: float) -> dict[str, Any]:
    """Return what the curves of a training tell of its speed; None where it was too short."""
    clock, staleness = events.series(MINUTES), events.series("async/staleness_updates")
    if not len(clock.steps):
        return {}
    minutes, steps = clock.values, clock.steps
    speed = float(steps[-1] / minutes[-1] / 60)
    score = events.series(SCORE).values
    return {
        "minutes": round(float(minutes[-1]), 2),
        "steps": round(float(steps[-1])),
        "steps_per_second": round(speed),
        "steps_per_second_of_first_minute": round(np.interp(1, minutes, steps) / 60) if minutes[-1] >= 1 else None,
        "fraction_of_bare_emulator": round(speed / bare_steps_per_second, 3),
        "staleness_updates": round(float(staleness.values.mean()), 2) if len(staleness.values) else None,
        "score_of_last_100_games": round(float(score[-1]), 1) if len(score) else None,
    }


@dataclass
class Search:
    """The first snapshots that reach a score.

    Args:
        training_scores: Of each snapshot, the score of the training games by then.
        play: Plays the games of a snapshot, given its index; returns their mean.
        means: What is known so far, by index.
    """

    training_scores: list[float]
    play: Callable[[int], float]
    means: dict[int, float] = field(default_factory=dict)

    def bracket(self, target: float) -> tuple[int, int | None]:
        """Return the last snapshot known to be below ``target`` and the first known to reach it; -1, None: nothing."""
        reached = [index for index, mean in self.means.items() if mean >= target]
        first = min(reached) if reached else None
        below = [index for index in self.means if first is None or index < first]
        return max(below, default=-1), first

    def find(self, target: float) -> None:
        """Play until it is known which snapshot is the first to reach ``target``, or that none does."""
        if not self.training_scores:
            return
        last = len(self.training_scores) - 1
        # Some agents fall a little at the end: the second try is the one that trained best.
        for index in (last, int(np.argmax(self.training_scores))):
            if self.bracket(target)[1] is None:
                self._know(index)
        low, high = self.bracket(target)
        while high is not None and high - low > 1:
            self._know((low + high) // 2)
            low, high = self.bracket(target)

    def _know(self, index: int) -> None:
        if index not in self.means:
            self.means[index] = self.play(index)


def evaluate(context: Context, paths: list[Path], result: dict[str, Any]) -> None:
    """Search the targets among the snapshots; ``result`` holds what is known, whenever this is broken off."""
    snapshots = [load_checkpoint(path) for path in paths]
    minutes = [round(snapshot.minutes, 2) for snapshot in snapshots]
    evaluated: list[dict[str, Any]] = result["evaluated"]

    def play(index: int) -> float:
        began = time.monotonic()
        facts = play_games(context, load_agent(paths[index]), Protocol(seed=FIRST_PROTOCOL_SEED + index))
        row = {"minutes": minutes[index], "steps": snapshots[index].steps}
        row |= {key: facts[key] for key in EVALUATION_FACTS} | {"seconds": round(time.monotonic() - began, 1)}
        evaluated.append(row)
        evaluated.sort(key=lambda row: float(row["minutes"]))
        mean = float(facts["mean"])
        print(f"snapshot of {minutes[index]} minutes: {mean:.1f}", flush=True)
        return mean

    scores = [fmean(snapshot.recent_returns) if snapshot.recent_returns else 0.0 for snapshot in snapshots]
    search = Search(scores, play)
    try:
        for target in TARGETS:
            search.find(target)
        result["searched_to_the_end"] = True
    finally:
        result["minutes_to"] = {str(target): time_to(*search.bracket(target), minutes) for target in TARGETS}


def time_to(below: int, first: int | None, minutes: list[float]) -> dict[str, float | None]:
    """Return the minutes to a score as far as they are known, from the snapshots that enclose it."""
    return {
        "minutes": minutes[first] if first is not None and first - below == 1 else None,
        "not_by": minutes[below] if below >= 0 else None,
        "reached_by": minutes[first] if first is not None else None,
    }


def measure(folder: Path, budget: TimeBudget, result: dict[str, Any]) -> None:
    """Do everything, and write what is found into ``result`` as soon as it is known."""
    cores, device = result["cores"], result["device"]
    context = benchmark_context()
    seconds = min(EMULATOR_SECONDS, EMULATOR_FRACTION * budget.seconds)
    bare = emulator_speed(context, seconds, processes=cores)
    result["bare_emulator_steps_per_second"] = round(bare)
    configs = candidates(cores, device)
    if device == "cuda":
        result["device_check"] = check_device(folder, CHECK_SECONDS)
    try:
        result["us_per_step_of_one_actor_learner"] = time_breakdown(configs[0], LEARNED, BREAKDOWN_STEPS)
    except RuntimeError as error:  # of the device; the trainings have processes of their own
        result["us_per_step_of_one_actor_learner"] = {"error": str(error)}
    tried = [*configs, *([configs[0].replace(device="cpu")] if device == "cuda" else [])]
    try_speeds(context, tried, result["trials"])
    config, training = configs[0], Training(folder, "large-machine")
    result["actor_learners"], result["games_each"] = config.learners.threads, config.learners.envs
    result["training_ended_by"] = train(training, config, budget)
    result["training"] = training_facts(Events(training.curves), bare)
    snapshots = training.snapshots()
    result["snapshots"] = len(snapshots)
    print(f"{result['training']}, ended by {result['training_ended_by']}; {len(snapshots)} snapshots", flush=True)
    evaluate(context, snapshots, result)


def parse_options() -> argparse.Namespace:
    """Parse the command line."""
    parser = make_parser(__doc__)
    parser.add_argument("--minutes-budget", type=float, default=8.0, help="of the whole [%(default)s]")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="of the layers [%(default)s]")
    parser.add_argument("--output", type=Path, help="[results/current/large_machine, by cores and device]")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error(f"--device cuda: {why_no_gpu()}")
    name = f"{usable_cores()}-cores{'-cuda' if options.device == 'cuda' else ''}.json"
    options.output = options.output or RESULTS / "large_machine" / name
    return options


def main() -> None:
    """Measure within the time, and write one file, whatever happens."""
    options = parse_options()
    budget = TimeBudget(60 * options.minutes_budget)
    result: dict[str, Any] = {
        "command": command_line(),
        "machine": describe_machine(),
        "cores": usable_cores(),
        "device": options.device,
        "gpu": torch.cuda.get_device_name() if options.device == "cuda" else None,
        "minutes_budget": options.minutes_budget,
        "bare_emulator_steps_per_second": None,
        "us_per_step_of_one_actor_learner": None,
        "device_check": None,
        "trials": [],
        "actor_learners": None,
        "games_each": None,
        "training_ended_by": None,
        "training": None,
        "snapshots": None,
        "evaluated": [],
        "minutes_to": None,
        "searched_to_the_end": False,
        "method": METHOD,
    }
    with tempfile.TemporaryDirectory() as folder:
        try:
            with budget.hard_stop(RESERVE_SECONDS):
                measure(Path(folder), budget, result)
        finally:
            kill_children()
            result["total_seconds"] = round(budget.used(), 1)
            write_result(result, options.output)
    print(f"{options.output}: {budget.used():.0f} s, minutes to a score: {result['minutes_to']}")


if __name__ == "__main__":
    main()
