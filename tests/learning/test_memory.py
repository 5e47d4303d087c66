"""LSTM cells after the last hidden layer: equations, truncated back-propagation, mirror images, and what is kept."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from breakout_a3c.config import TrainConfig
from breakout_a3c.errors import UserError
from breakout_a3c.games.make import make_environment
from breakout_a3c.games.seeds import action_generator
from breakout_a3c.learning.actor_learner import differentiate
from breakout_a3c.learning.advantages import generalised_advantages
from breakout_a3c.learning.local_parameters import LocalParameters
from breakout_a3c.learning.memory import CELLS, Memory
from breakout_a3c.learning.networks import ActorCritic, Heads
from breakout_a3c.learning.rollout import Rollout, RolloutCollector
from breakout_a3c.learning.step_limits import change_since
from breakout_a3c.playing.controls import Controls
from breakout_a3c.playing.evaluation import BATCH_ROWS, FixedBatch, Protocol, choose_actions, evaluate
from breakout_a3c.playing.player import Player
from breakout_a3c.presets import BREAKOUT, PRESETS
from tests.games.scripted import DEAD, ON, TRUNCATED, ScriptedGame, Step
from tests.learning.test_networks import ATARI, MIRRORED_ACTIONS, make_network, make_observations

CONFIG = PRESETS["cartpole"].replace(rollout_length=6)
LOST = Step(1.0, life_lost=True)


def make_policy() -> ActorCritic:
    """Return a network that remembers scripted games."""
    torch.manual_seed(0)
    network = ActorCritic("mlp", (4,), 2)
    network.memory = Memory(256)
    network.heads = Heads(CELLS, 2)
    for parameter in network.parameters():
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    return network


def make_games() -> list[ScriptedGame]:
    """Return games that end, are cut off, lose a life, and go on."""
    return [
        ScriptedGame(ON, Step(2.0), DEAD, name=1),
        ScriptedGame(*[ON] * 4, TRUNCATED, name=2),
        ScriptedGame(ON, LOST, Step(1.0), *[ON] * 30, name=3),
        ScriptedGame(*[Step(1.0)] * 30, name=4),
    ]


def slow_cells(memory: Memory, x: Tensor, outputs: Tensor, held: Tensor) -> tuple[Tensor, Tensor]:
    """Compute one game's step from the equations (Hochreiter and Schmidhuber 1997; Gers et al. 2000)."""
    cells = memory.cells
    gates = cells.weight_ih @ x + cells.bias_ih + cells.weight_hh @ outputs + cells.bias_hh
    write, forget, candidate, show = gates.chunk(4)
    held = forget.sigmoid() * held + write.sigmoid() * candidate.tanh()
    return show.sigmoid() * held.tanh(), held


def slow_replay(network: ActorCritic, rollout: Rollout, game: int) -> tuple[Tensor, Tensor]:
    """Return one game's logits ``(T, A)`` and values ``(T,)``, unrolled step by step from its first observation."""
    memory = network.memory
    assert memory
    outputs, held = rollout.lstm_states[0, game].chunk(2)
    found = []
    for t, ended in enumerate(rollout.ended[:, game].tolist()):
        (features,) = (trunk(rollout.observations[t, game : game + 1])[-1][0] for trunk in network.trunks)
        outputs, held = slow_cells(memory, features, outputs, held)
        found.append(network.heads(outputs.unsqueeze(0), outputs.unsqueeze(0)))
        if ended:
            outputs, held = torch.zeros(CELLS), torch.zeros(CELLS)
    return torch.cat([logits for logits, _ in found]), torch.cat([values for _, values in found])


def slow_loss(config: TrainConfig, logits: Sequence[Tensor], values: Sequence[Tensor], rollout: Rollout) -> Tensor:
    """Return the loss of all games, each with its own returns (Mnih et al. 2016, algorithm S3; GAE)."""
    terms = []
    for game, (all_logits, all_values) in enumerate(zip(logits, values, strict=True)):
        advantage = 0.0
        for t in reversed(range(len(all_values))):
            value, probabilities = all_values[t], all_logits[t].softmax(0)
            following = float(rollout.next_values[t, game])
            delta = float(rollout.rewards[t, game]) + config.returns.gamma * following - value.item()
            go_on = 0.0 if rollout.ended[t, game] else config.returns.gamma * config.returns.gae_lambda
            advantage = delta + go_on * advantage
            policy = -probabilities[rollout.actions[t, game]].log() * advantage
            error = (advantage + value.item() - value) ** 2
            entropy = -(probabilities * probabilities.log()).sum()
            terms.append(policy + config.loss.value_coef * error - config.loss.entropy_coef * entropy)
    return torch.stack(terms).mean()


def test_the_cells_by_their_equations() -> None:
    torch.manual_seed(0)
    memory = Memory(256)
    features, state = torch.randn(3, 256), torch.randn(3, memory.state_size)
    outputs, after = memory.step(features, state)
    for game in range(3):
        expected, held = slow_cells(memory, features[game], *state[game].chunk(2))
        torch.testing.assert_close(outputs[game], expected, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(after[game], torch.cat((expected, held)), atol=1e-5, rtol=1e-4)


def test_gradient_and_rollout_are_those_of_the_slow_version() -> None:
    """Two rollouts after each other: the second one begins with what the games remember, and is cut there."""
    network = make_policy()
    local = LocalParameters(network)
    games = make_games()
    collector = RolloutCollector(CONFIG, games, seed=0)
    for number in range(2):
        rollout = collector.collect(network)
        assert bool(rollout.lstm_states[0].any()) == (number > 0)
        slow = [slow_replay(network, rollout, game) for game in range(len(games))]
        torch.testing.assert_close(rollout.values, torch.stack([values for _, values in slow], 1), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(rollout.logits, torch.stack([logits for logits, _ in slow], 1), atol=1e-5, rtol=1e-4)
        expected = torch.autograd.grad(slow_loss(CONFIG, *zip(*slow, strict=True), rollout), list(network.parameters()))
        advantages = generalised_advantages(
            rollout.rewards,
            rollout.values,
            rollout.next_values,
            rollout.ended,
            CONFIG.returns.gamma,
            CONFIG.returns.gae_lambda,
        )
        differentiate(local, rollout, advantages, advantages + rollout.values, CONFIG.loss, annealed=0.0)
        gradient, _ = local.take_gradient(1e9)
        flat = torch.cat([each.flatten() for each in expected])
        torch.testing.assert_close(gradient, flat, atol=1e-4 * float(flat.abs().max()), rtol=1e-3)


@torch.no_grad()
def test_the_states_that_follow_are_worth_what_the_network_remembers_there() -> None:
    network = make_policy()
    rollout = RolloutCollector(CONFIG, make_games(), seed=0).collect(network)
    state = network.first_lstm_state(1)
    for step in range(6):  # the second game's five steps, and the state in which it was cut off
        _, value, _, state = network.act(torch.tensor([[2.0, 0.0, step, 1.0]]), lstm_state=state)
    assert float(rollout.next_values[4, 1]) == pytest.approx(float(value), abs=1e-5)
    forgetful = float(network(torch.tensor([[2.0, 0.0, 5.0, 1.0]]))[1])
    assert abs(forgetful - float(value)) > 1e-3
    state = network.first_lstm_state(1)
    for step in range(7):  # the last game's six, and the one after the rollout
        _, value, _, state = network.act(torch.tensor([[4.0, 0.0, step, 1.0]]), lstm_state=state)
    assert float(rollout.next_values[5, 3]) == pytest.approx(float(value), abs=1e-5)
    assert rollout.next_values[2, 0] == 0, "a terminal state is worth nothing"


def test_a_game_that_ends_changes_nothing_for_the_others() -> None:
    games = make_games()
    rollout = RolloutCollector(CONFIG, games, seed=0).collect(make_policy())
    others = [*games[1:3], ScriptedGame(*[ON] * 30, name=1)]
    again = RolloutCollector(CONFIG, [ScriptedGame(*game.script, name=game.name) for game in others], seed=0)
    torch.testing.assert_close(rollout.values[:, 1], again.collect(make_policy()).values[:, 0])


@pytest.mark.parametrize("network", ["lstm", "nature-lstm"])
@torch.no_grad()
def test_a_mirrored_game_is_remembered_as_the_mirror_image(network: str) -> None:
    made = make_network(network, 3, symmetric=True)  # type: ignore[arg-type]
    state = mirrored_state = None
    for step in range(3):
        observations = make_observations("paper", 5).roll(step, 0)
        logits, values, _, state = made.act(observations, lstm_state=state)
        mirrored_logits, mirrored_values, _, mirrored_state = made.act(observations.flip(2), lstm_state=mirrored_state)
        assert logits.std(dim=1).max() > 1e-2, "all actions are alike, so their order could not be seen"
        torch.testing.assert_close(mirrored_logits[:, MIRRORED_ACTIONS[3]], logits, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(mirrored_values, values, atol=1e-5, rtol=1e-4)
    fresh, _ = made(observations)
    assert (fresh - logits).abs().max() > 1e-3, "nothing is remembered"


def test_the_step_limits_replay_whole_games() -> None:
    network = make_policy()
    collector = RolloutCollector(CONFIG, make_games(), seed=0)
    collector.collect(network)
    rollout = collector.collect(network)
    assert change_since(rollout, network) == pytest.approx((0.0, 0.0), abs=1e-5)
    assert network.memory
    with torch.no_grad():
        network.memory.cells.weight_hh.add_(0.1 * torch.randn_like(network.memory.cells.weight_hh))
    kl, value = change_since(rollout, network)
    assert kl > 1e-6
    assert value > 1e-4


@torch.no_grad()
def test_a_row_remembers_its_own_game() -> None:
    network = make_network("lstm", symmetric=True)
    batch, alone = FixedBatch(network), FixedBatch(network)
    screens = make_observations("paper", 2 * BATCH_ROWS).numpy()
    batch.ask(dict(enumerate(screens[:BATCH_ROWS])))
    alone.ask({3: screens[3]})
    assert torch.equal(batch.remembered(3), alone.remembered(3))
    assert not alone.remembered(2).any(), "no game was played there"
    batch.forget(2)
    together, _ = batch.ask(dict(enumerate(screens[BATCH_ROWS:])))
    by_itself, _ = alone.ask({3: screens[BATCH_ROWS + 3]})
    assert torch.equal(together[3], by_itself[0])
    begun, _ = FixedBatch(network).ask({2: screens[BATCH_ROWS + 2]})
    assert torch.equal(together[2], begun[0])


def test_what_games_remember_is_saved_with_them() -> None:
    network = make_policy()
    collector = RolloutCollector(CONFIG, make_games(), seed=0)
    collector.collect(network)
    state = collector.state()
    expected = collector.collect(network)
    other = RolloutCollector(CONFIG, make_games(), seed=1)
    other.restore(state)
    rollout = other.collect(network)
    assert torch.equal(rollout.lstm_states, expected.lstm_states)
    assert torch.equal(rollout.values, expected.values)
    fewer = RolloutCollector(CONFIG, make_games()[:1], seed=1)
    with pytest.raises((ValueError, KeyError)):
        fewer.restore(state)


def test_games_of_a_network_without_a_memory_begin_with_none() -> None:
    collector = RolloutCollector(CONFIG, make_games(), seed=0)
    collector.collect(ActorCritic("mlp", (4,), 2))
    other = RolloutCollector(CONFIG, make_games(), seed=0)
    other.restore(collector.state())
    assert not other.collect(make_policy()).lstm_states[0].any()


@torch.no_grad()
def played_by_hand(network: ActorCritic, protocol: Protocol, *, forgets: bool = True) -> tuple[float, int]:
    """Return score and steps of the protocol's first game, whose memory begins anew with each life."""
    (seed, *_) = protocol.game_seeds()
    environment, generator = make_environment(BREAKOUT.game), action_generator(seed)
    observation, _ = environment.reset(seed=seed)
    state, score, steps, terminated = network.first_lstm_state(BATCH_ROWS), 0.0, 0, False
    while not terminated:
        batch = torch.from_numpy(observation).expand(BATCH_ROWS, -1, -1, -1)
        logits, _, _, state = network.act(batch, lstm_state=state)
        action = int(choose_actions(logits[:1].numpy(), False, [generator])[0])
        observation, reward, terminated, _, info = environment.step(action)
        score, steps = score + float(reward), steps + 1
        if info["life_lost"] and forgets:
            state = network.first_lstm_state(BATCH_ROWS)
    return score, steps


def test_evaluation_and_player_forget_with_each_life() -> None:
    network, protocol = make_network("lstm", symmetric=True), Protocol(episodes=2, seed=3)
    assert network.memory
    network.memory.cells.bias_hh.data.chunk(4)[1].fill_(5.0)  # the gates that forget stay open
    network.heads.policy.weight.data.mul_(50)
    score, steps = played_by_hand(network, protocol)
    assert steps != played_by_hand(network, protocol, forgets=False)[1], "a memory that reached over a life would show"
    assert evaluate(network, BREAKOUT.game, protocol).games[0][:2] == (score, steps)
    player = Player(network, BREAKOUT.game, protocol, controls := Controls(greedy=False))
    for scene in player.play(0):
        controls.saliency = scene.step % 20 == 0  # looking changes nothing
    assert (player.scores, scene.step) == ([score], steps)


def test_one_memory_serves_no_two_trunks() -> None:
    with pytest.raises(UserError, match=r"network lstm has one memory: leave out --separate-value-network\.$"):
        BREAKOUT.replace(network="lstm", separate_value_network=True)
    with pytest.raises(AssertionError, match="a memory is for one trunk"):
        ActorCritic("lstm", ATARI, 3, separate_value_network=True)
