"""Files that nobody would think of: reading them never crashes, hangs, or takes more than a GB."""

import io
import json
import math
import re
import resource
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from breakout_a3c.config import TrainConfig
from breakout_a3c.errors import UserError
from breakout_a3c.presets import PRESETS
from breakout_a3c.saving.agent import build_agent
from breakout_a3c.saving.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from breakout_a3c.saving.config_file import read_config, write_config
from breakout_a3c.saving.published import load_model, save_model
from breakout_a3c.training.plan import TrainingPlan, initial_parameters
from tests.torture.effort import SEED, rounds
from tests.torture.programs import within

GB = 1 << 30
SECONDS = 20.0  # to read one file
SENTENCE = 2000  # characters
Edit = tuple[float, int, bytes]
FUZZ = settings(
    max_examples=rounds(40, 2000),
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def memory_kb(name: str) -> int:
    """Return a figure of this process's memory, such as VmHWM, its largest so far."""
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


@pytest.fixture(autouse=True)
def a_gigabyte() -> Iterator[None]:
    """Let this process take no more than a GB besides what it has."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    Path("/proc/self/clear_refs").write_text("5")  # forget the largest so far
    resident = memory_kb("VmRSS")
    resource.setrlimit(resource.RLIMIT_AS, (memory_kb("VmSize") * 1024 + 2 * GB, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)
    assert memory_kb("VmHWM") - resident < GB / 1024


def read(load: Callable[[Path], Checkpoint], path: Path) -> Checkpoint | None:
    """Read a file, build what it is for, and return it; or None where a sentence says why not."""
    sentence = ""
    with within(SECONDS):
        try:
            checkpoint = load(path)
            build_agent(checkpoint, path)
            initial_parameters(TrainingPlan(checkpoint.config, "run", path, path, resume=checkpoint, source=path))
        except UserError as error:
            sentence = str(error)
    assert "\n" not in sentence
    assert len(sentence) < SENTENCE
    return None if sentence else checkpoint


# Replace, insert or cut out some bytes at a place between 0, the beginning, and 1, the end.
edits = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=40)), min_size=1, max_size=5)


def edited(content: bytes, changes: list[Edit]) -> bytes:
    for place, cut, inserted in changes:
        at = int(place * len(content))
        content = content[:at] + inserted + content[at + cut :]
    return content


@pytest.fixture(scope="module")
def checkpoint_bytes(cartpole_checkpoint_path: Path) -> bytes:
    return cartpole_checkpoint_path.read_bytes()


@pytest.fixture(scope="module")
def model_bytes(cartpole_checkpoint_path: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("fuzz") / "model.safetensors"
    save_model(load_checkpoint(cartpole_checkpoint_path), {}, path)
    return path.read_bytes()


@seed(SEED)
@FUZZ
@given(changes=edits)
def test_bytes_of_a_checkpoint(checkpoint_bytes: bytes, tmp_path: Path, changes: list[Edit]) -> None:
    path = tmp_path / "fuzz.pt"
    path.write_bytes(edited(checkpoint_bytes, changes))
    read(load_checkpoint, path)


def rezipped(whole: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """Return an archive with changed entries and the right checksums."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(result, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return result.getvalue()


@seed(SEED)
@FUZZ
@given(changes=edits, entry=st.sampled_from(["data.pkl", "data/0", "version", "byteorder", ".format_version"]))
def test_entries_of_a_checkpoint_whose_checksums_are_right(
    checkpoint_bytes: bytes, tmp_path: Path, changes: list[Edit], entry: str
) -> None:
    path = tmp_path / "fuzz.pt"

    def change(name: str, content: bytes) -> bytes:
        return edited(content, changes) if name.endswith(f"/{entry}") else content

    path.write_bytes(rezipped(checkpoint_bytes, change))
    read(load_checkpoint, path)


numbers = st.one_of(
    st.booleans(), st.integers(), st.sampled_from([10**30, -(2**63), 2**63, 10**400]), st.floats(), st.complex_numbers()
)
tensors = st.builds(
    lambda dtype, shape, value: torch.full(shape, value).to(dtype),
    st.sampled_from([torch.float32, torch.float64, torch.int8, torch.bool, torch.bfloat16, torch.complex64]),
    st.lists(st.integers(0, 3), max_size=3),
    st.sampled_from([0.0, 1.0, -1.0, math.inf, math.nan]),
)
odd_tensors = st.sampled_from(
    [
        torch.zeros(3, device="meta"),
        torch.zeros(3, dtype=torch.uint8, device="meta"),
        torch.zeros(3).to_sparse(),
        torch.zeros(3, requires_grad=True),
        torch.nn.Parameter(torch.zeros(3)),
    ]
)
leaves = st.one_of(st.none(), numbers, st.text(max_size=20), st.binary(max_size=20), tensors, odd_tensors)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
names = st.sampled_from([spec.name for spec in fields(Checkpoint)] + ["format"])


@seed(SEED)
@FUZZ
@given(changed=st.dictionaries(names, values, min_size=1, max_size=2), name=st.text(max_size=10), setting=values)
def test_values_of_a_checkpoint(
    checkpoint_bytes: bytes, tmp_path: Path, changed: dict[str, Any], name: str, setting: object
) -> None:
    path = tmp_path / "fuzz.pt"
    content = torch.load(io.BytesIO(checkpoint_bytes), weights_only=True)
    names_of_settings = list(content["config"])
    content["config"][names_of_settings[len(name) % len(names_of_settings)]] = setting
    torch.save(content | changed if len(name) % 2 else content, path)
    read(load_checkpoint, path)


@seed(SEED)
@FUZZ
@given(changes=edits)
def test_bytes_of_a_model(model_bytes: bytes, tmp_path: Path, changes: list[Edit]) -> None:
    path = tmp_path / "fuzz.safetensors"
    path.write_bytes(edited(model_bytes, changes))
    read(load_model, path)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@seed(SEED)
@FUZZ
@given(part=st.sampled_from(["config", "training"]), index=st.integers(0, 100), value=json_values, whole=st.booleans())
def test_the_header_of_a_model(
    model_bytes: bytes, tmp_path: Path, part: str, index: int, value: object, whole: bool
) -> None:
    path = tmp_path / "fuzz.safetensors"
    (length,) = struct.unpack("<Q", model_bytes[:8])
    header = json.loads(model_bytes[8 : 8 + length])
    inner = json.loads(header["__metadata__"][part])
    inner = value if whole else inner | {list(inner)[index % len(inner)]: value}
    header["__metadata__"][part] = json.dumps(inner)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + model_bytes[8 + length :])
    read(load_model, path)


def config_of(path: Path) -> TrainConfig | None:
    """Read a configuration, or return None where a sentence says why not."""
    with within(SECONDS):
        try:
            return read_config(path, PRESETS["breakout"])
        except UserError as error:
            sentence = str(error)
    assert "\n" not in sentence
    assert len(sentence) < SENTENCE
    return None


@seed(SEED)
@FUZZ
@given(changes=edits)
def test_bytes_of_a_configuration(tmp_path: Path, changes: list[Edit]) -> None:
    path = tmp_path / "fuzz.toml"
    write_config(PRESETS["paper"], path)
    assert config_of(path) == PRESETS["paper"]
    path.write_bytes(edited(path.read_bytes(), changes))
    config_of(path)


@pytest.mark.parametrize(
    "value",
    [
        '"' + "ha" * 10**5 + '"', "9" * 5000, "0x" + "f" * 5000, "[" * 10**5, "[1]", "{a = 1}", "1999-12-31", "nan",
        '"""\n"""', "true",
    ],
    ids=lambda value: value[:10],
)  # fmt: skip
def test_values_that_no_configuration_has_are_refused(tmp_path: Path, value: str) -> None:
    path = tmp_path / "odd.toml"
    for name in ("threads", "gamma", "network"):
        path.write_text(f"[table]\n{name} = {value}\n")
        assert config_of(path) is None


def repeated(length: int) -> torch.Tensor:
    """Return a vector of zeros that takes four bytes in a file, however long it is."""
    return torch.zeros(1).expand(length)


def nested(value: object, depth: int, width: int) -> object:
    """Return a list that is small in a file, where what is the same is written once."""
    for _ in range(depth):
        value = [value] * width
    return value


@pytest.mark.parametrize(
    "changed",
    [
        dict.fromkeys(("parameters", "averaged_parameters", "square_average"), repeated(10**9)),
        dict.fromkeys(("parameters", "averaged_parameters", "square_average"), repeated(10**15)),
        {"gradient_average": repeated(10**12)},
        {"steps": 10**30},
        {"updates": 2**63},
        {"games": 10**400},
        {"minutes": 10**400},
        {"recent_returns": nested(1.0, 40, 2)},
        {"versions": nested("x", 40, 2)},
        {"run": "x" * 10**7},
        {"play_states": [torch.zeros(1, dtype=torch.uint8)] * 10**4},
        {"play_states": [torch.zeros(1 << 24, dtype=torch.uint8)] * 100},
        {"format": nested(1, 40, 2)},
    ],
    ids=", ".join,
)
def test_small_files_that_are_large_to_read_are_refused(
    checkpoint_bytes: bytes, tmp_path: Path, changed: dict[str, Any]
) -> None:
    path = tmp_path / "large.pt"
    torch.save(torch.load(io.BytesIO(checkpoint_bytes), weights_only=True) | changed, path)
    assert read(load_checkpoint, path) is None


@pytest.mark.parametrize("name", ["threads", "learning_rate", "game", "network", "auto_fire"])
@pytest.mark.parametrize(
    "value", [nested("ha", 26, 2), "ha" * 10**6, repeated(10**12)], ids=["nested", "long", "tensor"]
)
def test_a_setting_from_a_file_cannot_make_the_sentence_endless(
    checkpoint_bytes: bytes, tmp_path: Path, name: str, value: object
) -> None:
    path = tmp_path / "large.pt"
    content = torch.load(io.BytesIO(checkpoint_bytes), weights_only=True)
    content["config"][name] = value
    torch.save(content, path)
    assert read(load_checkpoint, path) is None


def test_a_checkpoint_of_hundreds_of_megabytes_of_zeros_is_refused(checkpoint_bytes: bytes, tmp_path: Path) -> None:
    """Squeezed, it takes a thousandth of that."""
    path = tmp_path / "large.pt"
    with zipfile.ZipFile(io.BytesIO(checkpoint_bytes)) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        with new.open(f"{name.split('/')[0]}/data/9", "w", force_zip64=True) as entry:
            for _ in range(600):
                entry.write(bytes(1 << 20))
    assert read(load_checkpoint, path) is None


def test_a_pickle_of_hundreds_of_megabytes_is_refused(checkpoint_bytes: bytes, tmp_path: Path) -> None:
    """It says a hundred million times: put None on the stack, and remember it."""
    path = tmp_path / "large.pt"
    with zipfile.ZipFile(io.BytesIO(checkpoint_bytes)) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if not name.endswith(".pkl"):
                new.writestr(name, old.read(name))
                continue
            with new.open(name, "w") as entry:
                entry.write(b"N")
                for _ in range(200):
                    entry.write(b"q\0" * (1 << 19))
                entry.write(old.read(name))
    assert read(load_checkpoint, path) is None


def test_an_entry_that_swells_when_it_is_read_is_refused(checkpoint_bytes: bytes, tmp_path: Path) -> None:
    """bzip2 gives all that a block holds at once, whatever size the directory tells."""
    path = tmp_path / "large.pt"
    with zipfile.ZipFile(io.BytesIO(checkpoint_bytes)) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        new.writestr(f"{name.split('/')[0]}/data/9", bytes(1 << 28), zipfile.ZIP_BZIP2)
    whole = bytearray(path.read_bytes())
    directory = whole.rindex(b"PK\1\2")
    whole[directory + 24 : directory + 28] = struct.pack("<L", 10)  # its size
    path.write_bytes(whole)
    assert read(load_checkpoint, path) is None


def renamed(whole: bytes, name_of: Callable[[str], str], pickle: bytes | None = None) -> bytes:
    """Return an archive with other names, and perhaps one entry more."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(result, "w") as new:
        for name in old.namelist():
            new.writestr(name_of(name), old.read(name))
            if pickle is not None and name.endswith("data.pkl"):
                new.writestr(name.upper(), pickle)
    return result.getvalue()


def test_names_that_torch_does_not_tell_apart_are_refused(checkpoint_bytes: bytes, tmp_path: Path) -> None:
    path = tmp_path / "names.pt"
    path.write_bytes(renamed(checkpoint_bytes, str))
    assert read(load_checkpoint, path) is not None
    path.write_bytes(renamed(checkpoint_bytes, str, pickle=b"N."))
    assert read(load_checkpoint, path) is None
    swollen = b"N" + b"q\0" * (1 << 23)
    path.write_bytes(renamed(checkpoint_bytes, lambda name: name.replace("data.pkl", "other"), pickle=swollen))
    assert read(load_checkpoint, path) is None


def test_torch_reads_the_entries_that_were_checked(cartpole_checkpoint_path: Path, tmp_path: Path) -> None:
    """A file with two directories: Python takes the one before the end, torch the one that the end names."""
    checkpoint = load_checkpoint(cartpole_checkpoint_path)
    other_steps = checkpoint.steps ^ 1  # as many bytes in the file
    plain = []
    for steps in (other_steps, checkpoint.steps):
        save_checkpoint(replace(checkpoint, steps=steps), tmp_path / "saved.pt")
        plain.append(renamed((tmp_path / "saved.pt").read_bytes(), str))
    end_of_first = plain[0].rindex(b"PK\5\6")
    end_of_second = plain[1].rindex(b"PK\5\6")
    assert end_of_first == end_of_second
    # The second one's end, which tells where its directory would be without the first one before it.
    end = plain[1][end_of_second:]
    path = tmp_path / "two.pt"
    path.write_bytes(plain[0][:end_of_first] + plain[1][:end_of_second] + end)
    assert torch.load(path, weights_only=True)["steps"] == other_steps
    assert load_checkpoint(path).steps == checkpoint.steps


def test_an_archive_of_millions_of_entries_is_refused(tmp_path: Path) -> None:
    """They take fifty bytes each in its directory, and twenty times that in memory."""
    path, count = tmp_path / "large.pt", 2_000_000
    small = io.BytesIO()
    with zipfile.ZipFile(small, "w") as archive:
        archive.writestr("data.pkl", b"")
    *_, size, start, comment = struct.unpack("<4s4H2LH", small.getvalue()[-22:])
    directory = small.getvalue()[start : start + size] * count
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, len(directory), start, comment)
    path.write_bytes(small.getvalue()[:start] + directory + end)
    assert read(load_checkpoint, path) is None


def test_a_model_of_gigabytes_is_refused(model_bytes: bytes, tmp_path: Path) -> None:
    path = tmp_path / "large.safetensors"
    count = 3 * GB // 4
    (length,) = struct.unpack("<Q", model_bytes[:8])
    header = json.loads(model_bytes[8 : 8 + length])
    vector = {"dtype": "F32", "shape": [count], "data_offsets": [0, 4 * count]}
    text = json.dumps({"__metadata__": header["__metadata__"], "parameters": vector}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    with path.open("r+b") as file:
        file.truncate(8 + len(text) + 4 * count)  # a hole, which takes no room on the disk
    assert read(load_model, path) is None


def test_what_is_whole_is_read(checkpoint_bytes: bytes, model_bytes: bytes, tmp_path: Path) -> None:
    checkpoint, model = tmp_path / "whole.pt", tmp_path / "whole.safetensors"
    checkpoint.write_bytes(checkpoint_bytes)
    model.write_bytes(model_bytes)
    found = read(load_checkpoint, checkpoint)
    assert found is not None
    save_checkpoint(found, checkpoint)
    assert read(load_checkpoint, checkpoint) is not None
    assert read(load_model, model) is not None
