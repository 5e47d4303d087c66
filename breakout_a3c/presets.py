"""The named presets: settings that belong together, one preset for each method and game."""

from breakout_a3c.config import CARTPOLE, TrainConfig

BREAKOUT = TrainConfig()
# What the default adds to A3C is left out.
PLAIN = BREAKOUT.replace(
    life_loss_penalty=0.0,
    second_chances=0.0,
    sticky_games=0.0,
    late_starts=0.0,
    stall_steps=None,
    network="paper",
    symmetric=False,
    background="black",
    precision="float32",
    final_rollout_length=None,
    learning_rate=7e-4,
    learning_rate_power=1.0,
    anneal_part=0.5,
    warmup_updates=0,
    max_kl=None,
    max_value_change=None,
    max_staleness=None,
    average_steps=0,
)
# CartPole-v1, which counts as solved at a mean return of 475.
CARTPOLE_A3C = PLAIN.replace(
    game=CARTPOLE,
    network="mlp",
    threads=3,
    envs=8,
    frame_skip=1,
    clip_rewards=False,
    final_entropy_coef=0.002,
    total_steps=500_000,
    eval_minutes=0.1,
)

# Mnih et al. 2016 with the details that its author confirmed to the authors of async-rl, whose
# value loss is 0.5 * (R - V)^2 / 2; only the weights begin otherwise, as in OpenAI baselines.
PAPER = PLAIN.replace(
    actions="minimal",
    auto_fire=False,
    envs=1,
    gae_lambda=1.0,
    optimizer_eps=0.1,
    rmsprop_eps_inside_root=True,
    final_entropy_coef=0.01,
    value_coef=0.25,
    max_grad_norm=40.0,
    loss_reduction="sum",
)

# Breakout by the interface of Machado et al. 2018, so that scores can be compared: all 18 actions, sticky ones, no FIRE
# of the program's own, no no-ops; the learner knows nothing of lives. Training games that begin late and stalls stay.
# Not measured yet.
MACHADO = BREAKOUT.replace(
    actions="full",
    sticky=0.25,
    auto_fire=False,
    max_noops=0,
    max_episode_frames=108_000,
    terminal_on_life_loss=False,
    life_loss_penalty=0.0,
    second_chances=0.0,
    sticky_games=0.0,
    anneal_part=0.15,
    total_steps=10_000_000,
)

PRESETS: dict[str, TrainConfig] = {
    # Ours: the fastest to a good score on two cores.
    "breakout": BREAKOUT,
    # Longer. Its entropy coefficient, rollouts and sticky games change after as many steps as in the default. Not
    # measured yet.
    "long": BREAKOUT.replace(anneal_part=0.06, sticky_games_begin=0.072, total_steps=25_000_000),
    "machado": MACHADO,
    "paper": PAPER,
    "paper-lstm": PAPER.replace(network="lstm"),
    "cartpole": CARTPOLE_A3C,
    # One learner with 40 games: an update sees five times as many steps, and its rate is four times as high. Without
    # the limit one seed of 18 ended at 92 points (docs/notes/a2c-step-limit.md).
    "cartpole-a2c": CARTPOLE_A3C.replace(algorithm="a2c", envs=40, learning_rate=3e-3, max_kl=0.03),
    # The online method: an update after each step, from one-step targets. Rewards are small beside the entropy
    # bonus: a value function that knows nothing yet calls every action good, and the first one would take all.
    "td-actor-critic": CARTPOLE_A3C.replace(
        threads=1,
        envs=1,
        rollout_length=1,
        gae_lambda=0.0,
        gamma=0.98,
        reward_scale=0.01,
        separate_value_network=True,
        optimizer="adam",
        square_decay=0.999,
        optimizer_eps=1e-8,
        learning_rate=3e-4,
        value_coef=5.0,
        max_grad_norm=100.0,
        total_steps=60_000,
    ),
    # The other end: an update after each game, from its whole returns, with the value as baseline.
    "reinforce": CARTPOLE_A3C.replace(
        threads=1,
        envs=1,
        rollout_length=500,
        gae_lambda=1.0,
        learning_rate=3e-3,
        total_steps=200_000,
    ),
}
