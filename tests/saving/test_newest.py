"""From which checkpoint a run goes on."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from breakout_a3c.errors import UserError
from breakout_a3c.saving.checkpoints import save_checkpoint
from breakout_a3c.saving.newest import load_newest
from tests.saving.test_checkpoints import small_checkpoint


def write(folder: Path, second: int, steps: int, name: str = "") -> Path:
    """Write a checkpoint at a second of 1970."""
    path = folder / (name or f"step_{steps:012d}.pt")
    save_checkpoint(small_checkpoint(steps), path)
    os.utime(path, (second, second))
    return path


def damage(path: Path) -> None:
    """Fill a file with zeros, as a machine that lost its power may leave it; its time stays."""
    time, size = path.stat().st_mtime, path.stat().st_size
    path.write_bytes(bytes(size))
    os.utime(path, (time, time))


def newest(folder: Path) -> tuple[int, list[str]]:
    """Return the steps from which a run goes on, and what was said."""
    said: list[str] = []
    path, checkpoint = load_newest(folder, said.append)
    assert path.parent == folder
    return checkpoint.steps, said


def test_the_last_one_counts(tmp_path: Path) -> None:
    write(tmp_path, 1, 900)
    write(tmp_path, 2, 2000)
    assert newest(tmp_path) == (2000, [])


def test_one_that_has_fewer_steps_than_another_is_told(tmp_path: Path) -> None:
    """A copy by several streams gives times as the files arrive; and a user may go back to an older one."""
    later, taken = write(tmp_path, 1, 5000), write(tmp_path, 2, 4000)
    words = f"The run goes on from {taken}, which was written last. To go on from more steps: --resume {later}."
    assert newest(tmp_path) == (4000, [words])


@pytest.mark.parametrize("best", [None, (4, 10), (9, 2500)], ids=["alone", "old best", "best"])
def test_a_damaged_one_stops_no_job(tmp_path: Path, best: tuple[int, int] | None) -> None:
    paths = [write(tmp_path, second, 1000 * second) for second in (5, 6, 7)]
    if best:
        write(tmp_path, *best, "best.pt")
    damage(paths[2])
    told = f"{paths[2]} is damaged: the run goes on from an older checkpoint."
    assert newest(tmp_path) == (6000, [told])
    damage(paths[1])
    damage(paths[0])
    if best:
        assert newest(tmp_path)[0] == best[1]
        damage(tmp_path / "best.pt")
    with pytest.raises(UserError, match=r"all checkpoints in .* are damaged: remove that folder, or choose an"):
        newest(tmp_path)


def test_a_checkpoint_of_another_version_is_not_passed_over(tmp_path: Path) -> None:
    """It holds what an older one does not."""
    write(tmp_path, 1, 1000)
    other = write(tmp_path, 2, 2000)
    other.write_bytes((Path(__file__).parents[2] / "models" / "breakout.safetensors").read_bytes())
    with pytest.raises(UserError, match="does not end in"):
        newest(tmp_path)


@pytest.mark.parametrize(
    ("second", "steps", "expected"), [(9, 2500, 2500), (9, 1500, 2000), (1, 2500, 2000)], ids=["later", "longer", "old"]
)
def test_a_best_one_that_was_written_last_counts_if_it_trained_longer(
    tmp_path: Path, second: int, steps: int, expected: int
) -> None:
    """An evaluation begins and ends between numbered checkpoints; an old one may be of a part that was given up."""
    write(tmp_path, 5, 1000)
    write(tmp_path, 6, 2000)
    write(tmp_path, second, steps, "best.pt")
    assert newest(tmp_path) == (expected, [])


def test_a_run_that_has_only_a_best_one_goes_on_from_that(tmp_path: Path) -> None:
    save_checkpoint(replace(small_checkpoint(700), best_evaluation=3.0), tmp_path / "best.pt")
    assert newest(tmp_path) == (700, [])
