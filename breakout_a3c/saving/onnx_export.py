"""A network as an ONNX file, which runs without this package and without torch."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from breakout_a3c.learning.networks import ActorCritic
from breakout_a3c.saving.files import write_atomically


class PlainNetwork(nn.Module):
    """A network as other programs call it: what it needs comes in, and goes out.

    Args:
        network: In float32.
    """

    def __init__(self, network: ActorCritic) -> None:
        super().__init__()
        self._network = network

    def forward(self, observations: Tensor, lstm_state: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return logits ``(B, A)``, values ``(B,)`` and, of a network with a memory, what it remembers afterwards.

        Args:
            observations: ``(B, 84, 84, 4)`` uint8, the last four gray frames, the oldest first; or ``(B, N)`` float32.
            lstm_state: ``(B, S)``, zeros where a game or a life begins; None without a memory.
        """
        logits, values, _, remembered = self._network.act(observations.float(), lstm_state=lstm_state)
        return (logits, values) if lstm_state is None else (logits, values, remembered)


def write_onnx(network: ActorCritic, observation: Tensor, path: Path) -> None:
    """Write a network, atomically; its batch may have any size.

    Args:
        network: In float32.
        observation: One, as the game shows it.
        path: Of the file.

    Raises:
        OSError: If the folder cannot be written.
        ImportError: If onnx or onnxscript is not installed.
    """
    names = {"observations": observation.expand(2, *observation.shape).contiguous()}
    if network.memory:
        names["lstm_state"] = network.first_lstm_state(2)
    outputs = ["logits", "values", *(["next_lstm_state"] if network.memory else [])]
    batch = torch.export.Dim("batch")
    with warnings.catch_warnings(), logs_disabled():
        warnings.simplefilter("ignore")  # of torch, about itself
        program = torch.onnx.export(
            PlainNetwork(network).eval(),
            tuple(names.values()),
            input_names=list(names),
            output_names=outputs,
            dynamic_shapes=({0: batch},) * len(names),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    write_atomically(path, lambda temporary: program.save(temporary, external_data=False))


@contextmanager
def logs_disabled() -> Iterator[None]:
    """Keep torch from telling which of its other packages are not installed."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
