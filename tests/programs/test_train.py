"""Whole trainings on the real game, as a user starts, stops, kills and resumes them."""

import os
import re
import shlex
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE, STDOUT

import psutil
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from breakout_a3c.presets import PRESETS
from breakout_a3c.saving.checkpoints import load_checkpoint, save_checkpoint
from breakout_a3c.saving.config_file import read_config
from breakout_a3c.training.evaluator import NICENESS
from breakout_a3c.training.metrics import LAYOUT
from breakout_a3c.training.plan import TrainingPlan, initial_parameters
from tests.running import Program, wait_for
from tests.starting import IMPORTS_CPU_SECONDS, IMPORTS_SECONDS, START_METHOD

TRAIN = Path(__file__).parents[2] / "train.py"
SMALL = ["--threads", "2", "--envs", "2", "--final-rollout-length", "none", "--eval-minutes", "0"]
SMALL += ["--start-method", START_METHOD]
EVALUATED = ["--eval-minutes", "0.01", "--eval-episodes", "1"]
GONE_SECONDS = 5.0
LEARNED_CPU_SECONDS = 2.0  # by then an actor-learner has loaded its games and pushed updates
CONFIG_FILES = {
    "few": "[game]\nsticky = 0.25\n",
    "unknown": "[game]\nstickiness = 0.25\n",
    "out of range": "[game]\nsticky = 2\n",
    "wrong type": '[game]\nsticky = "often"\n',
    "no table": "sticky = 0.25\n",
}


def start(folder: Path, *options: str, first: Sequence[str] = SMALL) -> Program:
    """Start a training in ``folder``, which is not the repository's, with the options ``first`` and others."""
    command = [sys.executable, str(TRAIN), *first, *options]
    return Program(command, cwd=folder, stdout=PIPE, stderr=STDOUT, text=True)


def finish(training: Program, code: int) -> str:
    """Wait for a training's end, and return what it printed."""
    output, _ = training.communicate(timeout=100)
    assert training.returncode == code, output
    assert "Traceback" not in output
    assert "leaked" not in output, "as nanobind says of what is not cleared up"
    return output


def first_checkpoint(folder: Path) -> Callable[[], bool]:
    """Return what tells whether anything that was learned is saved; under spawn, a checkpoint may come before that."""
    latest = folder / "checkpoints" / "latest.pt"
    return lambda: latest.exists() and latest.resolve().stem != "step_000000000000"


def family(training: Program) -> list[psutil.Process]:
    return psutil.Process(training.pid).children(recursive=True)


def actor_learners(training: Program, cpu_seconds: float = 0.3) -> list[psutil.Process]:
    """Return the actor-learners that have played for a while; any of them may end meanwhile."""
    return players(training, 0, cpu_seconds)


def evaluators(training: Program) -> list[psutil.Process]:
    """Return the evaluator, once it has begun to load its game."""
    return players(training, NICENESS, 0.0)


def players(training: Program, niceness: int, cpu_seconds: float) -> list[psutil.Process]:
    """Return the processes that play with ``niceness`` more than the trainer's, but not those that start them."""
    found = []
    for process in family(training):
        with suppress(psutil.NoSuchProcess):
            plays = START_METHOD == "spawn" or process.ppid() != training.pid
            imported = 0.0 if niceness else IMPORTS_CPU_SECONDS  # the evaluator is nice only after its imports
            at_work = process.cpu_times().user > imported + cpu_seconds
            if plays and at_work and process.nice() == os.nice(0) + niceness and "ffmpeg" not in process.name():
                found.append(process)
    return found


def assert_gone(processes: list[psutil.Process]) -> None:
    """Assert that nothing of them is left but perhaps a zombie, which whoever adopted it has not noticed yet."""
    deadline = time.monotonic() + GONE_SECONDS + IMPORTS_SECONDS
    while alive := [process for process in processes if not ended(process)]:
        assert time.monotonic() < deadline, f"left behind: {alive}"
        time.sleep(0.05)


def ended(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def scalars(folder: Path, run: str) -> EventAccumulator:
    events = EventAccumulator(str(folder / "runs" / run), size_guidance={"scalars": 0, "images": 0})
    events.Reload()
    return events


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a finished run called ``first``, and what the training printed."""
    folder = tmp_path_factory.mktemp("a folder with spaces")
    options = ["--run", "first", "--max-minutes", "0.35", "--checkpoint-minutes", "0.1", "--keep-checkpoints", "2"]
    training = start(folder, *options, "--eval-minutes", "0.1", "--eval-episodes", "2")
    return folder, finish(training, 0)


def test_a_training_ends_with_a_checkpoint(trained: tuple[Path, str]) -> None:
    folder, output = trained
    checkpoint = load_checkpoint(folder / "checkpoints" / "latest.pt")
    assert checkpoint.run == "first"
    assert checkpoint.steps > 1000
    assert checkpoint.updates == pytest.approx(checkpoint.steps / 10, rel=0.01)
    assert checkpoint.games > 0
    assert 0.35 <= checkpoint.minutes < 0.55
    assert checkpoint.config.learners.threads == 2
    assert len(list((folder / "checkpoints" / "first").glob("step_*.pt"))) == 2
    assert f"{checkpoint.steps:,} agent steps" in output


def test_the_next_commands_are_printed_and_work(trained: tuple[Path, str]) -> None:
    folder, output = trained
    path = re.search(r"python play\.py (\S+) --render", output)
    assert path is not None
    assert load_checkpoint(folder / path[1]).run == "first"
    longer = re.search(r"python train\.py --resume (\S+ --max-minutes 0\.7)$", output, re.MULTILINE)
    assert longer is not None, output


def test_the_curves_are_there(trained: tuple[Path, str]) -> None:
    events = scalars(trained[0], "first")
    tags = set(events.Tags()["scalars"])
    assert tags >= {
        "rollout/ep_rew_mean", "rollout/ep_len_mean", "rollout/max_probability", "time/fps",
        "train/policy_loss", "train/value_loss", "train/entropy",
        "train/explained_variance", "train/grad_norm", "train/learning_rate",
        "async/staleness_updates", "async/updates_per_second", "eval/mean_reward",
    }  # fmt: skip
    assert events.Scalars("rollout/ep_rew_mean")[-1].step == load_checkpoint(trained[0] / "checkpoints/latest.pt").steps
    assert events.Scalars("train/learning_rate")[-1].value == pytest.approx(0, abs=1e-4), "annealed by the end"
    assert 0.5 < events.Scalars("train/entropy")[0].value <= 1.0987
    assert all(1 / 3 <= point.value <= 1 for point in events.Scalars("rollout/max_probability"))
    charted = {tag.removesuffix("$") for _, charted in LAYOUT.values() for tag in charted}
    charted.remove("rollout/ep_rew_mean_sticky")  # with so few games, the sticky ones are those with second chances
    assert charted <= tags, "every chart of the layout has its curve"


def test_an_evaluated_game_is_animated(trained: tuple[Path, str]) -> None:
    images = scalars(trained[0], "first").Images("eval/game")
    assert images[0].encoded_image_string.startswith(b"GIF8")


def test_best_is_the_best_evaluation(trained: tuple[Path, str]) -> None:
    evaluations = scalars(trained[0], "first").Scalars("eval/mean_reward")
    best = load_checkpoint(trained[0] / "checkpoints" / "first" / "best.pt")
    assert best.best_evaluation == pytest.approx(max(point.value for point in evaluations))
    assert best.steps == max(evaluations, key=lambda point: point.value).step


def test_the_last_parameters_are_evaluated_although_others_still_are(tmp_path: Path) -> None:
    options = ["--preset", "cartpole", "--run", "run", "--total-steps", "2000"]
    output = finish(start(tmp_path, *options, "--eval-minutes", "0.002", "--eval-episodes", "1000"), 0)
    steps = load_checkpoint(tmp_path / "checkpoints" / "latest.pt").steps
    assert scalars(tmp_path, "run").Scalars("eval/mean_reward")[-1].step == steps
    assert output.count("Evaluation after") == 1, "nobody waits for the others"


def test_a_finished_run_says_how_to_go_on(trained: tuple[Path, str]) -> None:
    output = finish(start(trained[0], "--resume", "checkpoints/latest.pt"), 2)
    assert "--total-steps" in output
    assert len(output.strip().splitlines()) == 1


def test_resume_goes_on_with_counters_and_curves(trained: tuple[Path, str]) -> None:
    folder = trained[0]
    before = load_checkpoint(folder / "checkpoints" / "latest.pt")
    minutes = 0.5 + IMPORTS_SECONDS / 60
    options = ["--max-minutes", str(minutes), "--threads", "3"]
    output = finish(start(folder, "--resume", "checkpoints/latest.pt", *options), 0)
    after = load_checkpoint(folder / "checkpoints" / "latest.pt")
    assert after.run == "first"
    assert after.steps > before.steps
    assert after.updates > before.updates
    assert after.games >= before.games
    assert after.minutes == pytest.approx(minutes, abs=0.1)
    assert after.config.upkeep.seed == before.config.upkeep.seed
    assert "3 actor-learners" in output
    steps = [point.step for point in scalars(folder, "first").Scalars("async/updates")]
    assert steps == sorted(steps)
    assert steps[0] < before.steps < steps[-1]
    rates = [point for point in scalars(folder, "first").Scalars("train/learning_rate") if point.step > before.steps]
    assert rates[0].value <= before.config.optimizer.learning_rate * (1 - before.minutes / minutes), (
        "the schedule goes on"
    )


def test_a_resumed_run_keeps_what_it_kept(tmp_path: Path) -> None:
    """Its best checkpoint, until there is a better one, and as many numbered ones as it is to keep."""
    folder = tmp_path / "checkpoints" / "first"
    options = ["--preset", "cartpole", "--run", "first", "--total-steps", "none", "--keep-checkpoints", "2"]
    saving = ["--checkpoint-minutes", "0.01", "--eval-minutes", "0.01"]
    minutes = 0.1 + IMPORTS_SECONDS / 60
    finish(start(tmp_path, *options, *saving, "--max-minutes", str(minutes)), 0)
    best = load_checkpoint(folder / "best.pt")
    numbered = set(folder.glob("step_*.pt"))
    unbeaten = replace(best, best_evaluation=501.0)  # CartPole ends at 500
    save_checkpoint(unbeaten, folder / "best.pt")
    before = load_checkpoint(tmp_path / "checkpoints" / "latest.pt")
    output = finish(start(tmp_path, "--resume", "checkpoints/latest.pt", "--max-minutes", str(2 * minutes), *saving), 0)
    assert "Evaluation after" in output
    assert "best.pt, mean score 501.0" in output
    kept = load_checkpoint(folder / "best.pt")
    assert (kept.best_evaluation, kept.steps) == (501.0, best.steps)
    assert len(numbered) == 2
    assert len(set(folder.glob("step_*.pt"))) == 2
    assert not numbered & set(folder.glob("step_*.pt")), "the older ones went first"
    after = load_checkpoint(tmp_path / "checkpoints" / "latest.pt")
    assert after.best_return >= before.best_return
    assert after.best_evaluation == 501.0


def test_a_run_in_two_parts_learns_bit_for_bit_what_it_learns_at_once(tmp_path: Path) -> None:
    alone = ["--threads", "1", "--final-rollout-length", "20", "--precision", "float32", "--total-steps", "2500"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    finish(start(whole, *alone, "--run", "run"), 0)
    training = start(parts, *alone, "--run", "run", "--checkpoint-minutes", "0.005")
    wait_for(first_checkpoint(parts))
    training.terminate()
    finish(training, 143)
    latest = parts / "checkpoints" / "latest.pt"
    first = load_checkpoint(latest)
    assert 0 < first.steps < 2500
    finish(start(parts, *alone, "--resume", "checkpoints/latest.pt"), 0)
    once, twice = load_checkpoint(whole / "checkpoints" / "latest.pt"), load_checkpoint(latest)
    assert torch.equal(once.parameters, twice.parameters)
    assert torch.equal(once.square_average, twice.square_average)
    assert once.recent_returns == twice.recent_returns
    assert once.best_return == twice.best_return >= max(first.recent_returns, default=0)


def test_a_resumed_run_begins_where_it_stopped(trained: tuple[Path, str]) -> None:
    checkpoint = load_checkpoint(next((trained[0] / "checkpoints" / "first").glob("step_*.pt")))
    shared = initial_parameters(TrainingPlan(checkpoint.config, "first", Path(), Path(), resume=checkpoint))
    assert torch.equal(shared.parameters, checkpoint.parameters)
    assert torch.equal(shared.optimizer.square_average, checkpoint.square_average)
    assert (shared.total_steps(), shared.total_updates()) == (checkpoint.steps, checkpoint.updates)
    assert shared.minutes() == pytest.approx(checkpoint.minutes, abs=0.01)


def test_init_from_starts_a_new_run(trained: tuple[Path, str]) -> None:
    folder = trained[0]
    model = next((folder / "checkpoints" / "first").glob("step_*.pt"))
    finish(start(folder, "--init-from", str(model), "--run", "second", "--total-steps", "400"), 0)
    second = load_checkpoint(folder / "checkpoints" / "latest.pt")
    assert second.run == "second"
    assert 400 <= second.steps < 500
    change = (second.parameters - load_checkpoint(model).parameters).abs().mean()
    fresh_scale = second.parameters.abs().mean()
    assert 0 < change < fresh_scale, "the model's weights, a little changed"


def test_the_settings_of_a_run_start_another(tmp_path: Path) -> None:
    settings = ["--preset", "cartpole-a2c", "--learning-rate", "0.002", "--max-minutes", "5", "--total-steps", "400"]
    finish(start(tmp_path, *settings, "--run", "first"), 0)
    latest = tmp_path / "checkpoints" / "latest.pt"
    file = latest.parent / "first" / "config.toml"
    config = load_checkpoint(latest).config
    assert (config.optimizer.learning_rate, config.step_limits.max_kl, config.learners.threads) == (0.002, 0.03, 2)
    assert read_config(file, PRESETS["paper"]) == config
    finish(start(tmp_path, "--config", str(file), "--run", "second", first=()), 0)
    second = load_checkpoint(latest)
    assert (second.run, second.config) == ("second", config)
    assert (latest.parent / "second" / "config.toml").read_text() == file.read_text()
    changes = ["--max-kl", "none", "--total-steps", "200"]
    finish(start(tmp_path, *changes, "--config", str(file), "--run", "third", first=()), 0)
    third = load_checkpoint(latest)
    assert (third.run, third.config) == ("third", config.replace(max_kl=None, total_steps=200)), "options win"


def test_a_file_of_a_few_settings_leaves_the_others_to_the_preset(tmp_path: Path) -> None:
    (tmp_path / "few.toml").write_text("[schedule]\ntotal_steps = 200\n[upkeep]\neval_minutes = 0\n")
    finish(start(tmp_path, "--preset", "cartpole-a2c", "--config", "few.toml", first=()), 0)
    config = load_checkpoint(tmp_path / "checkpoints" / "latest.pt").config
    assert config == PRESETS["cartpole-a2c"].replace(total_steps=200, eval_minutes=0.0)


def test_a_resumed_run_writes_its_new_settings(tmp_path: Path) -> None:
    finish(start(tmp_path, "--preset", "cartpole", "--run", "run", "--total-steps", "200"), 0)
    finish(start(tmp_path, "--resume", "checkpoints/latest.pt", "--total-steps", "400"), 0)
    config = read_config(tmp_path / "checkpoints" / "run" / "config.toml", PRESETS["paper"])
    assert config == load_checkpoint(tmp_path / "checkpoints" / "latest.pt").config
    assert config.schedule.total_steps == 400


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_saves_and_leaves_nothing_behind(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """A terminal sends Ctrl-C to the whole group: only the trainer may react to it."""
    training = start(tmp_path, "--total-steps", "none", *EVALUATED)
    wait_for(lambda: len(actor_learners(training, LEARNED_CPU_SECONDS)) >= 2 and evaluators(training))
    processes = family(training)
    os.killpg(training.pid, number)
    began = time.monotonic()
    output = finish(training, code)
    assert time.monotonic() - began < GONE_SECONDS
    assert load_checkpoint(tmp_path / "checkpoints" / "latest.pt").steps > 0
    assert "python train.py --resume" in output
    assert "replaced" not in output
    assert_gone(processes)


def test_a_training_that_ignores_ctrl_c_says_how_to_stop_it(tmp_path: Path) -> None:
    """As nohup and the background of a script make it."""
    options = ["--preset", "cartpole", "--total-steps", "none", "--checkpoint-minutes", "0.01"]
    ignoring = ["sh", "-c", 'trap "" HUP INT QUIT; exec "$@"', "sh", sys.executable, str(TRAIN)]
    training = Program([*ignoring, *SMALL, *options], cwd=tmp_path, stdout=PIPE, stderr=STDOUT, text=True)
    wait_for(first_checkpoint(tmp_path))
    for number in (signal.SIGHUP, signal.SIGINT):
        os.killpg(training.pid, number)
    latest = tmp_path / "checkpoints" / "latest.pt"
    steps = load_checkpoint(latest).steps
    wait_for(lambda: load_checkpoint(latest).steps > steps)
    training.terminate()
    assert f"kill {training.pid} stops and saves." in finish(training, 143)


def test_the_commands_at_the_end_are_those_of_this_run(tmp_path: Path) -> None:
    folders = ["--checkpoints", "my checkpoints", "--runs", "my runs", "--run", "first"]
    printed = finish(start(tmp_path, *folders, "--total-steps", "200"), 0)
    (go_on,) = re.findall(r"go on: +python train\.py (.*)", printed)
    resumed = finish(start(tmp_path, *shlex.split(go_on)), 0)
    assert load_checkpoint(tmp_path / "my checkpoints" / "latest.pt").steps >= 400
    assert not (tmp_path / "checkpoints").exists()
    (picture,) = re.findall(r"picture: +python -m breakout_a3c curves (.*)", resumed)
    assert [tmp_path / path for path in shlex.split(picture)] == [tmp_path / "my runs" / "first"]


def test_stopping_before_anything_was_learned_saves_nothing(tmp_path: Path) -> None:
    training = start(tmp_path, "--envs", "64")
    assert training.stdout is not None
    assert any("Ctrl-C" in line for line in training.stdout)
    time.sleep(0.5)
    training.send_signal(signal.SIGINT)
    output = finish(training, 130)
    assert "nothing was saved" in output
    assert "did not finish" not in output, "there was nothing to finish"
    assert not (tmp_path / "checkpoints" / "latest.pt").exists()


def test_killing_the_trainer_leaves_nothing_behind(tmp_path: Path) -> None:
    training = start(tmp_path, "--checkpoint-minutes", "0.02", *EVALUATED)
    wait_for(first_checkpoint(tmp_path))
    wait_for(lambda: len(actor_learners(training)) >= 2 and evaluators(training))
    processes = family(training)
    training.kill()
    assert_gone(processes)
    assert load_checkpoint(tmp_path / "checkpoints" / "latest.pt").steps >= 0


def test_training_goes_on_when_nobody_reads_its_output(tmp_path: Path) -> None:
    training = start(tmp_path, "--max-minutes", str(0.15 + IMPORTS_SECONDS / 60))
    assert training.stdout is not None
    training.stdout.close()
    assert training.wait(60) == 0
    assert load_checkpoint(tmp_path / "checkpoints" / "latest.pt").minutes >= 0.15


def test_a_killed_actor_learner_is_replaced(tmp_path: Path) -> None:
    training = start(tmp_path, "--total-steps", "none", "--checkpoint-minutes", "0.02")
    wait_for(lambda: len(actor_learners(training)) >= 2)
    wait_for(first_checkpoint(tmp_path))
    victim = actor_learners(training)[0]
    victim.kill()
    victim.wait(5)
    wait_for(lambda: len(actor_learners(training)) >= 2)
    steps = load_checkpoint(tmp_path / "checkpoints" / "latest.pt").steps
    wait_for(lambda: load_checkpoint(tmp_path / "checkpoints" / "latest.pt").steps > steps + 100)
    training.send_signal(signal.SIGINT)
    output = finish(training, 130)
    assert "died and was replaced" in output
    assert "was killed (SIGKILL), perhaps by the kernel for want of memory: give fewer --threads or --envs" in output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--threads", "0"], "--threads"),
        (["--game", "braekout"], "did you mean breakout"),
        (["--resume", "nothing.pt"], "no checkpoint at nothing.pt"),
        (["--resume", "torn.pt"], "damaged"),
        (["--init-from", "nothing.pt"], "no checkpoint at nothing.pt"),
        (["--checkpoints", "torn.pt"], "cannot be written"),
        (["--runs", "torn.pt"], "cannot be written"),
        (["--run", "../up"], "--run"),
        (["--resume", "torn.pt", "--init-from", "torn.pt"], "leave out --init-from"),
        (["--resume", "torn.pt", "--preset", "paper"], "leave out --preset"),
        (["--resume", "torn.pt", "--config", "few.toml"], "leave out --config"),
        (["--config", "nothing.toml"], "nothing.toml cannot be read"),
        (["--config", "torn.pt"], "torn.pt is no TOML"),
        (["--config", "unknown.toml"], "unknown.toml has no setting that is called 'stickiness'"),
        (["--config", "out of range.toml"], "out of range.toml: --sticky is 2.0: it must be at most 1"),
        (["--config", "wrong type.toml"], "wrong type.toml: --sticky is 'often': give it float"),
        (["--config", "no table.toml"], "'sticky' stands outside of a table"),
        (["--envs-per-thread", "8"], "--envs-per-thread is now --envs:"),
        (["--rmsprop-alpha", "0.9"], "--rmsprop-alpha is now --square-decay:"),
        (["--rmsprop-eps=0.1"], "--rmsprop-eps is now --optimizer-eps:"),
        (["--device", "cuda"], "or give --device cpu"),
        (["--device", "cuda", "--cluster", "local"], "--device cuda is for one machine: give --device cpu"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_sentence_and_code_2(
    tmp_path: Path, options: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # where there is a GPU
    (tmp_path / "torn.pt").write_bytes(b"PK\x03\x04 but not for long")
    for name, text in CONFIG_FILES.items():
        (tmp_path / f"{name}.toml").write_text(text)
    output = finish(start(tmp_path, *options), 2)
    assert words in output
    assert len(output.strip().splitlines()) == 1


def test_a_checkpoint_of_another_game_is_refused(checkpoint_path: Path, tmp_path: Path) -> None:
    output = finish(start(tmp_path, "--init-from", str(checkpoint_path), "--game", "pong"), 2)
    assert "was trained with --game breakout" in output


def test_weights_that_are_tied_otherwise_are_refused(tmp_path: Path) -> None:
    model = str(Path(__file__).resolve().parents[2] / "models" / "breakout.safetensors")
    output = finish(start(tmp_path, "--init-from", model, "--network", "paper"), 2)
    assert "was trained with --no-symmetric, not --symmetric: give --no-symmetric" in output


def test_a_second_training_in_the_same_folder_is_refused(checkpoint_path: Path, tmp_path: Path) -> None:
    first = start(tmp_path, "--run", "one", "--total-steps", "none", "--checkpoint-minutes", "0.02")
    wait_for(first_checkpoint(tmp_path))
    output = finish(start(tmp_path, "--resume", "checkpoints/latest.pt"), 2)
    assert "another training is writing" in output
    first.send_signal(signal.SIGINT)
    finish(first, 130)


def test_gradients_that_are_never_finite_end_the_run_with_advice(tmp_path: Path) -> None:
    before = ["--run", "first", "--total-steps", "400"]
    finish(start(tmp_path, *before), 0)
    options = ["--init-from", "checkpoints/latest.pt", "--value-coef", "1e38", "--loss-reduction", "sum"]
    output = finish(start(tmp_path, *options, "--max-grad-norm", "1e30", "--total-steps", "none"), 1)
    assert "smaller --learning-rate" in output
    saved = load_checkpoint(tmp_path / "checkpoints" / "latest.pt")
    assert torch.isfinite(saved.parameters).all()
