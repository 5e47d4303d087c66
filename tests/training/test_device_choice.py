import pytest
import torch

from breakout_a3c.config import Device, TrainConfig
from breakout_a3c.errors import UserError
from breakout_a3c.presets import PRESETS
from breakout_a3c.training import device_choice
from breakout_a3c.training.device_choice import DeviceChoice, choose_device, layer_seconds, require_device

BREAKOUT = PRESETS["breakout"]
AUTO = BREAKOUT.replace(device="auto")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have torch say that there is a GPU, beside 16 cores."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H200")
    monkeypatch.setattr(device_choice, "usable_cores", lambda: 16)


def never(config: TrainConfig, device: Device) -> float:
    """Be a trial that is not to be made."""
    raise AssertionError(f"{device} was tried")


def test_the_cpu_that_was_asked_for_needs_no_word() -> None:
    assert choose_device(BREAKOUT, never) == DeviceChoice("cpu", "")


def test_without_a_gpu_auto_is_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device(AUTO, never) == DeviceChoice("cpu", "The layers compute on the CPU: torch finds no GPU here.")


@pytest.mark.usefixtures("gpu")
def test_the_gpu_that_was_asked_for_is_named() -> None:
    device, message = choose_device(BREAKOUT.replace(device="cuda", threads=512), never)
    assert device == "cuda"
    assert message == "The layers compute on the GPU, NVIDIA H200; each learner plays its games by 1 thread."


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("settings", "on_cuda", "chosen"),
    [
        ({"threads": 8}, 39e-6, "cuda"),  # 8 cores take 40 us together
        ({"threads": 8}, 41e-6, "cpu"),
        ({"threads": 32}, 19e-6, "cuda"),  # only 16 of them at a time: 20 us
        ({"threads": 32}, 21e-6, "cpu"),
    ],
)
def test_auto_takes_what_is_faster_than_all_cores(settings: dict[str, int], on_cuda: float, chosen: Device) -> None:
    times: dict[Device, float] = {"cpu": 320e-6, "cuda": on_cuda}
    found = choose_device(AUTO.replace(**settings), lambda _, device: times[device])
    assert found.name == chosen
    assert f"{1e6 * on_cuda:.0f} us" in found.message


def test_a_trial_takes_the_time_of_the_layers() -> None:
    threads = torch.get_num_threads()
    assert 1e-6 < layer_seconds(BREAKOUT.replace(envs=2, device="auto"), "cpu", seconds=0.01) < 1
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(("version", "mend"), [(None, "has no CUDA"), ("13.0", "nvidia-smi")])
def test_a_gpu_that_is_not_there_is_a_sentence(version: str | None, mend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", version)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=mend):
        require_device(BREAKOUT.replace(device="cuda"))
    require_device(AUTO)
