"""The evaluations beside a training, and ``best.pt``, which they choose."""

import time
from collections.abc import Callable
from dataclasses import replace

from breakout_a3c.saving.checkpoints import Checkpoint
from breakout_a3c.saving.run_folder import RunFolder
from breakout_a3c.training.evaluator import Evaluation, Evaluator
from breakout_a3c.training.metrics import MetricsWriter, evaluation_scalars

LAST_EVALUATION_SECONDS = 120.0


class Evaluations:
    """Has snapshots evaluated, writes their scores to the curves, and keeps the best of them.

    Args:
        evaluator: Plays the games.
        folder: Of the run's checkpoints.
        writer: Of the run's curves.
        say: Prints a message.
    """

    def __init__(
        self, evaluator: Evaluator, folder: RunFolder, writer: MetricsWriter, say: Callable[[str], None]
    ) -> None:
        self.best_mean = folder.best_evaluation()
        self.last_mean: float | None = None
        self._evaluator = evaluator
        self._folder = folder
        self._writer = writer
        self._say = say
        self._under_evaluation: Checkpoint | None = None

    def request(self, checkpoint: Checkpoint, *, hurry: bool = False) -> None:
        """Have the averaged parameters of ``checkpoint`` evaluated, unless another evaluation is under way.

        Args:
            checkpoint: The snapshot.
            hurry: Whether to use all the CPU that it can get.
        """
        if self._evaluator.request(checkpoint.averaged_parameters, hurry):
            self._under_evaluation = checkpoint

    def take(self) -> bool:
        """Log an evaluation that has ended, and keep its checkpoint if it is the best; return whether one has."""
        evaluation, checkpoint = self._evaluator.poll(), self._under_evaluation
        if evaluation is None or checkpoint is None:
            return False
        self._log(evaluation, checkpoint)
        if self.best_mean is None or evaluation.result.mean > self.best_mean:
            self._keep(replace(checkpoint, best_evaluation=evaluation.result.mean))
        return True

    def _log(self, evaluation: Evaluation, checkpoint: Checkpoint) -> None:
        self.last_mean = evaluation.result.mean
        self._say(
            f"Evaluation after {checkpoint.minutes:.1f} minutes: mean score {self.last_mean:.1f} "
            f"of {len(evaluation.result.games)} games."
        )
        self._writer.write(evaluation_scalars(evaluation), checkpoint.steps, animation=evaluation.animation)

    def _keep(self, checkpoint: Checkpoint) -> None:
        try:
            self._folder.save_best(checkpoint)
        except (OSError, ValueError) as error:
            self._say(f"best.pt was NOT written: {error}")
        else:
            self.best_mean = checkpoint.best_evaluation

    def evaluate_last(self, checkpoint: Checkpoint, interrupted: Callable[[], object]) -> None:
        """Evaluate the last parameters, which are fully annealed, in a hurry; drop an evaluation that is under way.

        Args:
            checkpoint: The last one.
            interrupted: Asked 20 times a second; once it returns true, the evaluation is not waited for.
        """
        self._say("Evaluating the last parameters; Ctrl-C skips it.")
        self.take()
        self._evaluator.close()
        self.request(checkpoint, hurry=True)
        deadline = time.monotonic() + LAST_EVALUATION_SECONDS
        while not (taken := self.take()) and not interrupted():
            if not self._evaluator.busy or time.monotonic() >= deadline:
                break
            time.sleep(0.05)
        if not taken and not interrupted():
            why = self._evaluator.error or f"it takes more than {LAST_EVALUATION_SECONDS:.0f} s"
            self._say(f"The last parameters were NOT evaluated: {why}")
