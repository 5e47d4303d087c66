"""A configuration as a file for people, and back; each mistake in it gets one sentence."""

import tomllib
from pathlib import Path

import pytest

from breakout_a3c.config import OTHER_GAMES, SETTINGS, TrainConfig
from breakout_a3c.errors import UserError
from breakout_a3c.presets import BREAKOUT, CARTPOLE_A3C, PRESETS
from breakout_a3c.saving.config_file import read_config, write_config
from breakout_a3c.saving.retired_settings import RENAMED

UNLIKE_THE_DEFAULTS = TrainConfig().replace(
    game="ms_pacman", symmetric=False, network="nature", actions="minimal", auto_fire=False, sticky=0.25,
    final_rollout_length=None, max_kl=None, total_steps=None, max_minutes=12.5, late_starts=0.0, stall_steps=3000,
    optimizer="adam", optimizer_eps=1e-8, square_decay=0.999, max_grad_norm=1e38, seed=2**31 - 1,
    average_steps=10**15, start_method="spawn",
)  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


@pytest.mark.parametrize("base", [BREAKOUT, CARTPOLE_A3C], ids=["over breakout", "over cartpole"])
@pytest.mark.parametrize("config", [*PRESETS.values(), UNLIKE_THE_DEFAULTS], ids=[*PRESETS, "unlike the defaults"])
def test_a_written_configuration_is_read_as_it_was(path: Path, config: TrainConfig, base: TrainConfig) -> None:
    write_config(config, path)
    assert read_config(path, base) == config
    assert list(path.parent.iterdir()) == [path], "no temporary file is left"


def test_the_file_has_a_table_for_each_group(path: Path) -> None:
    write_config(BREAKOUT, path)
    tables = tomllib.loads(path.read_text())
    assert list(tables) == list(dict.fromkeys(group for group, _ in SETTINGS.values()))
    assert {name: group for group, table in tables.items() for name in table} == {
        name: group for name, (group, _) in SETTINGS.items()
    }
    assert tables["game"]["game"] == "breakout"
    assert tables["schedule"]["max_minutes"] == "none", "TOML has no null"
    assert path.read_text().startswith("# python train.py --config FILE ")


@pytest.mark.parametrize("base", PRESETS.values(), ids=list(PRESETS))
def test_what_a_file_leaves_out_is_as_in_the_base(path: Path, base: TrainConfig) -> None:
    path.write_text("[learners]\nthreads = 3\n[optimizer]\nlearning_rate = 1\nwarmup_updates = 0\n")
    assert read_config(path, base) == base.replace(threads=3, learning_rate=1.0, warmup_updates=0)
    path.write_text("")
    assert read_config(path, base) == base


def test_another_game_starts_from_plain_settings(path: Path) -> None:
    path.write_text('[game]\ngame = "pong"\n')
    assert read_config(path, BREAKOUT) == BREAKOUT.replace(game="pong", **OTHER_GAMES)
    path.write_text('[game]\ngame = "pong"\nlife_loss_penalty = 0.5\n')
    assert read_config(path, BREAKOUT).game.life_loss_penalty == 0.5, "it was given"


def test_a_game_on_the_command_line_replaces_nothing_that_the_file_holds(path: Path) -> None:
    path.write_text("[optimizer]\nlearning_rate = 0.0003\n[game]\nmax_episode_frames = 50000\n")
    expected = OTHER_GAMES | {"game": "pong", "learning_rate": 0.0003, "max_episode_frames": 50_000}
    assert read_config(path, BREAKOUT, {"game": "pong"}) == BREAKOUT.replace(**expected)
    path.write_text('[network]\nnetwork = "mlp"\nsymmetric = false\n')
    config = read_config(path, BREAKOUT, {"game": "cartpole"})
    assert (config.game.name, config.network.name) == ("cartpole", "mlp"), "what fits together only as a whole"


def test_a_mistake_on_the_command_line_is_no_mistake_of_the_file(path: Path) -> None:
    path.write_text("[learners]\nthreads = 3\n")
    with pytest.raises(UserError, match=r"^--envs is 0: it must be"):
        read_config(path, BREAKOUT, {"envs": 0})


def test_a_whole_configuration_of_breakout_says_what_another_game_lacks(path: Path) -> None:
    write_config(BREAKOUT, path)
    with pytest.raises(UserError, match=r"the game pong is not its own mirror image: give --no-symmetric\.$"):
        read_config(path, BREAKOUT, {"game": "pong"})
    given = {"game": "pong", "symmetric": False}
    with pytest.raises(UserError, match=r"give --late-starts 0 for pong\.$"):
        read_config(path, BREAKOUT, given)
    config = read_config(path, BREAKOUT, given | {"late_starts": 0.0})
    assert config == BREAKOUT.replace(**given, late_starts=0.0), "all else is as the file says"


def test_retired_names_are_understood(path: Path) -> None:
    path.write_text("[optimizer]\nrmsprop_alpha = 0.9\nrmsprop_eps = 0.25\n[learners]\nenvs_per_thread = 3\n")
    assert read_config(path, BREAKOUT) == BREAKOUT.replace(square_decay=0.9, optimizer_eps=0.25, envs=3)
    assert set(RENAMED) == {"rmsprop_alpha", "rmsprop_eps", "envs_per_thread"}, "each of them is in the file above"


def test_a_table_of_earlier_versions_is_understood(path: Path) -> None:
    path.write_text("[experiments]\nlate_starts = 0.25\nstall_steps = 900\n")
    assert read_config(path, BREAKOUT) == BREAKOUT.replace(late_starts=0.25, stall_steps=900)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[game]\nwarp = 9\n", "has no setting that is called 'warp': see python train.py --help"),
        ("[game]\n'two\nlines' = 9\n", "is no TOML"),
        ('[game]\n"two\\nlines" = 9\n', r"has no setting that is called 'two\nlines'"),
        (f"[game]\n{'x' * 900} = 9\n", "has no setting that is called 'xxxxx"),
        ("threads = 3\n", "'threads' stands outside of a table: write it below a line such as [game]"),
        ("[learners]\nthreads = 0\n", "--threads is 0: it must be at least 1"),
        ("[learners]\nthreads = 3.0\n", "--threads is 3.0: give it int"),
        ('[learners]\nthreads = "3"\n', "--threads is '3': give it int"),
        ('[learners]\nthreads = "none"\n', "--threads is None: give it int"),
        ("[game]\nauto_fire = 1\n", "--auto-fire is 1: give it bool"),
        ('[network]\nnetwork = "resnet"\n', "--network is 'resnet': choose one of paper, nature, lstm, nature-lstm"),
        ("[loss]\nentropy_coef = nan\n", "--entropy-coef is nan"),
        ("[loss]\nentropy_coef = inf\n", "--entropy-coef is inf"),
        ("[learners]\nthreads = [3]\n", "threads"),
        ("[learners.threads]\nmany = 3\n", "threads"),
        ("[learners]\nthreads = 1979-05-27\n", "threads"),
        (f"[learners]\nthreads = {10**900}\n", "threads"),
        (f"[learners]\nthreads = {'9' * 5000}\n", "has a longer line than any configuration"),
        (f"[game]\ngame = '{'x' * 900}'\n", "game"),
        ('[network]\nnetwork = "mlp"\n', "network mlp does not fit the game breakout"),
        ('[game]\ngame = "pong"\nlate_starts = 0.5\n', "give --late-starts 0 for pong"),
        ("[game\n", "is no TOML"),
        ("threads: 3\n", "is no TOML"),
        ("[learners]\nthreads = 3\nthreads = 4\n", "is no TOML"),
        ("x = " + "[\n" * 20_000, "is no TOML"),
    ],
    ids=lambda value: None if len(str(value)) > 60 else repr(value),
)
def test_a_mistake_gets_one_sentence(path: Path, text: str, words: str) -> None:
    path.write_text(text)
    assert words in refusal(path)


def refusal(path: Path) -> str:
    """Return the sentence with which a file is refused."""
    with pytest.raises(UserError) as caught:
        read_config(path, BREAKOUT)
    sentence = str(caught.value)
    assert sentence.startswith(str(path))
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert len(sentence) < len(str(path)) + 250
    return sentence


@pytest.mark.parametrize(
    "content", [b"\xff\xfe[game]", bytes(100), b"\x80\x04K\x03."], ids=["UTF-16", "zeros", "pickle"]
)
def test_what_is_no_text_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert "is no TOML" in refusal(path)


def test_missing_folder_and_large(path: Path) -> None:
    assert "cannot be read (No such file or directory): give the path of a config.toml" in refusal(path)
    assert "cannot be read (Is a directory)" in refusal(path.parent)
    path.write_text("# comment\n" * 200_000)
    assert "is larger than any configuration" in refusal(path)


def test_a_setting_in_another_table_is_refused(path: Path) -> None:
    path.write_text("[game]\nthreads = 3\n")
    with pytest.raises(UserError, match=r"threads stands in \[game\]: move it to \[learners\]\.$"):
        read_config(path, BREAKOUT)


def test_a_symmetry_that_a_game_has_not_is_refused(path: Path) -> None:
    path.write_text('[game]\ngame = "pong"\n[network]\nsymmetric = true\n')
    with pytest.raises(UserError, match=r"the game pong is not its own mirror image: give --no-symmetric\.$"):
        read_config(path, BREAKOUT)


@pytest.mark.parametrize(
    "text",
    [".".join(["a"] * 1000) + " = 1\n", f"[{'x' * 30_000}]\n" * 2, f"[{'x' * 900}]\n[{'x' * 900}]\n"],
    ids=["a key of many parts", "long tables", "a table twice"],
)
def test_a_hostile_file_costs_neither_memory_nor_a_long_sentence(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_config(path, BREAKOUT)
    assert len(str(caught.value)) < len(str(path)) + 200
