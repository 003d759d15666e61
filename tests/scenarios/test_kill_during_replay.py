"""A recorded history is played while the worker is killed again and again: everything arrives, once and in order."""

from __future__ import annotations

from pathlib import Path

from tests.scenarios.mischief import IMPATIENT, clean, replay

INCIDENTS = 60


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
    found = replay(tmp_path, INCIDENTS, IMPATIENT, "--kill-every", "1")

    assert found == {**clean(INCIDENTS), "kills": found["kills"]}
    assert found["kills"] >= 3
    # It leaves nothing behind, neither a process nor its folder; only what Python had put aside in killed processes.
    assert processes_with(str(tmp_path)) == []
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("pymp-")) == [
        "err",
        "log.csv.xz",
        "out",
    ]
