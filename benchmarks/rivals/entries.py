"""The programs that are raced.

Their settings are those that their authors give for Atari. On two cores, A3C of ikostrikov starts as many processes as
its README does, and A3G one a core, as its README says.
"""

from dataclasses import replace

from benchmarks.common.sb3_venv import NEEDS as SB3_NEEDS
from benchmarks.common.sb3_venv import SB3
from benchmarks.rivals.rival import Change, Rival
from breakout_a3c.processes.resources import usable_cores

OLD_GYM = "benchmarks/rivals/old_gym"
TORCH = "torch==2.13.0"
NATURE_OF_SB3 = (
    "features_extractor.cnn.0", "features_extractor.cnn.2", "features_extractor.cnn.4",
    "features_extractor.linear.0", "action_net", "value_net",
)  # fmt: skip
NATURE_OF_CLEANRL = ("network.0", "network.2", "network.4", "network.7", "actor", "critic")
SNAPSHOT = """\
        if time.time() >= next_snapshot:
            next_snapshot += 60
            torch.save(agent.state_dict(), os.path.join(os.environ["SNAPSHOTS"], f"{global_step}.pt"))
"""

SB3_A2C = Rival(
    key="sb3-a2c",
    name="Stable-Baselines3 A2C",
    home="https://github.com/DLR-RM/stable-baselines3",
    settings=f"{SB3}, the RL zoo's for Atari (hyperparams/a2c.yml)",
    needs=SB3_NEEDS,
    arguments=("-m", "benchmarks.rivals.sb3_train", "a2c"),
    game_score=r"^step \d+ game (-?[\d.]+)",
    imports=(".",),
    layers=NATURE_OF_SB3,
)
SB3_PPO = replace(
    SB3_A2C,
    key="sb3-ppo",
    name="Stable-Baselines3 PPO",
    settings=f"{SB3}, the RL zoo's for Atari (hyperparams/ppo.yml)",
    arguments=("-m", "benchmarks.rivals.sb3_train", "ppo"),
)
CLEANRL_PPO = Rival(
    key="cleanrl-ppo",
    name="CleanRL PPO with envpool",
    home="https://github.com/vwxyzjn/cleanrl",
    settings="its own: ppo_atari_envpool.py --env-id Breakout-v5",
    needs=(TORCH, "numpy<2", "gym==0.23.1", "envpool==0.8.4", "tyro", "tensorboard"),
    arguments=("cleanrl/ppo_atari_envpool.py", "--env-id", "Breakout-v5"),
    game_score=r"episodic_return=(-?[\d.]+)",
    repository="cleanrl",
    commit="fe8d8a03c41a7ef5b523e2e354bd01c363e786bb",
    changes=(
        Change(
            "cleanrl/ppo_atari_envpool.py",
            "    start_time = time.time()\n",
            "    start_time = time.time()\n    next_snapshot = start_time + 60\n",
            "keeps its weights once a minute",
        ),
        Change(
            "cleanrl/ppo_atari_envpool.py",
            '        print("SPS:", int(global_step / (time.time() - start_time)))\n',
            '        print("SPS:", int(global_step / (time.time() - start_time)))\n' + SNAPSHOT,
            "keeps its weights once a minute",
        ),
    ),
    layers=NATURE_OF_CLEANRL,
)
SAMPLE_FACTORY = Rival(
    key="sample-factory",
    name="Sample Factory APPO",
    home="https://github.com/alex-petrenko/sample-factory",
    settings="its own for Atari: sf_examples.atari.train_atari --env=atari_breakout",
    needs=(TORCH, "numpy<2", "sample-factory==2.1.1", "gymnasium<1", "ale-py==0.10.1"),
    arguments=(
        "-m", "benchmarks.rivals.sample_factory_train", "--algo=APPO", "--env=atari_breakout", "--device=cpu",
        "--experiment=race", "--train_dir=FOLDER/train_dir",
    ),
    game_score=r"^game (-?[\d.]+)",
    imports=(".",),
)  # fmt: skip
PYTORCH_A3C = Rival(
    key="pytorch-a3c",
    name="A3C of ikostrikov",
    home="https://github.com/ikostrikov/pytorch-a3c",
    settings="its README's: main.py --num-processes 16",
    needs=(TORCH, "gymnasium[atari]", "opencv-python"),
    arguments=("main.py", "--env-name", "BreakoutDeterministic-v4", "--num-processes", "16"),
    game_score=r"episode reward (-?[\d.]+)",
    score_games=5,
    score_kind="its last 5 test games, one a minute, greedy",
    repository="pytorch-a3c",
    commit="48d95844755e2c3e2c7e48bbd1a7141f7212b63f",
    imports=(OLD_GYM,),
)
A3G = Rival(
    key="a3g",
    name="A3C of dgriff777 (A3G)",
    home="https://github.com/dgriff777/rl_a3c_pytorch",
    settings="its README's: main.py --workers, one a core",
    needs=(TORCH, "gymnasium[atari]", "opencv-python", "setproctitle"),
    arguments=(
        "main.py", "--env", "BreakoutNoFrameskip-v4", "--workers", str(usable_cores()),
        "--log-dir", "./", "--save-model-dir", "./",
    ),
    game_score=r"episode reward (-?[\d.]+)",
    score_games=5,
    score_kind="its last 5 test games, one a minute, greedy",
    repository="rl_a3c_pytorch",
    commit="4170f7d94852129dc70265648c219e6b412965be",
    more_files=("config.json",),
    imports=(OLD_GYM,),
)  # fmt: skip
RIVALS = (CLEANRL_PPO, SB3_PPO, SB3_A2C, SAMPLE_FACTORY, PYTORCH_A3C, A3G)
