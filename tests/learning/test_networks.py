"""The networks against the papers' numbers and against a slow forward pass."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from breakout_a3c.config import Actions, GameOptions, Network, NetworkOptions, Precision
from breakout_a3c.games.atari import AtariGame
from breakout_a3c.games.make import make_environment
from breakout_a3c.learning import networks
from breakout_a3c.learning.local_parameters import LocalParameters
from breakout_a3c.learning.networks import ActorCritic, ConvTrunk, Heads, resolve_precision
from tests.games.scripted import ScriptedGame

ATARI = (84, 84, 4)
MIRRORED_ACTIONS = {3: (0, 2, 1), 4: (0, 1, 3, 2)}


def make_network(
    network: Network = "paper", num_actions: int = 3, symmetric: bool = False, background: Tensor | None = None
) -> ActorCritic:
    torch.manual_seed(0)
    made = ActorCritic(
        network,
        (4,) if network == "mlp" else ATARI,
        num_actions,
        mirrored_actions=MIRRORED_ACTIONS[num_actions] if symmetric else None,
        background=background,
    )
    for parameter in made.parameters():  # policies and biases that matter
        parameter.data.add_(0.02 * torch.randn_like(parameter))
    return made


def make_observations(network: Network, batch: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    if network == "mlp":
        return torch.randn(batch, 4, generator=generator)
    return torch.randint(0, 256, (batch, *ATARI), dtype=torch.uint8, generator=generator)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def slow_forward(network: ActorCritic, observations: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the network from the papers' words: pixels / 255 in NCHW, ReLU after every layer."""
    assert isinstance(network.trunks[0], ConvTrunk)
    x = observations.permute(0, 3, 1, 2).contiguous().float() / 255
    for layer, stride in zip(network.trunks[0].convolutions, (4, 2, 1), strict=False):
        assert isinstance(layer, nn.Conv2d)
        x = functional.relu(functional.conv2d(x, layer.weight.contiguous(), layer.bias, stride))
    x = torch.stack([image.permute(1, 2, 0).contiguous().reshape(-1) for image in x])
    x = functional.relu(x @ network.trunks[0].dense.weight.T + network.trunks[0].dense.bias)
    policy, value = network.heads.policy, network.heads.value
    return x @ policy.weight.T + policy.bias, (x @ value.weight.T + value.bias)[:, 0]


@pytest.mark.parametrize(
    ("network", "convolutions", "dense_inputs", "dense"),
    [
        ("paper", [4_112, 8_224], 2_592, 663_808),
        ("nature", [8_224, 32_832, 36_928], 3_136, 1_606_144),
    ],
)
def test_sizes_are_the_papers(network: Network, convolutions: list[int], dense_inputs: int, dense: int) -> None:
    trunk = ActorCritic(network, ATARI, 4).trunks[0]
    assert isinstance(trunk, ConvTrunk)
    assert [count(layer) for layer in trunk.convolutions] == convolutions
    assert trunk.dense.in_features == dense_inputs
    assert count(trunk.dense) == dense


@pytest.mark.parametrize(("network", "features"), [("paper", 256), ("nature", 512), ("mlp", 256)])
def test_heads_are_linear_in_the_features(network: Network, features: int) -> None:
    heads = make_network(network, 6).heads
    assert count(heads) == (features + 1) * 6 + (features + 1)


def test_the_dense_trunk_is_one_hidden_layer() -> None:
    assert count(ActorCritic("mlp", (4,), 2)) == (4 * 256 + 256) + (256 * 2 + 2) + (256 + 1)


@pytest.mark.parametrize("network", ["paper", "nature", "mlp"])
@pytest.mark.parametrize("batch", [1, 5])
def test_outputs(network: Network, batch: int) -> None:
    logits, values = make_network(network, 6)(make_observations(network, batch))
    assert (logits.shape, values.shape) == ((batch, 6), (batch,))
    assert logits.dtype == values.dtype == torch.float32


@pytest.mark.parametrize("network", ["paper", "nature", "mlp"])
@torch.no_grad()
def test_a_row_does_not_depend_on_its_batch(network: Network) -> None:
    made, observations = make_network(network), make_observations(network, 6)
    logits, values = made(observations)
    assert logits.std(dim=0).min() > 1e-3, "all rows are alike, so their order could not be seen"
    for row in range(6):
        alone_logits, alone_values = made(observations[row : row + 1])
        torch.testing.assert_close(alone_logits[0], logits[row])
        torch.testing.assert_close(alone_values[0], values[row])


@pytest.mark.parametrize("network", ["paper", "nature"])
@pytest.mark.parametrize("flat", [False, True], ids=["as built", "in a flat vector"])
@torch.no_grad()
def test_forward_is_the_slow_one(network: Network, flat: bool) -> None:
    made, observations = make_network(network), make_observations(network, 3)
    expected = slow_forward(made, observations)
    if flat:
        LocalParameters(made)
        torch.testing.assert_close(slow_forward(made, observations), expected)
    torch.testing.assert_close(made(observations), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("network", ["paper", "nature"])
@pytest.mark.parametrize("num_actions", [3, 4])
@torch.no_grad()
def test_a_symmetric_network_sees_a_mirrored_screen_as_the_mirror_image(network: Network, num_actions: int) -> None:
    made, observations = make_network(network, num_actions, symmetric=True), make_observations(network, 5)
    logits, values = made(observations)
    assert logits.std(dim=1).min() > 1e-3, "all actions are alike, so their order could not be seen"
    mirrored_logits, mirrored_values = made(observations.flip(2))
    torch.testing.assert_close(mirrored_logits[:, MIRRORED_ACTIONS[num_actions]], logits, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(mirrored_values, values, atol=1e-5, rtol=1e-4)
    untied = make_network(network, num_actions)
    assert (untied(observations.flip(2))[1] - untied(observations)[1]).abs().max() > 1e-3


@pytest.mark.parametrize("mirrored_actions", [(0, 1), (0, 2, 2), (1, 2, 3)], ids=str)
def test_actions_that_mirror_no_policy_are_refused(mirrored_actions: tuple[int, ...]) -> None:
    with pytest.raises(AssertionError, match="mirror no policy"):
        Heads(256, 3, mirrored_actions)


def test_only_screens_have_a_left_and_a_right() -> None:
    with pytest.raises(AssertionError, match="network mlp has no left and right"):
        ActorCritic("mlp", (4,), 2, mirrored_actions=(1, 0))


@torch.no_grad()
def test_a_symmetric_network_is_one_whose_weights_come_in_pairs() -> None:
    """Written out, it is the ordinary network, with 16 and 32 filters and 256 features."""
    tied, observations = make_network(symmetric=True), make_observations("paper", 3)
    plain = make_network()
    assert isinstance(tied.trunks[0], ConvTrunk)
    assert isinstance(plain.trunks[0], ConvTrunk)
    pairs = zip(plain.trunks[0].convolutions, tied.trunks[0].convolutions, strict=True)
    for i, (whole, half) in enumerate(pairs):
        assert isinstance(whole, nn.Conv2d)
        assert isinstance(half, nn.Conv2d)
        assert half.bias is not None
        assert whole.bias is not None
        mirror_image = half.weight.flip(3)
        if i > 0:  # its inputs are exchanged, too
            first, second = mirror_image.chunk(2, dim=1)
            mirror_image = torch.cat((second, first), dim=1)
        whole.weight.copy_(torch.cat((half.weight, mirror_image)))
        whole.bias.copy_(torch.cat((half.bias, half.bias)))
    whole_dense, half_dense = plain.trunks[0].dense, tied.trunks[0].dense
    weight = half_dense.weight.view(128, 9, 9, 2, 16)
    whole_dense.weight.copy_(torch.cat((weight, weight.flip(2, 3))).flatten(1))
    whole_dense.bias.copy_(half_dense.bias.repeat(2))
    fire, right, left = tied.heads.policy.weight
    plain.heads.policy.weight.copy_(
        torch.stack((fire, right, left, fire, left, right)).view(2, 3, 128).transpose(0, 1).flatten(1)
    )
    plain.heads.policy.bias.copy_(tied.heads.policy.bias + tied.heads.policy.bias[[0, 2, 1]])
    plain.heads.value.weight.copy_(tied.heads.value.weight.repeat(1, 2))
    plain.heads.value.bias.copy_(2 * tied.heads.value.bias)
    torch.testing.assert_close(tied(observations), plain(observations), atol=1e-4, rtol=1e-4)
    assert 2 * count(tied) == count(plain) + 4, "the three biases of the policy and the value's have no partner"


def test_gradients_are_the_slow_ones() -> None:
    made, observations = make_network("paper"), make_observations("paper", 3)
    gradients = []
    for logits, values in (made(observations), slow_forward(made, observations)):
        loss = logits.square().sum() + values.square().sum()
        gradients.append(torch.autograd.grad(loss, list(made.parameters())))
    for ours, slow in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, slow, atol=1e-4 * float(slow.abs().max()), rtol=1e-3)


@torch.no_grad()
def test_the_trunk_runs_in_bf16_and_the_heads_in_float32() -> None:
    made, observations = make_network(), make_observations("paper", 3)
    expected = made(observations)
    made.trunks[0].to(torch.bfloat16)
    logits, values = made(observations)
    assert {output.dtype for output in made.act(observations)[2].layers} == {torch.bfloat16}
    assert logits.dtype == values.dtype == torch.float32
    torch.testing.assert_close((logits, values), expected, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("network", ["paper", "nature", "mlp"])
def test_initial_weights_are_orthogonal_with_their_gains(network: Network) -> None:
    torch.manual_seed(0)
    made = ActorCritic(network, (4,) if network == "mlp" else ATARI, 3)
    gains = {made.heads.policy: 0.01, made.heads.value: 1.0}
    layers = [module for module in made.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert len(layers) == {"paper": 5, "nature": 6, "mlp": 3}[network]
    for layer in layers:
        matrix = layer.weight.detach().flatten(1)
        matrix = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
        gain = gains.get(layer, math.sqrt(2))
        torch.testing.assert_close(
            matrix @ matrix.T / gain**2, torch.eye(len(matrix)), atol=1e-4, rtol=0, msg=f"{layer}"
        )
        assert layer.bias is not None
        assert not layer.bias.any()


def test_the_first_policy_is_nearly_uniform() -> None:
    torch.manual_seed(0)
    logits, _ = ActorCritic("paper", ATARI, 4)(make_observations("paper", 8))
    torch.testing.assert_close(logits.softmax(dim=-1), torch.full((8, 4), 0.25), atol=0.02, rtol=0)


@pytest.mark.parametrize(
    ("precision", "capabilities", "expected"),
    [
        ("float32", {"avx512_bf16": True, "amx_bf16": True}, torch.float32),
        ("bf16", {}, torch.bfloat16),
        ("auto", {}, torch.float32),
        ("auto", {"avx512_bf16": False, "amx_bf16": False, "avx2": True}, torch.float32),
        ("auto", {"avx512_bf16": True}, torch.bfloat16),
        ("auto", {"avx512_bf16": False, "amx_bf16": True}, torch.bfloat16),
    ],
)
def test_bf16_only_where_the_cpu_multiplies_it(
    precision: Precision, capabilities: dict[str, bool], expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert resolve_precision(precision) == expected


@pytest.mark.parametrize(("supported", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_an_older_torch_that_has_no_list_of_capabilities_is_asked_in_its_own_way(
    supported: bool, expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: supported)
    assert resolve_precision("auto") == expected


@pytest.mark.parametrize(("supported", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_gpu_is_asked_for_itself(supported: bool, expected: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation: supported and not including_emulation
    )
    assert resolve_precision("auto", "cuda") == expected
    assert resolve_precision("float32", "cuda") == torch.float32


def test_auto_resolves_on_this_machine() -> None:
    assert resolve_precision("auto") in (torch.float32, torch.bfloat16)


@pytest.mark.parametrize(
    ("game", "options", "actions", "parameters"),
    [
        ("breakout", NetworkOptions("paper"), 3, 338_588),
        ("breakout", NetworkOptions("paper", symmetric=False), 3, 677_172),
        ("pong", NetworkOptions("paper", symmetric=False), 6, 677_943),
        ("pong", NetworkOptions("paper", symmetric=False, separate_value_network=True), 6, 1_354_087),
    ],
)
def test_the_network_fits_the_game(game: str, options: NetworkOptions, actions: int, parameters: int) -> None:
    made = networks.make_network(options, AtariGame(game))
    assert (made.num_actions, count(made)) == (actions, parameters)


@pytest.mark.parametrize(("game", "gray"), [("pong", 87), ("seaquest", 32), ("space_invaders", 0), ("breakout", 0)])
@torch.no_grad()
def test_the_commonest_gray_of_a_game_is_seen_as_zero(game: str, gray: int) -> None:
    environment = AtariGame(game)
    centred = networks.make_network(NetworkOptions(symmetric=False, background="commonest"), environment)
    background = torch.full((1, 84, 84, 4), gray, dtype=torch.uint8)
    assert not any(outputs.any() for outputs in centred.act(background)[2].layers), "as biases begin at zero"
    plain = networks.make_network(NetworkOptions(symmetric=False, background="black"), environment)
    assert plain.act(background)[2].layers[0].any() == (gray > 0)


@pytest.mark.parametrize("symmetric", [True, False])
def test_the_usual_screen_is_that_of_a_game_without_what_moves(symmetric: bool) -> None:
    game = AtariGame("breakout", max_noops=0)
    first = torch.from_numpy(game.reset()[0][..., -1])
    screen = networks.background_of(NetworkOptions(symmetric=symmetric, background="screen"), game)
    assert screen is not None
    assert (screen == first).float().mean() > 0.95
    assert (screen[20:40] > 60).float().mean() > 0.5, "the bricks are in it"
    assert torch.equal(screen, screen.flip(1)) == symmetric, "the digits of the score are no mirror images"


def test_a_game_without_a_screen_has_no_background() -> None:
    game = make_environment(GameOptions("cartpole"))
    assert networks.background_of(NetworkOptions("mlp", symmetric=False, background="screen"), game) is None


@torch.no_grad()
def test_a_background_is_subtracted_from_each_pixel() -> None:
    screen = torch.randint(0, 88, (84, 84), dtype=torch.uint8)
    centred, plain = (ActorCritic("paper", (84, 84, 4), 3, background=background) for background in (screen, None))
    plain.load_state_dict(centred.state_dict())
    observations = make_observations("paper", 3).clamp(max=255 - 87)
    torch.testing.assert_close(centred(observations + screen.unsqueeze(-1)), plain(observations))


def test_a_network_for_vectors_fits_them() -> None:
    made = networks.make_network(NetworkOptions("mlp", symmetric=False), ScriptedGame())  # type: ignore[arg-type]
    assert (made.num_actions, count(made)) == (2, 2_051)


@pytest.mark.parametrize(("actions", "mirrored"), [("reduced", [0, 2, 1]), ("minimal", [0, 1, 3, 2])])
@torch.no_grad()
def test_the_game_says_which_actions_mirror_each_other(actions: Actions, mirrored: list[int]) -> None:
    made, observations = (
        networks.make_network(NetworkOptions(), AtariGame(actions=actions)),
        make_observations("paper", 2),
    )
    torch.testing.assert_close(made(observations.flip(2))[0][:, mirrored], made(observations)[0])


def test_a_game_that_does_not_say_has_no_symmetric_network() -> None:
    with pytest.raises(AssertionError, match="does not say which of its actions mirror each other"):
        networks.make_network(NetworkOptions(), AtariGame("pong"))
