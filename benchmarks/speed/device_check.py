"""Whether a GPU learns as the CPU does: gradients side by side, and short runs of the whole program.

``python -m benchmarks.speed.device_check`` does it alone; large_machine.py does it before it measures.
"""

import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmarks.common.machine import describe_machine
from benchmarks.common.paths import RESULTS, ROOT, from_root
from benchmarks.common.programs import command_line, make_parser
from benchmarks.common.runs import write_result
from benchmarks.common.trainings import Training
from breakout_a3c.config import Device, Network, TrainConfig
from breakout_a3c.learning.actor_learner import differentiate, make_collector
from breakout_a3c.learning.advantages import generalised_advantages
from breakout_a3c.learning.local_parameters import LocalParameters
from breakout_a3c.learning.networks import resolve_precision
from breakout_a3c.presets import BREAKOUT

OUTPUT = RESULTS / "device_check" / "device_check.json"
NETWORKS: tuple[Network, ...] = ("paper", "lstm", "nature", "nature-lstm")
WAYS = (("float32", False, "float32"), ("tf32", True, "float32"), ("bf16", True, "bf16"))  # of computing a gradient
CHECK_SECONDS = 80.0  # that all runs together may take
# Each makes some thousand steps; all at the same time.
SMOKE_RUNS = {
    "default": [],
    "nature in float32": ["--network", "nature", "--precision", "float32"],
    "nature-lstm in bf16": ["--network", "nature-lstm", "--precision", "bf16"],
    "paper preset": ["--preset", "paper"],
    "a2c": ["--algorithm", "a2c"],
    "cartpole": ["--preset", "cartpole"],
}
SHORT = ["--threads", "2", "--total-steps", "2000", "--eval-minutes", "0"]


def gradient_on(device: Device, config: TrainConfig) -> torch.Tensor:
    """Return the gradient ``(P,)`` of the first rollout of fresh weights, the same on each device."""
    torch.manual_seed(0)
    config = config.replace(device=device)
    network, collector = make_collector(config, learner_id=0, updates=0, play_state=b"")
    local = LocalParameters(network, resolve_precision(config.network.precision, device))
    rollout = collector.collect(network)
    advantages = generalised_advantages(
        rollout.rewards, rollout.values, rollout.next_values, rollout.ended, config.returns.gamma, 1.0
    )
    differentiate(local, rollout, advantages, advantages + rollout.values, config.loss, annealed=0.0)
    return local.take_gradient(max_norm=1e9)[0].clone()


def gradient_differences(device: Device) -> dict[str, Any]:
    """Return how far the gradient of one rollout on ``device`` is from the CPU's in float32, as a part of its norm.

    For each network: in float32, in what ``device`` takes for that when it may round products, and in bf16.
    """
    found: dict[str, Any] = {}
    for name in NETWORKS:
        config = BREAKOUT.replace(network=name, envs=4, precision="float32")
        row = found[name] = {}
        try:
            on_cpu = gradient_on("cpu", config)
            for way, may_round, precision in WAYS:
                torch.backends.cudnn.allow_tf32 = may_round
                there = gradient_on(device, config.replace(precision=precision))
                row[way] = float((there - on_cpu).norm() / on_cpu.norm())
        except Exception as error:  # what the others show counts, too
            row["error"] = repr(error)
    return found


def smoke_runs(device: Device, folder: Path) -> list[dict[str, Any]]:
    """Train a little in several ways, go on with one of the runs on the CPU, and play its last checkpoint."""
    runs = SmokeRuns(folder)
    try:
        for name, options in SMOKE_RUNS.items():
            runs.train(name, [*options, *SHORT, "--device", device])
        runs.train("auto", [*SHORT, "--device", "auto"])
        runs.wait()
        snapshots = Training(folder, "default").snapshots()
        if snapshots:
            runs.train("default", ["--device", "cpu", "--total-steps", "4000"], "resumption on the CPU", snapshots[-1])
            runs.start("evaluation", [sys.executable, "play.py", str(snapshots[-1]), "--episodes", "2"])
            runs.wait()
    finally:
        runs.end()
    return runs.rows


class SmokeRuns:
    """Programs that run at the same time; each leaves a row that tells how it ended.

    Args:
        folder: Of their logs and checkpoints.
    """

    def __init__(self, folder: Path) -> None:
        self.rows: list[dict[str, Any]] = []
        self._folder = folder
        self._deadline = time.monotonic() + CHECK_SECONDS
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def train(self, run: str, arguments: list[str], name: str = "", resume: Path | None = None) -> None:
        """Start a training."""
        training = Training(self._folder, run.replace(" ", "-"))
        self._running[name or run] = training.start(arguments, resume, log=self._log(name or run))

    def start(self, name: str, command: list[str]) -> None:
        """Start another program, from the repository's root."""
        with self._log(name).open("a") as output:
            self._running[name] = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)

    def wait(self) -> None:
        """Wait for all of them, until the time of the check is over."""
        for name, process in self._running.items():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, self._deadline - time.monotonic()))
            printed = self._log(name).read_text().strip().splitlines()[-12:]
            ended_well = process.poll() == 0 and "nothing was saved" not in " ".join(printed)
            self.rows.append({"run": name, "ended_well": ended_well, "code": process.poll(), "printed": printed})
        self.end()

    def end(self) -> None:
        """Kill what still runs."""
        for process in self._running.values():
            process.kill()
            process.wait()
        self._running.clear()

    def _log(self, name: str) -> Path:
        return self._folder / f"{name.replace(' ', '-')}.log"


def main() -> None:
    """Check the GPU, and write one file."""
    parser = make_parser(__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda", help="[%(default)s]")
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"[{from_root(OUTPUT)}]")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        runs = smoke_runs(options.device, Path(folder))
    result = {"command": command_line(), "machine": describe_machine(), "device": options.device, "runs": runs}
    result["gradient_differences"] = gradient_differences(options.device)
    write_result(result, options.output)
    print({row["run"]: row["ended_well"] for row in runs}, result["gradient_differences"], options.output, sep="\n")


if __name__ == "__main__":
    main()
