"""A file of another program is named as what it is, with what can be read here; no code in it runs."""

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from breakout_a3c.errors import UserError
from breakout_a3c.saving.agent import load_weights
from breakout_a3c.saving.other_programs import READABLE, kind_of


class Mkdir:
    """An object whose pickle makes a folder when it is loaded."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("pwned",)


def zip_of(*names: str, compression: int = zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name in names:
            archive.writestr(name, "content")
    return content.getvalue()


def saved_by_torch(value: object, **options: bool) -> bytes:
    content = io.BytesIO()
    torch.save(value, content, **options)
    return content.getvalue()


def saved_by_numpy(write: Callable[..., None]) -> bytes:
    content = io.BytesIO()
    write(content, np.zeros(3))
    return content.getvalue()


SB3 = ("data", "pytorch_variables.pth", "policy.pth", "policy.optimizer.pth", "_stable_baselines3_version")
NET = torch.nn.Linear(2, 3)
FILES: dict[str, tuple[bytes, str]] = {
    "sb3.zip": (zip_of(*SB3), "a model of Stable-Baselines3"),
    "sb3-compressed.zip": (zip_of(*SB3, compression=zipfile.ZIP_DEFLATED), "a model of Stable-Baselines3"),
    "net.keras": (zip_of("metadata.json", "config.json", "model.weights.h5"), "a model of Keras"),
    "net.h5": (b"\x89HDF\r\n\x1a\n" + bytes(500), "an HDF5 file, as Keras writes them"),
    "net.onnx": (b"\x08\x08\x12\x07pytorch\x1a\x051.0.0" + bytes(500), "a model in ONNX"),
    "net.tflite": (b"\x1c\x00\x00\x00TFL3" + bytes(500), "a model of TensorFlow Lite"),
    "state_dict.pth": (saved_by_torch(NET.state_dict()), "a state_dict of PyTorch"),
    "module.pth": (saved_by_torch(NET), "a file of PyTorch whose objects could run code"),
    "training.tar": (saved_by_torch({"epoch": 3, "model": NET.state_dict()}), "a file of PyTorch"),
    "old.pth": (
        saved_by_torch(NET.state_dict(), _use_new_zipfile_serialization=False), "a file in the old format of PyTorch"
    ),
    "script.pt": (zip_of("net/data.pkl", "net/code/net.py", "net/constants.pkl"), "a model of TorchScript"),
    "hostile.pt": (saved_by_torch(Mkdir()), "a file of PyTorch whose objects could run code"),
    "agent.pkl": (pickle.dumps(Mkdir()), "a pickle"),
    "numbers.npy": (saved_by_numpy(np.save), "an array of NumPy"),
    "numbers.npz": (saved_by_numpy(np.savez), "a file of NumPy arrays"),
    "model.tar.gz": (b"\x1f\x8b" + bytes(500), "a gzip archive"),
    "pointer.pt": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", "a pointer of Git LFS"),
    "page.pt": (b"<!DOCTYPE html>\n<html>", "a web page"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("as_model", [False, True], ids=["by its name", "as a model"])
def test_a_file_of_another_program_is_named(
    name: str, as_model: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content, kind = FILES[name]
    path = Path(f"{name}.safetensors" if as_model else name)
    path.write_bytes(content)
    with pytest.raises(UserError) as refused:
        load_weights(path)
    sentence = str(refused.value)
    if as_model and content.startswith(b"PK"):
        assert "is damaged or not a model of this program" in sentence
    else:
        assert sentence.startswith(f"{path} is {kind}")
        assert sentence.endswith(f", not a checkpoint of this program: give {READABLE}.")
    assert "\n" not in sentence
    assert list(tmp_path.iterdir()) == [tmp_path / path], "loading ran code"


@pytest.mark.parametrize("layers", [2, 200])
def test_a_model_of_another_program_is_named(layers: int, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({f"layer {i}": torch.zeros(1) for i in range(layers)}, path, metadata={"format": "pt"})
    with pytest.raises(UserError, match="is a model of another program, not a checkpoint of this program: give a"):
        load_weights(path)


def test_a_model_with_the_name_of_a_checkpoint_is_told_its_own(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    save_file({"layer": torch.zeros(1)}, path)
    with pytest.raises(UserError, match=r"is a model whose name does not end in .safetensors, not a checkpoint"):
        load_weights(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04" + bytes(60), bytes(64), b"no such beginning" * 4])
def test_what_nobody_knows_has_no_kind(content: bytes) -> None:
    assert kind_of(content) == ""
