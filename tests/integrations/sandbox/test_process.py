"""Sandboxes in processes of their own, and the command that starts both."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from django.core.management import CommandError, call_command

from integrations.connectors.registry import label
from integrations.management.commands import sandbox as command
from integrations.sandbox.__main__ import PORT_TAKEN, main
from integrations.sandbox.kinds import DEFAULT_PORTS
from integrations.sandbox.process import ROOT, Child, StartFailed, start


@pytest.fixture
def child() -> Iterator[Child]:
    one = start("jira", settings={"project_key": "OPS", "search_lag_s": 0})
    yield one
    one.stop()


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody else listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        yield one.getsockname()[1]


def test_a_sandbox_runs_in_a_process_of_its_own(child: Child) -> None:
    client = child.client()
    client.act({"do": "create"})

    (ticket,) = client.tickets()

    client.close()
    assert (ticket["key"], child.sign_in["project"], child.process.poll()) == ("OPS-1", "OPS", None)


def test_stopping_ends_the_process(child: Child) -> None:
    child.stop()

    assert child.process.returncode == 0


def test_a_sandbox_ends_with_whoever_started_it() -> None:
    code = (
        "import sys\n"
        "from integrations.sandbox.process import start\n"
        "child = start('zendesk')\n"
        "print(child.process.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())

    parent.kill()
    parent.communicate()

    assert wait_until_gone(pid)


def wait_until_gone(pid: int) -> bool:
    """A killed parent closes the pipe; the child needs a moment to see it."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        threading.Event().wait(0.01)
    return False


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent differently there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_quietly(child: Child, number: signal.Signals) -> None:
    child.process.send_signal(number)

    assert child.process.wait(10) == 0
    assert child.process.stderr is not None
    assert child.process.stderr.read() == b""


def test_a_taken_port_is_one_sentence(taken: int) -> None:
    with pytest.raises(StartFailed) as refused:
        start("zendesk", port=taken)

    assert str(refused.value) == f"Port {taken} is taken."


def test_a_setting_that_is_not_known_is_said() -> None:
    with pytest.raises(StartFailed, match="Unknown settings: colour"):
        start("zendesk", settings={"colour": "red"})


def test_the_program_answers_with_a_code(taken: int, capsys: pytest.CaptureFixture[str]) -> None:
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    try:
        told = [main(["zendesk", "--port", str(taken)]), main(["jira", "--set", "colour=red"])]
    finally:
        for one, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(one, handler)

    assert (told, capsys.readouterr().err.splitlines()[0]) == ([PORT_TAKEN, 2], f"Port {taken} is taken.")


# --- manage.py sandbox ---


class Interrupted:
    """Looks around while they run, and then presses Ctrl-C."""

    def __init__(self, out: io.StringIO) -> None:
        self.out = out
        self.answers: list[int] = []

    def __call__(self, _command: command.Command, children: list[Child]) -> None:
        self.answers = [requests.get(child.url, timeout=5).status_code for child in children]
        raise KeyboardInterrupt


PORTS = {f"{kind}_port": 0 for kind in DEFAULT_PORTS}


def test_the_command_starts_one_of_each_kind_says_how_to_use_them_and_stops_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = io.StringIO()
    looked = Interrupted(out)
    started: list[Child] = []
    monkeypatch.setattr(command.Command, "_wait", lambda *args: looked(*args))
    monkeypatch.setattr(command, "start", lambda *args, **more: kept(started, *args, **more))

    call_command("sandbox", stdout=out, **PORTS)

    assert [one.kind for one in started] == list(DEFAULT_PORTS)
    assert looked.answers == [200] * len(DEFAULT_PORTS)
    assert [one.process.returncode for one in started] == [0] * len(DEFAULT_PORTS)
    shown = out.getvalue()
    assert "no partner is touched" in shown
    for one in started:
        assert f"{label(one.kind)}: {one.sign_in['url']}\n" in shown
        assert [value for value in one.sign_in.values() if str(value) not in shown] == []


def kept(started: list[Child], *args: Any, **more: Any) -> Child:
    started.append(start(*args, **more))
    return started[-1]


def test_the_command_says_which_port_is_taken_and_leaves_nothing_running(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Child] = []
    monkeypatch.setattr(command, "start", lambda *args, **more: kept(started, *args, **more))

    with pytest.raises(CommandError) as refused:
        call_command("sandbox", **{**PORTS, "jira_port": taken}, stdout=io.StringIO())

    assert str(refused.value) == (
        f"The Jira sandbox cannot start: Port {taken} is taken. Choose another with --jira-port."
    )
    assert [one.process.returncode for one in started] == [0]


def test_the_command_stops_all_when_one_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Child] = []
    monkeypatch.setattr(command, "start", lambda *args, **more: kept(started, *args, **more))
    monkeypatch.setattr(command, "LOOK_AGAIN_S", 0.01)
    monkeypatch.setattr(command.Command, "_introduce", lambda self, children: children[1].stop())

    with pytest.raises(CommandError, match="The Jira sandbox ended by itself"):
        call_command("sandbox", only=["zendesk", "jira"], stdout=io.StringIO(), **PORTS)

    assert started[0].process.returncode == 0
