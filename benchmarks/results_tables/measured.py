"""The results that the pages tell of, as they lie in ``results/current``."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.common.paths import RESULTS
from benchmarks.common.runs import read_log, read_result


@dataclass
class Measured:
    """What the result files hold.

    Args:
        folder: The folder of all programs.
    """

    folder: Path = field(default=RESULTS)

    @cached_property
    def throughput(self) -> dict[str, Any]:
        """Training beside the bare emulator."""
        return read_result(self.folder / "throughput" / "throughput.json")

    @cached_property
    def sb3_training(self) -> dict[str, Any]:
        """Training beside Stable-Baselines3's A2C."""
        return read_result(self.folder / "sb3_training" / "peers.json")

    @cached_property
    def sb3_evaluation(self) -> dict[str, Any]:
        """The published model by Stable-Baselines3's evaluation, and by ours."""
        return read_result(self.folder / "evaluation" / "breakout" / "sb3.json")

    @cached_property
    def seeds(self) -> list[dict[str, Any]]:
        """The runs of the default training, by seed."""
        files = sorted(self.folder.glob("time_to_score/seed-*.json"))
        return [read_result(path) for path in files if path.stem.removeprefix("seed-").isdigit()]

    @cached_property
    def intervals(self) -> dict[str, Any] | None:
        """Interquartile means over the runs of the default training; None where they were not computed."""
        path = self.folder / "time_to_score" / "intervals.json"
        return read_result(path) if path.exists() else None

    @cached_property
    def large_machines(self) -> list[dict[str, Any]]:
        """The runs on machines with more cores, by their number."""
        found = [read_result(path) for path in self.folder.glob("large_machine/*-cores*.json")]
        return sorted(found, key=lambda result: (int(result["cores"]), str(result["device"])))

    @cached_property
    def other_games(self) -> list[dict[str, Any]]:
        """The trainings on games other than Breakout, by name."""
        return [read_result(path) for path in sorted(self.folder.glob("other_games/*.json"))]

    def published(self, policy: str) -> dict[str, Any]:
        """Return an evaluation of the published model, such as ``sampled-sticky``."""
        return read_result(self.folder / "evaluation" / "breakout" / f"{policy}.json")

    def end_of_seed(self, seed: int, policy: str = "") -> dict[str, Any] | None:
        """Return an evaluation of a default training's last checkpoint, None where there is none."""
        path = self.folder / "time_to_score" / f"seed-{seed}-evaluation{policy}.json"
        return read_result(path) if path.exists() else None

    def minutes_of_seed(self, seed: int) -> float:
        """Return how long a default training took."""
        return float(read_log(self.folder / "time_to_score" / f"seed-{seed}.log").minutes[-1])

    def default_row(self) -> dict[str, Any]:
        """Return the row of the default number of actor-learners in the throughput's table."""
        return next(row for row in self.throughput["rows"] if row["name"] == "breakout, 8 actor-learners")
