"""Options, their help, and the way mistakes are told."""

import errno
import io
import os
import sys
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from breakout_a3c.command_line import (
    Parser,
    add_config_options,
    add_retired_options,
    flush_output,
    run_program,
    with_options,
)
from breakout_a3c.commands import train
from breakout_a3c.config import OTHER_GAMES, SETTINGS, TrainConfig, option_name
from breakout_a3c.errors import UserError
from breakout_a3c.presets import BREAKOUT, PRESETS
from breakout_a3c.saving.retired_settings import RENAMED
from breakout_a3c.saving.run_names import RUN_NAME
from tests.running import Program, run

BASE = PRESETS["paper"].replace(threads=3, total_steps=1234)


def make_parser(defaults: TrainConfig = BASE) -> Parser:
    parser = Parser(prog="train.py")
    add_config_options(parser, defaults)
    return parser


def parse(*words: str) -> TrainConfig:
    return with_options(BASE, make_parser().parse_args(words))


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        ("--total-steps 8e6", "total_steps", 8_000_000),
        ("--total-steps 1E3", "total_steps", 1000),
        ("--total-steps 8_000_000", "total_steps", 8_000_000),
        ("--total-steps none", "total_steps", None),
        ("--max-minutes 2.5", "max_minutes", 2.5),
        ("--max-minutes None", "max_minutes", None),
        ("--threads 16", "threads", 16),
        ("--learning-rate 7e-4", "learning_rate", 7e-4),
        ("--network nature", "network", "nature"),
        ("--no-terminal-on-life-loss", "terminal_on_life_loss", False),
        ("--terminal-on-life-loss", "terminal_on_life_loss", True),
        ("--auto-fire", "auto_fire", True),
    ],
)
def test_options(words: str, name: str, value: Any) -> None:
    config = parse(*words.split())
    assert config.to_dict()[name] == value
    assert type(config.to_dict()[name]) is type(value)
    assert config == BASE.replace(**{name: value}), "another setting changed"


def test_absent_options_keep_the_base() -> None:
    assert parse() == BASE
    assert vars(make_parser().parse_args([])) == {}


def test_options_of_the_program_itself_are_no_settings() -> None:
    parser = make_parser()
    parser.add_argument("--run")
    assert with_options(BASE, parser.parse_args(["--run", "x", "--threads", "2"])) == BASE.replace(threads=2)


@pytest.mark.parametrize(
    "words",
    [
        "--colour red",
        "--threads",
        "--threads many",
        "--threads 2.5",
        "--threads 1e-3",
        "--threads 1e400",
        "--threads nan",
        "--threads none",
        "--learning-rate fast",
        "--network transformer",
        "--clip-rewards False",
        "--no-threads",
        "stray",
    ],
)
def test_a_mistake_is_one_line_and_code_2(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        make_parser().parse_args(words.split())
    captured = capsys.readouterr()
    assert left.value.code == 2
    assert captured.out == ""
    assert captured.err.startswith("train.py: ")
    assert captured.err.endswith("\n")
    assert captured.err.count("\n") == 1
    assert any(word in captured.err for word in words.split()), "it does not say which word was wrong"


def test_a_value_out_of_range_is_a_user_error() -> None:
    with pytest.raises(UserError, match=r"^--threads is 0"):
        parse("--threads", "0")


def test_what_does_nothing_beside_the_rest_is_refused() -> None:
    with pytest.raises(
        UserError, match="--adam-beta1 does nothing without --optimizer adam: leave it out, or give both"
    ):
        parse("--adam-beta1", "0.5")
    adam = ("--optimizer", "adam", "--no-rmsprop-eps-inside-root")
    assert parse(*adam, "--adam-beta1", "0.5").optimizer.adam_beta1 == 0.5


@pytest.mark.parametrize("defaults", [BREAKOUT, BASE, PRESETS["cartpole"]], ids=["breakout", "paper", "cartpole"])
def test_every_setting_has_an_option_whose_help_names_its_default(
    defaults: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")  # each help text on one line
    lines = make_parser(defaults).format_help().splitlines()
    values = defaults.to_dict()
    for name, (_, spec) in SETTINGS.items():
        if spec.metadata["hidden"]:
            continue
        option = option_name(name)
        at = next(i for i, line in enumerate(lines) if line.split()[:1] in ([option], [option + ","]))
        entry = " ".join(lines[at : at + 2])
        assert spec.metadata["help"].split(":")[0] in entry
        default = str(values[name]).lower()
        if defaults is BREAKOUT and name in OTHER_GAMES:
            default += f"; games other than Breakout: {str(OTHER_GAMES[name]).lower()}"
        assert f"[{default}]" in entry


def test_every_group_of_settings_has_a_heading_once() -> None:
    text = make_parser().format_help()
    for group in {group for group, _ in SETTINGS.values()}:
        assert text.count(f"\n{group.replace('_', ' ')}:\n") == 1


def test_the_help_of_the_seed_tells_what_is_repeatable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    text = make_parser().format_help()
    entry = next(line for line in text.splitlines() if line.strip().startswith("--seed"))
    assert "asynchronous: two runs with the same seed differ" in entry
    assert "Repeatable bit for bit" in entry
    assert "--threads 1" in entry
    assert "float32" in entry


def test_what_nobody_should_turn_is_not_in_the_help() -> None:
    assert "start-method" not in make_parser().format_help()
    assert parse("--start-method", "spawn").upkeep.start_method == "spawn"


@pytest.mark.parametrize("given", [(), ("3",)], ids=["alone", "with a value"])
def test_a_retired_option_tells_its_new_name(given: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    parser = make_parser()
    add_retired_options(parser, RENAMED)
    for old, new in RENAMED.items():
        with pytest.raises(SystemExit) as left:
            parser.parse_args([option_name(old), *given])
        assert left.value.code == 2
        assert capsys.readouterr().err == f"train.py: {option_name(old)} is now {option_name(new)}: use that.\n"
        assert option_name(old) + " " not in parser.format_help()


def test_another_game_has_no_symmetry_unless_it_is_asked_for() -> None:
    parser = make_parser(BREAKOUT)
    pong = BREAKOUT.replace(game="pong", **OTHER_GAMES)
    assert with_options(BREAKOUT, parser.parse_args(["--game", "pong"])) == pong
    assert with_options(pong.replace(life_loss_penalty=2.0), parser.parse_args(["--threads", "8"])) == pong.replace(
        life_loss_penalty=2.0
    ), "a resumed run keeps its own"
    assert with_options(BREAKOUT, parser.parse_args(["--life-loss-penalty", "2"])).network.symmetric, "same game"
    assert with_options(BASE, parser.parse_args(["--game", "pong"])) == BASE.replace(game="pong"), "a preset, too"
    with pytest.raises(UserError, match="give --no-symmetric"):
        with_options(BREAKOUT, parser.parse_args(["--game", "pong", "--symmetric"]))


def test_a_new_run_of_another_game_keeps_what_its_file_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[optimizer]\nlearning_rate = 0.0003\n[game]\nmax_episode_frames = 50000\n")
    monkeypatch.setattr(sys, "argv", ["train.py", "--config", str(file), "--game", "pong", "--threads", "3"])
    config = train.new_config(train.parse_options())
    assert (config.optimizer.learning_rate, config.game.max_episode_frames) == (0.0003, 50_000)
    assert (config.game.name, config.learners.threads, config.network.symmetric) == ("pong", 3, False)


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (3, 3)])
def test_a_program_leaves_with_its_code(returned: int | None, code: int) -> None:
    with pytest.raises(SystemExit) as left:
        run_program(lambda: returned)
    assert left.value.code == code


def test_a_user_error_is_one_sentence_and_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def program() -> None:
        raise UserError("there is no such file.")

    monkeypatch.setattr(sys, "argv", ["/somewhere/play.py"])
    with pytest.raises(SystemExit) as left:
        run_program(program)
    captured = capsys.readouterr()
    assert left.value.code == 2
    assert (captured.out, captured.err) == ("", "play.py: there is no such file.\n")


def test_other_errors_keep_their_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run_program(lambda: 1 // 0)


@pytest.mark.parametrize("lines", [1, 100_000], ids=["in the buffer", "in the pipe"])
def test_a_reader_that_leaves_is_no_error(lines: int) -> None:
    code = (
        "import sys\nfrom breakout_a3c.command_line import run_program\n"
        f"run_program(lambda: sys.stdin.read() or print('line\\n' * {lines}))"
    )
    buffered = os.environ | {"PYTHONUNBUFFERED": ""}
    command = [sys.executable, "-c", code]
    with Program(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=buffered) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        process.stdin.close()  # it may print now
        errors = process.stderr.read()
    assert (process.returncode, errors) == (0, b"")


def test_output_that_finds_no_room_is_told() -> None:
    code = "from breakout_a3c.command_line import run_program; run_program(lambda: print('a result'))"
    with Path("/dev/full").open("wb") as full:
        environment = os.environ | {"PYTHONUNBUFFERED": ""}
        done = run([sys.executable, "-c", code], stdout=full, stderr=PIPE, env=environment)
    assert done.returncode == 1
    assert done.stderr == b"-c: not all output was written: No space left on device.\n"


@pytest.mark.parametrize("number", [errno.EDQUOT, errno.EFBIG])
def test_output_beyond_a_quota_is_told(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise OSError(number, os.strerror(number))

    with Path(os.devnull).open("w") as output, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", output)
        patch.setattr(sys, "argv", ["play.py"])
        patch.setattr(output, "flush", fail)
        assert flush_output() == 1
    assert capsys.readouterr().err == f"play.py: not all output was written: {os.strerror(number)}.\n"


def test_output_without_a_descriptor_that_finds_no_room_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Notebook(io.StringIO):
        def flush(self) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Notebook())
        assert flush_output() == 1
    assert capsys.readouterr().err.endswith(": not all output was written: No space left on device.\n")


def test_nothing_is_printed_into_a_file_where_stdout_is_closed(tmp_path: Path) -> None:
    code = (
        "import os\nfrom breakout_a3c.command_line import run_program\n"
        "run_program(lambda: [open('file', 'w'), print('a result', flush=True), os.write(1, b'more')] and None)"
    )
    shell = ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-c", code]
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    done = run(shell, cwd=tmp_path, stderr=PIPE, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "file").read_bytes() == b""


def test_a_path_whose_bytes_are_no_text_can_be_printed() -> None:
    script = "from breakout_a3c.command_line import run_program; run_program(lambda: print('caf\\udce9'))"
    strict = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}
    program = run([sys.executable, "-c", script], env=strict, capture_output=True, text=True, check=True)
    assert program.stdout == "caf\\udce9\n"


def test_a_typing_error_is_answered_without_torch() -> None:
    code = "import sys, breakout_a3c.command_line; sys.exit('torch' in sys.modules)"
    assert run([sys.executable, "-c", code]).returncode == 0


def test_settings_that_do_not_fit_the_weights_are_told_as_they_are_typed() -> None:
    plain = BREAKOUT.replace(network="paper")
    separate = plain.replace(separate_value_network=True)
    with pytest.raises(UserError, match="with --separate-value-network, not --no-separate-value-network: give --sep"):
        train.require_same_network(separate, plain, Path("model"))
    with pytest.raises(UserError, match="with --network lstm, not --network nature: give --network lstm, or"):
        train.require_same_network(BREAKOUT, BREAKOUT.replace(network="nature"), Path("model"))


@pytest.mark.parametrize(
    ("preset", "game", "prefix"),
    [
        (None, "breakout", "breakout"),
        (None, "pong", "pong"),
        ("paper", "breakout", "paper"),
        ("paper", "tic_tac_toe_3d", "paper-tic_tac_toe_3d"),
        ("breakout", "pong", "breakout-pong"),
        ("paper-lstm", "pong", "paper-lstm-pong"),
    ],
)
def test_a_run_is_called_by_its_preset_and_its_game(preset: str | None, game: str, prefix: str) -> None:
    config = PRESETS[preset or "breakout"].replace_given({"game": game})
    assert train.run_prefix(config, preset) == prefix
    assert RUN_NAME.fullmatch(prefix)
