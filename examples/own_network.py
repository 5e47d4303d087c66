"""A network of your own: a layer fewer, and more channels.

python train.py --import examples/own_network.py --network wide --no-symmetric --game pong
"""

from torch import nn

from breakout_a3c import register_network


def make_wide(shape: tuple[int, ...]) -> nn.Module:
    """Return the layers before the two heads, for observations (4, 84, 84) from 0 to 1."""
    return nn.Sequential(
        nn.Conv2d(shape[0], 32, kernel_size=8, stride=4),
        nn.ReLU(),
        nn.Conv2d(32, 32, kernel_size=4, stride=4),
        nn.ReLU(),
        nn.Flatten(),
        nn.LazyLinear(256),
        nn.ReLU(),
    )


register_network("wide", make_wide)
