import os
import pickle
import random
import re
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from breakout_a3c.errors import UserError
from breakout_a3c.presets import PRESETS
from breakout_a3c.saving import provenance
from breakout_a3c.saving.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from breakout_a3c.saving.files import point_to, write_atomically
from breakout_a3c.saving.provenance import program_versions
from breakout_a3c.saving.run_folder import RunFolder


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


def test_a_write_that_fails_leaves_the_old_file(saved: Path) -> None:
    before = saved.read_bytes()

    def fail(path: Path) -> None:
        path.write_bytes(before[:100])
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(saved, fail)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


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
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("bomb", "w", force_zip64=True) as entry,
    ):
        for _ in range(1100):
            entry.write(bytes(1 << 20))


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


@pytest.mark.parametrize(
    "change",
    [
        {"steps": -1},
        {"steps": 1.5},
        {"minutes": float("nan")},
        {"parameters": torch.zeros(500, dtype=torch.float64)},
        {"parameters": torch.zeros(25, 20)},
        {"parameters": torch.full((500,), float("inf"))},
        {"square_average": -torch.ones(500)},
        {"square_average": torch.ones(3)},
        {"gradient_average": torch.ones(3)},
        {"config": {"game": "breakout", "threads": 0}},
        {"config": {"nonsense": 1}},
        {"run": 3},
        {"recent_returns": ["high"]},
    ],
    ids=str,
)
def test_impossible_values_are_refused(saved: Path, change: dict[str, object]) -> None:
    content = torch.load(saved, weights_only=True)
    torch.save(content | change, saved)
    with pytest.raises(UserError):
        load_checkpoint(saved)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no checkpoint at"):
        load_checkpoint(tmp_path / "nothing.pt")


class TestRunFolder:
    def test_rotation_and_latest(self, tmp_path: Path) -> None:
        folder = RunFolder(tmp_path, "run")
        for steps in (1, 20, 300, 4000):
            folder.save(small_checkpoint(steps), keep=2)
            assert load_checkpoint(tmp_path / "latest.pt").steps == steps
        assert [load_checkpoint(path).steps for path in folder.numbered()] == [300, 4000]
        folder.save_best(small_checkpoint(300))
        assert load_checkpoint(tmp_path / "run" / "best.pt").steps == 300

    def test_another_run_is_never_touched(self, tmp_path: Path) -> None:
        one, other = RunFolder(tmp_path, "one"), RunFolder(tmp_path, "other")
        kept = one.save(small_checkpoint(1), keep=1)
        for steps in (2, 3, 4):
            other.save(small_checkpoint(steps), keep=1)
        assert load_checkpoint(kept).steps == 1

    def test_two_trainers_in_one_folder_are_refused(self, tmp_path: Path) -> None:
        first = RunFolder(tmp_path, "run")
        with pytest.raises(UserError, match="another training"):
            RunFolder(tmp_path, "run")
        first.close()
        RunFolder(tmp_path, "run").close()

    def test_folder_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(UserError, match="cannot be written"):
            RunFolder(tmp_path / "file", "run")

    def test_a_removed_folder_comes_back(self, tmp_path: Path) -> None:
        folder = RunFolder(tmp_path, "run")
        for path in (folder.path / ".lock", folder.path):
            path.unlink() if path.is_file() else path.rmdir()
        folder.save(small_checkpoint(5), keep=1)
        assert load_checkpoint(tmp_path / "latest.pt").steps == 5

    def test_a_copy_where_links_do_not_work(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saved: Path) -> None:
        def no_links(*_: object) -> None:
            raise OSError("no links here")

        monkeypatch.setattr(Path, "symlink_to", no_links)
        point_to(tmp_path / "latest.pt", saved)
        assert not (tmp_path / "latest.pt").is_symlink()
        assert_same(load_checkpoint(tmp_path / "latest.pt"), small_checkpoint())


def test_the_commit_says_if_the_code_differs_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*words: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    code, text = tmp_path / "package" / "code.py", tmp_path / "README.md"
    code.parent.mkdir()
    monkeypatch.setattr(provenance, "__file__", str(code))
    code.touch()
    text.touch()
    assert program_versions()["commit"] == "unknown", "there is no repository"
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "first")
    commit = program_versions()["commit"]
    assert re.fullmatch("[0-9a-f]{12}", commit)
    text.write_text("another text")
    assert program_versions()["commit"] == commit, "what is no code changes no result"
    code.write_text("another = 1")
    assert program_versions()["commit"] == f"{commit}-dirty"
