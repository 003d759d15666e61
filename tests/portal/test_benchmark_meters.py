"""The meters on a /proc of our own: what belongs to a group is counted, what has ended is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from portal.benchmark import meters
from portal.benchmark.meters import Cost, cost_of_group, machine

TICKS = os.sysconf("SC_CLK_TCK")


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(meters, "PROC", tmp_path)
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "stat").touch()
    return tmp_path


def run(proc: Path, pid: int, group: int, ticks: tuple[int, int, int, int], pss_kb: int, name: str) -> None:
    folder = proc / str(pid)
    folder.mkdir()
    nothing = "0 " * 8
    own, system, of_children, for_children = ticks
    (folder / "stat").write_text(
        f"{pid} ({name}) S 1 {group} {nothing}{own} {system} {of_children} {for_children} 20 0 1 0"
    )
    (folder / "smaps_rollup").write_text(
        "55d0c0000000-7ffd00000000 ---p 00000000 00:00 0    [rollup]\n"
        f"Rss:               99999 kB\nPss:               {pss_kb} kB\nPss_Dirty:          9999 kB\n"
    )


def test_all_processes_of_a_group_are_counted_together(proc: Path) -> None:
    run(proc, 10, 10, (1 * TICKS, 2 * TICKS, 3 * TICKS, 4 * TICKS), 5, "celery")
    run(proc, 11, 10, (10 * TICKS, 0, 0, 0), 7, "a (very) odd) name")
    run(proc, 12, 12, (99 * TICKS, 0, 0, 0), 99, "stranger")
    (proc / "meminfo").touch()

    assert cost_of_group(10) == Cost(20.0, 12 * 1024)
    assert cost_of_group(77) == Cost()


def test_a_process_that_ends_while_it_is_read_counts_nothing(proc: Path) -> None:
    run(proc, 10, 10, (TICKS, 0, 0, 0), 5, "celery")
    run(proc, 11, 10, (TICKS, 0, 0, 0), 5, "celery")
    (proc / "11" / "smaps_rollup").unlink()
    (proc / "12").mkdir()

    assert cost_of_group(10) == Cost(1.0, 5 * 1024)


def test_where_nothing_tells_there_is_no_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meters, "PROC", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)

    assert cost_of_group(10) is None
    assert machine() == "2 cores"


def test_the_machine_is_told_in_a_few_words(proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2}, raising=False)
    (proc / "meminfo").write_text(f"MemTotal:       {8 * 1024 * 1024 + 5} kB\nMemFree: 1 kB\n")

    assert machine() == "3 cores, 8 GB"
