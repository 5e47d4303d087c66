"""A device for machines without a GPU: it computes as the CPU does, and bears no tensor of another device.

As on a GPU, a tensor is brought there and back by name, and what mixes devices is an error.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

NAME = "pretended"
COMPUTED: set[str] = set()
MOVES = ("aten::_to_copy", "aten::copy_")  # which may see two devices


class Backend(_DummyBackendModule):
    """What torch asks about the device; it draws no random numbers, whose state others keep."""

    def get_rng_state(self, device: object = None) -> Tensor:
        """Return none."""
        return torch.empty(0, dtype=torch.uint8)

    def set_rng_state(self, state: Tensor, device: object = None) -> None:
        """Take none."""


# Before the first gradient of this process: torch counts its devices then.
_setup_privateuseone_for_python_backend(NAME, Backend())


class PretendedTensor(torch.Tensor):
    """A tensor of the pretended device; ``on_cpu`` holds its numbers."""

    on_cpu: Tensor

    @staticmethod
    def __new__(cls: type[Self], on_cpu: Tensor) -> Self:
        """Wrap the numbers."""
        wrapper = torch.Tensor._make_wrapper_subclass(
            cls, on_cpu.size(), strides=on_cpu.stride(), storage_offset=on_cpu.storage_offset(), dtype=on_cpu.dtype,
            device=torch.device(NAME, 0),
        )  # fmt: skip
        assert isinstance(wrapper, cls)
        wrapper.on_cpu = on_cpu
        return wrapper

    @property
    def data(self) -> Tensor:
        """The tensor without its history."""
        return self.detach()

    @data.setter
    def data(self, values: Tensor) -> None:
        assert isinstance(values, PretendedTensor)
        torch.Tensor.data.__set__(self, values)
        self.on_cpu = values.on_cpu

    @classmethod
    def __torch_dispatch__(
        cls, function: Any, _types: Any, arguments: tuple[Any, ...] = (), options: Mapping[str, Any] | None = None
    ) -> Any:
        """Compute a function of which an argument is such a tensor."""
        return compute(function, arguments, dict(options or {}))


class Device(TorchDispatchMode):
    """While it is entered, tensors can be made on the device."""

    def __torch_dispatch__(
        self, function: Any, _types: Any, arguments: tuple[Any, ...] = (), options: Mapping[str, Any] | None = None
    ) -> Any:
        """Compute a function."""
        return compute(function, arguments, dict(options or {}))


def compute(function: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Compute a function on the CPU; what it returns is on the device if an argument is, or if it is asked for there.

    Raises:
        RuntimeError: If its arguments are on two devices; numbers may come from the CPU.
    """
    name = function._schema.name
    tensors = [leaf for leaf in tree_leaves((arguments, options)) if isinstance(leaf, Tensor)]
    ours = [tensor for tensor in tensors if isinstance(tensor, PretendedTensor)]
    strangers = [tensor for tensor in tensors if tensor.dim() and not isinstance(tensor, PretendedTensor)]
    if ours and strangers and name not in MOVES:
        raise RuntimeError(f"{name}: its tensors are on two devices")
    device = options.get("device")
    if device is not None:
        options["device"] = torch.device("cpu")
    found = CPU_VERSIONS.get(name, function)(*tree_map(numbers, arguments), **tree_map(numbers, options))
    if function._schema.is_mutable:
        wrappers = {id(tensor.on_cpu): tensor for tensor in ours}
        return tree_map(lambda leaf: wrappers.get(id(leaf), leaf), found)
    if ours:
        COMPUTED.add(name)
    is_there = bool(ours) if device is None else torch.device(device).type == NAME
    return tree_map(wrapped, found) if is_there else found


def lstm_cell(
    from_inputs: Tensor, from_outputs: Tensor, held: Tensor, input_bias: Tensor, output_bias: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return outputs and contents of LSTM cells, and the gates, as the one kernel does that devices have for them."""
    gates = from_inputs + input_bias + from_outputs + output_bias
    write, forget, candidate, show = gates.chunk(4, dim=1)
    held = forget.sigmoid() * held + write.sigmoid() * candidate.tanh()
    return show.sigmoid() * held.tanh(), held, gates


CPU_VERSIONS = {"aten::_thnn_fused_lstm_cell": lstm_cell}


def numbers(leaf: object) -> object:
    """Return what is on the device as a tensor of the CPU, anything else as it is."""
    return leaf.on_cpu if isinstance(leaf, PretendedTensor) else leaf


def wrapped(leaf: object) -> object:
    """Return a tensor as one of the device, anything else as it is."""
    return PretendedTensor(leaf) if isinstance(leaf, Tensor) else leaf


@contextmanager
def pretended_device() -> Iterator[torch.device]:
    """Have the device for the ``with`` block; ``COMPUTED`` tells what is computed there."""
    COMPUTED.clear()
    with Device():
        yield torch.device(NAME, 0)
