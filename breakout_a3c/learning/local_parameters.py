"""The parameters of one network as flat vectors."""

import torch
from torch import Tensor, nn

from breakout_a3c.learning.networks import ActorCritic


class LocalParameters:
    """A network's parameters as flat vectors where it computes, in the layout of the shared one.

    The network's tensors become views of them, so that a pull is a copy per precision: ``[trunks |
    memory | heads]``, in the order of ``parameters()``. Weights of convolutions are channels-last in it, as
    the convolutions want them.

    Args:
        network: Its parameters move into the flat vectors; their values stay.
        precision: Of the trunks; memory and heads are float32.
    """

    def __init__(self, network: ActorCritic, precision: torch.dtype = torch.float32) -> None:
        self.network = network
        rest = [part for part in (network.memory, network.heads) if part is not None]
        self._parts = [
            flatten_parameters(network.trunks, precision),
            *(flatten_parameters(part, torch.float32) for part in rest),
        ]
        self._parameters = list(network.parameters())
        self.size = sum(len(part) for part in self._parts)
        self._gradient = torch.empty(self.size, device=network.device)
        self._gradients = views_of(self._gradient, self._parameters)
        self._begun = False  # whether it holds a part of the next gradient

    def float32_parameters(self) -> Tensor:
        """Return a copy of all parameters, ``(P,)`` float32."""
        return torch.cat([part.float() for part in self._parts])

    @torch.no_grad()
    def pull(self, parameters: Tensor) -> None:
        """Copy the shared parameters ``(P,)`` here, rounding the trunks to its precision."""
        for part, values in zip(self._parts, parameters.split([len(part) for part in self._parts]), strict=True):
            part.copy_(values)
        self.network.version += 1

    @torch.no_grad()
    def add_gradient(self) -> None:
        """Add what ``backward`` left at the parameters to the gradient, in float32, and clear it there.

        The first time it is at all of them, then perhaps at some.
        """
        for parameter, out in zip(self._parameters, self._gradients, strict=True):
            if self._begun and parameter.grad is not None:
                out.add_(parameter.grad)
            elif not self._begun:
                assert parameter.grad is not None, "add_gradient is for after backward()"
                out.copy_(parameter.grad)
            parameter.grad = None  # so that backward() stores the next one and adds nothing to it
        self._begun = True

    @torch.no_grad()
    def take_gradient(self, max_norm: float) -> tuple[Tensor, float]:
        """Return the clipped gradient ``(P,)`` float32, on the CPU, and its norm before; the next one begins anew.

        The tensor may be overwritten by the next ``add_gradient``.
        """
        assert self._begun, "take_gradient is for after add_gradient()"
        self._begun = False
        norm = float(torch.linalg.vector_norm(self._gradient))
        if norm > max_norm:
            self._gradient.mul_(max_norm / norm)
        return self._gradient.cpu(), norm


def flatten_parameters(module: nn.Module, dtype: torch.dtype) -> Tensor:
    """Move a module's parameters into one flat vector of ``dtype``, which is returned."""
    parameters = list(module.to(dtype).parameters())
    flat = torch.cat([as_stored(parameter.detach()).flatten() for parameter in parameters])
    for parameter, view in zip(parameters, views_of(flat, parameters), strict=True):
        parameter.data = view
    return flat


def views_of(flat: Tensor, parameters: list[nn.Parameter]) -> list[Tensor]:
    """Return views of a flat vector in the shapes of ``parameters``, one after the other."""
    pieces = flat.split([parameter.numel() for parameter in parameters])
    return [
        as_shaped(piece.view(as_stored(parameter).shape)) for piece, parameter in zip(pieces, parameters, strict=True)
    ]


def as_stored(weight: Tensor) -> Tensor:
    """Order a convolution's weight as it lies in the flat vector: output, height, width, input."""
    return weight.permute(0, 2, 3, 1) if weight.dim() == 4 else weight


def as_shaped(stored: Tensor) -> Tensor:
    """Undo ``as_stored``, as a view."""
    return stored.permute(0, 3, 1, 2) if stored.dim() == 4 else stored
