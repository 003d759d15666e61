"""What the processes cost: CPU time and memory of a process and everything it started, read from /proc.

Linux only; elsewhere the figures are missing, not wrong.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds used so far, and memory in bytes, a page shared by n processes counted as 1/n in each."""

    cpu_s: float = 0.0
    memory_bytes: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.cpu_s + other.cpu_s, self.memory_bytes + other.memory_bytes)


def cost_of_group(group: int) -> Cost | None:
    """What all living processes of a process group cost together; None where /proc does not tell."""
    if not (PROC / "self" / "stat").exists():
        return None
    total = Cost()
    for folder in PROC.iterdir():
        if folder.name.isdecimal() and (one := _cost(folder, group)):
            total += one
    return total


def _cost(folder: Path, group: int) -> Cost | None:
    try:
        # The name may hold blanks; what follows its closing bracket does not.
        values = (folder / "stat").read_text().rpartition(")")[2].split()
        if int(values[2]) != group:
            return None
        memory = _proportional_bytes((folder / "smaps_rollup").read_text())
    except (OSError, IndexError):
        # It has ended in the meantime.
        return None
    ticks = sum(int(value) for value in values[11:15])
    return Cost(ticks / os.sysconf("SC_CLK_TCK"), memory)


def _proportional_bytes(smaps_rollup: str) -> int:
    """The proportional set size (`man proc_pid_smaps`): the sum over processes counts each shared page once."""
    return sum(int(line.split()[1]) * 1024 for line in smaps_rollup.splitlines() if line.startswith("Pss:"))


def machine_cpu_s() -> float | None:
    """CPU seconds that the whole machine has spent since it was started, all processes and the kernel; None elsewhere."""
    try:
        line = (PROC / "stat").read_text().splitlines()[0].split()
    except OSError:
        return None
    # `man proc_stat`: user, nice, system, idle, iowait, irq, softirq, steal; what guests take is in user already.
    user, nice, system, _, _, irq, softirq = (int(value) for value in line[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def machine() -> str:
    """The machine in a few words, for the line above the figures."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        memory = int((PROC / "meminfo").read_text().split()[1]) // 1024 // 1024
    except OSError:
        return f"{cores} cores"
    return f"{cores} cores, {memory} GB"
