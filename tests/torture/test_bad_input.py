"""Bad input: one sentence on stderr, exit code 2, and what was there stays as it was."""

import copy
import random
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from breakout_a3c.config import SETTINGS, option_name
from breakout_a3c.saving.checkpoints import load_checkpoint
from breakout_a3c.saving.published import load_model, save_model
from tests.saving.test_checkpoints import write_bare_tensor, write_other_program, write_pickle, write_torch_pickle
from tests.test_config import out_of_range
from tests.torture.programs import Outcome, Programs


def wrong_options() -> list[tuple[str, ...]]:
    """Return for each option a value of a wrong type, those just out of its range, and what contradicts it."""
    cases = []
    for name, (_, spec) in SETTINGS.items():
        if spec.type is bool:
            cases.append((option_name(name), "False"))
        elif spec.type is not str:
            cases += [(option_name(name), word) for word in ("many", "nan", "1e999", "")]
    cases += [(option_name(name), str(value)) for name, value in out_of_range()]
    return [
        *cases,
        ("--game", "combat"),
        ("--game", "cartpole", "--network", "paper"),
        ("--network", "mlp"),
        ("--optimizer", "adam", "--rmsprop-eps-inside-root"),
        ("--sticky", "0.25", "--preset", "cartpole"),
        ("--envs-per-thread", "8"),
        ("--rmsprop-alpha", "0.9"),
        ("--rmsprop-eps", "0.1"),
        ("--adam-beta1", "0.5"),
        ("--resume", "kept.pt", "--run", "other"),
        ("--resume", "kept.pt", "--preset", "paper"),
        ("--resume", "kept.pt", "--config", "kept.toml"),
        ("--resume", "kept.pt", "--init-from", "kept.pt"),
        ("--resume", "kept.pt", "--game", "pong"),
        ("--resume", "kept.pt", "--actions", "minimal"),
        ("--init-from", "kept.pt", "--network", "nature"),
        ("--init-from", "kept.pt", "--separate-value-network"),
        ("--init-from", "kept.pt", "--no-symmetric"),
        ("--resume", "kept.pt", "--no-symmetric"),
        ("--symmetric", "--game", "pong"),
        ("--resume", "kept.pt", "--total-steps", "1"),
        ("--config", "kept.pt"),
        ("--config", "folder.gif"),
        ("--config", "missing.toml"),
        ("--config", "kept.toml", "--sticky", "2"),
        ("--run", "taken"),
        ("--run", "-"),
        ("--run", "x" * 101),
        ("--run", "a/b"),
        ("--checkpoints", "kept.pt"),
        ("--runs", "kept.pt"),
        ("--checkpoints", "kept.pt/below"),
    ]


PLAY_MISTAKES: list[tuple[str, ...]] = [
    ("--render", "--serve"),
    ("--serve", "--json"),
    ("--serve", "0"),
    ("--serve", "65536"),
    ("--episodes", "1e9"),
    ("--seed", "0.5"),
    ("--sticky", "-0.1"),
    ("--seconds", "inf", "--record", "game.gif"),
    ("--record", "kept.pt"),
    ("--record", "folder.gif"),
    ("--record", "kept.pt/game.gif"),
]


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16  # in the parameters
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def zip_bomb(path: Path) -> None:
    """Write 8 MB of zeros once, and a table of contents that names them 1,000 times."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(8 << 20))
        archive.filelist += [copy.copy(archive.filelist[0]) for _ in range(1000)]


DAMAGE: list[Callable[[Path], None]] = [
    truncated,
    flipped,
    empty,
    folder,
    Path.unlink,
    write_pickle,
    write_torch_pickle,
    write_other_program,
    write_bare_tensor,
    zip_bomb,
]


def damaged_layer(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Path], None]:
    """Return what changes the first layer of a model."""

    def write(path: Path) -> None:
        header, tensors = read_model(path)
        name = min(tensors)
        save_file(tensors | {name: change(tensors[name]).contiguous()}, path, metadata=header)

    return write


def damaged_vector(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Path], None]:
    """Return what changes a model of the old form, whose weights are one vector."""

    def write(path: Path) -> None:
        header, _ = read_model(path)
        parameters = load_model(path).parameters
        save_file({"parameters": change(parameters)}, path, metadata=header)

    return write


def read_model(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    with safe_open(path, "pt") as file:
        return file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)


def rename_a_layer(path: Path) -> None:
    header, tensors = read_model(path)
    tensors["another"] = tensors.pop(min(tensors))
    save_file(tensors, path, metadata=header)


def remove_a_layer(path: Path) -> None:
    header, tensors = read_model(path)
    del tensors[min(tensors)]
    save_file(tensors, path, metadata=header)


def add_the_old_vector(path: Path) -> None:
    header, tensors = read_model(path)
    save_file(tensors | {"parameters": load_model(path).parameters}, path, metadata=header)


CHANGES: list[Callable[[torch.Tensor], torch.Tensor]] = [
    lambda parameters: parameters[:-1].clone(),
    lambda parameters: parameters[:, None].clone(),
    torch.Tensor.double,
    torch.Tensor.int,
    lambda parameters: parameters * torch.inf,
]
MODEL_DAMAGE: list[Callable[[Path], None]] = [
    truncated,
    empty,
    folder,
    Path.unlink,
    write_pickle,
    rename_a_layer,
    remove_a_layer,
    add_the_old_vector,
    *map(damaged_layer, CHANGES),
    *map(damaged_vector, CHANGES),
]


@pytest.fixture
def kept(checkpoint_path: Path, tmp_path: Path) -> dict[Path, bytes]:
    """Files of a user, and their contents: a checkpoint, a model, a run called ``taken``."""
    checkpoint = load_checkpoint(checkpoint_path)
    (tmp_path / "kept.pt").write_bytes(checkpoint_path.read_bytes())
    save_model(checkpoint, {}, tmp_path / "kept.safetensors")
    (tmp_path / "checkpoints" / "taken").mkdir(parents=True)
    (tmp_path / "checkpoints" / "taken" / "step_000000000001.pt").write_bytes(b"the only copy")
    (tmp_path / "kept.toml").write_text("[upkeep]\nseed = 7\n")
    (tmp_path / "folder.gif").mkdir()
    return contents(tmp_path)


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


def assert_refused(outcome: Outcome, program: str) -> None:
    assert outcome.code == 2, outcome
    assert outcome.out == ""
    assert outcome.err.startswith(f"{program}: ")
    assert outcome.err.endswith(".\n")
    assert outcome.err.count("\n") == 1
    assert len(outcome.err) < 2000, "a sentence can be read"


def test_wrong_options_are_refused(programs: Programs, kept: dict[Path, bytes], tmp_path: Path) -> None:
    for arguments in wrong_options():
        outcome = programs.run("train.py", *arguments)
        assert_refused(outcome, "train.py")
        assert arguments[0] in outcome.err or arguments[-1] in outcome.err, f"{outcome.err} does not name it"
    assert contents(tmp_path) == kept


def test_every_option_is_among_the_wrong_ones() -> None:
    tried = {arguments[0] for arguments in wrong_options()}
    typed = {name for name, (_, spec) in SETTINGS.items() if spec.type is not str}
    assert {option_name(name) for name in typed} < tried


@pytest.mark.parametrize("arguments", PLAY_MISTAKES, ids=" ".join)
def test_wrong_options_of_play_are_refused(
    programs: Programs, kept: dict[Path, bytes], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    assert_refused(programs.run("play.py", "kept.pt", *arguments), "play.py")
    assert contents(tmp_path) == kept


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_refused_by_all_that_read_it(
    programs: Programs, kept: dict[Path, bytes], tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    damage(tmp_path / "kept.pt")
    before = contents(tmp_path)
    for program, *arguments in (
        ("train.py", "--resume", "kept.pt"),
        ("train.py", "--init-from", "kept.pt"),
        ("play.py", "kept.pt"),
        ("play.py", "kept.pt", "--record", "game.gif"),
    ):
        outcome = programs.run(program, *arguments)
        assert_refused(outcome, program)
        assert "kept.pt" in outcome.err
    assert contents(tmp_path) == before
    assert not (tmp_path / "pwned").exists(), "loading ran code"


@pytest.mark.parametrize("damage", MODEL_DAMAGE)
def test_a_damaged_model_is_refused_by_all_that_read_it(
    programs: Programs, kept: dict[Path, bytes], tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    damage(tmp_path / "kept.safetensors")
    before = contents(tmp_path)
    for program, *arguments in (("train.py", "--init-from", "kept.safetensors"), ("play.py", "kept.safetensors")):
        outcome = programs.run(program, *arguments)
        assert_refused(outcome, program)
        assert "kept.safetensors" in outcome.err
    assert contents(tmp_path) == before


@pytest.mark.parametrize("roms", ["missing", "empty", "damaged"])
def test_a_missing_rom_is_refused(
    programs: Programs, kept: dict[Path, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, roms: str
) -> None:
    if roms != "missing":
        (tmp_path / roms).mkdir()
    if roms == "damaged":
        (tmp_path / roms / "breakout.bin").write_bytes(random.Random(0).randbytes(2048))
    monkeypatch.setenv("ALE_ROMS_DIR", str(tmp_path / roms))
    for program, *arguments in (("train.py",), ("play.py", "kept.pt", "--record", "game.gif")):
        outcome = programs.run(program, *arguments)
        assert outcome.code == 2
        assert outcome.err.count("\n") == 1
        assert "ROM" in outcome.err


def test_a_port_in_use_is_refused(programs: Programs, kept: dict[Path, bytes]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        outcome = programs.run("play.py", "kept.pt", "--serve", port)
    assert_refused(outcome, "play.py")
    assert f"the port {port} is not available" in outcome.err


def test_a_setting_from_a_file_cannot_make_the_sentence_endless(programs: Programs, kept: dict[Path, bytes]) -> None:
    """Ten lists that hold each other twice are small in a file and long in words."""
    value: Any = "ha"
    for _ in range(10):
        value = [value, value]
    content = torch.load("kept.pt", weights_only=True)
    content["config"]["threads"] = value
    torch.save(content, "kept.pt")
    assert_refused(programs.run("play.py", "kept.pt"), "play.py")
