from typing import cast

import pytest
import torch

from breakout_a3c.config import TrainConfig
from breakout_a3c.errors import UserError
from breakout_a3c.presets import PRESETS
from breakout_a3c.processes.start import Context
from breakout_a3c.training import device_choice
from breakout_a3c.training.contexts import training_context
from breakout_a3c.training.device_choice import choose_device, training_speed
from breakout_a3c.training.plan import DeviceChoice
from breakout_a3c.training.supervisor import ActorLearnersCannotRun

BREAKOUT = PRESETS["breakout"]
AUTO = BREAKOUT.replace(device="auto")
NONE = cast(Context, None)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have torch say that there is a GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H200")


def never(config: TrainConfig, context: Context) -> float:
    """Be a trial that must not be made."""
    raise AssertionError(f"{config.network.device} was tried")


def test_the_cpu_that_was_asked_for_is_not_worth_a_word() -> None:
    assert choose_device(BREAKOUT, NONE, trial=never) == DeviceChoice("cpu", "", "")


def test_without_a_gpu_auto_is_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    found = choose_device(AUTO, NONE, trial=never)
    assert found == DeviceChoice(message="The layers compute on the CPU: torch finds no GPU here.")


@pytest.mark.usefixtures("gpu")
def test_the_gpu_that_was_asked_for_is_named() -> None:
    found = choose_device(BREAKOUT.replace(device="cuda"), NONE, trial=never)
    assert found == DeviceChoice("cuda", "NVIDIA H200", "The layers compute on the GPU, NVIDIA H200.")


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(("with_gpu", "chosen"), [(20_001.0, "cuda"), (20_000.0, "cpu"), (100.0, "cpu")])
def test_auto_takes_what_makes_more_steps(with_gpu: float, chosen: str) -> None:
    speeds, said = {"cpu": 20_000.0, "cuda": with_gpu}, []
    found = choose_device(AUTO, NONE, said.append, lambda config, _: speeds[config.network.device])
    assert found.name == chosen
    assert f"20,000 agent steps/s on the CPU, {with_gpu:,.0f} with the GPU" in found.message
    assert said == ["Trying the CPU and the GPU, each for some seconds."]


@pytest.mark.usefixtures("gpu")
def test_a_gpu_that_fails_in_its_trial_is_not_taken() -> None:
    def trial(config: TrainConfig, context: Context) -> float:
        if config.network.device == "cuda":
            raise ActorLearnersCannotRun(
                "Traceback:\n  somewhere\nRuntimeError: no kernel image\nIt died again and again."
            )
        return 1.0

    found = choose_device(AUTO, NONE, lambda _: None, trial)
    assert found.name == "cpu"
    assert found.message.endswith("as the trial failed: RuntimeError: no kernel image")


def test_a_trial_counts_the_steps_of_all_actor_learners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_choice, "TRIAL_SECONDS", 0.3)
    config = PRESETS["cartpole"].replace(threads=2, total_steps=10)
    assert training_speed(config, training_context(config)) > 100, "the run's own end is not the trial's"


@pytest.mark.parametrize(("version", "mend"), [(None, "has no CUDA"), ("13.0", "nvidia-smi")])
def test_a_gpu_that_is_not_there_is_a_sentence(version: str | None, mend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", version)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=f"{mend}.*or give --device cpu"):
        choose_device(BREAKOUT.replace(device="cuda"), NONE, trial=never)
