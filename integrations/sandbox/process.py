"""Starting a sandbox: in a thread of this process for tests, or in a process of its own for everything else."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integrations.sandbox.client import Sandbox
from integrations.sandbox.clock import Clock
from integrations.sandbox.kinds import SYSTEMS
from integrations.sandbox.server import Server
from integrations.sandbox.system import System

ROOT = Path(__file__).resolve().parents[2]
STOP_TIMEOUT_S = 10


class StartFailed(Exception):
    """The sandbox did not start; the message is the sentence to show."""


class Running(Sandbox):
    """A sandbox in this process: the control client, and the system itself as `state`."""

    def __init__(self, server: Server) -> None:
        super().__init__(server.url)
        self.server = server
        self.state: System = server.system


@contextlib.contextmanager
def running(
    kind: str, *, clock: Clock | None = None, settings: Mapping[str, Any] | None = None, port: int = 0
) -> Iterator[Running]:
    """Serve a sandbox of this kind from a thread, on a free port, until the block ends."""
    system = SYSTEMS[kind]()
    if clock is not None:
        system.clock = clock
    if settings:
        system.change_settings(settings)
    system.reset()
    server = Server(system, port=port)
    server.start()
    try:
        with contextlib.closing(Running(server)) as sandbox:
            yield sandbox
    finally:
        server.stop()


@dataclass(slots=True)
class Child:
    """A sandbox in a process of its own.  It ends with `stop`, or when this process is gone."""

    kind: str
    url: str
    sign_in: Mapping[str, str]
    process: subprocess.Popen[bytes]

    def client(self) -> Sandbox:
        """A client of its control API."""
        return Sandbox(self.url)

    def stop(self) -> None:
        """End it and wait for that."""
        if self.process.stdin is not None:
            # The child ends when its standard input does: that works on every platform, and when we are killed too.
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        if self.process.stderr is not None:
            self.process.stderr.close()


def start(
    kind: str, *, port: int = 0, host: str = "127.0.0.1", settings: Mapping[str, Any] | None = None
) -> Child:
    """Start a sandbox in its own process and wait until it answers; StartFailed says why it does not."""
    command = [sys.executable, "-m", "integrations.sandbox", kind, "--host", host, "--port", str(port)]
    command.append("--until-stdin-closes")
    for name, value in (settings or {}).items():
        command += ["--set", f"{name}={json.dumps(value)}"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **_own_group(),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    if not line:
        complaint = process.stderr.read().decode(errors="replace").strip()
        Child(kind, "", {}, process).stop()
        raise StartFailed(complaint or f"The {kind} sandbox ended at once.")
    told = json.loads(line)
    return Child(kind, told["url"], told["sign_in"], process)


def _own_group() -> dict[str, Any]:
    # Ctrl-C in a terminal reaches the whole group; the one who started the sandbox decides when it ends.
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}
