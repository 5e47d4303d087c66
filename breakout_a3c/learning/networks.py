"""The actor-critic networks: one trunk, perhaps a memory, a policy head and a value head.

A symmetric network is for a game whose mirrored screen is a screen of the same game. Its weights are tied so that the
mirrored screen has the same value, and the same policy with the mirrored actions (Cohen and Welling 2016; van der Pol
et al. 2020): each filter comes with its mirror image, and the dense layer and the heads see a state as it is and
mirrored. That is half as many weights for the same work, and what is learned on one side is known on the other.
"""

import itertools
import math
from collections.abc import Sequence

import torch
from gymnasium.spaces import Discrete
from torch import Tensor, nn
from torch.nn import functional

from breakout_a3c.config import RECURRENT, Device, NetworkOptions, Precision
from breakout_a3c.errors import UserError
from breakout_a3c.extensions import NETWORKS
from breakout_a3c.games.atari import AtariGame, commonest_gray, usual_screen
from breakout_a3c.games.make import Game
from breakout_a3c.learning.cached_layers import (
    CachedOutputs,
    ConvWeights,
    cached_convolution,
    cached_dense,
    cached_symmetric_dense,
)
from breakout_a3c.learning.changed_pixels import changed_pixels_convolution
from breakout_a3c.learning.memory import Memory
from breakout_a3c.learning.mirrored_maps import even_and_odd

PIXELS = (84, 84, 4)  # the last four gray frames, the oldest first


class ConvTrunk(nn.Module):
    """Convolutions and one dense layer over stacked gray frames, each followed by a ReLU.

    Activations are channels-last throughout, which is how the observations lie in memory: the
    dense layer reads them in (height, width, channel) order and nothing is ever transposed.

    Args:
        layers: Output channels, kernel size and stride of each convolution.
        num_features: Outputs of the dense layer.
        symmetric: Whether one half of the outputs of each layer is that of the other for the mirrored screen.
        background: ``(84, 84)`` uint8, the screen that it sees as zero; None: the black one.
    """

    _background: Tensor | None  # (84, 84, 4) uint8, the same in each frame

    def __init__(
        self,
        layers: tuple[tuple[int, int, int], ...],
        num_features: int,
        symmetric: bool = False,
        background: Tensor | None = None,
    ) -> None:
        super().__init__()
        self._symmetric = symmetric
        self.register_buffer("_background", None, persistent=False)
        if background is not None:
            self._background = background.unsqueeze(-1).repeat(1, 1, 4)
        copies = 2 if symmetric else 1
        in_channels, side = 4, 84
        self._convolutions: list[nn.Conv2d] = []
        for out_channels, kernel, stride in layers:
            assert kernel % stride == (side - kernel) % stride == 0, (
                f"a kernel of {kernel} by steps of {stride} leaves pixels over, of the kernel or of a side of {side}"
            )  # see convolution_input_gradient
            self._convolutions.append(nn.Conv2d(in_channels, out_channels // copies, kernel, stride))
            in_channels, side = out_channels, (side - kernel) // stride + 1
        self.convolutions = nn.ModuleList(self._convolutions)
        self._side = side  # of the last maps
        self.dense = nn.Linear(side * side * in_channels, num_features // copies)
        self.num_features = num_features

    def weights(self) -> ConvWeights:
        """Return what the layers multiply by: made of the parameters, and good until these change."""
        dense = self.dense.weight
        parts = even_and_odd(dense.view(len(dense), self._side, self._side, -1)) if self._symmetric else (dense,)
        return ConvWeights(self.convolution_weights(), parts)

    def convolution_weights(self) -> list[tuple[Tensor, Tensor, tuple[int, int]]]:
        """Return weight, bias and stride of each convolution, with the mirror images of its filters."""
        convolutions = []
        for i, convolution in enumerate(self._convolutions):
            weight, bias = convolution.weight, convolution.bias
            assert bias is not None
            if self._symmetric:
                mirrored = weight.flip(3) if i == 0 else weight.flip(3).roll(weight.shape[1] // 2, 1)
                weight, bias = torch.cat((weight, mirrored)), torch.cat((bias, bias))
            # 0..255 to 0..1 in the 4,096 weights rather than in 28,224 pixels for each observation.
            weight = weight * (1 / 255) if i == 0 else weight
            convolutions.append((weight, bias, (convolution.stride[0], convolution.stride[1])))
        return convolutions

    def forward(self, observations: Tensor, weights: ConvWeights | None = None) -> list[Tensor]:
        """Return each layer's output, the features ``(B, num_features)`` last.

        Args:
            observations: ``(B, 84, 84, 4)`` uint8, or of floats.
            weights: What ``weights`` returned, for more than one batch.
        """
        weights = weights or self.weights()
        return self.forward_from_first(self._first_output(observations, *weights.convolutions[0]), weights)

    def forward_from_first(self, first: Tensor, weights: ConvWeights) -> list[Tensor]:
        """Return each layer's output, as ``forward`` does.

        Args:
            first: That of the first convolution, ``(B, F, 20, 20)``.
            weights: What ``weights`` returned.
        """
        outputs = [first]
        for weight, bias, stride in weights.convolutions[1:]:
            outputs.append(functional.conv2d(outputs[-1], weight, bias, stride).relu_())
        maps = outputs[-1].permute(0, 2, 3, 1)
        if self._symmetric:
            even, odd = (
                functional.linear(x, weight) for x, weight in zip(even_and_odd(maps), weights.dense, strict=True)
            )
            features = torch.cat((even + odd, even - odd), dim=1) / 2 + self.dense.bias.repeat(2)
        else:
            features = self.dense(maps.flatten(1))
        return [*outputs, features.relu_()]

    def forward_from_cache(
        self, observations: Tensor, outputs: list[Tensor], weights: ConvWeights | None = None
    ) -> Tensor:
        """Return the features ``(B, num_features)`` that ``forward`` computed, differentiably.

        Exact as long as the parameters have not changed since.

        Args:
            observations: ``(B, 84, 84, 4)`` uint8, as given to ``forward``.
            outputs: What ``forward`` returned.
            weights: What it multiplied by.
        """
        convolutions = self.convolution_weights()
        x = self._first_output(observations, *convolutions[0], outputs[0])
        for (weight, bias, stride), output in zip(convolutions[1:], outputs[1:-1], strict=True):
            x = cached_convolution(x, weight, bias, output, stride)
        maps = x.permute(0, 2, 3, 1)
        if self._symmetric:
            assert weights is not None
            return cached_symmetric_dense(maps, self.dense.weight, *weights.dense, self.dense.bias, outputs[-1])
        return cached_dense(maps.flatten(1), self.dense.weight, self.dense.bias, outputs[-1])

    def _first_output(
        self, observations: Tensor, weight: Tensor, bias: Tensor, stride: tuple[int, int], cached: Tensor | None = None
    ) -> Tensor:
        """Return the first convolution's output, ``cached`` where acting computed it."""
        if self._background is not None and observations.dtype == torch.uint8 and observations.is_cpu:
            return changed_pixels_convolution(observations, self._background, weight, bias, cached)
        pixels = self.pixels(observations)
        if cached is not None:
            return cached_convolution(pixels, weight, bias, cached, stride)
        return functional.conv2d(pixels, weight, bias, stride).relu_()

    def pixels(self, observations: Tensor) -> Tensor:
        """Return what the first convolution multiplies, ``(B, 4, 84, 84)``: the screens less the background."""
        pixels = observations.permute(0, 3, 1, 2).to(self.dense.weight.dtype)
        return pixels if self._background is None else pixels - self._background.permute(2, 0, 1)


class DenseTrunk(nn.Module):
    """One hidden layer over a small vector observation, for CartPole."""

    def __init__(self, num_inputs: int, num_features: int) -> None:
        super().__init__()
        self.dense = nn.Linear(num_inputs, num_features)
        self.num_features = num_features

    def weights(self) -> None:
        """Return nothing: the layer multiplies by its parameters."""

    def forward(self, observations: Tensor, weights: ConvWeights | None = None) -> list[Tensor]:
        """Return the features ``(B, num_features)`` of observations ``(B, num_inputs)`` float32."""
        return [self.dense(observations.to(self.dense.weight.dtype).flatten(1)).relu_()]

    def forward_from_cache(
        self, observations: Tensor, outputs: list[Tensor], weights: ConvWeights | None = None
    ) -> Tensor:
        """Return the features that ``forward`` computed, differentiably; see ConvTrunk."""
        x = observations.to(self.dense.weight.dtype).flatten(1)
        return cached_dense(x, self.dense.weight, self.dense.bias, outputs[-1])


class OwnTrunk(nn.Module):
    """Layers of a user's own; what acting computed is computed again for the gradient.

    Args:
        module: Maps ``(B, *shape)``, the channels first, to features ``(B, F)``.
        shape: Of one observation, as the game shows it.
    """

    def __init__(self, module: nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.module = module
        with torch.no_grad():
            features = self.forward(torch.zeros(2, *shape))[0]
        if features.ndim != 2 or len(features) != 2:
            raise UserError(f"the network maps two observations to {tuple(features.shape)}: it must be (2, features).")
        self.num_features = features.shape[1]

    def weights(self) -> None:
        """Return nothing: the layers multiply by their parameters."""

    def forward(self, observations: Tensor, weights: ConvWeights | None = None) -> list[Tensor]:
        """Return the features ``(B, F)`` of observations ``(B, *shape)``, of which pixels are uint8 or 0 to 255."""
        dtype = next(self.module.parameters()).dtype
        x = observations.to(dtype)
        if x.ndim == 4:
            x = x.permute(0, 3, 1, 2) / 255
        features: Tensor = self.module(x)
        return [features]

    def forward_from_cache(
        self, observations: Tensor, outputs: list[Tensor], weights: ConvWeights | None = None
    ) -> Tensor:
        """Return the features that ``forward`` computed, differentiably; see ConvTrunk."""
        return self.forward(observations)[0]


Trunk = ConvTrunk | DenseTrunk | OwnTrunk


class Heads(nn.Module):
    """Policy logits and state value, always in float32.

    Those of a symmetric network are sums of two parts, one from the features of the state as it is, one from those of
    its mirror image, with the mirrored actions.

    Args:
        num_features: Of both parts together.
        num_actions: Size of the policy.
        mirrored_actions: For each action the one that mirrors it; None for one part.
    """

    _mirrored_actions: Tensor | None  # (A,) int64

    def __init__(self, num_features: int, num_actions: int, mirrored_actions: Sequence[int] | None = None) -> None:
        super().__init__()
        self.register_buffer("_mirrored_actions", None, persistent=False)
        if mirrored_actions is not None:
            self._mirrored_actions = torch.tensor(mirrored_actions)
            assert sorted(mirrored_actions) == list(range(num_actions)), f"{mirrored_actions} mirror no policy"
            num_features //= 2
        self.policy = nn.Linear(num_features, num_actions)
        self.value = nn.Linear(num_features, 1)

    def forward(self, policy_features: Tensor, value_features: Tensor) -> tuple[Tensor, Tensor]:
        """Map two times ``(B, num_features)`` to logits ``(B, A)`` and values ``(B,)``."""
        if self._mirrored_actions is None:
            return self.policy(policy_features.float()), self.value(value_features.float()).squeeze(-1)
        as_it_is, mirrored = self.policy(in_halves(policy_features.float())).unbind(1)
        logits = as_it_is + mirrored.index_select(1, self._mirrored_actions)
        return logits, self.value(in_halves(value_features.float())).sum((1, 2))


def in_halves(features: Tensor) -> Tensor:
    """View ``(B, features)`` as ``(B, 2, features / 2)``: of the state as it is, and of its mirror image."""
    return features.view(features.shape[0], 2, -1)


def make_trunk(network: str, observation_shape: tuple[int, ...], symmetric: bool, background: Tensor | None) -> Trunk:
    """Build the trunk called ``network`` for observations of the given shape, without the batch.

    Raises:
        UserError: If it does not fit the observations.
    """
    if network in NETWORKS:
        shape = observation_shape
        return OwnTrunk(NETWORKS[network]((shape[2], *shape[:2]) if len(shape) == 3 else shape), shape)
    if network != "mlp" and observation_shape != PIXELS:
        raise UserError(f"network {network} sees {PIXELS}, and the game shows {observation_shape}: use mlp.")
    if network in ("paper", "lstm"):  # Mnih et al. 2016, section 5.1
        return ConvTrunk(((16, 8, 4), (32, 4, 2)), 256, symmetric, background)
    if network in ("nature", "nature-lstm"):  # Mnih et al. 2015, methods
        return ConvTrunk(((32, 8, 4), (64, 4, 2), (64, 3, 1)), 512, symmetric, background)
    assert not symmetric, f"a network {network} has no left and right"
    return DenseTrunk(math.prod(observation_shape), 256)


class ActorCritic(nn.Module):
    """A policy and a value function, on one trunk or on two, or on one with a memory.

    It may compute on a GPU: observations and masks may come from the CPU, logits and values go back there. What games
    remember and what layers put out stays where it was computed.

    Args:
        network: Name of the trunk, and of the memory behind it.
        observation_shape: Shape of one observation, ``(84, 84, 4)`` for Atari.
        num_actions: Size of the policy.
        separate_value_network: Give the value function a trunk of its own.
        mirrored_actions: For each action the one that mirrors it, to tie the weights; None: they are not tied.
        background: ``(84, 84)`` uint8, the screen that it sees as zero; None: the black one.

    Attributes:
        memory: None where it decides by the present observation alone.
    """

    def __init__(
        self,
        network: str,
        observation_shape: tuple[int, ...],
        num_actions: int,
        separate_value_network: bool = False,
        mirrored_actions: Sequence[int] | None = None,
        background: Tensor | None = None,
    ) -> None:
        super().__init__()
        symmetric = mirrored_actions is not None
        self._trunks = [
            make_trunk(network, observation_shape, symmetric, background) for _ in range(1 + separate_value_network)
        ]
        self.trunks = nn.ModuleList(self._trunks)
        num_features = self._trunks[0].num_features
        self.memory = Memory(num_features, symmetric) if network in RECURRENT else None
        assert self.memory is None or not separate_value_network, "a memory is for one trunk"
        self.heads = Heads(self.memory.num_outputs if self.memory else num_features, num_actions, mirrored_actions)
        self.num_actions = num_actions
        self.version = 0  # of the parameters; LocalParameters.pull counts it up
        self._initialise()

    def _initialise(self) -> None:
        """Draw orthogonal weights with the gains of OpenAI baselines' a2c, in each half alone; biases are zero."""
        gains: dict[nn.Module, float] = {self.heads.policy: 0.01, self.heads.value: 1.0}
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.orthogonal_(module.weight, gains.get(module, math.sqrt(2)))
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def forward(self, observations: Tensor, lstm_state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return logits ``(B, A)`` and values ``(B,)``, both float32; see ``act``."""
        logits, values, _, _ = self.act(observations, lstm_state=lstm_state)
        return logits, values

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.heads.policy.weight.device

    def first_lstm_state(self, batch: int) -> Tensor:
        """Return what ``batch`` games remember where they begin, ``(B, S)``; S is 0 without a memory."""
        return torch.zeros(batch, self.memory.state_size if self.memory else 0, device=self.device)

    def weights(self) -> list[ConvWeights | None]:
        """Return what ``act`` makes of the parameters for each trunk, good until they change."""
        return [trunk.weights() for trunk in self._trunks]

    def act(
        self,
        observations: Tensor,
        weights: Sequence[ConvWeights | None] | None = None,
        lstm_state: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, CachedOutputs, Tensor]:
        """Decide in one step of ``B`` games.

        Args:
            observations: ``(B, *observation)``.
            weights: What ``weights`` returned, for more than one batch.
            lstm_state: ``(B, S)``, what the games remember; None: that of a game's beginning.

        Returns:
            Logits ``(B, A)``; values ``(B,)``; for ``features_from_cache``, what each layer of the trunks put out; and
            what the games remember afterwards.
        """
        weights, observations = weights or self.weights(), observations.to(self.device)
        outputs = [trunk(observations, each) for trunk, each in zip(self._trunks, weights, strict=True)]
        cached = CachedOutputs(list(itertools.chain(*outputs)), weights, self.version)
        features = [layers[-1] for layers in outputs]
        lstm_state = self.first_lstm_state(observations.shape[0]) if lstm_state is None else lstm_state
        if self.memory:
            features[0], lstm_state = self.memory.step(features[0], lstm_state)
        logits, values = self.heads(features[0], features[-1])
        return logits.cpu(), values.cpu(), cached, lstm_state

    def features(self, observations: Tensor) -> list[Tensor]:
        """Return the features ``(B, num_features)`` of each trunk."""
        return [trunk(observations.to(self.device))[-1] for trunk in self._trunks]

    @property
    def policy_trunk(self) -> Trunk:
        """The trunk whose features the policy is computed from."""
        return self._trunks[0]

    def logits(self, features: Tensor, lstm_state: Tensor) -> Tensor:
        """Return logits ``(B, A)`` from features ``(B, num_features)`` of the policy's trunk.

        Args:
            features: Of one step.
            lstm_state: ``(B, S)``, what the games remember before it.
        """
        if self.memory:
            features, _ = self.memory.step(features, lstm_state)
        logits: Tensor = self.heads(features, features)[0]
        return logits

    def features_of(self, cached: CachedOutputs) -> list[Tensor]:
        """Return the features ``(B, num_features)`` of each trunk, among what ``act`` returned."""
        depth = len(cached.layers) // len(self._trunks)
        return cached.layers[depth - 1 :: depth]

    def features_from_cache(self, observations: Tensor, cached: CachedOutputs) -> list[Tensor]:
        """Return the features ``(B, num_features)`` of each trunk that ``act`` computed, differentiably.

        Args:
            observations: ``(B, *observation)``.
            cached: What ``act`` returned for them, by the present parameters.
        """
        assert cached.version == self.version, f"parameters {self.version} did not make the cache of {cached.version}"
        depth, observations = len(cached.layers) // len(self._trunks), observations.to(self.device)
        return [
            trunk.forward_from_cache(observations, cached.layers[i * depth : (i + 1) * depth], cached.weights[i])
            for i, trunk in enumerate(self._trunks)
        ]

    def replay(self, features: Sequence[Tensor], lstm_state: Tensor, ended: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits ``(T, B, A)`` and values ``(T, B)`` of a rollout, differentiably through its whole length.

        Args:
            features: ``(T, B, num_features)`` of each trunk.
            lstm_state: ``(B, S)``, what the games remembered before it.
            ended: ``(T, B)`` bool, after which steps they remember nothing.
        """
        if self.memory:
            features = [self.memory.replay(features[0], lstm_state, ended.to(self.device))]
        return self._decide(features)

    def replay_from_cache(
        self, features: Sequence[Tensor], lstm_states: Tensor, ended: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return what ``replay`` does, for the rollout that this network played: faster, and differentiably, too.

        Args:
            features: ``(T, B, num_features)`` of each trunk.
            lstm_states: ``(T, B, S)``, what the games remembered before each step.
            ended: ``(T, B)`` bool, after which steps they remember nothing.
        """
        if self.memory:
            features = [self.memory.replay_from_cache(features[0], lstm_states, ended.to(self.device))]
        return self._decide(features)

    def _decide(self, features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return logits ``(T, B, A)`` and values ``(T, B)``, given the features ``(T, B, F)`` of each."""
        logits, values = self.heads(features[0].flatten(0, 1), features[-1].flatten(0, 1))
        steps = features[0].shape[:2]
        return logits.cpu().unflatten(0, steps), values.cpu().unflatten(0, steps)


def device_of(name: Device) -> torch.device:
    """Return the device of that name, once it is known which it is: ``auto`` is chosen at a training's start."""
    assert name != "auto", "an actor-learner is told where it computes"
    return torch.device(name)


def resolve_precision(precision: Precision, device: Device = "cpu") -> torch.dtype:
    """Return the dtype of the trunk: bf16 only where the CPU, or the GPU, multiplies it in hardware."""
    has_bf16 = gpu_has_bf16 if device == "cuda" else cpu_has_bf16
    in_bf16 = has_bf16() if precision == "auto" else precision == "bf16"
    return torch.bfloat16 if in_bf16 else torch.float32


def gpu_has_bf16() -> bool:
    """Return whether the GPU multiplies bf16 in hardware."""
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def cpu_has_bf16() -> bool:
    """Return whether the CPU multiplies bf16 in hardware."""
    if not hasattr(torch.cpu, "get_capabilities"):  # torch 2.9; each CPU with AMX has this, too
        return bool(torch.cpu._is_avx512_bf16_supported())
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def make_network(options: NetworkOptions, environment: Game) -> ActorCritic:
    """Build the network of ``options`` for the observations and actions of ``environment``."""
    assert isinstance(environment.action_space, Discrete), f"{environment.action_space} is not discrete"
    assert environment.observation_space.shape is not None
    mirrored_actions = environment.mirrored_actions if options.symmetric else None
    assert bool(mirrored_actions) == options.symmetric, "the game does not say which of its actions mirror each other"
    return ActorCritic(
        options.name,
        environment.observation_space.shape,
        int(environment.action_space.n),
        options.separate_value_network,
        mirrored_actions,
        background_of(options, environment),
    )


def background_of(options: NetworkOptions, environment: Game) -> Tensor | None:
    """Return the screen that the network of ``options`` sees as zero, ``(84, 84)`` uint8; None: the black one.

    That of a symmetric network is its own mirror image: black where the two differ.
    """
    if options.background == "black" or not isinstance(environment, AtariGame):
        return None
    if options.background == "commonest":
        return torch.full((84, 84), commonest_gray(environment.name), dtype=torch.uint8)
    screen = torch.from_numpy(usual_screen(environment.name))
    return screen * (screen == screen.flip(1)) if options.symmetric else screen
