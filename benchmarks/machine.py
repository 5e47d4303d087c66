"""What a benchmark ran on, and how its result is kept."""

import datetime
import json
import os
import platform
import re
from pathlib import Path
from typing import Any

import torch

from breakout_a3c.saving.provenance import program_versions


def describe_machine() -> dict[str, object]:
    """Return processor, cores, memory, kernel, versions, commit and date."""
    memory_kb = next(
        int(line.split()[1]) for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal")
    )
    capabilities = torch.cpu.get_capabilities()
    return {
        "date": datetime.date.today().isoformat(),
        "processor": capabilities.get("cpu_name", platform.processor()),
        "cores": os.cpu_count(),
        "bf16": bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")),
        "memory_gb": round(memory_kb / 2**20, 1),
        "kernel": platform.release(),
        **program_versions(),
    }


def write_result(result: dict[str, Any], path: Path) -> None:
    """Write a result, innermost lists and rows in one line each; what was there stays until it is complete."""
    text = json.dumps(result, indent=1)
    text = re.sub(r"\[[^][{}]*\]", lambda match: " ".join(match[0].split()), text)
    text = re.sub(r"\{[^{}]*\}", lambda match: " ".join(match[0].split()), text)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text + "\n")
    temporary.replace(path)
