"""A recorded history is played while the worker is killed again and again: everything arrives, once and in order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests import recordings

ROOT = Path(__file__).resolve().parents[2]
INCIDENTS = 60
MOST_S = 300
# The shortest that the settings allow: a write whose outcome is unknown is looked at again sooner.
IMPATIENT = {"SYNC_LANE_LEASE_S": "20", "SYNC_REQUEST_TIMEOUT_S": "5"}


def replayed(folder: Path) -> dict[str, Any]:
    """The figures of a replay that did what it should, on the embedded database and broker."""
    given = ("PATH", "HOME", "LANG", "TZ", "COVERAGE_PROCESS_START")
    environment = {name: os.environ[name] for name in given if name in os.environ}
    log = recordings.write(folder / "log.csv", recordings.log(INCIDENTS))
    outcome = subprocess.run(
        [sys.executable, "manage.py", "replay", str(log), "--alone", "--kill-every", "1", "--json"],
        cwd=ROOT,
        env={**environment, **IMPATIENT, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=MOST_S,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return json.loads(outcome.stdout)


def processes_with(text: str) -> list[str]:
    """The commands of all processes whose environment or command line holds the text."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            if text.encode() in command + (folder / "environ").read_bytes():
                found.append(command.replace(b"\0", b" ").decode())
        except OSError:
            # It ended in the meantime, or is somebody else's.
            continue
    return found


def test_a_worker_that_is_killed_again_and_again_loses_doubles_and_swaps_nothing(tmp_path: Path) -> None:
    figures = replayed(tmp_path)

    counts = (
        "incidents",
        "events",
        "linked",
        "equal",
        "lost",
        "doubled",
        "out_of_order",
        "findings",
        "agrees",
    )
    assert {name: figures[name] for name in counts} == {
        "incidents": INCIDENTS,
        "events": len(recordings.log(INCIDENTS)),
        "linked": INCIDENTS,
        "equal": INCIDENTS,
        "lost": 0,
        "doubled": 0,
        "out_of_order": 0,
        "findings": [],
        "agrees": True,
    }
    assert figures["kills"] >= 3
    # It leaves nothing behind, neither a process nor its folder; only what Python had put aside in killed processes.
    assert processes_with(str(tmp_path)) == []
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith("pymp-")] == ["log.csv"]
