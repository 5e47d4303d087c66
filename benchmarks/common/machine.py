"""What a benchmark ran on."""

import datetime
import platform
from pathlib import Path

import torch

from breakout_a3c.learning.networks import cpu_has_bf16
from breakout_a3c.processes.resources import usable_cores
from breakout_a3c.saving.provenance import program_versions


def describe_machine() -> dict[str, object]:
    """Return processor, cores, memory, kernel, versions, commit and date."""
    memory_kb = next(
        int(line.split()[1]) for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal")
    )
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}  # not in torch 2.9
    return {
        "date": datetime.date.today().isoformat(),
        "processor": capabilities.get("cpu_name", platform.processor()),
        "cores": usable_cores(),
        "bf16": cpu_has_bf16(),
        "memory_gb": round(memory_kb / 2**20, 1),
        "kernel": platform.release(),
        **program_versions(),
    }
