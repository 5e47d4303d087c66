"""Published scores, from no-op starts and by their authors' own protocols."""

from typing import NamedTuple


class PublishedScore(NamedTuple):
    """A row that is not measured here."""

    agent: str  # with a link to its source
    mean: str
    trained: str = ""


PUBLISHED_SCORES = (
    PublishedScore(
        "A3C of [pfrl](https://github.com/pfnet/pfrl/tree/master/examples/atari/reproduction/a3c)",
        "581",
        "80 million agent steps, 12.7 hours on 16 cores; the best of 200 evaluations",
    ),
    PublishedScore("A3C in [Fortunato et al. 2018](https://arxiv.org/abs/1706.10295) (NoisyNet)", "496"),
    PublishedScore(
        "PPO of [CleanRL](https://docs.cleanrl.dev/rl-algorithms/ppo/), of "
        "[SB3's zoo](https://github.com/DLR-RM/rl-baselines3-zoo/blob/master/benchmark.md)",
        "415, 398",
        "10 million agent steps",
    ),
    PublishedScore("DQN ([Mnih et al. 2015](https://doi.org/10.1038/nature14236))", "401"),
    PublishedScore(
        "A2C of [SB3's zoo](https://github.com/DLR-RM/rl-baselines3-zoo/blob/master/benchmark.md)",
        "280",
        "10 million agent steps",
    ),
    PublishedScore("a person (Mnih et al. 2015)", "30.5"),
    PublishedScore("random (Mnih et al. 2015)", "1.7"),
)
# Of the games while training, of 16 million frames or 20 million for Pong, as many as other_games trains on: the mean
# of the runs' iteration 15 or 19, a million frames each (baselines/atari/data/*.json at commit 5873f54). Actions stick.
DOPAMINE = "https://github.com/google/dopamine/tree/master/baselines/atari"
PUBLISHED_AT_AS_MANY_FRAMES = {
    "pong": {"DQN": "15.8", "Rainbow": "18.4", "IQN": "18.4"},
    "seaquest": {"DQN": "1,915", "Rainbow": "2,064", "IQN": "10,075"},
    "space_invaders": {"DQN": "847", "Rainbow": "953", "IQN": "1,224"},
}
# What trained the published model; the JSON files of its evaluation tell of the last of its runs only.
PUBLISHED_MODEL = (
    "47 million agent steps: 6.1 hours on 2 cores, then 9 minutes on 16; not in one run: in seven, each from the one "
    "before, with settings changed by hand"
)
