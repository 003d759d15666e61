"""What runs during a demo: two sandboxes, the worker and the web server; started, watched and stopped together.

Each is a process group of its own, so that Ctrl-C in a terminal reaches only the one who decides in which order they
end.  None of them outlives us: the sandboxes read a pipe from us themselves, the others are on a leash (`leash.py`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from integrations.sandbox import process as sandbox_process
from portal.demo.place import ROOT, port_option

LEASH = Path(__file__).with_name("leash.py")
HOST = "127.0.0.1"
# Celery's pool takes up to six seconds to end, most of it asleep; what is cut off then is carried on by design.
STOP_TIMEOUT_S = 3.0
LINES_SHOWN = 15


class Trouble(Exception):
    """The demo cannot go on; the message is the sentence that the person reads."""


@dataclass(slots=True)
class Child:
    """A process on a leash.  `log` is where its output goes, `stop_signal` what ends it soonest in good order."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    stop_signal: signal.Signals = signal.SIGTERM

    def has_ended(self) -> bool:
        """Whether it is gone, although nobody stopped it."""
        return self.process.poll() is not None

    def ask_to_stop(self) -> None:
        """Let it come to its end; returns at once."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(self.stop_signal)

    def stop(self, deadline: float) -> None:
        """Wait for its end, until the deadline; then end it and everything it started."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(max(0.0, deadline - time.monotonic()))
        # Its watcher still holds the group's number, so this cannot meet strangers.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()

    def last_lines(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-LINES_SHOWN:])


@dataclass(slots=True)
class Processes:
    """All of them.  `stop` may be called at any time, and more than once."""

    log_folder: Path
    children: list[Child] = field(default_factory=list)
    sandboxes: list[sandbox_process.Child] = field(default_factory=list)

    def start_sandbox(self, kind: str, label: str, port: int) -> sandbox_process.Child:
        """Start a sandbox and wait until it answers; Trouble when it does not."""
        try:
            child = sandbox_process.start(kind, port=port)
        except sandbox_process.StartFailed as error:
            hint = f" Choose another with {port_option(kind)}." if "is taken" in str(error) else ""
            raise Trouble(f"The {label} sandbox cannot start: {error}{hint}") from error
        self.sandboxes.append(child)
        return child

    def start_worker(self, name: str, variables: Mapping[str, str]) -> Child:
        """Start the Celery worker with the beat in it.  `name` tells it from others on the same broker."""
        command = [sys.executable, "-m", "celery", "-A", "portal", "worker", "-B", "-P", "prefork", "-c", "2"]
        # There is one worker: nobody to gossip or mingle with, and asking costs the first seconds.
        command += ["--without-gossip", "--without-mingle", "--without-heartbeat", "-n", f"{name}@%h"]
        return self._start("worker", command, variables)

    def start_web(self, listener: socket.socket, variables: Mapping[str, str]) -> Child:
        """Start the web server on a socket that listens already, which is closed on our side."""
        command = [sys.executable, "-m", "gunicorn", "portal.wsgi", "--bind", f"fd://{listener.fileno()}"]
        command += ["--workers", "1", "--worker-class", "gthread", "--threads", "8"]
        command += ["--graceful-timeout", "2", "--no-control-socket"]
        child = self._start("web", command, variables, keep=(listener.fileno(),))
        # On SIGTERM gunicorn would wait for connections that are only kept open.
        child.stop_signal = signal.SIGINT
        listener.close()
        return child

    def _start(
        self, name: str, command: Sequence[str], variables: Mapping[str, str], keep: Sequence[int] = ()
    ) -> Child:
        self.log_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = self.log_folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-I", str(LEASH), *command],
                cwd=ROOT,
                env={**os.environ, **variables},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=keep,
                start_new_session=True,
            )
        child = Child(name, process, log)
        self.children.append(child)
        return child

    def check(self) -> None:
        """Return while all of them run; Trouble names the one that ended."""
        for child in self.children:
            if child.has_ended():
                raise Trouble(
                    f"The {child.name} ended by itself. The end of its log ({child.log}):\n{child.last_lines()}"
                )
        for sandbox in self.sandboxes:
            if sandbox.process.poll() is not None:
                raise Trouble(f"The {sandbox.kind} sandbox ended by itself.")

    def last_lines(self) -> str:
        """The end of every log."""
        return "\n".join(f"--- The end of {child.log}\n{child.last_lines()}" for child in self.children)

    def stop(self) -> None:
        """End all of them and wait for that, some seconds at most."""
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for child in self.children:
            child.ask_to_stop()
        while self.children:
            self.children[-1].stop(deadline)
            self.children.pop()
        while self.sandboxes:
            self.sandboxes[-1].stop()
            self.sandboxes.pop()


def listen(port: int) -> socket.socket:
    """A socket that listens on `port` of this machine, 0 for a free one; Trouble when it is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # Connections of the demo before this one may linger in the system for a minute.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(64)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise Trouble(
                f"Port {port} is taken, perhaps by another demo. Choose another with --port."
            ) from error
        raise Trouble(f"Port {port} cannot be used: {error.strerror}. Choose another with --port.") from error
    return listener


class Stopped(KeyboardInterrupt):
    """Somebody asked us to stop: Ctrl-C, SIGTERM, or the terminal was closed."""


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Within the block SIGINT, SIGTERM and SIGHUP raise Stopped, once; afterwards nothing interrupts the stopping."""

    def stop(number: int, frame: object) -> None:
        for one in before:
            signal.signal(one, signal.SIG_IGN)
        raise Stopped

    before = {one: signal.signal(one, stop) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
