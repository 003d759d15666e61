"""What runs during a demo ends with it, however it ends."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.demo import processes
from portal.demo.processes import LEASH, Processes, Stopped, Trouble


def stubborn(writer: int) -> str:
    """A program that starts another, says so, and does not care about being asked to stop.  Both can write."""
    return f"""
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
os.write({writer}, b"x")
while True:
    signal.pause()
"""


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Processes]:
    """Processes that are not given long to stop."""
    monkeypatch.setattr(processes, "STOP_TIMEOUT_S", 0.2)
    found = Processes(tmp_path / "log")
    yield found
    found.stop()


def start(running: Processes, source: str, keep: tuple[int, ...] = ()) -> processes.Child:
    return running._start("worker", [sys.executable, "-c", source], {}, keep)


def read_all(reader: int, patience_s: float = 20) -> bytes:
    """Read until everybody who could write is gone; fails when somebody stays."""
    found = b""
    deadline = time.monotonic() + patience_s
    while True:
        ready, _, _ = select.select([reader], [], [], max(0, deadline - time.monotonic()))
        assert ready, "somebody still holds the other end"
        part = os.read(reader, 100)
        if not part:
            return found
        found += part


def test_stopping_ends_a_process_and_all_that_it_started(running: Processes) -> None:
    reader, writer = os.pipe()
    start(running, stubborn(writer), keep=(writer,))
    os.close(writer)
    assert os.read(reader, 1)

    running.stop()

    read_all(reader)
    os.close(reader)


def test_nothing_outlives_a_demo_that_is_killed() -> None:
    reader, writer = os.pipe()
    # Stands in for the demo: is killed before it can do anything about what it has started.
    demo = f"""
import signal, subprocess, sys
command = [sys.executable, "-I", {str(LEASH)!r}, sys.executable, "-c", {stubborn(writer)!r}]
child = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[{writer}], start_new_session=True)
signal.pause()
"""
    process = subprocess.Popen([sys.executable, "-c", demo], pass_fds=[writer])
    os.close(writer)
    assert os.read(reader, 1)

    process.kill()
    process.wait()

    read_all(reader)
    os.close(reader)


def test_a_process_that_ends_by_itself_is_named_with_the_end_of_its_log(running: Processes) -> None:
    child = start(running, "print('what went wrong'); raise SystemExit(1)")
    child.process.wait(20)

    with pytest.raises(Trouble, match=r"(?s)^The worker ended by itself\. .*what went wrong"):
        running.check()


def test_processes_that_run_are_no_trouble(running: Processes) -> None:
    start(running, "import signal; signal.pause()")

    running.check()


def test_stopping_twice_is_fine(running: Processes) -> None:
    start(running, "import signal; signal.pause()")

    running.stop()
    running.stop()

    running.check()


def test_a_sandbox_on_a_taken_port_tells_which_option_helps(running: Processes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(Trouble, match=f"Port {port} is taken. Choose another with --zendesk-port."):
            running.start_sandbox("zendesk", "Zendesk", port)


def test_a_taken_port_is_told_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(Trouble, match=f"^Port {port} is taken, perhaps by another demo."):
            processes.listen(port)


def test_port_0_takes_a_free_one() -> None:
    with processes.listen(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_being_asked_to_stop_interrupts_once(number: signal.Signals) -> None:
    before = signal.getsignal(number)

    with processes.stoppable():
        with pytest.raises(Stopped):
            signal.raise_signal(number)
        # While everything is being stopped, impatience changes nothing.
        signal.raise_signal(number)

    assert signal.getsignal(number) is before
