"""Checkpoints: complete or absent, and believed only after they are checked."""

import os
import pickle
import random
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from breakout_a3c.errors import UserError
from breakout_a3c.presets import PRESETS
from breakout_a3c.saving.archive import MAX_BYTES, MAX_INDEX_BYTES
from breakout_a3c.saving.checkpoints import Checkpoint, check_fits, load_checkpoint, save_checkpoint


def small_checkpoint(steps: int = 1000) -> Checkpoint:
    generator = torch.Generator().manual_seed(steps)
    return Checkpoint(
        config=PRESETS["cartpole"].replace(seed=7),
        run="small",
        parameters=torch.randn(500, generator=generator),
        averaged_parameters=torch.randn(500, generator=generator),
        square_average=torch.rand(500, generator=generator),
        gradient_average=torch.randn(500, generator=generator),
        steps=steps,
        updates=50,
        games=3,
        minutes=1.5,
        best_evaluation=None,
        recent_returns=[1.0, 2.0, 9.0],
        recent_lengths=[10, 20, 90],
        precision="float32",
        command="python train.py",
        versions={"torch": "2"},
    )


def assert_same(one: Checkpoint, other: Checkpoint) -> None:
    for name in Checkpoint.__dataclass_fields__:
        a, b = getattr(one, name), getattr(other, name)
        assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b, name


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "step.pt"
    save_checkpoint(small_checkpoint(), path)
    return path


def test_round_trip(saved: Path) -> None:
    assert_same(load_checkpoint(saved), small_checkpoint())
    assert list(saved.parent.iterdir()) == [saved], "no temporary file is left"


@pytest.mark.parametrize("name", ["parameters", "averaged_parameters", "square_average", "gradient_average"])
def test_what_is_not_finite_is_never_written(saved: Path, name: str) -> None:
    broken = replace(small_checkpoint(), **{name: torch.tensor([0.0, float("nan")])})
    with pytest.raises(ValueError, match="not finite"):
        save_checkpoint(broken, saved)
    assert_same(load_checkpoint(saved), small_checkpoint())


def test_truncated_anywhere(saved: Path) -> None:
    whole = saved.read_bytes()
    for length in random.Random(0).sample(range(len(whole)), 60):
        saved.write_bytes(whole[:length])
        with pytest.raises(UserError):
            load_checkpoint(saved)


def test_a_flipped_bit_is_seen_or_harmless(saved: Path) -> None:
    whole = saved.read_bytes()
    source = random.Random(0)
    refused = 0
    for _ in range(200):
        damaged = bytearray(whole)
        damaged[source.randrange(len(whole))] ^= 1 << source.randrange(8)
        saved.write_bytes(damaged)
        try:
            assert_same(load_checkpoint(saved), small_checkpoint())
        except UserError:
            refused += 1
    assert refused > 100, "most of the file is payload"


class Boom:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("pwned",)


def write_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(Boom()))


def write_torch_pickle(path: Path) -> None:
    torch.save({"format": 1, "boom": Boom()}, path)


def write_other_program(path: Path) -> None:
    torch.save({"state_dict": {"weight": torch.zeros(3)}}, path)


def write_bare_tensor(path: Path) -> None:
    torch.save(torch.zeros(3), path)


def write_zip_bomb(path: Path) -> None:
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("bomb", "w", force_zip64=True) as entry,
    ):
        for _ in range(MAX_BYTES // MAX_INDEX_BYTES + 1):
            entry.write(bytes(MAX_INDEX_BYTES))


@pytest.mark.parametrize(
    "write",
    [write_pickle, write_torch_pickle, write_other_program, write_bare_tensor, write_zip_bomb, Path.touch, Path.mkdir],
)
def test_foreign_files_are_refused_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write) -> None:  # noqa: ANN001
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "foreign.pt"
    write(path)
    with pytest.raises(UserError) as error:
        load_checkpoint(path)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "pwned").exists(), "loading ran code"


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no checkpoint at"):
        load_checkpoint(tmp_path / "nothing.pt")


@pytest.mark.parametrize("format", [0, 2, "1", None, torch.ones(1)], ids=repr)
def test_another_format_is_refused(saved: Path, format: object) -> None:
    content = torch.load(saved, weights_only=True)
    torch.save(content | {"format": format}, saved)
    with pytest.raises(UserError, match="not a checkpoint of this program"):
        load_checkpoint(saved)


def test_other_fields_are_those_of_another_version(saved: Path) -> None:
    content = torch.load(saved, weights_only=True)
    for other in (content | {"colour": 1}, {name: value for name, value in content.items() if name != "minutes"}):
        torch.save(other, saved)
        with pytest.raises(UserError, match="was written by another version of this program"):
            load_checkpoint(saved)


def test_the_number_of_parameters_must_be_the_networks(saved: Path) -> None:
    checkpoint = load_checkpoint(saved)
    check_fits(checkpoint, 500, saved)
    with pytest.raises(UserError, match=r"has 500 parameters, but the network mlp for cartpole has 2051: it belongs"):
        check_fits(checkpoint, 2051, saved)
