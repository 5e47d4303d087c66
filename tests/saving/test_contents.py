"""What a checkpoint may contain: for each field, values that no training writes."""

import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch

from breakout_a3c.errors import UserError
from breakout_a3c.saving import contents
from breakout_a3c.saving.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from breakout_a3c.saving.contents import CHECKS, check_content
from tests.saving.test_checkpoints import small_checkpoint

NAN, INF = math.nan, math.inf
STATE = torch.zeros(3, dtype=torch.uint8)
ONE_FOR_MANY = torch.ones(1).expand(500)  # one number in the file stands for 500
IMPOSSIBLE: dict[str, list[Any]] = {
    "parameters": [
        None, [0.0] * 500, torch.zeros(500, dtype=torch.float64), torch.zeros(25, 20), torch.full((500,), NAN),
        torch.full((500,), INF), torch.zeros(500).to_sparse(), torch.zeros(500, requires_grad=True), ONE_FOR_MANY,
        torch.nn.Parameter(torch.zeros(500), requires_grad=False), torch.zeros(500, device="meta"),
    ],
    "averaged_parameters": [None, torch.zeros(499), torch.zeros(500, dtype=torch.int32), torch.full((500,), NAN)],
    "square_average": [None, torch.ones(3), -torch.ones(500), torch.full((500,), INF), ONE_FOR_MANY],
    "gradient_average": [None, torch.ones(3), torch.ones(501), torch.full((500,), NAN), torch.zeros(0, 5)],
    "config": [None, [], {1: 2}, {"x" * 100: 1}, {"game": "x" * 100}, {"threads": 2**63}, {"threads": [1]}],
    "run": [3, "", "../up", "a/b", ".hidden", "line\nbreak", "name\n", "x" * 101],
    "steps": [-1, 1.5, 2**53, None, "7"],
    "updates": [-1, 1.5, 2**53, torch.tensor(5)],
    "games": [-1, 1.5, 2**53, [3]],
    "minutes": [-0.5, NAN, INF, "1.5", None],
    "best_evaluation": [3, "high", torch.tensor(1.0)],
    "recent_returns": [None, (1.0,), ["high"], [NAN], [INF], [1.0, 2.0**53], torch.ones(3)],
    "recent_lengths": [None, [None], [NAN], [-(2**53)]],
    "best_return": [None, "high", NAN, INF, 2**53],
    "play_states": [
        None, STATE, [STATE.float()], [STATE.view(3, 1)], [b"bytes"], [torch.zeros(0, dtype=torch.uint8)] * 513,
        [torch.zeros(3, 2, dtype=torch.uint8)[:, 0]],
    ],
    "precision": [None, "float16", torch.float32],
    "command": [None, ["python"], b"python"],
    "versions": [None, "1.0", [("torch", "2")]],
}  # fmt: skip


def content_of(checkpoint: Checkpoint) -> dict[str, Any]:
    content = {spec.name: getattr(checkpoint, spec.name) for spec in fields(Checkpoint)}
    return content | {"config": checkpoint.config.to_dict()}


def test_each_field_has_its_check_and_its_impossible_values() -> None:
    names = {spec.name for spec in fields(Checkpoint)}
    assert set(CHECKS) == set(IMPOSSIBLE) == names


@pytest.mark.parametrize(
    ("name", "value"), [pytest.param(name, value, id=name) for name, values in IMPOSSIBLE.items() for value in values]
)
def test_an_impossible_value_is_refused_with_the_name_of_its_field(name: str, value: object) -> None:
    content = content_of(small_checkpoint())
    check_content(content, Path("file.pt"))
    with pytest.raises(UserError) as caught:
        check_content(content | {name: value}, Path("file.pt"))
    field = name.replace("_", " ")
    assert str(caught.value) == f"file.pt holds values that no training writes ({field}): use another checkpoint."


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("gradient_average", [torch.zeros(0), torch.zeros(500)]),
        ("run", ["a", "breakout-2026.11_28", "x" * 100]),
        ("steps", [0, 2**53 - 1]),
        ("minutes", [0, 0.0, 1e6]),
        ("best_evaluation", [None, 431.5]),
        ("recent_returns", [[], [1, -2.5]]),
        ("best_return", [-INF, 864.0]),
        ("play_states", [[], [STATE, STATE[:0]], [STATE] * 512]),
        ("precision", ["", "float32", "bfloat16"]),
    ],
)
def test_values_at_the_border_are_taken(name: str, values: list[Any]) -> None:
    for value in values:
        check_content(content_of(small_checkpoint()) | {name: value}, Path("file.pt"))


def test_the_games_of_all_actor_learners_have_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "MAX_PLAY_BYTES", 6)
    content = content_of(small_checkpoint())
    check_content(content | {"play_states": [STATE, STATE]}, Path("file.pt"))
    with pytest.raises(UserError, match="play states"):
        check_content(content | {"play_states": [STATE, STATE, STATE[:1]]}, Path("file.pt"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"steps": -1}, "steps"),
        ({"square_average": torch.ones(3)}, "square average"),
        ({"config": {"game": "breakout", "threads": 0}}, "--threads is 0"),
        ({"config": {"nonsense": 1}}, "unknown settings 'nonsense'"),
        ({"recent_returns": ["high"]}, "recent returns"),
    ],
)
def test_a_checkpoint_with_impossible_values_is_refused(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    path = tmp_path / "file.pt"
    save_checkpoint(small_checkpoint(), path)
    torch.save(torch.load(path, weights_only=True) | change, path)
    with pytest.raises(UserError, match=words):
        load_checkpoint(path)
