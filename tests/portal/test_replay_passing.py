"""A command that is run again in a passing place: its exit code comes back, and whoever stops it stops all of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OUTER = "import sys; del sys.argv[0]; from portal.demo.passing import run_again; sys.exit(run_again())"
PLACE = "import os, pathlib, signal, sys; pathlib.Path(os.environ['DATA_DIR'], 'kept').touch()"


def start(folder: Path, inner: str) -> subprocess.Popen[str]:
    """The outer process around a command with this source; both write to one pipe."""
    command = folder / "command.py"
    command.write_text(f"{PLACE}\n{inner}\n")
    places = folder / "places"
    places.mkdir()
    return subprocess.Popen(
        [sys.executable, "-c", OUTER, str(command)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(places)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_the_exit_code_comes_back_and_the_place_is_gone(tmp_path: Path) -> None:
    process = start(tmp_path, "print(os.environ['DATA_DIR']); sys.exit(7)")

    said, _ = process.communicate(timeout=60)

    assert process.returncode == 7
    assert Path(said.strip()).parent == tmp_path / "places"
    assert list((tmp_path / "places").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_who_is_asked_to_stop_passes_it_on(tmp_path: Path, number: signal.Signals) -> None:
    # Blocked, it waits for the command to ask for it.
    wait = "numbers = {signal.SIGTERM, signal.SIGHUP}; signal.pthread_sigmask(signal.SIG_BLOCK, numbers)\n"
    wait += "print('ready', flush=True); print(signal.sigwait(numbers).name); sys.exit(1)"
    process = start(tmp_path, wait)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"

    process.send_signal(number)
    said, _ = process.communicate(timeout=60)

    assert (process.returncode, said) == (1, f"{number.name}\n")
    assert list((tmp_path / "places").iterdir()) == []
