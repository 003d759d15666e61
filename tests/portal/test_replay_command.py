"""`manage.py replay` before anything is played: what it refuses and how, and when it kills the worker."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from integrations.models import System
from portal.management.commands import replay
from tests import recordings
from tests.factories import make_connection, make_system


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return recordings.write(tmp_path / "log.csv", recordings.log(1))


def complaint(*arguments: Any) -> str:
    with pytest.raises(CommandError) as caught:
        call_command("replay", *arguments)
    return str(caught.value)


def test_a_damaged_log_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = recordings.write(tmp_path / "log.csv", [recordings.row(priority="low")])

    assert complaint(path) == "Line 2, column priority: “low” is not known. Nothing was imported."


def test_a_worker_that_others_use_is_not_killed(log: Path) -> None:
    assert complaint(log, "--kill-every", "2") == (
        "--kill-every needs --alone: a worker that others use is not killed."
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Nobody's", "There is no Zendesk system “Nobody's”. There is “Mercuri Zendesk”."),
        ("Global Jira", "There is no Zendesk system “Global Jira”. There is “Mercuri Zendesk”."),
    ],
)
def test_it_is_played_into_a_zendesk_system_that_there_is(log: Path, name: str, expected: str) -> None:
    make_connection()

    assert complaint(log, "--into", name) == expected


@pytest.mark.django_db
def test_it_is_played_where_a_connection_begins(log: Path) -> None:
    system = make_system(name="Lonely")

    assert complaint(log, "--into", "Lonely") == f"“{system}” is in no connection that begins there."


@pytest.mark.django_db
@pytest.mark.parametrize("environment", [System.Environment.PRODUCTION, System.Environment.STAGING])
def test_it_is_never_played_into_a_real_system(log: Path, environment: str) -> None:
    make_connection(left=make_system(name="Real", environment=environment))

    assert "is not a sandbox: a recorded history is never played into a real system." in complaint(
        log, "--into", "Real"
    )


@pytest.mark.django_db
def test_a_sandbox_that_does_not_answer_is_named(log: Path, settings: Any) -> None:
    settings.SYNC_PRIVATE_HOSTS = ["127.0.0.1"]
    with socket.socket() as silent:
        # Bound and not listening: nobody else takes the port, and whoever asks is refused.
        silent.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        make_connection(left=make_system(name="Gone", base_url=address, environment="sandbox"))

        said = complaint(log, "--into", "Gone")

    assert said == f"At {address} no sandbox answers. Start `manage.py demo`, or use --alone."


@pytest.fixture(autouse=True)
def _same_signal_handlers() -> Iterator[None]:
    """A refusal leaves nobody listening for Ctrl-C."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    assert signal.getsignal(signal.SIGTERM) is before


@dataclass
class Ward:
    """A worker on a clock of its own, which needs some seconds before it begins to work."""

    boots_in_s: float
    now_s: float = 0.0
    born_s: float = 0.0
    kills: list[float] = field(default_factory=list)
    checks: int = 0

    @property
    def processes(self) -> Any:
        return self

    def check(self) -> None:
        self.checks += 1

    def has_worked_since(self, at: datetime) -> bool:
        return self.now_s >= self.born_s + self.boots_in_s

    def kill_worker(self) -> None:
        self.kills.append(self.now_s)
        self.born_s = self.now_s


def lives(monkeypatch: pytest.MonkeyPatch, boots_in_s: float) -> tuple[Ward, Any]:
    """Ten minutes of a worker that is to be killed every two seconds, looked at ten times a second."""
    ward = Ward(boots_in_s)
    monkeypatch.setattr(replay, "time", SimpleNamespace(monotonic=lambda: 1000 + ward.now_s))
    stage = SimpleNamespace(kills=0)
    check = replay._killing(stage, ward, 2.0)  # type: ignore[arg-type]
    for step in range(6000):
        ward.now_s = step / 10
        check()
    return ward, stage


@pytest.mark.parametrize("boots_in_s", [0.0, 5.0])
def test_every_worker_gets_to_work_before_it_is_killed(
    monkeypatch: pytest.MonkeyPatch, boots_in_s: float
) -> None:
    ward, stage = lives(monkeypatch, boots_in_s)

    gaps = [later - earlier for earlier, later in pairwise(ward.kills)]
    # At work for one to three seconds each, and seen ten times a second.
    assert min(gaps) >= boots_in_s + 1.0
    assert max(gaps) <= boots_in_s + 3.3
    assert len({round(gap, 1) for gap in gaps}) > 5
    assert stage.kills == len(ward.kills)
    assert ward.checks == 6000
