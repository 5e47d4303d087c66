"""The published model rebuilt from its named weights, with PyTorch and without this package: models/README.md."""

import sys

import torch
from safetensors.torch import load_file
from torch.nn.functional import conv2d, linear

w = load_file(sys.argv[1] if len(sys.argv) > 1 else "models/breakout.safetensors")


def policy_and_value(frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return probabilities (B, 3) and values (B,) of frames (B, 4, 84, 84) uint8, the oldest first."""
    x = conv2d(frames / 255, w["trunks.0.convolutions.0.weight"], w["trunks.0.convolutions.0.bias"], 4).relu()
    x = conv2d(x, w["trunks.0.convolutions.1.weight"], w["trunks.0.convolutions.1.bias"], 2).relu()
    x = x.permute(0, 2, 3, 1).flatten(1)  # (B, 9 * 9 * 32)
    x = linear(x, w["trunks.0.dense.weight"], w["trunks.0.dense.bias"]).relu()
    logits = linear(x, w["heads.policy.weight"], w["heads.policy.bias"])
    return logits.softmax(1), linear(x, w["heads.value.weight"], w["heads.value.bias"]).squeeze(1)


print(policy_and_value(torch.zeros(1, 4, 84, 84, dtype=torch.uint8)))
