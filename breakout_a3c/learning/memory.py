"""The memory of a recurrent network: LSTM cells after the last hidden layer (Mnih et al. 2016, section 5.1).

What a game remembers is its LSTM state: the outputs of the cells, and what the cells hold. It is zero where a life
begins, and where a training game goes on from an earlier moment.
"""

import torch
from torch import Tensor, nn

CELLS = 256


class Memory(nn.Module):
    """LSTM cells, always in float32.

    Those of a symmetric network are two halves with the same weights: one reads the features of the screen as it is,
    one those of its mirror image.

    Args:
        num_features: That it reads, of both halves together.
        symmetric: Whether it has two halves.

    Attributes:
        num_outputs: Of both halves together.
        state_size: Numbers of a game's LSTM state.
    """

    def __init__(self, num_features: int, symmetric: bool = False) -> None:
        super().__init__()
        self._halves = 2 if symmetric else 1
        self.cells = nn.LSTMCell(num_features // self._halves, CELLS // self._halves)
        self.num_outputs = CELLS
        self.state_size = 2 * CELLS
        self._initialise()

    def _initialise(self) -> None:
        """Draw orthogonal weights, each gate alone; biases are zero (OpenAI baselines)."""
        for weight in (self.cells.weight_ih, self.cells.weight_hh):
            for gate in weight.chunk(4):
                nn.init.orthogonal_(gate)
        nn.init.zeros_(self.cells.bias_ih)
        nn.init.zeros_(self.cells.bias_hh)

    def step(self, features: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return the outputs ``(B, num_outputs)`` and the next state ``(B, state_size)``.

        Args:
            features: ``(B, num_features)``.
            state: ``(B, state_size)``.
        """
        batch = features.shape[0]
        rows = batch * self._halves
        before = [part.reshape(rows, -1) for part in state.chunk(2, dim=1)]
        outputs, held = (part.view(batch, -1) for part in self.cells(features.float().reshape(rows, -1), before))
        return outputs, torch.cat((outputs, held), dim=1)

    def replay(self, features: Tensor, state: Tensor, ended: Tensor) -> Tensor:
        """Return the outputs of a rollout's steps, ``(T, B, num_outputs)``, differentiably through all of them.

        Args:
            features: ``(T, B, num_features)``.
            state: ``(B, state_size)`` before the first step.
            ended: ``(T, B)`` bool, after which steps the state is zero.
        """
        outputs = []
        for step_features, step_ended in zip(features, ended, strict=True):
            step_outputs, state = self.step(step_features, state)
            outputs.append(step_outputs)
            state = state.masked_fill(step_ended.unsqueeze(1), 0.0)
        return torch.stack(outputs)
