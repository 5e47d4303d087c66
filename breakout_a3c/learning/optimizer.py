"""RMSprop and Adam whose statistics all actor-learners share (Mnih et al. 2016, section 4.5 and equations S2, S3)."""

import torch
from torch import Tensor

from breakout_a3c.config import Optimizer, OptimizerOptions


class SharedOptimizer:
    """Turns gradients into steps, by running averages in shared memory that are written without locks.

    Passing it to a process shares the memory; nothing is copied.

    Args:
        size: Number of parameters, ``P``.
        method: ``rmsprop``, or ``adam`` (Kingma and Ba 2015).
        square_decay: Of the mean square of the gradients: RMSprop's alpha, Adam's beta2.
        eps: Added to the root of the mean square.
        eps_inside_root: Add it under the root, and leave out the correction for the start, as in the paper.
        beta1: Decay of Adam's mean gradient.
    """

    def __init__(
        self,
        size: int,
        *,
        method: Optimizer,
        square_decay: float,
        eps: float,
        eps_inside_root: bool,
        beta1: float,
    ) -> None:
        self._method = method
        self._square_decay = square_decay
        self._eps = eps
        self._eps_inside_root = eps_inside_root
        self._beta1 = beta1
        self.square_average = torch.zeros(size).share_memory_()  # (P,), of the gradient's squares
        self.gradient_average = torch.zeros(size if method == "adam" else 0).share_memory_()  # (P,) or (0,)

    def restore(self, square_average: Tensor, gradient_average: Tensor) -> None:
        """Go on with the averages of a checkpoint; Adam's mean begins anew after another optimizer's ``(0,)``."""
        for average, values in ((self.square_average, square_average), (self.gradient_average, gradient_average)):
            if len(values) == len(average):
                average.copy_(values)

    @torch.no_grad()
    def step_for(self, gradient: Tensor, updates: int) -> Tensor:
        """Take a gradient into the averages; return the step for a learning rate of 1.

        RMSprop is ``g <- alpha g + (1 - alpha) d^2``, then ``theta <- theta - lr d / sqrt(g + eps)`` as in the
        paper, or ``theta <- theta - lr d / (sqrt(g / (1 - alpha^n)) + eps)``, where the number n of updates
        corrects for ``g`` having started from zero. Adam (algorithm 1) is the latter with a running mean of the
        gradients, corrected alike, in place of ``d``.

        Args:
            gradient: ``(P,)`` float32, finite.
            updates: Of all actor-learners so far.

        Returns:
            ``(P,)``, the fraction behind ``lr``.
        """
        alpha, beta, n = self._square_decay, self._beta1, updates + 1
        self.square_average.mul_(alpha).addcmul_(gradient, gradient, value=1 - alpha)
        if self._eps_inside_root:
            return gradient.div((self.square_average + self._eps).sqrt_())
        root = (self.square_average / (1 - alpha**n)).sqrt_().add_(self._eps)
        if self._method == "rmsprop":
            return gradient.div(root)
        mean: Tensor = self.gradient_average.mul_(beta).add_(gradient, alpha=1 - beta)
        return mean.div(root.mul_(1 - beta**n))


def make_optimizer(size: int, options: OptimizerOptions) -> SharedOptimizer:
    """Build the optimizer of ``options`` for ``size`` parameters."""
    return SharedOptimizer(
        size,
        method=options.name,
        square_decay=options.square_decay,
        eps=options.eps,
        eps_inside_root=options.rmsprop_eps_inside_root,
        beta1=options.adam_beta1,
    )
